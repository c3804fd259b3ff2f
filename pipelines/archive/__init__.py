"""The archive format: writing, committing, reading and verifying."""

from glassplate.pipelines.archive.commit import commit_run
from glassplate.pipelines.archive.compact import Compaction, compact_archive
from glassplate.pipelines.archive.deliver import deliver
from glassplate.pipelines.archive.extract import Extracted, extract
from glassplate.pipelines.archive.reader import Archive, open_archive
from glassplate.pipelines.archive.snapshots import create_archive, current_snapshot
from glassplate.pipelines.archive.staging import StagedShard, load_staged
from glassplate.pipelines.archive.store import Store
from glassplate.pipelines.archive.verify import Damage, VerifyReport, verify_archive
from glassplate.pipelines.archive.writer import stage_shard

__all__ = [
    "Archive",
    "Compaction",
    "Damage",
    "Extracted",
    "StagedShard",
    "Store",
    "VerifyReport",
    "commit_run",
    "compact_archive",
    "create_archive",
    "current_snapshot",
    "deliver",
    "extract",
    "load_staged",
    "open_archive",
    "stage_shard",
    "verify_archive",
]
