"""What an archive's snapshots are, and what differs between two of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from glassplate.pipelines.archive.format.manifest import Ledger, Snapshot
from glassplate.pipelines.archive.format.snapshots import read_snapshot
from glassplate.pipelines.archive.read import query
from glassplate.pipelines.archive.read.reader import Archive
from glassplate.pipelines.errors import ManifestError

logger = logging.getLogger(__name__)

What = Literal["compress", "compact"]


@dataclass(frozen=True)
class SnapshotFacts:
    """One snapshot: its run, and what it holds.

    time: When the run ended, UTC, ISO 8601. codec: of a run of `compress`, else None.
    ledger: What became of the run's inputs. rows: of the catalogue, those of older runs, too.
    bytes: Of all files that the snapshot names. new_bytes: Of those that it was the first to name.
    """

    number: int
    time: str
    run_id: str
    what: What
    codec: str | None
    ledger: Ledger
    rows: int
    bytes: int
    new_bytes: int


def snapshots(archive: Archive) -> list[SnapshotFacts]:
    """All that are kept, oldest first. Damaged ones are left out with a warning."""
    found: list[SnapshotFacts] = []
    before: set[str] = set()
    for number in archive.snapshots():
        try:
            snapshot = read_snapshot(archive.store, number)
        except ManifestError as error:
            logger.warning("%s; it is left out", error)
            continue
        except FileNotFoundError:  # forgotten just now
            continue
        found.append(_facts(snapshot, before))
        before = {file.path for file in snapshot.files()}
    return found


def _facts(snapshot: Snapshot, before: set[str]) -> SnapshotFacts:
    sizes = {file.path: file.bytes for file in snapshot.files()}
    options: dict[str, Any] = snapshot.run.options
    return SnapshotFacts(
        number=snapshot.number,
        time=snapshot.run.finished,
        run_id=snapshot.run.run_id,
        what="compact" if "compact" in options else "compress",
        codec=options.get("codec"),
        ledger=snapshot.run.ledger,
        rows=sum(shard.images.rows for shard in snapshot.shards),
        bytes=sum(sizes.values()),
        new_bytes=sum(size for path, size in sizes.items() if path not in before),
    )


_NEWEST = """
    SELECT source_uri, name, image_id, status, reason, codec, codec_fingerprint, settings,
        stored_bytes, coalesce(gone, false) AS gone
    FROM {} QUALIFY row_number() OVER (
        PARTITION BY source_uri ORDER BY coalesce(run_id, run) DESC
    ) = 1
"""
_DIFF = f"""
    WITH a AS ({_NEWEST.format("earlier")}), b AS ({_NEWEST.format("later")}), pairs AS (
        SELECT CASE
            WHEN a.source_uri IS NULL THEN CASE WHEN b.gone THEN NULL ELSE 'added' END
            WHEN b.source_uri IS NULL THEN 'removed'
            WHEN b.gone AND NOT a.gone THEN 'gone'
            WHEN a.gone AND NOT b.gone THEN 'back'
            WHEN a.image_id IS DISTINCT FROM b.image_id THEN 'changed'
            WHEN (a.codec_fingerprint, a.settings, a.stored_bytes)
                IS DISTINCT FROM (b.codec_fingerprint, b.settings, b.stored_bytes) THEN 'reencoded'
            WHEN a.status IS DISTINCT FROM b.status AND 'failed' IN (a.status, b.status)
                THEN 'changed'
        END AS change, coalesce(b.name, a.name) AS name,
        coalesce(b.source_uri, a.source_uri) AS source_uri,
        a.image_id AS image_id_before, b.image_id AS image_id,
        a.status AS status_before, b.status AS status,
        a.codec AS codec_before, b.codec AS codec,
        a.stored_bytes AS stored_bytes_before, b.stored_bytes AS stored_bytes
        FROM a FULL OUTER JOIN b ON a.source_uri = b.source_uri
    )
    SELECT * FROM pairs WHERE change IS NOT NULL ORDER BY name, source_uri
"""


def diff(earlier: Archive, later: Archive) -> pa.Table:
    """The sources whose newest row differs between two snapshots, by name.

    Columns: change, name, source_uri, and for both snapshots image_id, status, codec, stored_bytes
    (`..._before`). change is one of
        added      a source that there was not, or that was taken in after it had been gone before
        changed    other bytes, or it failed in one of both
        reencoded  the same bytes, stored otherwise
        gone       the source was no longer there; its picture stays
        back       a source that was gone
        removed    no row any more
    A compaction changes none. Raises ShardDamagedError; ArchiveError if one expires meanwhile.
    """
    return query.run(_DIFF, {"earlier": earlier.images(), "later": later.images()})
