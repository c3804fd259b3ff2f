"""What a worker does of a retrieval: decode, refine, write, and leave a mark with the rows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from glassplate.codecs.errors import GlassplateError
from glassplate.pipelines.archive.deliver.file import deliver, save
from glassplate.pipelines.archive.read.reader import Archive
from glassplate.pipelines.errors import StorageError
from glassplate.pipelines.retrieve.planning import (
    FOLDER,
    Item,
    RetrieveConfig,
    RetrieveShard,
)
from glassplate.pipelines.storage.store import Store


class RetrieveRow(BaseModel):
    """What became of one picture.

    mean_detail: Mean difference of a refined one from the plain picture, in levels of 255.
    """

    model_config = ConfigDict(frozen=True)

    image_id: str
    name: str
    file: str
    status: Literal["plain", "refined", "restored", "failed"]
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


def write_mark(store: Store, shard: RetrieveShard, rows: Sequence[RetrieveRow]) -> Mark:
    """Say that a shard is done, and what became of its pictures."""
    mark = Mark(rows=tuple(rows))
    store.write(mark_path(shard.key), mark.model_dump_json().encode())
    return mark


def retrieve_item(item: Item, archive: Archive, config: RetrieveConfig) -> RetrieveRow:
    """Give back one picture. Raises StorageError, which says nothing of the picture."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"picture{PurePosixPath(item.file).suffix}"
            facts = _write_picture(path, item, archive, config)
            data = path.read_bytes()
        Store(config.out).write(item.file, data)
    except StorageError:
        raise
    except (GlassplateError, OSError) as error:
        if isinstance(error, GlassplateError):
            error.subject = item.name  # not that of a file for a while
        return failed_row(item, error)
    return _row(item, bytes=len(data), **facts)


def failed_row(item: Item, error: GlassplateError | OSError) -> RetrieveRow:
    """Row of a picture that cannot be given back."""
    code = error.code if isinstance(error, GlassplateError) else "os-error"
    return _row(item, status="failed", error_code=code, error_message=str(error))


def _write_picture(
    path: Path, item: Item, archive: Archive, config: RetrieveConfig
) -> dict[str, Any]:
    """Returns what its row says of it."""
    if config.restore and item.restore:
        save(archive.restore(item.image_id, config.restore).image, path, lossy=config.lossy)
        return {"status": "restored"}
    if not (config.refine and item.refine):
        deliver(archive, item.image_id, path, lossy=config.lossy)
        return {"status": "plain"}
    picture = archive.refine(item.image_id, config.refine)
    save(picture.image, path, lossy=config.lossy)
    detail = picture.facts["mean_detail"]
    return {"status": "refined", "seed": config.refine.seed, "mean_detail": detail}


def _row(item: Item, **facts: Any) -> RetrieveRow:
    return RetrieveRow(**item.model_dump(exclude={"refine", "restore"}), **facts)
