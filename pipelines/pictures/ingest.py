"""From source bytes to upright 8-bit pixels, or to the reason why the bytes are kept as they are.

    bytes -> format -> structure: sizes within the limit? -> Pillow -> pixels, or a keep reason
                                                               `-- refused: damaged, or of a kind
                                                                   that no decoder here reads?

Pillow's own limit on pixels is left alone: `max_pixels` is checked before anything is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.codecs.errors import DamagedImageError, NotAnImageError
from glassplate.codecs.pillow import check_size, open_picture
from glassplate.pipelines.pictures.formats import DECODED, sniff
from glassplate.pipelines.pictures.keep_reason import keep_reason
from glassplate.pipelines.pictures.metadata import Loss, read_facts
from glassplate.pipelines.pictures.metadata.orientation import upright
from glassplate.pipelines.pictures.metadata.segment import Segment
from glassplate.pipelines.pictures.pillow_guard import RefusedError, pillow_reads
from glassplate.pipelines.pictures.second_opinion import decodes_elsewhere
from glassplate.pipelines.pictures.structure import (
    Structure,
    picture_is_whole,
    read_structure,
)

_REPLACE = "Replace the file by a sound copy; the next run takes it."
_COLOUR_OF = {"LA": "L", "RGBA": "RGB"}
_STRIP_PIXELS = 1 << 20
_MPF, _MPF_ENTRIES, _JPEG_START = b"MPF\0", 0xB002, b"\xff\xd8\xff"
_METADATA_BY_PILLOW = ("AVIF", "TIFF")


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


class _Source(NamedTuple):
    data: bytes
    subject: str
    label: str
    structure: Structure
    max_pixels: int


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
    source = _Source(data, subject, label, read_structure(data, label), max_pixels)
    structure = source.structure
    for size in structure.sizes:
        check_size(size, max_pixels, subject)
    if structure.fault and structure.is_silent:
        raise _damaged(source, structure.fault)
    refused = None
    if label in DECODED and not (label == "TIFF" and structure.unusual):
        try:
            return _decoded(source, whole=whole)
        except RefusedError as error:
            refused = error
    if fault := _fault(source, refused):
        raise _damaged(source, fault) from refused
    return without_pixels(data, subject, "unsupported-format", structure)


def without_pixels(
    data: bytes, subject: str, reason: str, structure: Structure | None = None
) -> Picture:
    """A file that is kept undecoded; its size is as stored, where its structure tells it."""
    label = sniff(data, subject) or ""
    sizes = (structure or read_structure(data, label)).sizes
    width, height = next((size for size in sizes if size.width and size.height), (None, None))
    return Picture(None, reason, label, width=width, height=height)


def _damaged(source: _Source, fault: str) -> DamagedImageError:
    return DamagedImageError(fault, _REPLACE, source.subject)


def _fault(source: _Source, refused: RefusedError | None) -> str | None:
    """What is broken in a file that Pillow does not read; None: nothing that can be told."""
    label, structure = source.label, source.structure
    if structure.fault:
        return structure.fault
    if structure.unusual or (refused and refused.in_header and label != "PNG"):
        return None
    if refused or structure.sizes:  # no decoder is asked about files of unknown size
        readable = decodes_elsewhere(source.data, label)
        if readable is False or (readable is None and refused):
            return "cannot be decoded to its end"
    return None


def _decoded(source: _Source, *, whole: bool) -> Picture:
    """Decode a file by Pillow. Raises RefusedError, DamagedImageError, TooManyPixelsError."""
    data, label = source.data, source.label
    with ExitStack() as stack:
        with pillow_reads(in_header=True):
            opened = open_picture(data, source.max_pixels, source.subject, [label])
            image = stack.enter_context(opened)
        with pillow_reads(in_header=True):
            frames = int(getattr(image, "n_frames", 1))
            tags: dict[int, Any] = dict(getattr(image, "tag_v2", {})) if label == "TIFF" else {}
        with pillow_reads() if label in _METADATA_BY_PILLOW else nullcontext():
            facts = read_facts(image, data, label)
        source_format, mode = image.format or label, image.mode
        frames = max(frames, source.structure.pictures if label == "JPEG2000" else 1)
        reason = keep_reason(image, frames, data, label, tags) or facts.keep_reason(whole=whole)
        with pillow_reads():
            image.load()
            turned = image if tags else upright(image, facts.orientation) if not reason else image
        width, height = turned.size
        pixels = None if reason else _pixels(turned)
        _check_others(image, frames, source)
    if reason and not tags and facts.orientation > 4:
        width, height = height, width
    return Picture(
        pixels=pixels,
        keep_reason=reason,
        format=source_format,
        mode=mode,
        width=width,
        height=height,
        orientation=facts.orientation,
        icc_profile=facts.icc_profile,
        exif=facts.exif,
        xmp=facts.xmp,
        segments=() if reason else facts.segments,
        losses=facts.losses,
    )


def _check_others(image: Image.Image, frames: int, source: _Source) -> None:
    """Raises RefusedError, DamagedImageError, TooManyPixelsError for what follows a first frame."""
    if image.format == "MPO":
        _check_mpo(image, source)
    elif image.format != "JPEG2000":
        _load_others(image, frames, source)


def _load_others(image: Image.Image, frames: int, source: _Source) -> None:
    """Decode what follows the first frame, as far as all together are within the limit.

    Raises RefusedError, TooManyPixelsError.
    """
    left = source.max_pixels - image.width * image.height
    for frame in range(1, frames):
        with pillow_reads():
            image.seek(frame)
        check_size(image.size, source.max_pixels, source.subject)
        left -= image.width * image.height
        if left < 0:
            return
        with pillow_reads():
            image.load()


def _check_mpo(image: Image.Image, source: _Source) -> None:
    """Raises DamagedImageError if a further picture of a JPEG file is there, but not to its end.

    One that is gone, which an editor left out, or an index that counts wrong, is no damage.
    """
    with pillow_reads():
        entries = dict(getattr(image, "mpinfo", {})).get(_MPF_ENTRIES, ())
        offsets = [int(entry["DataOffset"]) for entry in entries[1:]]
    data = source.data
    for offset in offsets:
        start = data.find(_MPF) + len(_MPF) + offset
        if data[start : start + 3] == _JPEG_START and not picture_is_whole(data, start):
            raise _damaged(source, "ends in the middle of one of its further pictures")


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
