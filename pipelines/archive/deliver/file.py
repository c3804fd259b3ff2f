"""From the archive to a file: the original bytes where they are asked for, else a picture."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from glassplate.codecs import Region
from glassplate.codecs.errors import ConfigError
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.archive.read.reader import Archive
from glassplate.pipelines.pictures.segment import Segment
from glassplate.pipelines.pictures.segments import jpeg_segment, photoshop, texts

_JPEG_BLOCK = 65533
_TIFF_XMP, _TIFF_PHOTOSHOP = 700, 34377
_SAFE_CHUNKS = ("cHRM", "cICP", "gAMA", "iTXt", "sRGB", "tEXt", "tIME", "zTXt")
_WITH_XMP = ("AVIF", "JPEG", "PNG", "TIFF", "WEBP")
_OPAQUE = {"LA": "L", "RGBA": "RGB"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "AVIF": {"quality": 90},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
}


def deliver(archive: Archive, key: str, target: str | Path, region: Region | None = None) -> Path:
    """Write a picture to a file whose suffix tells the format; none means PNG.

    A bit-exact picture goes out as the very source file if the suffix is that of its format and
    no region is asked for. Otherwise ICC, EXIF and XMP are embedded, and IPTC, comments and dots
    per inch where the format has a place for them. The file is complete or not there. Returns the
    path written. Raises as `Archive.get`, ConfigError for a suffix that Pillow does not write or
    metadata that the format cannot hold, OSError.
    """
    path = Path(target)
    if region is None and _is_source_format(archive.stored(key).image, path.suffix):
        data, _ = archive.original(key)
        with _whole(path) as temporary:
            temporary.write_bytes(data)
        return path
    return save(archive.get(key, region), path)


def save(image: Image.Image, path: Path) -> Path:
    """Write a picture with its metadata blocks. Returns the path. Raises ConfigError, OSError."""
    format_name = writable_format(path)
    blocks = {name: image.info.get(name) for name in ("icc_profile", "exif", "xmp", "dpi")}
    present = {name: block for name, block in blocks.items() if block}
    segments = image.info.get("segments", ())
    if format_name == "JPEG" and image.mode in _OPAQUE and image.getextrema()[-1] == (255, 255):
        image = image.convert(_OPAQUE[image.mode])
    if format_name == "JPEG" and len(present.get("exif", b"")) > _JPEG_BLOCK:
        raise ConfigError(
            f"{len(present['exif'])} bytes of EXIF, JPEG holds at most {_JPEG_BLOCK}",
            "Use another suffix, .png for example.",
            str(path),
        )
    with _whole(path) as temporary:
        try:
            options = _OPTIONS.get(format_name, {}) | _metadata(format_name, present, segments)
            image.save(temporary, format_name, **options)
        except (OSError, ValueError, SyntaxError, struct.error) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise ConfigError(
                f"{format_name} cannot hold this picture ({error})",
                "Use another suffix, .png or .tiff for example.",
                str(path),
            ) from error
    return path


def _is_source_format(image: ImageRow | None, suffix: str) -> bool:
    if image is None or not image.bit_exact:
        return False
    own = Path(image.name).suffix.lower()
    return (
        suffix.lower() == own or Image.registered_extensions().get(suffix.lower()) == image.format
    )


def writable_format(path: PurePath) -> str:
    """Pillow's name of the format of a suffix, PNG for none. Raises ConfigError."""
    suffix = path.suffix.lower() or ".png"
    format_name = Image.registered_extensions().get(suffix, "")
    if format_name not in Image.SAVE:
        raise ConfigError(
            f"cannot write {suffix} files", "Use .png, .jpg, .webp, .avif or .tiff.", str(path)
        )
    return format_name


def check_labelled(path: PurePath) -> None:
    """Raises ConfigError for a suffix whose format has no place for the label of refinement."""
    if writable_format(path) not in _WITH_XMP:
        raise ConfigError(
            f"{path.suffix} files cannot say that they were refined",
            "Use .png, .jpg, .webp, .avif or .tiff.",
            str(path),
        )


def _metadata(
    format_name: str, blocks: dict[str, Any], segments: Sequence[Segment]
) -> dict[str, Any]:
    """Options of Pillow's save, which takes XMP, comments and IPTC in each format's own way."""
    options = dict(blocks)
    if format_name == "PNG":
        options["pnginfo"] = _png_chunks(segments, options.pop("xmp", b""))
    if format_name == "JPEG":
        options["extra"] = b"".join(_jpeg_segments(segments))
        options["comment"] = None  # it is among them
    if format_name == "TIFF":
        options["exif"] = exif = Image.Exif()
        exif.load(blocks.get("exif", b""))
        tags = {_TIFF_XMP: options.pop("xmp", b""), _TIFF_PHOTOSHOP: photoshop(segments)}
        exif.update({tag: value for tag, value in tags.items() if value})
    return options


def _png_chunks(segments: Sequence[Segment], xmp: bytes) -> PngInfo:
    """PNG's own chunks as they were, as far as they fit any pixels; others as texts."""
    chunks = PngInfo()
    if xmp:
        chunks.add_itxt("XML:com.adobe.xmp", xmp)
    for segment in segments:
        if segment["kind"] in _SAFE_CHUNKS:
            chunks.add(segment["kind"].encode(), segment["data"])
    for keyword, text in texts([s for s in segments if s["kind"] in ("COM", "comment")]):
        chunks.add_itxt(keyword, text)
    if resources := photoshop(segments):  # as ImageMagick writes and ExifTool reads it
        profile = f"\niptc\n{len(resources):8}\n{resources.hex()}\n"
        chunks.add_text("Raw profile type iptc", profile, zip=True)
    return chunks


def _jpeg_segments(segments: Sequence[Segment]) -> Iterator[bytes]:
    """JPEG's own segments as they were, but for JFIF's; texts of other formats as comments."""
    for segment in segments:
        if segment["kind"].startswith("APP") and segment["kind"] != "APP0":
            yield jpeg_segment(segment["kind"], segment["data"])
    for keyword, text in texts(segments):
        line = text if keyword == "Comment" else f"{keyword}: {text}"
        if not keyword.startswith("Raw profile"):
            yield jpeg_segment("COM", line.encode()[:_JPEG_BLOCK])


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A temporary path beside the target, renamed to it if the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
