"""Opening pictures by Pillow: by the decoder of their format alone, under a limit of ours.

Pillow tries every decoder that it has, and one of them, that of EPS, starts Ghostscript. Its own
limit on pixels is one of the whole process: it is left alone, but for the time in which a picture
is open here, whose size has been checked.
"""

from __future__ import annotations

import io
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from glassplate.codecs.errors import TooManyPixelsError, UnsupportedImageError

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""By Pillow's names; files of several pictures in JPEG (MPO) are opened as JPEG."""

_START_PROGRAMS = ("EPS",)

PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    OverflowError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    NotImplementedError,
)
"""Everything that Pillow is known to raise on damaged files; that there is no more memory says
nothing of a file."""

_LOCK = threading.Lock()
_open = 0
_limit: int | None = None


@contextmanager
def open_picture(
    source: bytes | Path,
    max_pixels: int,
    subject: str = "",
    formats: Sequence[str] | None = None,
) -> Iterator[Image.Image]:
    """A picture for as long as the block lasts, loaded nowhere but in it.

    Args:
        source: The bytes of a file, or its path.
        max_pixels: Checked against the header, before anything is decoded.
        subject: How errors name the picture.
        formats: Which decoders may look at it, but those that start programs; None: all others.

    Raises TooManyPixelsError, UnsupportedImageError for a format that Pillow has no decoder for,
    PILLOW_ERRORS.
    """
    Image.init()
    if formats is None:
        formats = [name for name in Image.ID if name not in _START_PROGRAMS]
    if unknown := set(formats) - (set(Image.OPEN) - {*_START_PROGRAMS}):
        raise UnsupportedImageError(f"Pillow does not read {', '.join(unknown)}", "", subject)
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    with _limit_is_ours(), Image.open(file, formats=list(formats)) as image:
        check_size(image.size, max_pixels, subject)
        yield image


def check_size(size: tuple[int, int], max_pixels: int, subject: str) -> None:
    """Raises TooManyPixelsError."""
    width, height = size
    if width * height > max_pixels:
        raise TooManyPixelsError(
            f"{width} x {height} = {width * height} pixels, at most {max_pixels} are allowed",
            "Raise --max-pixels if the picture is legitimate.",
            subject,
        )


@contextmanager
def _limit_is_ours() -> Iterator[None]:
    """Pillow's limit is out of the way as long as any thread is in such a block."""
    global _open, _limit
    with _LOCK:
        if not _open:
            _limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _open += 1
    try:
        yield
    finally:
        with _LOCK:
            _open -= 1
            if not _open:
                Image.MAX_IMAGE_PIXELS = _limit


def said_of_picture(error: Exception) -> str:
    """What is wrong with a picture that Pillow does not decode, in our words as far as we know."""
    text = str(error).partition(" <_io.")[0]  # it names our buffer
    if isinstance(error, UnidentifiedImageError):
        return "is not a picture in a format that is read"
    if "truncated" in text.lower():
        return "ends in the middle of its pixels"
    return f"cannot be decoded ({text})"
