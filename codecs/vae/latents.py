"""Latents as they are stored, and the bytes of one tile of them; integers only from here on.

int8: value = symbol * scale of its channel. A tile's payload, for rows in storage order:

    one byte a row: level of its Laplace table | predictor << 6, then all rows, range coded

The predictor is zero, the symbol to the left, or the one above (within the tile): latents of
photographs are smooth, and every tile stands alone. float16 and bfloat16 are stored as they are.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from glassplate.codecs.container.bitstream import Tile
from glassplate.codecs.container.laplace_coder import (
    LEVELS,
    Symbols,
    best_level,
    decode_rows,
    encode_rows,
)
from glassplate.codecs.errors import BitstreamError

LatentType = Literal["int8", "float16", "bfloat16"]
Floats = npt.NDArray[np.float32]
Values = npt.NDArray[Any]
"""(C, h, w): int8, float16, or uint16 that hold the bits of bfloat16."""

_LARGEST = 127
_PREDICTORS = 3
_DTYPES: dict[LatentType, np.dtype[Any]] = {
    "int8": np.dtype("i1"),
    "float16": np.dtype("<f2"),
    "bfloat16": np.dtype("<u2"),
}


@dataclass(frozen=True)
class StoredLatent:
    """One picture's latent; scale: (C,) float32 for int8, else None."""

    dtype: LatentType
    values: Values
    scale: Floats | None = None

    def floats(self) -> Floats:
        """(C, h, w) float32."""
        return to_floats(self.values, self.dtype, self.scale)


def store(latent: Floats, dtype: LatentType, quality: float) -> StoredLatent:
    """Round a latent to what is stored.

    Args:
        latent: (C, h, w) at about unit variance.
        dtype: How.
        quality: 0 to 100, int8 only: sets the step, but never one so fine that the largest value
            of the channel would not fit.
    """
    if dtype == "float16":
        return StoredLatent(dtype, latent.astype(np.float16))
    if dtype == "bfloat16":
        bits = torch.from_numpy(latent).bfloat16().view(torch.int16).numpy()
        return StoredLatent(dtype, bits.view(np.uint16))
    peaks = np.abs(latent).max(axis=(1, 2))
    scale = np.maximum(peaks / _LARGEST, step_of(quality)).astype(np.float32)
    symbols = np.rint(latent / scale[:, None, None]).clip(-_LARGEST, _LARGEST)
    return StoredLatent(dtype, symbols.astype(np.int8), scale)


def step_of(quality: float) -> float:
    """Quantisation step of int8 latents: 1 at quality 0, halved by every 20."""
    return float(2.0 ** (-quality / 20))


def to_floats(values: Values, dtype: LatentType, scale: Floats | None) -> Floats:
    """What stored values stand for, (C, h, w) float32; scale: (C,), for int8."""
    if dtype == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    floats: Floats = values.astype(np.float32)
    return floats if scale is None else floats * scale[:, None, None]


def write_tile(values: Values, dtype: LatentType) -> Tile:
    """The bytes of one tile, (C, h, w)."""
    plain = values.astype(_DTYPES[dtype]).tobytes()
    if dtype != "int8":
        return Tile.opaque(plain)
    codes, levels, rows = bytearray(), [], []
    for plane in values.astype(np.int32):
        above = np.zeros_like(plane[0])
        for row in plane:
            forms = (row, np.diff(row, prepend=0), row - above)
            choices = [best_level(form) for form in forms]
            best = min(range(_PREDICTORS), key=lambda form: choices[form][1])
            level = choices[best][0]
            codes.append(level | best << 6)
            levels.append(level)
            rows.append(forms[best])
            above = row
    return Tile(bytes(codes) + encode_rows(rows, levels), zlib.crc32(plain))


def read_tile(payload: bytes, dtype: LatentType, shape: tuple[int, int, int]) -> tuple[Values, int]:
    """The values of one tile of this shape, and their CRC-32. Raises BitstreamError."""
    if dtype == "int8":
        values = _read_symbols(payload, shape)
    elif len(payload) != int(np.prod(shape)) * 2:
        raise BitstreamError("holds another number of values than the tile has")
    else:
        values = np.frombuffer(payload, _DTYPES[dtype]).reshape(shape)
    return values, zlib.crc32(values.tobytes())


def read_floats(
    payload: bytes, shape: tuple[int, int, int], dtype: LatentType, scale: Floats | None
) -> tuple[Floats, int]:
    """What one tile's values stand for, and the CRC-32 of the values. Raises BitstreamError."""
    values, crc = read_tile(payload, dtype, shape)
    return to_floats(values, dtype, scale), crc


def _read_symbols(payload: bytes, shape: tuple[int, int, int]) -> Values:
    channels, height, width = shape
    codes = payload[: channels * height]
    if len(codes) < channels * height or max(codes) >= _PREDICTORS * LEVELS:
        raise BitstreamError("names a table or predictor that does not exist")
    levels = [code % LEVELS for code in codes]
    rows = decode_rows(payload[len(codes) :], [width] * len(codes), levels)
    symbols = np.empty((channels * height, width), np.int32)
    for number, (code, row) in enumerate(zip(codes, rows, strict=True)):
        symbols[number] = _undo(code // LEVELS, row, symbols, number, height)
    if np.abs(symbols).max() > _LARGEST:
        raise BitstreamError("decodes to values beyond 8 bits")
    return symbols.astype(np.int8).reshape(shape)


def _undo(predictor: int, row: Symbols, symbols: Symbols, number: int, height: int) -> Symbols:
    if predictor == 1:
        row = np.cumsum(row, dtype=np.int32)
    elif predictor == 2 and number % height:
        row = row + symbols[number - 1]
    return row
