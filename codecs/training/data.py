"""Training pictures as one memory-mapped file of crops, so that loading costs next to nothing."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from glassplate.codecs.errors import (
    DamagedImageError,
    InputError,
    TooManyPixelsError,
    UnsupportedImageError,
)
from glassplate.codecs.pillow import FORMATS, said_of_picture
from glassplate.codecs.training.callbacks import SILENT, Callbacks
from glassplate.codecs.training.config import LARGEST_CROP, TrainConfig
from glassplate.codecs.training.pictures import read_pictures

logger = logging.getLogger(__name__)

SLOT = LARGEST_CROP**2 * 3
"""Bytes of a crop in the file; smaller ones leave the rest of their slot empty."""
PER_PICTURE = 8
MAX_PIXELS = 200_000_000
_TURNS: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda x: x.flip(1),
    lambda x: x.flip(2),
    lambda x: x.transpose(1, 2),
)
"""Flips of (N, H, W, 3); with and without each of them, all eight orientations of a square."""
_DEEP_MODES = ("I", "F")
_DECODE_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, OverflowError, IndexError, KeyError, TypeError,
    MemoryError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Crop:
    """A part of the picture `name`, RGB."""

    name: str
    height: int
    width: int


@dataclass(frozen=True)
class CropStore:
    """Parts of the pictures of a source: slots is (N, SLOT) uint8, memory-mapped.

    left_out: How many pictures could not be used, by the code of the reason.
    """

    slots: npt.NDArray[np.uint8]
    crops: list[Crop]
    left_out: dict[str, int]

    @classmethod
    def build(
        cls,
        source: str,
        folder: Path,
        smallest: int = 256,
        max_crops: int = 10_000,
        on_pictures: Callable[[int, int], None] = SILENT.on_pictures,
    ) -> CropStore:
        """Cut the pictures of a source into crops, once; a later call opens what is there.

        Of a source that gives more than `max_crops` an even sample of its pictures is kept. Those
        with a side below `smallest`, and those that cannot be decoded, are left out, logged and
        counted. Raises InputError if nothing is left.
        """
        what = f"{source} {smallest} {max_crops}"
        key = hashlib.sha256(what.encode(errors="surrogateescape")).hexdigest()[:16]
        index, data = folder / f"{key}.json", folder / f"{key}.rgb"
        if not index.exists():
            folder.mkdir(parents=True, exist_ok=True)
            writer = _CropWriter(data, max_crops)
            left_out = _write_crops(source, smallest, writer, on_pictures)
            crops = writer.close()
            if not crops:
                cause = f"no picture of at least {smallest}x{smallest} pixels"
                raise InputError(cause, subject=source)
            document = {"crops": [asdict(crop) for crop in crops], "left_out": left_out}
            index.write_text(json.dumps(document))
        known = json.loads(index.read_text())
        crops = [Crop(**crop) for crop in known["crops"]]
        slots = np.memmap(data, np.uint8, "r", shape=(len(crops), SLOT))
        return cls(slots, crops, known["left_out"])

    def split(self, validation_share: float = 0.04) -> tuple[list[int], list[int]]:
        """Indices for training and validation, decided by the hash of the picture's name.

        A very small collection is trained and validated on all the same.
        """
        parts: tuple[list[int], list[int]] = ([], [])
        for index, crop in enumerate(self.crops):
            digest = hashlib.sha256(Path(crop.name).name.encode()).digest()
            parts[int.from_bytes(digest[:4]) / 2**32 < validation_share].append(index)
        training, held_out = parts
        return training or held_out, held_out or training

    def sample(
        self, indices: list[int], count: int, size: int, device: torch.device | str = "cpu"
    ) -> Tensor:
        """Random crops, flips and transpositions: (count, 3, size, size) float32 in [0, 1].

        Drawn by torch's global generator, whose state checkpoints keep. Only bytes are gathered on
        the CPU; the rest happens on the device.
        """
        draws = torch.randint(2**31, (count, 4))
        parts = np.stack([self._draw(indices, draw, size) for draw in draws.tolist()])
        batch = torch.from_numpy(parts).to(device)
        for bit, turn in enumerate(_TURNS):
            rows = torch.nonzero(draws[:, 3] >> bit & 1)[:, 0].to(device)
            batch[rows] = turn(batch[rows])
        return batch.permute(0, 3, 1, 2) / 255

    def centres(self, indices: list[int], size: int) -> Tensor:
        """The centre of each crop: (N, 3, size, size) float32 in [0, 1]."""
        batch = np.empty((len(indices), size, size, 3), np.uint8)
        for place, index in enumerate(indices):
            pixels = self.pixels(index)
            top, left = ((side - size) // 2 for side in pixels.shape[:2])
            batch[place] = pixels[top : top + size, left : left + size]
        return torch.from_numpy(batch).permute(0, 3, 1, 2) / 255

    def pixels(self, index: int) -> npt.NDArray[np.uint8]:
        """One crop, (height, width, 3)."""
        crop = self.crops[index]
        used = self.slots[index, : crop.height * crop.width * 3]
        return used.reshape(crop.height, crop.width, 3)

    def _draw(self, indices: list[int], draw: list[int], size: int) -> npt.NDArray[np.uint8]:
        which, top, left, _ = draw
        pixels = self.pixels(indices[which % len(indices)])
        top, left = top % (pixels.shape[0] - size + 1), left % (pixels.shape[1] - size + 1)
        return pixels[top : top + size, left : left + size]


def open_crops(config: TrainConfig, callbacks: Callbacks = SILENT) -> CropStore:
    """The crops of a run. Raises InputError."""
    smallest = max(config.crop, config.late_crop)
    folder = config.out / "crops"
    return CropStore.build(config.source, folder, smallest, config.max_crops, callbacks.on_pictures)


class _CropWriter:
    """Writes crops to a file; when there are too many, half of the pictures are dropped.

    Which ones is decided by the hash of their names, so that the rest is an even sample, and those
    that would be dropped need not even be read.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.file = path.open("w+b")
        self.limit = limit
        self.share = 1.0
        self.crops: list[Crop | None] = []
        self.free: list[int] = []

    def wants(self, name: str) -> bool:
        """Whether crops of this picture would be kept."""
        digest = hashlib.sha256(name.encode(errors="surrogateescape")).digest()
        return int.from_bytes(digest[8:12]) / 2**32 < self.share

    def add(self, name: str, parts: list[npt.NDArray[np.uint8]]) -> None:
        """Write the crops of one picture."""
        for part in parts:
            if not self.free:
                self.free.append(len(self.crops))
                self.crops.append(None)
            slot = self.free.pop()
            self.crops[slot] = Crop(name, *part.shape[:2])
            self.file.seek(slot * SLOT)
            self.file.write(part.tobytes())
        while len(self) > self.limit:
            self._drop_half()

    def __len__(self) -> int:
        return len(self.crops) - len(self.free)

    def close(self) -> list[Crop]:
        """Move the last crops into free slots, and return all of them in the file's order."""
        with self.file:
            for slot in sorted(self.free):
                while self.crops and self.crops[-1] is None:
                    self.crops.pop()
                if slot < len(self.crops):
                    self._move(len(self.crops) - 1, slot)
            self.file.truncate(len(self.crops) * SLOT)
        return [crop for crop in self.crops if crop is not None]

    def _drop_half(self) -> None:
        self.share /= 2
        for slot, crop in enumerate(self.crops):
            if crop is not None and not self.wants(crop.name):
                self.crops[slot] = None
                self.free.append(slot)

    def _move(self, old: int, new: int) -> None:
        self.file.seek(old * SLOT)
        part = self.file.read(SLOT)
        self.file.seek(new * SLOT)
        self.file.write(part)
        self.crops[new] = self.crops.pop()


