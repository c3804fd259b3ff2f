"""Pictures of 16 bits a sample in colour, which a Pillow image does not hold, as 16-bit PNG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image

from glassplate.codecs import Region
from glassplate.codecs.pillow import PILLOW_ERRORS, open_picture
from glassplate.pipelines.archive.deliver.embed import finish_deep_png
from glassplate.pipelines.archive.read.picture import check_region, with_metadata
from glassplate.pipelines.pictures.formats import sniff
from glassplate.pipelines.pictures.metadata import read_facts
from glassplate.pipelines.pictures.shown import losses_when_shown

_Samples = npt.NDArray[np.uint16]

_DECODERS: Mapping[str, Callable[[bytes], Any]] = {
    "JPEG2000": imagecodecs.jpeg2k_decode,
    "PNG": imagecodecs.png_decode,
    "TIFF": imagecodecs.tiff_decode,
}
_MODES = {2: "LA", 3: "RGB", 4: "RGBA"}
_TURNS: Mapping[int, Callable[[_Samples], _Samples]] = {
    2: np.fliplr,
    3: lambda samples: np.rot90(samples, 2),
    4: np.flipud,
    5: lambda samples: samples.swapaxes(0, 1),
    6: lambda samples: np.rot90(samples, -1),
    7: lambda samples: np.rot90(samples, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""What makes a picture of an EXIF orientation upright, as `orientation.upright` does."""
_PHOTOMETRIC, _RGB = 262, 2


def deep_png(data: bytes, region: Region | None, label: str, max_pixels: int) -> bytes | None:
    """A file of 16-bit colours, or a region of its upright picture, as a PNG with its metadata.

    Args:
        data: A source file of the archive.
        region: In upright pixels; None: all.
        label: Its name.
        max_pixels: Larger pictures are not decoded.

    Returns None if the file is anything else, or says more than a PNG does. Raises ConfigError for
    a region outside of the picture, TooManyPixelsError.
    """
    kind = sniff(data, label) or ""
    if kind not in _DECODERS:
        return None
    try:
        with open_picture(data, max_pixels, label, [kind]) as opened:
            facts = read_facts(opened, data, kind)
            losses = list(losses_when_shown(opened, data, kind, facts))
    except PILLOW_ERRORS:
        return None
    other_ink = kind == "TIFF" and dict(opened.tag_v2).get(_PHOTOMETRIC) != _RGB  # type: ignore[attr-defined]
    if "transparency" in opened.info or other_ink or {loss.reason for loss in losses} != {"16-bit"}:
        return None
    try:
        samples = np.asarray(_DECODERS[kind](data))
    except (ValueError, RuntimeError):
        return None
    mode = _MODES.get(samples.shape[-1]) if samples.ndim == 3 else None
    if samples.dtype != np.uint16 or mode is None or samples.shape[:2] != opened.size[::-1]:
        return None
    if kind == "JPEG2000" and not _is_full_range(data):
        return None
    samples = _TURNS.get(facts.orientation, np.asarray)(samples)
    height, width = samples.shape[:2]
    check_region(region, (width, height), label)
    if region:
        bottom, right = region.y + region.height, region.x + region.width
        samples = samples[region.y : bottom, region.x : right]
    png = bytes(imagecodecs.png_encode(np.ascontiguousarray(samples)))
    return finish_deep_png(png, with_metadata(Image.new(mode, (1, 1)), facts))


def _is_full_range(data: bytes) -> bool:
    """Whether a codestream's samples have all of 16 bits: those of fewer are small numbers."""
    start = data.find(b"\xff\x4f\xff\x51") + 42
    return set(data[start : start + 9 : 3]) == {15}
