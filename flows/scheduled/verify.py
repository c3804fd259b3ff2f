"""The Prefect flow `verify-archive`: scheduled fixity, with a log that only grows.

prefect deployment run verify-archive/verify-archive --watch --param archive=/data/archive
"""

from __future__ import annotations

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from glassplate.flows.options.common import parse_duration, parse_subset
from glassplate.flows.scheduled.fixity import append_line, check, record_of
from glassplate.flows.terminal.wording import are, counted
from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.upkeep.verify import VerifyReport
from glassplate.pipelines.errors import ShardDamagedError


@flow(name="verify-archive")
def verify_archive_flow(
    archive: str,
    subset: float | str = 1.0,
    max_duration: str | None = None,
    decode: bool = False,
    log: str | None = None,
) -> VerifyReport:
    """Read a share of an archive again, another one every day, and compare it with its checksums.

    Args:
        archive: Path or fsspec URL.
        subset: '5%' or 0.05 of the shards.
        max_duration: No shard is begun after '90s', '10m', '2h'.
        decode: Decode every picture, too.
        log: File or URL that gets one JSON line; None: ARCHIVE/_logs/verify.jsonl.

    The flow run fails with ShardDamagedError if anything is damaged.
    """
    report = check_fixity(
        archive,
        parse_subset(subset),
        parse_duration(max_duration),
        decode,
        log or f"{archive.rstrip('/')}/_logs/verify.jsonl",
    )
    if not report.ok:
        hit = sum(len(damage.image_ids) or len(damage.names) for damage in report.damages)
        files = len(report.damages)
        raise ShardDamagedError(
            f"{counted(files, 'file')} {are(files)} damaged, "
            f"{counted(hit, 'picture')} {are(hit)} hit",
            "The artifact verify-result and the log name them. Restore the files from a copy.",
            archive,
        )
    return report


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=30)
def check_fixity(
    archive: str, subset: float, max_duration: float | None, decode: bool, log: str
) -> VerifyReport:
    """Verify, log one line, and leave the damages (or their absence) as an artifact."""
    opened = open_archive(archive)
    report = check(opened, subset, max_duration, decode=decode)
    append_line(log, record_of(opened, report))
    summary = (
        f"{counted(report.files, 'file')}, {report.bytes} bytes, {report.shards} of "
        f"{counted(report.shards_total, 'shard')} of {archive}: "
        + ("sound" if report.ok else counted(len(report.damages), "damage"))
    )
    get_run_logger().info(summary)
    damages = [
        {"path": d.path, "cause": d.cause, "pictures": ", ".join(d.names or d.image_ids)}
        for d in report.damages
    ]
    create_table_artifact(
        table=damages or [{"path": "all", "cause": "sound", "pictures": ""}],
        key="verify-result",
        description=summary,
    )
    return report
