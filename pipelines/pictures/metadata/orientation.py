"""EXIF orientation and resolution, read; orientation, reset, with size and thumbnail turned."""

from __future__ import annotations

import io
import re

from PIL import Image

from glassplate.pipelines.pictures.metadata.exif_block import (
    EXIF_DIRECTORY,
    HEIGHT,
    ORIENTATION,
    RESOLUTION_ACROSS,
    RESOLUTION_DOWN,
    RESOLUTION_UNIT,
    THUMBNAIL_SIZE,
    THUMBNAIL_START,
    WIDTH,
    ExifBlock,
)

_XMP = re.compile(rb"(tiff:Orientation(?:=[\"']|>)\s*)([1-8])")
_THUMBNAIL_QUALITIES = (90, 75, 50)
_MAX_THUMBNAIL_SIDE = 1 << 12

_METHODS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(exif: bytes | None, xmp: bytes | None) -> int:
    """1-8; from the EXIF block, else from the XMP packet; 1 if neither tells."""
    block = ExifBlock.parse(exif) if exif else None
    value = block.get(block.first, ORIENTATION) if block else None
    if value is not None:
        return value if 1 <= value <= 8 else 1
    match = _XMP.search(xmp) if xmp else None
    return int(match[2]) if match else 1


def resolution_of(exif: bytes | None) -> tuple[float, float] | None:
    """Dots per inch across and down, where an EXIF block says so."""
    block = ExifBlock.parse(exif) if exif else None
    if not block:
        return None
    unit = {2: 1.0, 3: 2.54}.get(block.get(block.first, RESOLUTION_UNIT) or 2)
    across, down = (
        block.rational(block.first, tag) for tag in (RESOLUTION_ACROSS, RESOLUTION_DOWN)
    )
    return (across * unit, down * unit) if unit and across and down else None


def reset_exif(exif: bytes, orientation: int = 1) -> bytes:
    """The same block with orientation 1; unchanged if it cannot be parsed.

    orientation: by which the picture is turned; its size in the block is turned with it, and its
    thumbnail, which is left out where it cannot be.
    """
    block = ExifBlock.parse(exif)
    if not block:
        return exif
    block.set(block.first, ORIENTATION, 1)
    if orientation in _METHODS:
        _turn_size(block, orientation)
        _turn_thumbnail(block, orientation)
    return bytes(block.data)


def without_orientation(exif: bytes) -> bytes:
    """The same block without the tag; unchanged if it cannot be parsed."""
    block = ExifBlock.parse(exif)
    if not block:
        return exif
    block.remove(block.first, ORIENTATION)
    return bytes(block.data)


def reset_xmp(xmp: bytes) -> bytes:
    """The same packet with orientation 1."""
    return _XMP.sub(rb"\g<1>1", xmp)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as it is meant to be seen."""
    return image.transpose(_METHODS[orientation]) if orientation in _METHODS else image


def _turn_size(block: ExifBlock, orientation: int) -> None:
    directory = block.get(block.first, EXIF_DIRECTORY)
    if directory is None or orientation < 5:
        return
    width, height = block.get(directory, WIDTH), block.get(directory, HEIGHT)
    if width is not None and height is not None and max(width, height) < 1 << 16:
        block.set(directory, WIDTH, height)
        block.set(directory, HEIGHT, width)


def _turn_thumbnail(block: ExifBlock, orientation: int) -> None:
    """In its own place, where it takes at most the bytes that it had; else it is left out."""
    directory = block.thumbnail_directory
    if not directory:
        return
    start = block.start + (block.get(directory, THUMBNAIL_START) or 0)
    size = block.get(directory, THUMBNAIL_SIZE) or 0
    old = bytes(block.data[start : start + size])
    new = _turned(old, orientation)
    if new is None:
        block.unlink_thumbnail()
        new = b""
    if start > block.start and len(old) == size:
        block.data[start : start + size] = new.ljust(size, b"\0")
    block.set(directory, THUMBNAIL_SIZE, len(new))
    block.set(directory, ORIENTATION, 1)


def _turned(thumbnail: bytes, orientation: int) -> bytes | None:
    """None if it is no JPEG, or does not fit any more."""
    try:
        with Image.open(io.BytesIO(thumbnail), formats=("JPEG",)) as image:
            if max(image.size) > _MAX_THUMBNAIL_SIDE:
                return None
            turned = upright(image, orientation)
            for quality in _THUMBNAIL_QUALITIES:
                buffer = io.BytesIO()
                turned.save(buffer, "JPEG", quality=quality, optimize=True)
                if buffer.tell() <= len(thumbnail):
                    return buffer.getvalue()
    except (OSError, SyntaxError, ValueError):
        return None
    return None
