"""AVIF: items and their properties."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from glassplate.pipelines.pictures.metadata.boxes import Box, boxes
from glassplate.pipelines.pictures.metadata.colour import code_segment, is_srgb_code
from glassplate.pipelines.pictures.metadata.facts import Facts, Loss, number
from glassplate.pipelines.pictures.metadata.segment import Segment

_TOP = (b"ftyp", b"meta", b"mdat", b"free", b"skip", b"idat")
_META = (b"hdlr", b"pitm", b"iloc", b"iinf", b"iprp", b"iref", b"idat", b"grpl", b"free")
_ITEMS = (b"av01", b"grid", b"Exif", b"mime")
_CODING = (
    *(b"ispe", b"pixi", b"av1C", b"auxC", b"irot", b"imir", b"colr", b"a1lx", b"a1op", b"lsel"),
    *(b"free", b"pasp", b"tols"),
)
_ALPHA = (
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    b"urn:mpeg:hevc:2015:auxid:1",
)
_REFERENCES = (b"auxl", b"cdsc", b"dimg")
_XMP_TYPE = b"application/rdf+xml"
_SQUARE = b"\0\0\0\1\0\0\0\1"
_HIGH_DEPTH = 0x40


def read_avif(data: bytes, image: Image.Image) -> Facts:
    """Metadata of an AVIF file that Pillow has opened; any bytes can be read.

    Pillow tells of EXIF with the rotation and mirroring that are properties of the file.
    """
    icc, exif, xmp = (image.info.get(name) for name in ("icc_profile", "exif", "xmp"))
    top = list(boxes(data))
    inner = [box for meta in top if meta.kind == b"meta" for box in boxes(meta.data, 4)]
    properties = [
        box
        for iprp in inner
        if iprp.kind == b"iprp"
        for ipco in boxes(iprp.data)
        if ipco.kind == b"ipco"
        for box in boxes(ipco.data)
    ]
    segments = [] if icc else _colours(properties)
    losses = [loss for box in top for loss in _unknown(box, _TOP)]
    losses += [loss for box in inner for loss in _unknown(box, _META)]
    losses += [loss for box in inner for loss in _of_items(box)]
    losses += [loss for box in properties for loss in _of_property(box)]
    if len(segments) > 1:
        losses.append(Loss("colour-space", "several descriptions of colour"))
    return Facts(icc, exif, xmp, tuple(segments), tuple(losses))


def _colours(properties: list[Box]) -> list[Segment]:
    """As PNG's chunk; none for sRGB."""
    codes = {
        (number(box.data, 4, 2), number(box.data, 6, 2))
        for box in properties
        if box.kind == b"colr" and box.data.startswith(b"nclx")
    }
    return [code_segment(*code) for code in sorted(codes) if not is_srgb_code(*code)]


def _unknown(box: Box, known: tuple[bytes, ...]) -> Iterator[Loss]:
    if box.kind not in known:
        yield Loss("metadata", f"a box of kind {box.kind.decode('latin-1').strip()}")


def _of_items(box: Box) -> Iterator[Loss]:
    if box.kind == b"iinf":
        version = number(box.data, 0, 1)
        for entry in boxes(box.data, 6 if version == 0 else 8):
            at = 8 if number(entry.data, 0, 1) == 2 else 10
            kind, rest = entry.data[at : at + 4], entry.data[at + 4 :]
            if kind == b"tmap":
                yield Loss("multi-picture", "a gain map")
            elif kind not in _ITEMS or (kind == b"mime" and _XMP_TYPE not in rest):
                yield Loss("metadata", f"an item of kind {kind.decode('latin-1').strip()}")
    elif box.kind == b"iref":
        for reference in boxes(box.data, 4):
            if reference.kind == b"thmb":
                yield Loss("multi-picture", "a thumbnail")
            elif reference.kind == b"prem":
                yield Loss("alpha", "colours multiplied by alpha")
            elif reference.kind not in _REFERENCES:
                yield Loss("metadata", f"a link of kind {reference.kind.decode('latin-1')}")


def _of_property(box: Box) -> Iterator[Loss]:
    if box.kind == b"auxC" and box.data[4:].partition(b"\0")[0] not in _ALPHA:
        yield Loss("multi-picture", "an auxiliary picture")
    elif box.kind == b"av1C" and number(box.data, 2, 1) & _HIGH_DEPTH:
        yield Loss("16-bit", "more than 8 bits a sample")
    elif box.kind == b"pasp" and box.data[:4] != box.data[4:8]:
        yield Loss("metadata", "pixels that are not square")
    elif box.kind in (b"clli", b"mdcv", b"cclv", b"amve"):
        yield Loss("colour-space", "the light of a display that the picture was made for")
    elif box.kind == b"clap":
        yield Loss("metadata", "an aperture that cuts off its edges")
    elif box.kind not in _CODING:
        yield Loss("metadata", f"a property of kind {box.kind.decode('latin-1')}")
