"""A picture as the bytes of a file of each format, with every fact that the format has a place for.

Pillow writes the pixels, ICC, EXIF and, where it can, XMP; what it leaves out is put in afterwards.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from PIL import Image

from glassplate.pipelines.archive.deliver.patches import (
    finish_avif,
    finish_bmp,
    finish_gif,
    finish_jpeg2000,
)
from glassplate.pipelines.pictures.metadata.exif_block import (
    RESOLUTION_ACROSS,
    RESOLUTION_DOWN,
    RESOLUTION_UNIT,
)
from glassplate.pipelines.pictures.metadata.orientation import without_orientation
from glassplate.pipelines.pictures.metadata.segment import Segment
from glassplate.pipelines.pictures.segments import jpeg_segment, photoshop, texts

JPEG_BLOCK = 65533
"""Bytes that a segment of a JPEG file holds."""

_TIFF_DESCRIPTION, _TIFF_XMP, _TIFF_PHOTOSHOP = 270, 700, 34377
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "AVIF": {"quality": 90},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
}
_BLOCKS = ("icc_profile", "exif", "xmp", "dpi")
_RAW_PROFILE = "Raw profile"
_CHUNKS_BY_PILLOW = ("eXIf", "iCCP")
_SIZES = {
    "bKGD": {"L": 2, "LA": 2, "RGB": 6, "RGBA": 6},
    "sBIT": {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "P": 3},
}
"""Bytes of chunks that depend on the mode; in others they have no meaning."""
_PNG_HEADER = 33
_JFIF, _JFIF_SIZE = slice(6, 11), 14


def file_bytes(image: Image.Image, format_name: str, **options: Any) -> bytes:
    """A picture, with what its `info` has, as a file of a format by Pillow's name.

    Raises OSError, ValueError, SyntaxError or struct.error for what the format does not hold.
    """
    info = image.info
    blocks = {name: info[name] for name in _BLOCKS if info.get(name)}
    segments: Sequence[Segment] = info.get("segments", ())
    prepare, finish = _FORMATS.get(format_name, (_nothing, _as_it_is))
    options = {**_OPTIONS.get(format_name, {}), **blocks, **options}
    options |= prepare(options, segments)
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return finish(buffer.getvalue(), image, segments)


def _nothing(options: dict[str, Any], segments: Sequence[Segment]) -> dict[str, Any]:
    return {}


def _as_it_is(data: bytes, image: Image.Image, segments: Sequence[Segment]) -> bytes:
    return data


def _for_jpeg(options: dict[str, Any], segments: Sequence[Segment]) -> dict[str, Any]:
    return {"extra": b"".join(_jpeg_segments(segments)), "comment": None}  # it is in `extra`


def _jpeg_segments(segments: Sequence[Segment]) -> Iterator[bytes]:
    """JPEG's own segments as they were, but for JFIF's; texts of other formats as comments."""
    for segment in segments:
        kind, data = segment["kind"], segment["data"]
        is_jfif = kind == "APP0" and data.startswith(b"JFIF\0")
        if kind == "COM" or (kind.startswith("APP") and not is_jfif):
            yield jpeg_segment(kind, data[:JPEG_BLOCK])
        else:
            for keyword, text in texts([segment]):
                line = text if keyword == "Comment" else f"{keyword}: {text}"
                if not keyword.startswith(_RAW_PROFILE):
                    yield jpeg_segment("COM", line.encode()[:JPEG_BLOCK])
    has_own = any(segment["kind"] == "APP13" for segment in segments)
    if not has_own and (resources := b"Photoshop 3.0\0" + photoshop(segments))[14:]:
        yield jpeg_segment("APP13", resources[:JPEG_BLOCK])


def _finish_jpeg(data: bytes, image: Image.Image, segments: Sequence[Segment]) -> bytes:
    """Resolution or proportions as they were, and what followed the picture."""
    for segment in segments:
        kind, value = segment["kind"], segment["data"]
        is_jfif = kind == "APP0" and value.startswith(b"JFIF\0") and len(value) >= _JFIF_SIZE
        if is_jfif and data[_JFIF] == b"JFIF\0":
            head = struct.unpack(">H", data[4:6])[0]
            data = data[:2] + jpeg_segment("APP0", value) + data[4 + head :]
        if kind == "trailer":
            data += value
    return data


def _for_png(options: dict[str, Any], segments: Sequence[Segment]) -> dict[str, Any]:
    own = any(segment["kind"] == "pHYs" for segment in segments)
    return {"dpi": None} if own or "dpi" not in options else {}


def _finish_png(data: bytes, image: Image.Image, segments: Sequence[Segment]) -> bytes:
    """PNG's own chunks as they were, and texts of others as texts, behind the header."""
    chunks = [_chunk(kind, value) for kind, value in _png_chunks(image, segments)]
    return _behind_header(data, b"".join(chunks))


