"""Snapshots: what an archive holds, as numbered manifests that are created once and never changed.

    _manifests/00000007.json = {"checksum":"<sha256 of the snapshot's bytes>","snapshot":{...}}

The exclusive creation of the next number is the only commit. A manifest whose checksum does not
hold was never committed: readers fall back to the one before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from glassplate.pipelines.archive.format.places import RunId, Sha256, check_place
from glassplate.pipelines.archive.format.schema import SCHEMA_VERSION, TABLES
from glassplate.pipelines.errors import ArchiveError, ManifestError
from glassplate.pipelines.faults import first_fault

FORMAT_VERSION = 1
_MAX_ROWS, _MAX_BYTES = 2**31 - 1, 2**63 - 1  # as the columns that point to rows, and as offsets
_HEAD, _BODY = b'{"checksum":"', b'","snapshot":'


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Frozen):
    """One immutable file, path relative to the archive's root."""

    path: str
    rows: int = Field(ge=0, le=_MAX_ROWS)
    bytes: int = Field(ge=0, le=_MAX_BYTES)
    sha256: Sha256


class ShardEntry(_Frozen):
    """The files that one shard of inputs became. `images` has one row for every input."""

    images: FileEntry
    bitstreams: FileEntry | None = None
    latents: FileEntry | None = None

    def files(self) -> list[FileEntry]:
        """The files that exist, catalogue first."""
        return [f for f in (self.images, self.bitstreams, self.latents) if f is not None]


class Ledger(_Frozen):
    """Counts of one run. `unchanged` inputs were in the archive already, as what they are now.

    damaged: of the kept, those with which something is wrong; see `schema.TROUBLES`.

    source_bytes and stored_bytes are those of the pictures that the run stored, so that neither
    failures nor duplicates flatter their ratio.
    """

    inputs: int = 0
    encoded: int = 0
    kept: int = 0
    skipped: int = 0
    failed: int = 0
    damaged: int = 0
    unchanged: int = 0
    source_bytes: int = 0
    stored_bytes: int = 0

    def adds_up(self) -> bool:
        """inputs == encoded + kept + skipped + failed, unchanged ones counted as skipped."""
        done = self.encoded + self.kept + self.skipped + self.failed
        return self.inputs == done and self.unchanged <= self.skipped and self.damaged <= self.kept

    def __add__(self, other: Ledger) -> Ledger:
        mine, theirs = self.model_dump(), other.model_dump()
        return Ledger(**{name: mine[name] + theirs[name] for name in mine})


class RunEntry(_Frozen):
    """One run that committed: its id, UTC times (ISO 8601), options and ledger."""

    run_id: RunId
    started: str
    finished: str
    options: dict[str, Any]
    ledger: Ledger


class _Version(BaseModel):
    """The one field that every future format keeps."""

    format_version: int


class Snapshot(_Frozen):
    """The whole state of an archive after a commit.

    The index files (newest last) map ids and source names to (shard, row). A shard's number is its
    position: runs only append, and a compaction rewrites the index of what it moves.
    codecs maps fingerprint -> codec name; the specs and weights lie in models/<fingerprint>/.
    """

    format_version: int = Field(default=FORMAT_VERSION, le=FORMAT_VERSION)
    schema_version: int = SCHEMA_VERSION
    number: int = Field(ge=1)
    parent: int | None = None
    shards: tuple[ShardEntry, ...] = ()
    id_index: tuple[FileEntry, ...] = ()
    name_index: tuple[FileEntry, ...] = ()
    codecs: dict[Sha256, str] = Field(default_factory=dict)
    models: tuple[FileEntry, ...] = ()
    run: RunEntry

    def files(self) -> Iterator[FileEntry]:
        """Every file that the snapshot names, catalogues first in their shards."""
        return (file for _, file in self._kinds())

    def _kinds(self) -> Iterator[tuple[str, FileEntry]]:
        """Each file, and what kind of file it is to be."""
        for shard in self.shards:
            for table in TABLES:
                if file := getattr(shard, table):
                    yield table, file
        for kind in ("id_index", "name_index", "models"):
            yield from ((kind, file) for file in getattr(self, kind))

    @model_validator(mode="after")
    def _every_file_is_in_its_place(self) -> Self:
        known: dict[str, FileEntry] = {}
        for kind, file in self._kinds():
            check_place(kind, file.path)
            if known.setdefault(file.path, file) != file:
                raise ValueError(f"{file.path} is named twice, as different files")
        return self

    def to_bytes(self) -> bytes:
        """Checksummed JSON."""
        snapshot = self.model_dump(mode="json", exclude_none=True)
        body = json.dumps(snapshot, sort_keys=True, separators=(",", ":")).encode()
        return _frame(hashlib.sha256(body).hexdigest(), body)

    @classmethod
    def from_bytes(cls, data: bytes, subject: str = "manifest") -> Self:
        """Parse and check. Raises ManifestError if truncated or damaged.

        A format that is too new raises a plain ArchiveError: falling back to an older snapshot
        would hide pictures.
        """
        body = memoryview(data)[len(_HEAD) + 64 + len(_BODY) : -1]
        frame = _frame(hashlib.sha256(body).hexdigest(), b"")
        if data[: len(frame) - 1] != frame[:-1] or data[-1:] != frame[-1:]:
            raise ManifestError("truncated, damaged, or not a manifest", subject=subject)
        try:
            return cls.model_validate_json(bytes(body))
        except ValidationError as error:
            if (version := _version(bytes(body))) > FORMAT_VERSION:
                cause = f"archive format {version} is not known"
                raise ArchiveError(cause, "Read it with a newer Glassplate.", subject) from error
            raise ManifestError(first_fault(error), subject=subject) from error


def _version(body: bytes) -> int:
    """Format of a manifest that may be of a later format; 0 if it does not say."""
    try:
        return _Version.model_validate_json(body).format_version
    except ValidationError:
        return 0


def _frame(checksum: str, body: bytes) -> bytes:
    return _HEAD + checksum.encode() + _BODY + body + b"}"
