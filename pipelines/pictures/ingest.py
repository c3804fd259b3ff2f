"""From source bytes to upright 8-bit pixels, or to the reason why the bytes are kept as they are.

Pillow's own limit on pixels is left alone: `max_pixels` is checked before anything is decoded.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from glassplate.codecs import Pixels
from glassplate.codecs.errors import DamagedImageError, NotAnImageError
from glassplate.codecs.pillow import PILLOW_ERRORS, open_picture
from glassplate.pipelines.pictures.formats import (
    DECODED,
    deeper_than_8_bit,
    first_directory_is_missing,
    sniff,
)
from glassplate.pipelines.pictures.metadata import Loss, read_facts
from glassplate.pipelines.pictures.metadata.orientation import upright
from glassplate.pipelines.pictures.metadata.segment import Segment

_REPLACE = "Replace the file by a sound copy; the next run takes it."
_REASONS = {
    "1": "bilevel",
    "CMYK": "cmyk",
    "F": "float",
    "I": "16-bit",
    "La": "alpha",
    "PA": "palette-alpha",
    "RGBa": "alpha",
    "RGBX": "alpha",
}
_SAMPLE_FORMAT, _BITS_PER_SAMPLE, _SUB_IFDS = 339, 258, 330
_EXTRA_SAMPLES, _STRAIGHT_ALPHA = 338, 2
_COLOUR_OF = {"LA": "L", "RGBA": "RGB"}
_FLOAT_SAMPLES = 3
_STRIP_PIXELS = 1 << 20


@dataclass(frozen=True)
class Picture:
    """One source picture.

    pixels: upright, (height, width, 1 to 4) uint8, with straight alpha if the channels are 2 or 4;
        None if a pixel codec cannot hold the picture.
    keep_reason: why it is kept bit-exactly, if pixels is None.
    format, mode: of the source, as Pillow names them. width, height: upright, None if unknown.
    orientation: of the source, 1-8; applied to the pixels, and reset to 1 in exif and xmp.
    icc_profile, exif, xmp: the source's blocks, broken ones as they are.
    segments: what other metadata the source has.
    losses: what it says that has no place in any of these.
    """

    pixels: Pixels | None
    keep_reason: str | None
    format: str
    mode: str | None = None
    width: int | None = None
    height: int | None = None
    orientation: int = 1
    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    segments: Sequence[Segment] = ()
    losses: Sequence[Loss] = ()

    @property
    def metadata_bytes(self) -> int:
        """Size of all metadata, as it is stored beside pixels."""
        blocks = (self.icc_profile, self.exif, self.xmp, *(s["data"] for s in self.segments))
        return sum(len(block or b"") for block in blocks)


def ingest(data: bytes, subject: str, max_pixels: int, *, whole: bool = True) -> Picture:
    """Decode a source file; `subject` is its name, whose extension helps where bytes do not tell.

    whole: Keep the file if anything that it says has no place beside pixels; else only if the
        pixels do not hold the picture, and what is left out is among `losses`.

    Raises NotAnImageError, DamagedImageError, TooManyPixelsError.
    """
    label = sniff(data, subject)
    if label is None:
        cause = "is not a picture in any known format" if data else "is empty"
        raise NotAnImageError(cause, _REPLACE, subject)
    if label not in DECODED:
        return Picture(None, "unsupported-format", label)
    try:
        with open_picture(data, max_pixels, subject, [label]) as image:
            return _read(image, data, label, max_pixels, whole=whole)
    except UnidentifiedImageError as error:
        if label == "TIFF" and not first_directory_is_missing(data):
            return Picture(None, "unsupported-format", label)
        raise DamagedImageError("the header cannot be read", _REPLACE, subject) from error
    except PILLOW_ERRORS as error:
        cause = str(error) or type(error).__name__
        raise DamagedImageError(f"cannot be decoded: {cause}", _REPLACE, subject) from error


def _read(image: Image.Image, data: bytes, label: str, max_pixels: int, *, whole: bool) -> Picture:
    tags: dict[int, Any] = dict(getattr(image, "tag_v2", {})) if label == "TIFF" else {}
    facts, mode = read_facts(image, data, label), image.mode
    orientation = facts.orientation
    reason = _keep_reason(image, data, label, tags) or facts.keep_reason(whole=whole)
    if label == "PNG":
        with Image.open(io.BytesIO(data), formats=("PNG",)) as again:
            again.verify()  # decoding does not look at the checksums of pixel data
    frames = int(getattr(image, "n_frames", 1))
    for frame in range(min(frames, max(1, max_pixels // (image.width * image.height)))):
        image.seek(frame)
        image.load()
    turned = image if tags else upright(image, orientation) if not reason else image
    width, height = turned.size
    if reason and not tags and orientation > 4:
        width, height = height, width
    return Picture(
        pixels=None if reason else _pixels(turned),
        keep_reason=reason,
        format=image.format or label,
        mode=mode,
        width=width,
        height=height,
        orientation=orientation,
        icc_profile=facts.icc_profile,
        exif=facts.exif,
        xmp=facts.xmp,
        segments=() if reason else facts.segments,
        losses=facts.losses,
    )


def _keep_reason(image: Image.Image, data: bytes, label: str, tags: dict[int, Any]) -> str | None:
    if getattr(image, "n_frames", 1) > 1:
        return {"MPO": "multi-picture", "TIFF": "multi-page"}.get(image.format or "", "animation")
    if _SUB_IFDS in tags:  # camera raws: the first directory is only a thumbnail
        return "multi-page"
    if _FLOAT_SAMPLES in _numbers(tags.get(_SAMPLE_FORMAT)):
        return "float"
    deep = max(_numbers(tags.get(_BITS_PER_SAMPLE)), default=8) > 8
    if deep or image.mode.startswith("I;16") or deeper_than_8_bit(data, label):
        return "16-bit"
    if "transparency" in image.info:
        return "palette-alpha" if image.mode == "P" else "alpha"
    if set(_numbers(tags.get(_EXTRA_SAMPLES))) - {_STRAIGHT_ALPHA}:
        return "alpha"
    if image.mode in ("L", "LA", "P", "RGB", "RGBA"):
        return None
    return _REASONS.get(image.mode, "colour-space")


def _pixels(image: Image.Image) -> Pixels:
    """(H, W, C) uint8 of a grey, RGB or opaque palette image, as `Picture` says."""
    mode = image.mode
    if mode in _COLOUR_OF and image.getextrema()[-1] == (255, 255):
        mode = _COLOUR_OF[mode]  # all opaque: the source's mode says what to put back
    mode = "RGB" if mode == "P" else mode
    pixels = np.empty((image.height, image.width, len(mode)), np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):  # all at once would take three copies more
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        pixels[top : top + rows] = np.asarray(strip.convert(mode)).reshape(-1, *pixels.shape[1:])
    return pixels


def _numbers(value: Any) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value or ())