def finish_deep_png(data: bytes, shown: Image.Image) -> bytes:
    """A bare PNG with all metadata. shown: what has them in its `info`, and the mode of the PNG."""
    info = shown.info
    if icc := info.get("icc_profile"):
        data = _behind_header(data, _chunk("iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
    if exif := info.get("exif"):
        data = _behind_header(data, _chunk("eXIf", exif.removeprefix(b"Exif\0\0")))
    segments: Sequence[Segment] = info.get("segments", ())
    own = any(segment["kind"] == "pHYs" for segment in segments)
    if not own and (dpi := info.get("dpi")):
        across, down = (round(value / 0.0254) for value in dpi)
        data = _behind_header(data, _chunk("pHYs", struct.pack(">IIB", across, down, 1)))
    return _finish_png(data, shown, segments)


def _behind_header(data: bytes, chunks: bytes) -> bytes:
    return data[:_PNG_HEADER] + chunks + data[_PNG_HEADER:]


def _png_chunks(image: Image.Image, segments: Sequence[Segment]) -> Iterator[tuple[str, bytes]]:
    for segment in segments:
        kind, value = segment["kind"], segment["data"]
        fits = kind not in _SIZES or len(value) == _SIZES[kind].get(image.mode)
        is_chunk = len(kind) == 4 and kind.isalpha() and kind[:1].islower()
        if is_chunk and fits and kind not in _CHUNKS_BY_PILLOW:
            yield kind, value
        for keyword, text in texts([segment]) if kind in ("COM", "comment") else ():
            yield "iTXt", _international(keyword, text.encode())
    if xmp := image.info.get("xmp"):
        yield "iTXt", _international("XML:com.adobe.xmp", xmp)
    has_own = any(segment["kind"] == "APP13" for segment in segments)
    if has_own and (resources := photoshop(segments)):  # as ImageMagick writes and ExifTool reads
        profile = f"\niptc\n{len(resources):8}\n{resources.hex()}\n".encode()
        yield "zTXt", b"Raw profile type iptc\0\0" + zlib.compress(profile)


def _international(keyword: str, text: bytes) -> bytes:
    return keyword.encode("latin-1") + b"\0\0\0\0\0" + text


def _chunk(kind: str, data: bytes) -> bytes:
    named = kind.encode("latin-1") + data
    return struct.pack(">I", len(data)) + named + struct.pack(">I", zlib.crc32(named))


def _for_tiff(options: dict[str, Any], segments: Sequence[Segment]) -> dict[str, Any]:
    exif = Image.Exif()
    exif.load(options.get("exif", b""))
    comments = [text for keyword, text in texts(segments) if keyword == "Comment"]
    tags = {_TIFF_XMP: options.pop("xmp", b""), _TIFF_PHOTOSHOP: photoshop(segments)}
    exif.update({tag: value for tag, value in tags.items() if value})
    if comments and _TIFF_DESCRIPTION not in exif:
        exif[_TIFF_DESCRIPTION] = "\n".join(comments)
    return {"exif": exif}


def _for_avif(options: dict[str, Any], segments: Sequence[Segment]) -> dict[str, Any]:
    """Pillow writes a block that has an orientation anew, without its thumbnail."""
    if "exif" in options:
        return {"exif": without_orientation(options["exif"])}
    return _resolution_as_exif(options, segments)


def _resolution_as_exif(options: dict[str, Any], segments: Sequence[Segment]) -> dict[str, Any]:
    """Resolution in an EXIF block of its own: WebP and AVIF have no other place for it."""
    if "exif" in options or "dpi" not in options:
        return {}
    across, down = options["dpi"]
    exif = Image.Exif()
    exif.update({RESOLUTION_ACROSS: across, RESOLUTION_DOWN: down, RESOLUTION_UNIT: 2})
    return {"exif": exif.tobytes()}


def _for_jpeg2000(options: dict[str, Any], segments: Sequence[Segment]) -> dict[str, Any]:
    comments = [text for keyword, text in texts(segments) if keyword == "Comment"]
    return {"comment": "\n".join(comments)} if comments else {}


_Prepare = Callable[[dict[str, Any], Sequence[Segment]], dict[str, Any]]
_Finish = Callable[[bytes, Image.Image, Sequence[Segment]], bytes]
_FORMATS: Mapping[str, tuple[_Prepare, _Finish]] = {
    "AVIF": (_for_avif, finish_avif),
    "BMP": (_nothing, finish_bmp),
    "GIF": (_nothing, finish_gif),
    "JPEG": (_for_jpeg, _finish_jpeg),
    "JPEG2000": (_for_jpeg2000, finish_jpeg2000),
    "PNG": (_for_png, _finish_png),
    "TIFF": (_for_tiff, _as_it_is),
    "WEBP": (_resolution_as_exif, _as_it_is),
}
"""What Pillow's save is told for each format, and what is put in behind it."""