def _write_crops(
    source: str, smallest: int, writer: _CropWriter, on_pictures: Callable[[int, int], None]
) -> Counter[str]:
    """Returns how many pictures were left out, by reason."""
    left_out = Counter[str]()
    for count, (name, content) in enumerate(read_pictures(source, writer.wants), 1):
        try:
            writer.add(name, _cut(_decode(content, smallest)))
        except (InputError, UnsupportedImageError) as error:
            left_out[error.code] += 1
            logger.warning("%s: left out: %s", name, error)
        on_pictures(count, len(writer))
    return left_out


def _decode(content: bytes | Exception, smallest: int) -> npt.NDArray[np.uint8]:
    """RGB pixels. Raises InputError, UnsupportedImageError."""
    if isinstance(content, Exception):
        raise InputError(f"cannot be read: {content}")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise TooManyPixelsError(f"has {image.width} x {image.height} pixels")
            if min(image.size) < smallest:
                raise UnsupportedImageError(f"is smaller than {smallest} pixels")
            if image.mode.startswith(_DEEP_MODES):
                raise UnsupportedImageError("has more than 8 bits")
            return np.asarray(image.convert("RGB"))
    except (*_DECODE_ERRORS, Image.DecompressionBombError) as error:
        raise DamagedImageError(said_of_picture(error)) from error


def _cut(pixels: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    """At most PER_PICTURE parts, spread over the picture; each as large as a slot allows."""
    rows, columns = (max(1, side // LARGEST_CROP) for side in pixels.shape[:2])
    height, width = (min(side, LARGEST_CROP) for side in pixels.shape[:2])
    parts = [
        pixels[r * height : (r + 1) * height, c * width : (c + 1) * width]
        for r in range(rows)
        for c in range(columns)
    ]
    count = min(len(parts), PER_PICTURE)
    return [parts[place * len(parts) // count] for place in range(count)]
