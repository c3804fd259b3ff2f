"""Whether a file is whole, as far as its own structure tells, and how large its pictures are.

No pixel is decoded here: these are small walks along the lengths, checksums and end marks that
each format has, for files that no decoder reads, and to know sizes before anything is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from glassplate.pipelines.pictures.structure import bitmaps, boxes
from glassplate.pipelines.pictures.structure.found import BrokenError, Found, Size
from glassplate.pipelines.pictures.structure.gif import walk_gif
from glassplate.pipelines.pictures.structure.jpeg import walk_jpeg
from glassplate.pipelines.pictures.structure.png import walk_png
from glassplate.pipelines.pictures.structure.tiff import walk_tiff
from glassplate.pipelines.pictures.structure.webp import walk_webp

__all__ = ["Size", "Structure", "picture_is_whole", "read_structure"]

_WALKS: Mapping[str, Callable[[bytes, Found], object]] = {
    "AVIF": boxes.walk_boxes,
    "BMP": bitmaps.walk_bmp,
    "CR3": boxes.walk_boxes,
    "GIF": walk_gif,
    "HEIF": boxes.walk_boxes,
    "ICO": bitmaps.walk_ico,
    "JPEG": walk_jpeg,
    "JPEG2000": boxes.walk_jpeg2000,
    "JXL": boxes.walk_jxl,
    "PAM": bitmaps.walk_pam,
    "PFM": bitmaps.walk_pfm,
    "PNG": walk_png,
    "PPM": bitmaps.walk_netpbm,
    "PSD": bitmaps.walk_psd,
    "QOI": bitmaps.walk_qoi,
    "TIFF": walk_tiff,
    "WEBP": walk_webp,
}


@dataclass(frozen=True)
class Structure:
    """What a file's structure tells; nothing where the format is not walked through.

    sizes: Sizes of every picture, frame or canvas that a decoder would make room for, as stored;
        the first is the picture's own.
    pictures: How many pictures of their own a TIFF or JPEG 2000 file holds, else 0.
    unusual: A property that decoders often lack, as a noun phrase.
    is_silent: Whether decoders pass over the fault in silence.
    fault: What is broken, as a clause that goes on from the file's name; None: the file is sound.
    """

    sizes: tuple[Size, ...] = ()
    pictures: int = 0
    unusual: str | None = None
    is_silent: bool = False
    fault: str | None = None


def read_structure(data: bytes, label: str) -> Structure:
    """Walk through a file of any format; any bytes can be read."""
    found, fault = Found(), None
    if walk := _WALKS.get(label):
        try:
            walk(data, found)
        except BrokenError as error:
            fault = str(error)
    return Structure(tuple(found.sizes), found.pictures, found.unusual, found.is_silent, fault)


def picture_is_whole(data: bytes, start: int) -> bool:
    """Whether the JPEG picture that begins at this byte of a file is there to its end."""
    try:
        walk_jpeg(data, Found(), start)
    except BrokenError:
        return False
    return True
