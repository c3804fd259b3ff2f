"""What a worker does of a retrieval: decode, refine, write, and leave a mark with the rows."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict

from glassplate.codecs.errors import GlassplateError
from glassplate.pipelines.archive import Archive, Store, deliver, open_archive
from glassplate.pipelines.archive.deliver import save
from glassplate.pipelines.beam import beam
from glassplate.pipelines.retrieve_plan import (
    FOLDER,
    Item,
    RetrieveConfig,
    RetrievePlan,
    RetrieveShard,
)

_TURN = threading.Lock()
"""One shard at a time in a process, however many threads an engine gives it."""


class RetrieveRow(BaseModel):
    """What became of one picture.

    mean_detail: Of a refined one, mean difference from the plain picture in levels of 255.
    """

    model_config = ConfigDict(frozen=True)

    image_id: str
    name: str
    file: str
    status: Literal["plain", "refined", "failed"]
    bytes: int = 0
    source_bytes: int = 0
    seed: int | None = None
    mean_detail: float | None = None
    error_code: str | None = None
    error_message: str | None = None


class Mark(BaseModel):
    """The rows of a shard that is done, in its order."""

    rows: tuple[RetrieveRow, ...]


def mark_path(key: str) -> str:
    """Where the mark of a shard lies in the output folder."""
    return f"{FOLDER}/{key}.json"


def retrieve_shard(shard: RetrieveShard, archive: Archive, config: RetrieveConfig) -> Mark:
    """Give back the pictures of a shard; one that cannot be given back is a row, not an error."""
    store = Store(config.out)
    with tempfile.TemporaryDirectory() as folder:
        rows = [_retrieve(item, archive, config, store, Path(folder)) for item in shard.items]
    mark = Mark(rows=tuple(rows))
    store.write(mark_path(shard.key), mark.model_dump_json().encode())
    return mark


def _retrieve(
    item: Item, archive: Archive, config: RetrieveConfig, store: Store, folder: Path
) -> RetrieveRow:
    row = RetrieveRow(
        image_id=item.image_id, name=item.name, file=item.file, status="plain",
        source_bytes=item.source_bytes,
    )  # fmt: skip
    path = folder / f"picture{PurePosixPath(item.file).suffix}"
    try:
        if config.refine and item.refine:
            picture = archive.refine(item.image_id, config.refine)
            save(picture.image, path)
            detail = picture.facts["mean_detail"]
            facts = {"status": "refined", "seed": config.refine.seed, "mean_detail": detail}
            row = row.model_copy(update=facts)
        else:
            deliver(archive, item.image_id, path)
        data = path.read_bytes()
        store.write(item.file, data)
    except (GlassplateError, OSError) as error:
        code = error.code if isinstance(error, GlassplateError) else "os-error"
        failed = {"status": "failed", "error_code": code, "error_message": str(error)}
        return row.model_copy(update=failed)
    return row.model_copy(update={"bytes": len(data)})


@dataclass
class RetrieveShards(beam.PTransform):  # type: ignore[misc]
    """PCollection of (start, end), where shards stand in the plan file -> their keys, done."""

    config: RetrieveConfig
    plan: str

    def expand(self, places: beam.PCollection) -> beam.PCollection:
        step = _RetrieveShard(self.config.model_dump_json(), self.plan)
        return places | beam.Reshuffle() | beam.ParDo(step)


class _RetrieveShard(beam.DoFn):  # type: ignore[misc]
    def __init__(self, config_json: str, plan: str) -> None:
        self.config_json = config_json
        self.plan = plan

    def process(self, place: tuple[int, int]) -> Iterator[str]:
        config = RetrieveConfig.model_validate_json(self.config_json)
        line = Store(config.out).read(self.plan, *place)
        shard = RetrieveShard.model_validate_json(line)
        with _TURN:
            retrieve_shard(shard, opened(self.config_json), config)
        yield shard.key


@lru_cache(maxsize=1)
def opened(config_json: str) -> Archive:
    """The archive at the plan's snapshot, opened once for each process; its share of the cores."""
    import torch

    config = RetrieveConfig.model_validate_json(config_json)
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // config.workers))
    plan = RetrievePlan.read(Store(config.out))
    assert plan
    return open_archive(config.archive, plan.snapshot, config.device)
