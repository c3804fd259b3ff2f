"""Training pictures as one memory-mapped array of crops, so that loading costs next to nothing."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from glassplate.codecs.errors import InputError

logger = logging.getLogger(__name__)

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".avif", ".jxl"}


def read_pictures(source: Path) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the pictures in a directory, a tar, or a Parquet file, sorted by name.

    A Parquet file needs a binary column, or a struct column with a binary field `bytes` (the form
    of Hugging Face data sets); the first such column is taken.
    """
    if source.is_dir():
        for path in sorted(p for p in source.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES):
            yield path.relative_to(source).as_posix(), path.read_bytes()
    elif source.suffix == ".parquet":
        yield from _read_parquet(source)
    elif tarfile.is_tarfile(source):
        with tarfile.open(source) as archive:
            members = [m for m in archive.getmembers() if m.isfile()]
            for member in sorted(members, key=lambda m: m.name):
                file = archive.extractfile(member)
                if file and Path(member.name).suffix.lower() in IMAGE_SUFFIXES:
                    yield member.name, file.read()
    else:
        raise InputError("neither a directory, nor a tar, nor Parquet", subject=str(source))


def _read_parquet(source: Path) -> Iterator[tuple[str, bytes]]:
    row = 0
    for batch in pq.ParquetFile(source).iter_batches(batch_size=64):
        for record in batch.to_pylist():
            values = (v.get("bytes") if isinstance(v, dict) else v for v in record.values())
            data = next((v for v in values if isinstance(v, bytes)), None)
            if data is not None:
                yield f"{source.name}:{row}", data
            row += 1


@dataclass(frozen=True)
class CropStore:
    """Square RGB crops, (N, size, size, 3) uint8, memory-mapped; names: each one's picture."""

    crops: npt.NDArray[np.uint8]
    names: list[str]

    @classmethod
    def build(cls, url: str, folder: Path, size: int = 512, per_picture: int = 8) -> CropStore:
        """Cut the pictures of a source into crops, once; a later call opens what is there.

        Pictures smaller than a crop, and files that are none, are left out and logged.
        Raises InputError if nothing is left.
        """
        source = Path(url)
        key = hashlib.sha256(f"{source.resolve()} {size} {per_picture}".encode()).hexdigest()[:16]
        array, index = folder / f"{key}.npy", folder / f"{key}.json"
        if not index.exists():
            folder.mkdir(parents=True, exist_ok=True)
            names = _write_crops(source, array, size, per_picture)
            index.write_text(json.dumps(names))
        return cls(np.load(array, mmap_mode="r"), json.loads(index.read_text()))

    def split(self, validation_share: float = 0.04) -> tuple[list[int], list[int]]:
        """Indices for training and validation, decided by the hash of the picture's name."""
        parts: tuple[list[int], list[int]] = ([], [])
        for index, name in enumerate(self.names):
            digest = hashlib.sha256(Path(name).name.encode()).digest()
            parts[int.from_bytes(digest[:4]) / 2**32 < validation_share].append(index)
        return parts

    def sample(self, indices: list[int], count: int, size: int) -> Tensor:
        """Random crops, flips and transpositions: (count, 3, size, size) float32 in [0, 1].

        Drawn by torch's global generator, whose state checkpoints keep.
        """
        span = self.crops.shape[1] - size + 1
        draws = torch.randint(2**31, (count, 4)).tolist()
        return torch.stack([self._crop(indices, draw, size, span) for draw in draws])

    def centres(self, indices: list[int], size: int) -> Tensor:
        """The centre of each crop: (N, 3, size, size) float32 in [0, 1]."""
        start = (self.crops.shape[1] - size) // 2
        parts = self.crops[indices, start : start + size, start : start + size]
        return torch.from_numpy(parts).permute(0, 3, 1, 2) / 255

    def _crop(self, indices: list[int], draw: list[int], size: int, span: int) -> Tensor:
        which, top, left, turn = draw
        top, left = top % span, left % span
        part = self.crops[indices[which % len(indices)], top : top + size, left : left + size]
        if turn & 1:
            part = part[::-1]
        if turn & 2:
            part = part[:, ::-1]
        if turn & 4:
            part = part.swapaxes(0, 1)
        return torch.from_numpy(np.ascontiguousarray(part)).permute(2, 0, 1) / 255


def _write_crops(source: Path, array: Path, size: int, per_picture: int) -> list[str]:
    """Two passes: count what fits, then fill the array; returns the name of each crop's picture."""
    plan = [(name, n) for name, data in read_pictures(source) if (n := _fits(name, data, size))]
    total = sum(min(n, per_picture) for _, n in plan)
    if not total:
        raise InputError(f"no picture of at least {size}x{size} pixels", subject=str(source))
    crops = np.lib.format.open_memmap(array, "w+", np.uint8, (total, size, size, 3))
    wanted, names = dict(plan), list[str]()
    for name, data in read_pictures(source):
        if name not in wanted:
            continue
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image.convert("RGB"))
        for part in _grid(pixels, size)[:per_picture]:
            crops[len(names)] = part
            names.append(name)
    crops.flush()
    return names


def _fits(name: str, data: bytes, size: int) -> int:
    """How many crops a picture gives; decodes it whole, so that damage shows here."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            count = (image.width // size) * (image.height // size)
    except (UnidentifiedImageError, OSError) as error:
        logger.warning("%s: left out: %s", name, error)
        return 0
    if not count:
        logger.warning("%s: left out: smaller than %d pixels", name, size)
    return count


def _grid(pixels: npt.NDArray[np.uint8], size: int) -> list[npt.NDArray[np.uint8]]:
    rows, columns = pixels.shape[0] // size, pixels.shape[1] // size
    return [
        pixels[r * size : (r + 1) * size, c * size : (c + 1) * size]
        for r in range(rows)
        for c in range(columns)
    ]
