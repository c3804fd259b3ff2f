"""Why pixels of 8 bits do not hold a picture."""

from __future__ import annotations

from typing import Any

from PIL import Image

from glassplate.pipelines.pictures.formats import most_of_a_sample

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
_FLOAT_SAMPLES = 3
_WHITE = 255
_FRAMES = {"MPO": "multi-picture", "TIFF": "multi-page", "JPEG2000": "multi-picture"}


def keep_reason(
    image: Image.Image, frames: int, data: bytes, label: str, tags: dict[int, Any]
) -> str | None:
    """The word for the catalogue, or None if a pixel codec can hold the picture.

    Args:
        image: The file's first frame.
        frames: How many frames, pages or pictures the file has.
        data, label: The file and its format.
        tags: Those of a TIFF file.
    """
    if frames > 1:
        return _FRAMES.get(image.format or label, "animation")
    if _SUB_IFDS in tags:  # camera raws: the first directory is only a thumbnail
        return "multi-page"
    if _FLOAT_SAMPLES in _numbers(tags.get(_SAMPLE_FORMAT)):
        return "float"
    deep = max(_numbers(tags.get(_BITS_PER_SAMPLE)), default=8) > 8
    most = most_of_a_sample(data, label)
    if deep or image.mode.startswith("I;16") or most > _WHITE:
        return "16-bit"
    if most < _WHITE:
        return "sample-range"
    if "transparency" in image.info:
        return "palette-alpha" if image.mode == "P" else "alpha"
    if set(_numbers(tags.get(_EXTRA_SAMPLES))) - {_STRAIGHT_ALPHA}:
        return "alpha"
    if image.mode in ("L", "LA", "P", "RGB", "RGBA"):
        return None
    return _REASONS.get(image.mode, "colour-space")


def _numbers(value: Any) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value or ())
