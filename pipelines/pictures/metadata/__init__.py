"""Everything that a file says of its picture beside the pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from PIL import Image

from glassplate.pipelines.pictures.metadata.avif import read_avif
from glassplate.pipelines.pictures.metadata.bitmaps import read_bmp, read_netpbm
from glassplate.pipelines.pictures.metadata.facts import Facts, Loss
from glassplate.pipelines.pictures.metadata.gif import read_gif
from glassplate.pipelines.pictures.metadata.jpeg import read_jpeg, without_thumbnails
from glassplate.pipelines.pictures.metadata.jpeg2000 import read_jpeg2000
from glassplate.pipelines.pictures.metadata.orientation import orientation_of, reset_exif, reset_xmp
from glassplate.pipelines.pictures.metadata.png import read_png
from glassplate.pipelines.pictures.metadata.tiff import read_tiff
from glassplate.pipelines.pictures.metadata.webp import read_webp

__all__ = ["Facts", "Loss", "read_facts"]

_READERS: Mapping[str, Callable[[bytes], Facts]] = {
    "BMP": read_bmp,
    "GIF": read_gif,
    "JPEG": read_jpeg,
    "JPEG2000": read_jpeg2000,
    "PNG": read_png,
    "PPM": read_netpbm,
    "WEBP": read_webp,
}


def read_facts(image: Image.Image, data: bytes, label: str) -> Facts:
    """The metadata of a file, upright: EXIF and XMP say orientation 1, thumbnails are turned.

    Args:
        image: The file, as Pillow has opened it.
        data: Its bytes.
        label: Its format; one that is not decoded has no facts.
    """
    if label == "AVIF":
        facts = read_avif(data, image)
    elif label == "TIFF":
        facts = read_tiff(image)
    elif label in _READERS:
        facts = _READERS[label](data)
    else:
        return Facts()
    turned = facts.orientation
    if label != "TIFF":
        turned = orientation_of(facts.exif, facts.xmp)
    return replace(
        facts,
        orientation=turned,
        exif=reset_exif(facts.exif, turned) if facts.exif else None,
        xmp=reset_xmp(facts.xmp) if facts.xmp else None,
        icc_profile=facts.icc_profile or None,
        segments=facts.segments if turned == 1 else without_thumbnails(facts.segments),
    )
