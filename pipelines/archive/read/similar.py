"""Near duplicates: the pictures of an archive by cosine similarity, read in one pass."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glassplate.pipelines.archive.format.latents import latent_of
from glassplate.pipelines.archive.format.rows import PARQUET_ERRORS
from glassplate.pipelines.archive.read.reader import Archive
from glassplate.pipelines.errors import NotFoundError, ShardDamagedError

By = Literal["embedding", "latent"]
POOLED = 4
"""Latents are averaged over so many rows and columns of cells."""
Vectors = npt.NDArray[np.float32]

_COLUMNS = {
    "embedding": ["image_id", "embedding"],
    "latent": ["image_id", "latent", "shape", "dtype", "scale"],
}


@dataclass(frozen=True)
class Similar:
    """One picture and its cosine similarity, -1 to 1, to the one that was asked about."""

    image_id: str
    name: str
    similarity: float


def similar(archive: Archive, key: str, count: int = 10, by: By = "embedding") -> list[Similar]:
    """The pictures most like a stored one, most similar first, without itself.

    Args:
        key: As for `Archive.get`.
        count: At most so many.
        by: The stored embedding (what it looks like from far away), or latents averaged over a
            4x4 grid (of pictures that have one with as many channels).

    Raises NotFoundError if the picture has no such vector, ShardDamagedError.
    """
    image_id = archive.stored(key).image_id
    query = next((v[0] for _, v in _vectors(archive, by, [image_id])), None)
    if query is None:
        fix = "Have latents of every picture: compress SOURCE ARCHIVE --latents vae."
        raise NotFoundError(f"has no {by} in this archive", fix, image_id[:16])
    best: list[tuple[float, str]] = []
    for ids, vectors in _vectors(archive, by):
        if vectors.shape[1] != len(query):
            continue
        cosines = vectors @ query
        for place in np.argsort(-cosines)[: count + 1]:
            if ids[place] != image_id:
                best.append((float(cosines[place]), ids[place]))
        best = heapq.nlargest(count, dict.fromkeys(best))
    names = _names(archive, [one for _, one in best])
    return [Similar(one, names.get(one, ""), cosine) for cosine, one in best]


def _vectors(
    archive: Archive, by: By, only: list[str] | None = None
) -> Iterator[tuple[list[str], Vectors]]:
    """Image ids and their unit vectors, (n, d), in portions of equal d."""
    chosen = pc.field(by).is_valid()
    if only:
        chosen &= pc.field("image_id").isin(only)
    try:
        for batch in archive.latents().to_batches(columns=_COLUMNS[by], filter=chosen):
            if batch.num_rows:
                yield from _by_embedding(batch) if by == "embedding" else _by_latent(batch)
    except PARQUET_ERRORS as error:
        fix = "Run `glassplate verify` to see which pictures are hit."
        raise ShardDamagedError(str(error), fix, "the latents") from error


def _by_embedding(batch: pa.RecordBatch) -> Iterator[tuple[list[str], Vectors]]:
    flat = batch["embedding"].flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    yield batch["image_id"].to_pylist(), flat.reshape(batch.num_rows, -1)


def _by_latent(batch: pa.RecordBatch) -> Iterator[tuple[list[str], Vectors]]:
    for row in batch.to_pylist():
        yield [row["image_id"]], _pooled(latent_of(row))[None]


def _pooled(latent: npt.NDArray[np.float32]) -> Vectors:
    """(C, h, w) to a unit vector (C * 16,): means over a 4x4 grid of cells, which may overlap."""
    for axis in (1, 2):
        length = latent.shape[axis]
        cells = [
            latent.take(range(length * i // POOLED, -(-length * (i + 1) // POOLED)), axis).mean(
                axis
            )
            for i in range(POOLED)
        ]
        latent = np.stack(cells, axis)
    vector = latent.reshape(-1)
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _names(archive: Archive, ids: list[str]) -> dict[str, str]:
    """A name for each id. Ids are hexadecimal, so they can stand in SQL."""
    if not ids:
        return {}
    listed = ", ".join(f"'{one}'" for one in ids)
    rows: list[dict[str, Any]] = archive.where(
        f"image_id IN ({listed})",
        columns=["image_id", "name"],
        order="gone DESC, status = 'skipped' DESC, name",  # the last one counts
    ).to_pylist()
    return {row["image_id"]: row["name"] for row in rows}
