"""What a retrieval has to do: which pictures, under which names, in which shards.

The plan is written into the output folder once and never changed: a later run with the same options
goes on with it, whatever the archive has become since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from glassplate.codecs.errors import ConfigError, OptionName
from glassplate.codecs.refine.options import RefineOptions
from glassplate.pipelines.archive.deliver.file import check_labelled, suffix_of_format
from glassplate.pipelines.archive.deliver.folder import chosen
from glassplate.pipelines.archive.deliver.names import Names, is_below, is_safe, own_suffix
from glassplate.pipelines.archive.format.places import Sha256
from glassplate.pipelines.archive.read.reader import Archive, open_archive
from glassplate.pipelines.errors import NotFoundError, ShardDamagedError
from glassplate.pipelines.faults import first_fault
from glassplate.pipelines.retrieve.config import RetrieveConfig as RetrieveConfig
from glassplate.pipelines.storage.store import Store

FOLDER = "_retrieve"
PLAN = f"{FOLDER}/plan.json"
SHARDS_WANTED = 64
MAX_SHARD_PICTURES = 32


class _Row(BaseModel):
    """What is asked of the catalogue."""

    image_id: Sha256
    name: str
    bit_exact: bool | None
    codec_fingerprint: str | None
    source_bytes: int | None
    format: str | None
    mode: str | None
    reason: str | None


def _may_be_written(file: str) -> str:
    """Raises ValueError for a file that no plan of ours names."""
    if not is_safe(file) or is_below(file, FOLDER):
        raise ValueError("leads to a place that is not for pictures")
    return file


class Item(BaseModel):
    """One picture and the file, below the output folder, that it becomes."""

    model_config = ConfigDict(frozen=True)

    image_id: Sha256
    name: str
    file: Annotated[str, AfterValidator(_may_be_written)]
    refine: bool
    restore: bool
    source_bytes: int


class RetrieveShard(BaseModel):
    """The pictures that one worker gives back; `key` names its mark."""

    model_config = ConfigDict(frozen=True)

    key: Sha256
    items: tuple[Item, ...]


class RetrievePlan(BaseModel):
    """A retrieval: the snapshot that it reads, and its shards."""

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    snapshot: int
    shards: tuple[RetrieveShard, ...]

    @model_validator(mode="after")
    def _every_file_is_one_picture(self) -> Self:
        files = [item.file for shard in self.shards for item in shard.items]
        if len(set(files)) < len(files):
            raise ValueError("two pictures would become one file")
        return self

    @property
    def pictures(self) -> int:
        return sum(len(shard.items) for shard in self.shards)

    @classmethod
    def read(cls, store: Store) -> Self | None:
        """The plan in an output folder, None if there is none.

        Raises ConfigError for a file that is no plan, or one that would write elsewhere.
        """
        try:
            return cls.model_validate_json(store.read(PLAN))
        except FileNotFoundError:
            return None
        except ValidationError as error:
            cause = f"is no plan of a retrieval: {first_fault(error)}"
            raise ConfigError(cause, "Choose an empty folder.", f"{store.url}/{PLAN}") from error


def plan_retrieve(config: RetrieveConfig) -> RetrievePlan:
    """Make a plan, or find the one that an earlier run has made.

    Raises ConfigError for a bad query or format, a folder that holds anything else, or pictures
    none of which can be refined; WeightsError for weights of a refiner or restorer that do not fit;
    NotFoundError if nothing is selected; ArchiveError.
    """
    if config.format:
        suffix = suffix_of_format(config.format)
        if config.refine or config.restore:
            check_labelled(PurePosixPath(f"picture{suffix}"))
    if config.restore:
        from glassplate.codecs.restore.restorer import Restorer  # torch, which most never need

        Restorer(config.restore, config.device)  # refuses weights before any work
    archive = open_archive(config.archive, config.snapshot, config.device)
    fingerprint = config.fingerprint(archive.store.root)
    store = Store(config.out)
    if store.is_local and Path(store.root).is_file():
        raise ConfigError("is a file", "Choose a folder.", config.out)
    if known := RetrievePlan.read(store):
        if known.fingerprint != fingerprint:
            raise ConfigError(
                "holds a retrieval with other options", "Choose an empty folder.", config.out
            )
        return known
    if store.list(""):
        raise ConfigError("is not empty", "Choose an empty folder.", config.out)
    items = _items(archive, config)
    shards = tuple(_shards(items, fingerprint))
    plan = RetrievePlan(fingerprint=fingerprint, snapshot=archive.manifest.number, shards=shards)
    store.write(PLAN, plan.model_dump_json().encode())
    return plan


def _items(archive: Archive, config: RetrieveConfig) -> list[Item]:
    rows = _selected(archive, config)
    refined = _refinable(archive, rows, config.refine) if config.refine else set()
    names = Names(reserved=FOLDER)
    items = []
    for row in rows:
        restore = config.restore is not None and _is_restorable(row)
        refine = row.codec_fingerprint in refined
        items.append(
            Item(
                image_id=row.image_id,
                name=row.name,
                file=names.take(row.name, _suffix(row, config, labelled=refine or restore)),
                refine=refine,
                restore=restore,
                source_bytes=row.source_bytes or 0,
            )
        )
    return items


def _suffix(row: _Row, config: RetrieveConfig, *, labelled: bool) -> str:
    """labelled: Whether the file is to say that a model had a hand in it, as a PNG can."""
    if config.format:
        return f".{config.format.lstrip('.')}"
    if labelled:
        return ".png"
    return own_suffix(row.name, row.format, bit_exact=bool(row.bit_exact))


def _selected(archive: Archive, config: RetrieveConfig) -> list[_Row]:
    """What is stored for each source; for a duplicate that of the first. Raises NotFoundError."""
    found = chosen(archive, config.where, list(_Row.model_fields))
    try:
        rows = [_Row(**row) for row in found]
    except ValidationError as error:
        cause = f"has a row that no run writes: {first_fault(error)}"
        raise ShardDamagedError(cause, "Run `glassplate verify`.", "the catalogue") from error
    if not rows:
        raise NotFoundError(
            "no stored picture is selected", "See `glassplate query`.", OptionName("where")
        )
    return [_first(archive, row) if row.reason == "duplicate" else row for row in rows]


def _first(archive: Archive, row: _Row) -> _Row:
    image = archive.stored(row.image_id).image
    if image is None:
        return row
    same = {name: getattr(image, name) for name in _OF_THE_BITSTREAM}
    return row.model_copy(update=same)


_OF_THE_BITSTREAM = ("codec_fingerprint", "bit_exact", "format", "mode", "reason")


def _is_restorable(row: _Row) -> bool:
    straight_alpha = row.reason == "alpha" and row.mode in ("LA", "RGBA")
    return row.mode in _RESTORABLE_MODES and (row.reason in _RESTORABLE_REASONS or straight_alpha)


_RESTORABLE_MODES = ("L", "LA", "P", "RGB", "RGBA")
_RESTORABLE_REASONS = (None, "codec-limit", "not-smaller", "target-missed")
"""Why still 8-bit pictures may be kept as they are; other reasons say that they are none."""


def _refinable(archive: Archive, rows: Sequence[_Row], options: RefineOptions) -> set[str]:
    """Fingerprints of the codecs whose pictures will be refined.

    Raises ConfigError if there is none, WeightsError.
    """
    fingerprints = sorted({row.codec_fingerprint for row in rows if row.codec_fingerprint})
    fit, refusals = set(), []
    for fingerprint in fingerprints:
        try:
            archive.refiner(fingerprint, options)
            fit.add(fingerprint)
        except ConfigError as error:
            refusals.append(error)
    if refusals and not fit:
        raise refusals[0]
    return fit


def _shards(items: Sequence[Item], seed: str) -> Iterator[RetrieveShard]:
    size = min(max(len(items) // SHARDS_WANTED, 1), MAX_SHARD_PICTURES)
    for start in range(0, len(items), size):
        part = tuple(items[start : start + size])
        named = json.dumps([(item.image_id, item.file) for item in part])
        yield RetrieveShard(key=hashlib.sha256((seed + named).encode()).hexdigest(), items=part)
