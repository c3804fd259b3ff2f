"""From the archive to a file: the original bytes where they are asked for, else a picture."""

from __future__ import annotations

import struct
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from PIL import Image

from glassplate.codecs import Region
from glassplate.codecs.errors import ConfigError, OptionName
from glassplate.codecs.memory import memory_errors
from glassplate.pipelines.archive.deliver.embed import JPEG_BLOCK, file_bytes
from glassplate.pipelines.archive.deliver.holds import lost_by, with_loss, without_loss
from glassplate.pipelines.archive.deliver.names import own_suffix, suffix_of
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.archive.read.reader import Archive
from glassplate.pipelines.errors import LossError
from glassplate.pipelines.storage.store import room_for

_WITH_XMP = ("AVIF", "JPEG", "PNG", "TIFF", "WEBP")
_CODESTREAMS = (".j2k", ".j2c", ".jpc")


def deliver(
    archive: Archive,
    key: str,
    target: str | Path,
    region: Region | None = None,
    *,
    lossy: bool = False,
) -> Path:
    """Write a picture to a file whose suffix tells the format; none means PNG.

    A bit-exact picture goes out as the very source file if the suffix is that of its format and
    no region is asked for. Otherwise ICC, EXIF and XMP are embedded, and IPTC, comments, dots per
    inch and the like where the format has a place for them; a PNG gets 16-bit colours. The file is
    complete or not there.

    lossy: Write also what the format does not hold whole: 16-bit colours as 8-bit ones, alpha left
        out, an animation's first frame.

    Returns the path written. Raises as `Archive.get`, LossError for what the format does not hold,
    ConfigError for a suffix that Pillow does not write or metadata that are too long for the
    format, OSError.
    """
    path = Path(target)
    refuse_folder(path)
    if region is None and _is_source_format(archive.stored(key).image, path.suffix):
        data, _ = archive.original(key)
        with _whole(path) as temporary:
            temporary.write_bytes(data)
        return path
    format_name = writable_format(path)  # before the work, not after it
    image = archive.stored(key).image
    if format_name == "PNG" and image and image.bit_exact and image.reason == "16-bit":
        from glassplate.pipelines.archive.deliver.deep import deep_png  # few pictures need it

        with memory_errors(image.name):
            deep = deep_png(archive.original(key)[0], region, image.name, archive.max_pixels)
        if deep:
            with _whole(path) as temporary:
                temporary.write_bytes(deep)
            return path
    return save(archive.get(key, region, lossy=lossy), path, lossy=lossy)


def own_bytes(
    archive: Archive, key: str, region: Region | None = None, *, lossy: bool = False
) -> bytes:
    """A picture as a file of the format that it had, or PNG if such a file would lose something.

    Raises as `deliver`.
    """
    row = archive.stored(key).image
    exact = bool(row and row.bit_exact)
    own = own_suffix(row.name if row else "", row.format if row else None, bit_exact=exact)
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = deliver(archive, key, Path(folder) / f"picture{own}", region, lossy=lossy)
        except (LossError, ConfigError):
            if own == ".png":
                raise
            path = deliver(archive, key, Path(folder) / "picture.png", region, lossy=lossy)
        return path.read_bytes()


def save(image: Image.Image, path: Path, *, lossy: bool = False) -> Path:
    """Write a picture with its metadata. Returns the path.

    lossy: Also where the format does not hold it whole.

    Raises LossError, ConfigError, OSError.
    """
    refuse_folder(path)
    format_name = writable_format(path)
    image = without_loss(image, format_name)
    if (lost := list(lost_by(image, format_name))) and not lossy:
        raise LossError(
            f"{format_name} cannot hold this picture: it would lose {'; '.join(lost)}",
            "Use another suffix, .png or .tiff for example, or say --lossy (in Python lossy=True).",
            str(path),
        )
    if lost:
        image = with_loss(image, format_name)
    exif = image.info.get("exif") or b""
    if format_name == "JPEG" and len(exif) > JPEG_BLOCK:
        raise ConfigError(
            f"{len(exif)} bytes of EXIF, JPEG holds at most {JPEG_BLOCK}",
            "Use another suffix, .png for example.",
            str(path),
        )
    options: dict[str, Any] = {"no_jp2": True} if path.suffix.lower() in _CODESTREAMS else {}
    try:
        with memory_errors(str(path)):
            data = file_bytes(image, format_name, **options)
    except (OSError, ValueError, SyntaxError, struct.error) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise ConfigError(
            f"{format_name} cannot hold this picture ({error})",
            "Use another suffix, .png or .tiff for example.",
            str(path),
        ) from error
    with _whole(path) as temporary:
        temporary.write_bytes(data)
    return path


def _is_source_format(image: ImageRow | None, suffix: str) -> bool:
    if image is None or not image.bit_exact:
        return False
    own = suffix_of(image.name).lower()
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


def refuse_folder(path: Path) -> None:
    """Raises ConfigError for a folder where a file is to be written."""
    if path.is_dir():
        raise ConfigError("is a folder", "Give the name of a file.", str(path))


def check_target(path: Path) -> None:
    """Raises ConfigError unless a picture can be written there; before the work, not after it."""
    refuse_folder(path)
    writable_format(path)


def suffix_of_format(name: str) -> str:
    """'.png' for 'png' or '.png'. Raises ConfigError for what Pillow does not write."""
    suffix = f".{name.removeprefix('.')}"
    try:
        writable_format(PurePath(f"picture{suffix}"))
    except ConfigError as error:
        raise ConfigError(
            error.cause, "Use png, jpg, webp, avif or tiff.", OptionName("format")
        ) from error
    return suffix


def check_labelled(path: PurePath) -> None:
    """Raises ConfigError for a suffix whose format has no place for the label of refinement."""
    if writable_format(path) not in _WITH_XMP:
        raise ConfigError(
            f"{path.suffix} files cannot say that they were refined",
            "Use .png, .jpg, .webp, .avif or .tiff.",
            str(path),
        )


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A temporary path beside the target, renamed to it if the block ends well.

    Raises OSError about the target.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with room_for(str(target)):
            yield temporary
        temporary.replace(target)
    except OSError as error:
        if error.filename == str(temporary):
            error.filename, error.filename2 = str(target), None
        raise
    finally:
        temporary.unlink(missing_ok=True)
