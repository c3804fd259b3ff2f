"""The five parts of an IIIF image URL, parsed and checked against the picture.

    {region}/{size}/{rotation}/{quality}.{format}

Image API 3.0 (https://iiif.io/api/image/3.0/, section 4) and 2.1.1. One part is read otherwise than
the text says, since the official validator does so: a box `!w,h` larger than the region is refused
without `^`, as other sizes are, where the text would send the region as it is.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from glassplate.codecs.base import Region
from glassplate.flows.server.protocol.errors import AreaError, BadRequestError, NotServedError

FORMATS = {
    "jpg": ("JPEG", "image/jpeg", 65500),
    "png": ("PNG", "image/png", 1 << 20),
    "webp": ("WEBP", "image/webp", 16383),
    "avif": ("AVIF", "image/avif", 65536),
}
"""Suffix -> Pillow's name, media type, longest side in pixels."""

QUALITIES = ("default", "color", "gray", "bitonal")
REFINED = "refined"

_NOT_SERVED = ("tif", "gif", "jp2", "pdf")
_INTEGER = r"([0-9]{1,9})"
_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"
_PIXELS = re.compile(",".join([_INTEGER] * 4))
_PERCENT = re.compile("pct:" + ",".join([_NUMBER] * 4))
_SCALE = re.compile(f"pct:{_NUMBER}")
_BOX = re.compile(r"(!?)([0-9]{0,9}),([0-9]{0,9})")
_ROTATION = re.compile(r"(!?)([0-9]{1,3}(?:\.[0-9]{1,9})?)")


@dataclass(frozen=True)
class Rendering:
    """What is to be sent: a region in pixels, the size it is scaled to before it is turned."""

    region: Region
    width: int
    height: int
    mirror: bool
    degrees: int
    quality: str
    format: str
    canonical: str
    """The URL's last four parts, in the one form that all of the same meaning have."""


@dataclass(frozen=True)
class Limits:
    """max_area: Pixels that are sent at most. refined: Whether there is such a quality."""

    max_area: int
    refined: bool = False


def parse(
    parts: tuple[str, str, str, str], size: tuple[int, int], limits: Limits, version: int
) -> Rendering:
    """Region, size, rotation, quality.format of a picture of (width, height).

    Raises BadRequestError, NotServedError, AreaError.
    """
    region = parse_region(parts[0], size)
    width, height = parse_size(parts[1], region, limits.max_area, version)
    mirror, degrees = parse_rotation(parts[2])
    quality, suffix = _parse_quality(parts[3], limits)
    _check_sides(width, height, suffix)
    whole = (region.width, region.height) == size
    place = f"{region.x},{region.y},{region.width},{region.height}"
    return Rendering(
        region=region,
        width=width,
        height=height,
        mirror=mirror,
        degrees=degrees,
        quality=quality,
        format=suffix,
        canonical="/".join(
            (
                "full" if whole else place,
                _canonical_size(width, height, region, limits.max_area, version),
                f"{'!' * mirror}{degrees}",
                f"{quality}.{suffix}",
            )
        ),
    )


