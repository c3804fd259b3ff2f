"""From the archive to a file: the original bytes where they are asked for, else a picture."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from glassplate.codecs import Region
from glassplate.codecs.errors import ConfigError
from glassplate.pipelines.archive.reader import Archive
from glassplate.pipelines.archive.schema import ImageRow

_JPEG_BLOCK = 65533
_TIFF_XMP = 700
_OPTIONS: dict[str, dict[str, Any]] = {
    "AVIF": {"quality": 90},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
}


def deliver(archive: Archive, key: str, target: str | Path, region: Region | None = None) -> Path:
    """Write a picture to a file whose suffix tells the format; none means PNG.

    A bit-exact picture goes out as the very source file if the suffix is that of its format and
    no region is asked for. Otherwise ICC, EXIF and XMP are embedded. The file is complete or
    not there. Returns the path written. Raises as `Archive.get`, ConfigError for a suffix that
    Pillow does not write or metadata that the format cannot hold, OSError.
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
    format_name = _writable(path)
    blocks = {name: image.info.get(name) for name in ("icc_profile", "exif", "xmp")}
    present = {name: block for name, block in blocks.items() if block}
    if format_name == "JPEG" and len(present.get("exif", b"")) > _JPEG_BLOCK:
        raise ConfigError(
            f"{len(present['exif'])} bytes of EXIF, JPEG holds at most {_JPEG_BLOCK}",
            "Use another suffix, .png for example.",
            str(path),
        )
    with _whole(path) as temporary:
        try:
            options = _OPTIONS.get(format_name, {}) | _metadata(format_name, present)
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


def _writable(path: Path) -> str:
    suffix = path.suffix.lower() or ".png"
    format_name = Image.registered_extensions().get(suffix, "")
    if format_name not in Image.SAVE:
        raise ConfigError(
            f"cannot write {suffix} files", "Use .png, .jpg, .webp, .avif or .tiff.", str(path)
        )
    return format_name


def _metadata(format_name: str, blocks: dict[str, bytes]) -> dict[str, Any]:
    """Options of Pillow's save; two formats have their own way with XMP."""
    options: dict[str, Any] = dict(blocks)
    if format_name == "PNG" and "xmp" in options:
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", options.pop("xmp"))
    if format_name == "TIFF" and "xmp" in options:
        options["exif"] = exif = Image.Exif()
        exif.load(blocks.get("exif", b""))
        exif[_TIFF_XMP] = options.pop("xmp")
    return options


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
