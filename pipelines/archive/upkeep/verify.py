"""Fixity: is every byte that the manifest names still there, and if not, which pictures are hit?

size and sha256 of each file -> on damage: page checksums of each row group and column
  -> on a damaged bitstream column: the CRCs of each bitstream in it
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from glassplate.codecs.errors import GlassplateError
from glassplate.codecs.progress import OnStep, unseen
from glassplate.pipelines.archive.format.identity import IDENTITY, Identity
from glassplate.pipelines.archive.format.manifest import FileEntry
from glassplate.pipelines.archive.format.rows import read_column
from glassplate.pipelines.archive.format.snapshots import (
    check_not_forgotten,
    manifest_numbers,
    manifest_path,
    read_snapshot,
)
from glassplate.pipelines.archive.read.locate import Stored
from glassplate.pipelines.archive.read.reader import Archive
from glassplate.pipelines.archive.upkeep.damage import ShardDoctor
from glassplate.pipelines.errors import ManifestError, OutsideError, ShardDamagedError
from glassplate.pipelines.storage.store import Store


@dataclass(frozen=True)
class Damage:
    """One damaged file and what hangs on it.

    image_ids: pictures whose row in this file is lost or in doubt; ids (or their first 16 digits,
        where only the index is left). names: their names, and those of rows without an id.
    """

    path: str
    cause: str
    image_ids: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass
class VerifyReport:
    """What was checked (files, bytes, shards of shards_total) and what is damaged."""

    shards_total: int
    shards: int = 0
    files: int = 0
    bytes: int = 0
    damages: list[Damage] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything that was checked is sound."""
        return not self.damages


def verify_archive(
    archive: Archive,
    subset: float = 1.0,
    max_duration: float | None = None,
    decode: bool = False,
    seed: int = 0,
    progress: OnStep = unseen,
) -> VerifyReport:
    """Check the files of a snapshot; manifests, indexes and models always, shards as asked.

    Args:
        subset: Fraction of the shards, 0-1, chosen by the seed.
        max_duration: Seconds after which no other shard is begun. At least one is checked.
        decode: Decode every bitstream too; bit-exact ones have to hash to their id.
        seed: Another seed, another order: give the date to get around in time.
        progress: Called with shards done and to do.

    Raises ArchiveError if the snapshot was forgotten during the check, and its files with it.
    """
    shards = list(enumerate(archive.manifest.shards))
    chosen = random.Random(seed).sample(shards, math.ceil(subset * len(shards)))
    report = VerifyReport(shards_total=len(shards))
    _check_small_files(archive, report)
    end = time.monotonic() + (math.inf if max_duration is None else max_duration)
    for number, _ in chosen:
        if report.shards and time.monotonic() > end:
            break
        report.damages += _check_shard(archive, number, decode, report)
        report.shards += 1
        progress(report.shards, len(chosen))
    if report.damages:
        check_not_forgotten(archive.store, archive.manifest)
    return report


def _check_small_files(archive: Archive, report: VerifyReport) -> None:
    report.files += 1
    if not Identity.read(archive.store).is_sound:
        report.damages.append(Damage(IDENTITY, "has another checksum than it says"))
    for number in manifest_numbers(archive.store):
        report.files += 1
        try:
            read_snapshot(archive.store, number)
        except ManifestError as error:
            report.damages.append(Damage(manifest_path(number), error.cause))
        except FileNotFoundError:
            continue  # forgotten since it was listed
    manifest = archive.manifest
    for file in (*manifest.id_index, *manifest.name_index, *manifest.models):
        if cause := _cause(archive.store, file, report):
            report.damages.append(Damage(file.path, cause))


def _check_shard(
    archive: Archive, number: int, decode: bool, report: VerifyReport
) -> Iterator[Damage]:
    entry = archive.manifest.shards[number]
    doctor = ShardDoctor(archive.store, archive.manifest, number)
    hit: set[str] = set()
    for table in ("images", "bitstreams", "latents"):
        file: FileEntry | None = getattr(entry, table)
        if file and (cause := _cause(archive.store, file, report)):
            ids, names = doctor.hit(table)
            hit |= set(ids)
            if not ids and not names:
                cause += "; every row can still be read"
            yield Damage(file.path, cause, tuple(ids), tuple(names))
    if decode and entry.bitstreams:
        for image_id, cause in _undecodable(archive, entry.bitstreams, skip=hit):
            names = doctor.names_of([image_id])
            yield Damage(entry.bitstreams.path, cause, (image_id,), tuple(names))


def _undecodable(archive: Archive, file: FileEntry, skip: set[str]) -> Iterator[tuple[str, str]]:
    """(id, cause) of the bitstreams that do not decode, or not to what their id says."""
    try:
        ids = read_column(archive.store, file, "image_id")
    except ShardDamagedError:
        return  # reported already, with every picture in it
    for row, image_id in enumerate(ids):
        if image_id not in skip:
            try:
                archive.check_decodes(Stored(image_id, file, row, None))
            except GlassplateError as error:
                yield image_id, str(error)


def _cause(store: Store, file: FileEntry, report: VerifyReport) -> str | None:
    """What is wrong with a file's bytes, or None."""
    report.files += 1
    try:
        size, sha256 = store.digest(file.path)
    except FileNotFoundError:
        return "is missing"
    except (OSError, OutsideError) as error:
        return f"cannot be read: {error}"
    report.bytes += size
    if size != file.bytes:
        return f"has {size} bytes instead of {file.bytes}"
    return None if sha256 == file.sha256 else "has other bytes than were written (sha256)"
