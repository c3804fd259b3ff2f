"""One Beam job: the plan is written down, places in it are dealt out to workers.

What crosses the engine is where a shard stands in the plan file (two numbers), so a job is small
however many inputs it has. What becomes of a shard is between the step and who started the job.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc

from glassplate.codecs.errors import GlassplateError
from glassplate.pipelines.errors import WorkerError
from glassplate.pipelines.jobs.beam import beam
from glassplate.pipelines.jobs.child_process import stop_children
from glassplate.pipelines.jobs.config import JobConfig
from glassplate.pipelines.jobs.local import local_pipeline, local_workers
from glassplate.pipelines.jobs.progress import Watched
from glassplate.pipelines.jobs.runners import ClusterRunner, DaskRunner, Runner
from glassplate.pipelines.jobs.step import DoShards, Work, forget_begun
from glassplate.pipelines.storage.store import Store

_POLLS = 20  # looks at the progress in one stall timeout
_BEAMS_PLACE = re.compile(r" \[while running '.*?'\]")
_PATIENCE = 10.0  # seconds for Beam to end its threads, once the processes are stopped


Config = TypeVar("Config", bound=JobConfig)


def run_shards(
    config: Config,
    shards: Sequence[str],
    store: Store,
    plan_file: str,
    work: Callable[[Config], Work],
    watcher: Callable[[], Watched],
) -> None:
    """Have the runner of a configuration do its work for every shard; returns when all are done.

    Args:
        config: Workers are lowered where there is less to do.
        shards: One line of text for each.
        store, plan_file: Where these are written for the workers.
        work: What is done with each line of the plan file.
        watcher: Watcher of a job that runs elsewhere, to see one that stalls.

    Raises WorkerError if a worker, the engine or the way to it fails; MissingExtraError.
    """
    runner, subject = config.runner, config.archive
    local = not isinstance(runner, ClusterRunner)
    if local:
        config = config.model_copy(update={"workers": local_workers(config, len(shards))})
    places = _write_plan(store, plan_file, shards)
    with _quiet_beam(), _typed_errors(runner, subject):
        options = None if local else runner.options()
        pipeline = local_pipeline(config.workers) if local else beam.Pipeline(options=options)
        hinted = DoShards(work(config)).with_resource_hints(**runner.resource_hints)
        _ = pipeline | beam.Create(places) | hinted
        try:
            if isinstance(runner, ClusterRunner):
                _finish(pipeline.run(), runner, watcher)
            else:
                _run_here(pipeline)
        finally:
            forget_begun()  # and its processes, where the work was done by this one's


def _write_plan(store: Store, path: str, shards: Iterable[str]) -> list[tuple[int, int]]:
    """One line for each shard; (start, end) of the lines in bytes."""
    places, end = [], 0
    with store.create(path) as sink:
        for shard in shards:
            line = shard.encode() + b"\n"
            sink.write(line)
            places.append((end, end + len(line)))
            end += len(line)
    return places


def _run_here(pipeline: beam.Pipeline) -> None:
    """Run a pipeline of this machine in a thread: Beam would swallow an interruption.

    Whatever ends the wait, the processes that work end first.
    """
    waiting = _started(lambda: pipeline.run().wait_until_finish())
    try:
        waiting.result()
    except BaseException:
        stop_children()
        wait([waiting], _PATIENCE)
        raise


def _finish(result: Any, runner: ClusterRunner, watcher: Callable[[], Watched]) -> None:
    """Wait for a job; cancel one that fails, stalls, or that nobody waits for any more."""
    waiting = _started(result.wait_until_finish)
    try:
        _watch(waiting, watcher(), runner.stall_timeout)
        waiting.result()
    finally:
        if not waiting.done() or waiting.exception():
            result.cancel()
        if isinstance(runner, DaskRunner):
            result.client.close()


def _watch(waiting: Future[None], watcher: Watched, stall_timeout: float) -> None:
    """Return when a job has ended. Raises RuntimeError if it does not get on."""
    done, since = -1, time.monotonic()
    while not waiting.done():
        wait([waiting], stall_timeout / _POLLS)
        now = watcher.look().done
        if now > done:
            done, since = now, time.monotonic()
        elif time.monotonic() - since > stall_timeout:
            raise RuntimeError(f"no shard was finished in {stall_timeout:g} s")


def _started(work: Callable[[], object]) -> Future[None]:
    """Work in a thread that does not keep this process from ending."""
    future: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 (handed on to who waits)
            future.set_exception(error)
        else:
            future.set_result(None)

    threading.Thread(target=run, name="beam", daemon=True).start()
    return future


@contextmanager
def _typed_errors(runner: Runner, subject: str) -> Iterator[None]:
    """Whatever runners make of what goes wrong is a WorkerError."""
    failures: list[type[BaseException]] = [RuntimeError, OSError, grpc.RpcError, GlassplateError]
    if isinstance(runner, DaskRunner):
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        failures += [KilledWorker, FutureCancelledError]
    try:
        yield
    except tuple(failures) as error:
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        cause = _BEAMS_PLACE.sub("", last).rstrip(".")
        fix = "Run again: finished shards are kept."
        raise WorkerError(f"a worker failed: {cause}", fix, subject) from error


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
