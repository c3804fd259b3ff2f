"""The stages of a run, each of which can be repeated.

    plan_run -> encode_run -> verify_run -> commit_plan        compress: all four

Nothing that readers see changes before the commit. A run that dies is continued by the next one,
which plans the same shards and finds those that are staged already.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from glassplate.pipelines.archive.format.manifest import Ledger, RunEntry, Snapshot
from glassplate.pipelines.archive.format.parquet import open_parquet
from glassplate.pipelines.archive.format.staging import StagedShard, load_staged, read_mark
from glassplate.pipelines.archive.write.commit import commit_run, create_archive, current_snapshot
from glassplate.pipelines.archive.write.sweep import sweep_the_past
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.planning import RunPlan, ShardPlan, plan_run
from glassplate.pipelines.compress.watcher import run_watcher
from glassplate.pipelines.errors import (
    ArchiveError,
    CommitConflictError,
    LedgerError,
    TooManyFailuresError,
    WorkerError,
)
from glassplate.pipelines.jobs.fork_server import SERVER
from glassplate.pipelines.jobs.progress import ProgressCallback, reporting
from glassplate.pipelines.jobs.runners import ClusterRunner, LocalRunner
from glassplate.pipelines.storage.store import Store

__all__ = ["RunResult", "commit_plan", "compress", "encode_run", "plan_run", "verify_run"]

logger = logging.getLogger(__name__)

_CHILD = "glassplate.pipelines.compress.isolate"


@dataclass(frozen=True)
class RunResult:
    """What a run did. snapshot: None if there was nothing to do."""

    plan: RunPlan
    ledger: Ledger
    snapshot: Snapshot | None
    seconds: float


def compress(config: CompressConfig, progress: ProgressCallback | None = None) -> RunResult:
    """Bring an archive up to date with its source.

    Raises SourceError, ArchiveError (CommitConflictError), TooManyFailuresError, and what
    `get_codec` raises; a bad input is a row, not an error.
    """
    started = time.monotonic()
    plan = plan_run(config)
    encode_run(plan, progress)
    staged = verify_run(plan)
    snapshot = commit_plan(plan, staged)
    return RunResult(plan, run_ledger(plan, staged), snapshot, time.monotonic() - started)


def encode_run(plan: RunPlan, progress: ProgressCallback | None = None) -> None:
    """Stage every shard of a plan that is not staged yet.

    If that fails, what is left is tried once more: an engine may have lost a machine. A picture
    that kills the process that works on it is a row, not a failure.
    Raises WorkerError if the second try fails, too, and what `run_job` raises.
    """
    if not plan.shards:
        return
    store = Store(plan.config.archive)
    create_archive(store)
    with reporting(lambda: run_watcher(store, plan), progress):
        try:
            _encode_pending(store, plan)
        except WorkerError as error:
            _check_base(store, plan)
            logger.warning("%s: trying again what is left", error.cause)
            _encode_pending(store, plan)


def _encode_pending(store: Store, plan: RunPlan) -> None:
    pending = [shard for shard in plan.shards if _staged(store, plan, shard) is None]
    # The local runner deals shards out in turn: largest first makes the hands about equal.
    pending.sort(key=lambda shard: (-shard.source_bytes, shard.key))
    if pending:
        if isinstance(plan.config.runner, LocalRunner):
            SERVER.start(_CHILD)  # which imports meanwhile
        from glassplate.pipelines.compress.jobs import run_job  # Beam: not to find nothing new

        run_job(store, plan, pending)


def verify_run(plan: RunPlan) -> list[StagedShard]:
    """Read every staged shard again, in the plan's order, add up the ledger, apply the gate.

    On a cluster its workers read the files, and only their marks come here.
    Raises WorkerError if they cannot, ArchiveError if a shard is missing or damaged, LedgerError,
    TooManyFailuresError, and CommitConflictError as early as another run is seen.
    """
    store = Store(plan.config.archive)
    _check_base(store, plan)
    if plan.shards and _on_cluster(plan):
        from glassplate.pipelines.compress.jobs import check_job

        check_job(store, plan)
    staged = []
    for shard in plan.shards:
        one = _staged(store, plan, shard)
        if one is None:
            _check_base(store, plan)  # whoever commits sweeps the staging area
            raise ArchiveError("a staged shard is missing or damaged", "Run again.", shard.key)
        if one.ledger.inputs != shard.inputs:
            raise LedgerError("a shard has other inputs than were planned", subject=shard.key)
        staged.append(one)
    ledger = run_ledger(plan, staged)
    if not ledger.adds_up() or ledger.inputs != plan.inputs:
        raise LedgerError(f"{plan.inputs} inputs were listed, the ledger has {ledger}")
    refs = (ref for shard in plan.shards for ref in shard.refs)
    inputs = sum(ref.uri not in plan.failed_before for ref in refs)
    allowed = plan.config.failures_allowed(inputs)
    if (
        ledger.failed + ledger.damaged > allowed
        and (codes := _new_failures(store, staged, plan)).total() > allowed
    ):
        causes = ", ".join(f"{code}: {count}" for code, count in codes.most_common(5))
        raise TooManyFailuresError(
            f"{codes.total()} of {inputs} new inputs failed or are damaged ({causes}),"
            f" at most {allowed:.0f} may",
            "Nothing was committed. Look at the source, or raise --max-failures.",
            plan.config.sources,
        )
    return staged


def commit_plan(plan: RunPlan, staged: list[StagedShard]) -> Snapshot | None:
    """Commit the staged shards as the next snapshot; None if the plan has nothing new.

    A plan that has committed already gives its snapshot again, so that the stage can be retried.
    Raises CommitConflictError if another run committed since the plan was made.
    """
    store = Store(plan.config.archive)
    current = current_snapshot(store)
    if not plan.shards:
        sweep_the_past(store, current)
        return None
    from glassplate.pipelines.compress.tiers import Tiers

    if current and current.run.run_id == plan.run_id:
        return current
    base = _check_base(store, plan)
    run = RunEntry(
        run_id=plan.run_id,
        started=plan.started,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        options=plan.config.model_dump(mode="json"),
        ledger=run_ledger(plan, staged),
    )
    tiers = Tiers(plan.config)
    return commit_run(store, base, staged, run, tiers.specs, tiers.weights)


def run_ledger(plan: RunPlan, staged: list[StagedShard]) -> Ledger:
    """The counts of a whole run; unchanged inputs count as skipped."""
    unchanged = Ledger(inputs=plan.unchanged, skipped=plan.unchanged, unchanged=plan.unchanged)
    return sum((one.ledger for one in staged), unchanged)


def _on_cluster(plan: RunPlan) -> bool:
    return isinstance(plan.config.runner, ClusterRunner)


def _staged(store: Store, plan: RunPlan, shard: ShardPlan) -> StagedShard | None:
    """A staged shard, whose files are read again here, unless a cluster's workers do that."""
    return read_mark(store, shard.key) if _on_cluster(plan) else load_staged(store, shard.key)


def _check_base(store: Store, plan: RunPlan) -> Snapshot | None:
    """The snapshot that the plan was made on. Raises CommitConflictError if there is a newer."""
    current = current_snapshot(store)
    if (current.number if current else None) != plan.base:
        raise CommitConflictError(
            "another run committed to this archive in the meantime",
            "Nothing was changed. Run again.",
            plan.config.archive,
        )
    return current


def _new_failures(store: Store, staged: list[StagedShard], plan: RunPlan) -> Counter[str]:
    """Error codes with their counts, but for sources that failed in the run before, too."""
    codes: Counter[str] = Counter()
    for one in staged:
        if one.ledger.failed or one.ledger.damaged:
            with open_parquet(store, one.entry.images.path) as file:
                table = file.read(["source_uri", "error_code"])
            codes.update(
                row["error_code"]
                for row in table.to_pylist()
                if row["error_code"] and row["source_uri"] not in plan.failed_before
            )
    return codes
