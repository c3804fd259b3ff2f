"""What a file format holds of a picture, and the picture as a format holds it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from PIL import Image

from glassplate.pipelines.pictures.metadata.colour import colour_beside_icc, colour_code

_COMMON = ("L", "RGB")
_MODES: Mapping[str, tuple[str, ...]] = {
    "AVIF": ("L", "LA", "P", "RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB"),
    "GIF": ("1", "L", "P", "RGB"),
    "JPEG": ("L", "RGB", "CMYK"),
    "JPEG2000": ("L", "LA", "RGB", "RGBA", "I;16"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "PPM": ("1", "L", "RGB", "I;16"),
    "TGA": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "LAB"),
    "WEBP": ("L", "LA", "P", "RGB", "RGBA"),
}
_ALPHA = {"LA", "RGBA", "PA", "La", "RGBa"}
_LOST = {
    "CMYK": "the four inks of CMYK",
    "F": "floating-point samples",
    "I": "samples that are negative or of more than 16 bits",
    "I;16": "samples of 16 bits",
}
_SAME = {"1": "L", "P": "RGB", "L": "RGB", "LA": "RGBA", "PA": "RGBA"}
"""What holds the same values."""
_LESS = {"RGBA": "RGB", "LA": "L", "PA": "RGB"}
_KEYED = ("AVIF", "GIF", "PNG", "WEBP")
"""Formats that take a transparent colour along, or make alpha of it."""
_WITH_ICC = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP")
_MAX_16_BIT = (1 << 16) - 1


def without_loss(image: Image.Image, format_name: str) -> Image.Image:
    """The picture in the nearest mode of a format that holds every value of it, if there is one."""
    modes = _MODES.get(format_name, _COMMON)
    info = image.info
    if image.mode.startswith("I;16") and image.mode != "I;16":
        image = image.convert("I")
    if image.mode == "I" and "I" not in modes and "I;16" in modes:
        low, high = image.getextrema()
        if low >= 0 and high <= _MAX_16_BIT:  # type: ignore[operator]
            image = image.convert("I;16")
    has_alpha = image.mode in ("LA", "RGBA")
    if has_alpha and image.mode not in modes and image.getextrema()[-1] == (255, 255):
        image = image.convert(image.mode[:-1])
    if "transparency" in info and format_name not in _KEYED and "RGBA" in modes:
        image, info = image.convert("RGBA"), {k: v for k, v in info.items() if k != "transparency"}
    while image.mode not in modes and image.mode in _SAME:
        image = image.convert(_SAME[image.mode])
    image.info = info
    return image


def lost_by(image: Image.Image, format_name: str) -> Iterator[str]:
    """What of a picture a format has no place for, as noun phrases; metadata that may go apart."""
    modes, info = _MODES.get(format_name, _COMMON), image.info
    if image.mode in _ALPHA and image.mode not in modes:
        yield "alpha"
    elif image.mode not in modes:
        yield _LOST.get(image.mode, f"samples of mode {image.mode}")
    if "transparency" in info and image.mode not in _ALPHA and format_name not in _KEYED:
        yield "the transparent colour"
    if icc := info.get("icc_profile"):
        if format_name not in _WITH_ICC and b"sRGB" not in icc:
            yield "the colour profile"
    elif colour := colour_beside_icc(info.get("segments", ())):
        is_code = colour_code(info.get("segments", ())) is not None
        if format_name != "PNG" and not (format_name == "AVIF" and is_code):
            yield colour


def with_loss(image: Image.Image, format_name: str) -> Image.Image:
    """The picture in a mode of a format, whatever that costs."""
    modes, info = _MODES.get(format_name, _COMMON), dict(image.info)
    if image.mode == "I;16":
        image = image.point(lambda value: value / 256).convert("L")
    if image.mode in ("I", "F") and image.mode not in modes:
        image = _as_levels(image)
    while image.mode not in modes and image.mode in _LESS:
        image = image.convert(_LESS[image.mode])
    if image.mode not in modes:
        image = image.convert("RGB")
        info.pop("icc_profile", None)  # which was for other channels
    image = without_loss(image, format_name)
    image.info = info
    return image


def _as_levels(image: Image.Image) -> Image.Image:
    """Any range of numbers as levels from black to white."""
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    if not math.isfinite(high - low) or high == low:
        return image.convert("L")
    scale = 255 / (high - low)
    return image.convert("F").point(lambda value: value * scale - low * scale).convert("L")
