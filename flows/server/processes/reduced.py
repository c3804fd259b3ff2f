"""JPEG pictures decoded at a half, a quarter or an eighth: a thumbnail needs no more.

A JPEG decoder leaves out frequencies (DCT scaling), which takes a fraction of time and memory.
"""

from __future__ import annotations

from PIL import Image

from glassplate.codecs.container.bitstream import unpack
from glassplate.codecs.pillow import PILLOW_ERRORS, open_picture
from glassplate.pipelines import Archive
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.pictures.metadata.orientation import upright

FACTORS = (8, 4, 2)
_MODES = ("L", "RGB")


def reduced(archive: Archive, image_id: str, factor: int) -> Image.Image | None:
    """A whole picture, upright, with its sides divided by a factor and rounded up.

    None where it is no JPEG stream, or not one that is simply decoded. Raises as `Archive.get`.
    """
    stored = archive.stored(image_id)
    row = stored.image
    if row is None or row.reason == "damaged" or not row.width or not row.height:
        return None
    data, orientation, icc = _stream(archive, image_id, row)
    even = row.width % factor == 0 and row.height % factor == 0
    if not data or (orientation != 1 and not even):  # its blocks begin at another corner
        return None
    size = -(-row.width // factor), -(-row.height // factor)
    try:
        with open_picture(data, archive.max_pixels, stored.label, ["JPEG"]) as opened:
            if opened.mode not in _MODES:
                return None
            across, down = opened.size
            opened.draft(None, (max(across // factor, 1), max(down // factor, 1)))
            opened.load()
            image = upright(opened, orientation)
    except PILLOW_ERRORS:
        return None  # whoever decodes it whole says what is wrong
    profile = icc or opened.info.get("icc_profile")
    image.info = {"icc_profile": profile} if profile else {}
    return image if image.size == size else None


def _stream(archive: Archive, image_id: str, row: ImageRow) -> tuple[bytes, int, bytes | None]:
    """A JPEG stream, its orientation, and the ICC profile that lies beside it."""
    if row.bit_exact and row.format == "JPEG":
        return archive.original(image_id)[0], row.orientation or 1, None
    if row.codec == "jpeg":
        kept = archive.bitstream(image_id)
        container = unpack(kept.bitstream)
        if len(container) == 1:
            return container.payload(0), 1, kept.icc_profile
    return b"", 1, None
