"""Alpha as one more plane, lossless: a grey JPEG XL codestream for each tile of the picture."""

from __future__ import annotations

import zlib

import imagecodecs
import numpy as np
import numpy.typing as npt

from glassplate.codecs.base import Pixels, Region
from glassplate.codecs.container.bitstream import Container, Tile
from glassplate.codecs.container.declared import check_declared, jxl_size
from glassplate.codecs.container.grid import Grid
from glassplate.codecs.errors import BitstreamError, EncodeError
from glassplate.codecs.memory import empty_picture, memory_errors

Plane = npt.NDArray[np.uint8]
EFFORT = 5


def encode_alpha(image: Pixels, grid: Grid) -> list[Tile]:
    """The last channel of a (H, W, 2 or 4) picture, tile by tile. Raises EncodeError."""
    return [_encode(image[*grid.pixels(tile), -1]) for tile in range(len(grid))]


def decode_alpha(container: Container, grid: Grid, region: Region) -> Plane:
    """Alpha of a region, (height, width), from the tiles that it touches.

    The container holds the tiles of alpha after those of the picture. Raises BitstreamError.
    """
    out = empty_picture(region.height, region.width, 1)[..., 0]
    for tile in grid.touching(grid.cover(region)):
        rows, columns = grid.pixels(tile)
        plane = _decode(
            container, len(grid) + tile, (rows.stop - rows.start, columns.stop - columns.start)
        )
        (to_rows, from_rows) = _overlap(rows, region.y, region.height)
        (to_columns, from_columns) = _overlap(columns, region.x, region.width)
        out[to_rows, to_columns] = plane[from_rows, from_columns]
    return out


def _overlap(tile: slice, start: int, length: int) -> tuple[slice, slice]:
    """What a tile and a region share along one axis: as seen from the region, and the tile."""
    first, last = max(tile.start, start), min(tile.stop, start + length)
    return slice(first - start, last - start), slice(first - tile.start, last - tile.start)


def _encode(plane: Plane) -> Tile:
    plane = np.ascontiguousarray(plane)
    try:
        payload = bytes(
            imagecodecs.jpegxl_encode(plane, lossless=True, effort=EFFORT, numthreads=1)
        )
    except (RuntimeError, ValueError) as error:
        raise EncodeError(f"the alpha plane cannot be encoded ({error})") from error
    return Tile(payload, zlib.crc32(plane.data))


def _decode(container: Container, tile: int, shape: tuple[int, int]) -> Plane:
    """Into an array of the declared shape: the library refuses any other."""
    payload = container.payload(tile)
    subject = f"tile {tile}"
    check_declared(jxl_size(payload, subject), (shape[1], shape[0]), subject)
    plane = np.empty(shape, np.uint8)
    try:
        with memory_errors():
            imagecodecs.jpegxl_decode(payload, out=plane, numthreads=1)
    except (RuntimeError, ValueError) as error:
        raise BitstreamError(
            f"the alpha plane cannot be decoded ({error})", subject=f"tile {tile}"
        ) from error
    container.check_symbols(tile, zlib.crc32(plane.data))
    return plane
