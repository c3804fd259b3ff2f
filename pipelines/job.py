"""One Beam job: the plan is written down, places in it are dealt out to workers, marks come back.

What crosses the engine is where a shard's references stand in the plan file (two numbers), so a job
is small however many inputs it has. The file is also a trace: it stays behind where a run died.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.pool import AsyncResult, ThreadPool
from typing import Any

import grpc

from glassplate.codecs.errors import GlassplateError
from glassplate.pipelines.archive.store import Store
from glassplate.pipelines.archive.sweep import sweep
from glassplate.pipelines.archive.writer import STAGING
from glassplate.pipelines.beam import beam
from glassplate.pipelines.errors import WorkerError
from glassplate.pipelines.local import local_pipeline, local_workers
from glassplate.pipelines.planning import RunPlan, ShardPlan
from glassplate.pipelines.progress import Watcher
from glassplate.pipelines.runners import ClusterRunner, DaskRunner
from glassplate.pipelines.transforms import EncodeShards, shard_encoder

_RUN = "run="
_PLAN_FILE = "plan.jsonl"
_POLLS = 20  # looks at the marks in one stall timeout


def traces(store: Store) -> list[str]:
    """Staging folders of runs that are going on, or that died."""
    return [name for name in store.list(STAGING) if name.startswith(_RUN)]


def run_job(store: Store, plan: RunPlan, pending: Sequence[ShardPlan], *, careful: bool) -> None:
    """Have the plan's runner stage the pending shards; returns when all are done.

    careful: encode in processes apart, so that a picture that kills one is found and named.
    Raises WorkerError if a worker, the engine or the way to it fails; MissingExtraError.
    """
    runner = plan.config.runner
    config = plan.config
    if not isinstance(runner, ClusterRunner):
        config = config.model_copy(update={"workers": local_workers(config, len(pending))})
    folder = f"{STAGING}/{_RUN}{plan.run_id}"
    path = f"{folder}/{_PLAN_FILE}"
    places = _write_plan(store, path, pending)
    try:
        with _quiet_beam(), _typed_errors(plan):
            local = config is not plan.config
            options = None if local else runner.options()
            pipeline = local_pipeline(config.workers) if local else beam.Pipeline(options=options)
            encode = EncodeShards(config, path, careful)
            _ = pipeline | beam.Create(places) | encode.with_resource_hints(**runner.resource_hints)
            _finish(pipeline.run(), store, plan)
    finally:
        shard_encoder.cache_clear()
        sweep(store, [folder])


def _write_plan(store: Store, path: str, shards: Sequence[ShardPlan]) -> list[tuple[int, int]]:
    """One line for each shard; (start, end) of the lines in bytes."""
    places, end = [], 0
    with store.create(path) as sink:
        for shard in shards:
            line = shard.to_json().encode() + b"\n"
            sink.write(line)
            places.append((end, end + len(line)))
            end += len(line)
    return places


def _finish(result: Any, store: Store, plan: RunPlan) -> None:
    """Wait for a job; cancel one that fails, stalls, or that nobody waits for any more."""
    runner = plan.config.runner
    if not isinstance(runner, ClusterRunner):
        result.wait_until_finish()
        return
    waiting = ThreadPool(1).apply_async(result.wait_until_finish)  # its thread is a daemon
    try:
        _watch(waiting, Watcher(store, plan), runner.stall_timeout)
        waiting.get()
    finally:
        if not (waiting.ready() and waiting.successful()):
            result.cancel()
        if isinstance(runner, DaskRunner):
            result.client.close()


def _watch(waiting: AsyncResult[Any], watcher: Watcher, stall_timeout: float) -> None:
    """Return when a job has ended. Raises RuntimeError if it does not get on."""
    done, since = -1, time.monotonic()
    while not waiting.ready():
        waiting.wait(stall_timeout / _POLLS)
        now = watcher.look().done
        if now > done:
            done, since = now, time.monotonic()
        elif time.monotonic() - since > stall_timeout:
            raise RuntimeError(f"no shard was finished in {stall_timeout:g} s")


@contextmanager
def _typed_errors(plan: RunPlan) -> Iterator[None]:
    """Whatever runners make of what goes wrong is a WorkerError."""
    failures: list[type[BaseException]] = [RuntimeError, OSError, grpc.RpcError, GlassplateError]
    if isinstance(plan.config.runner, DaskRunner):
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        failures += [KilledWorker, FutureCancelledError]
    try:
        yield
    except tuple(failures) as error:
        cause = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        fix = "Run again: finished shards are kept."
        raise WorkerError(f"a worker failed: {cause}", fix, plan.config.archive) from error


@contextmanager
def _quiet_beam() -> Iterator[None]:
    """Keep what Beam says of its machinery off the user's terminal.

    That is its log, and the last words of its threads whose worker was killed.
    """
    logger = logging.getLogger(beam.__name__)
    level, report = logger.level, threading.excepthook
    logger.setLevel(logging.CRITICAL)
    threading.excepthook = lambda last: None if _is_broken_line(last) else report(last)
    try:
        yield
    finally:
        logger.setLevel(level)
        threading.excepthook = report


def _is_broken_line(last: threading.ExceptHookArgs) -> bool:
    return isinstance(last.exc_value, grpc.RpcError)