def parse_region(text: str, size: tuple[int, int]) -> Region:
    """A region within a picture of (width, height), cut at its edge. Raises BadRequestError."""
    width, height = size
    if text == "full":
        return Region(x=0, y=0, width=width, height=height)
    if text == "square":
        side = min(size)
        return Region(x=(width - side) // 2, y=(height - side) // 2, width=side, height=side)
    if found := _PIXELS.fullmatch(text):
        x, y, w, h = (int(number) for number in found.groups())
    elif found := _PERCENT.fullmatch(text):
        shares = [float(number) / 100 for number in found.groups()]
        if not all(shares[2:]):
            raise BadRequestError("the region is empty", "", text)
        x, w = round(shares[0] * width), max(1, round(shares[2] * width))
        y, h = round(shares[1] * height), max(1, round(shares[3] * height))
    else:
        raise BadRequestError("is no region", "Say full, square, x,y,w,h or pct:x,y,w,h.", text)
    if w == 0 or h == 0:
        raise BadRequestError("the region is empty", "", text)
    if x >= width or y >= height:
        raise BadRequestError(f"the region is outside of the {width} x {height} picture", "", text)
    return Region(x=x, y=y, width=min(w, width - x), height=min(h, height - y))


def parse_size(text: str, region: Region, max_area: int, version: int) -> tuple[int, int]:
    """Width and height that a region is scaled to. Raises BadRequestError, AreaError."""
    upward = text.startswith("^") and version >= 3
    asked = text[1:] if upward else text
    if asked == "max" or (asked == "full" and version < 3):
        return _largest(region, max_area, upward=upward)
    width, height = _asked_size(asked, text, region)
    if width < 1 or height < 1:
        raise BadRequestError("the size is less than a pixel", "", text)
    if version >= 3 and not upward and (width > region.width or height > region.height):
        raise BadRequestError(
            f"is larger than the region, which is {region.width} x {region.height}",
            f"Say ^{text} to have it enlarged.",
            text,
        )
    if width * height > max_area:
        raise AreaError(f"is more than {max_area} pixels", "Ask for a part, or smaller.", text)
    return width, height


def _asked_size(asked: str, text: str, region: Region) -> tuple[int, int]:
    if found := _SCALE.fullmatch(asked):
        scale = float(found[1]) / 100
        return round(region.width * scale), round(region.height * scale)
    found = _BOX.fullmatch(asked)
    if not found or not (found[2] or found[3]) or (found[1] and not (found[2] and found[3])):
        forms = "max, w,h or w, or ,h or !w,h or pct:n"
        raise BadRequestError("is no size", f"Say {forms}, after ^ to enlarge.", text)
    width, height = int(found[2] or 0), int(found[3] or 0)
    if found[1]:
        scale = min(width / region.width, height / region.height)
        fitted = max(1, round(region.width * scale)), max(1, round(region.height * scale))
        return fitted if width and height else (0, 0)
    if not found[2]:
        return (max(1, round(region.width * height / region.height)) if height else 0), height
    if not found[3]:
        return width, (max(1, round(region.height * width / region.width)) if width else 0)
    return width, height


def _largest(region: Region, max_area: int, *, upward: bool) -> tuple[int, int]:
    area = region.width * region.height
    if area == max_area or (area < max_area and not upward):
        return region.width, region.height
    scale = math.sqrt(max_area / area)
    width = max(1, min(int(region.width * scale), max_area))
    height = max(1, min(int(region.height * scale), max_area // width))
    return width, height


def _canonical_size(width: int, height: int, region: Region, max_area: int, version: int) -> str:
    own = (region.width, region.height)
    if (width, height) == _largest(region, max_area, upward=False):
        return "max" if version >= 3 else "full"
    if version >= 3:
        larger = width > own[0] or height > own[1]
        return f"{'^' * larger}{width},{height}"
    kept = (width, max(1, round(region.height * width / region.width))) == (width, height)
    return f"{width}," if kept else f"{width},{height}"


def parse_rotation(text: str) -> tuple[bool, int]:
    """Whether to mirror, and degrees to the right. Raises BadRequestError, NotServedError."""
    found = _ROTATION.fullmatch(text)
    if not found or float(found[2]) > 360:
        raise BadRequestError("is no rotation", "Say 0, 90, 180 or 270, after ! mirrored.", text)
    degrees = float(found[2])
    if degrees % 90:
        raise NotServedError("only quarter turns are served", "Say 0, 90, 180 or 270.", text)
    return bool(found[1]), int(degrees) % 360


def _parse_quality(text: str, limits: Limits) -> tuple[str, str]:
    quality, dot, suffix = text.rpartition(".")
    known = (*QUALITIES, REFINED) if limits.refined else QUALITIES
    if not dot:
        raise BadRequestError("has no format", "Say default.jpg, for example.", text)
    if quality == REFINED and not limits.refined:
        raise NotServedError("nothing is refined here", f"Say {', '.join(QUALITIES)}.", text)
    if quality not in known:
        raise BadRequestError("is no quality", f"Say {', '.join(known)}.", quality)
    if suffix in _NOT_SERVED:
        raise NotServedError("this format is not served", f"Say {', '.join(FORMATS)}.", suffix)
    if suffix not in FORMATS:
        raise BadRequestError("is no format", f"Say {', '.join(FORMATS)}.", suffix)
    return quality, suffix


def _check_sides(width: int, height: int, suffix: str) -> None:
    longest = FORMATS[suffix][2]
    if max(width, height) > longest:
        cause = f"{suffix} files have at most {longest} pixels a side"
        raise AreaError(cause, "Ask for a smaller size, or for a part.", f"{width},{height}")
