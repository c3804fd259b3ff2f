"""From decoded bitstreams to upright PIL images with their metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError

from glassplate.codecs import Codec, Pixels, Region
from glassplate.codecs.container.bitstream import Header
from glassplate.codecs.errors import ConfigError, UnsupportedImageError
from glassplate.codecs.pillow import PILLOW_ERRORS, open_picture
from glassplate.pipelines.archive.format.schema import BitstreamRow
from glassplate.pipelines.errors import LossError
from glassplate.pipelines.pictures.formats import sniff
from glassplate.pipelines.pictures.limits import DEFAULT_MAX_PIXELS
from glassplate.pipelines.pictures.metadata import Facts, read_facts
from glassplate.pipelines.pictures.metadata.orientation import resolution_of, upright
from glassplate.pipelines.pictures.segments import dots_per_inch, texts
from glassplate.pipelines.pictures.shown import losses_when_shown
from glassplate.pipelines.pictures.structure import read_structure

if TYPE_CHECKING:
    from glassplate.pipelines.archive.read.locate import Stored
    from glassplate.pipelines.pictures.ingest import Picture

_TAKE_THE_FILE = "Take the file itself: give an output name with the source's own suffix."
_BLOCKS = ("icc_profile", "exif", "xmp")
_OPAQUE = {("L", "LA"), ("RGB", "RGBA")}
"""Stored mode and the source's: alpha that is 255 everywhere is not stored."""


def from_pixels(
    codec: Codec, row: BitstreamRow, header: Header, region: Region | None, stored: Stored
) -> Image.Image:
    """Decode a pixel bitstream. Raises BitstreamError, ConfigError."""
    check_region(region, (header.width, header.height), stored.label)
    return as_image(codec.decode([row.bitstream], region)[0], row, stored)


def as_image(pixels: Pixels, row: BitstreamRow, stored: Stored) -> Image.Image:
    """Decoded pixels with the metadata of their source."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if stored.image and (image.mode, stored.image.mode) in _OPAQUE:
        image.putalpha(255)
    return with_metadata(image, row)


def from_file(
    data: bytes,
    row: BitstreamRow,
    region: Region | None,
    label: str,
    *,
    lossy: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Image.Image:
    """Show an original file as a picture: first frame, upright; by the decoder of its format alone.

    lossy: Show it also where the file holds more than a Pillow image does.

    Raises LossError, UnsupportedImageError if Pillow does not read the format, TooManyPixelsError,
    ConfigError.
    """
    kind = sniff(data, label)
    if kind is None:
        raise UnsupportedImageError("is not in a format that is shown", _TAKE_THE_FILE, label)
    try:
        with open_picture(data, max_pixels, label, [kind]) as opened:
            facts = read_facts(opened, data, kind)
            losses = list(losses_when_shown(opened, data, kind, facts))
            if losses and not lossy:
                raise would_lose([loss.what for loss in losses], label)
            opened.load()
            image = _as_shown(opened, facts, region, label)
    except UnidentifiedImageError as error:
        cause = f"is a {kind} file of a kind that Pillow does not read"
        raise UnsupportedImageError(cause, _TAKE_THE_FILE, label) from error
    except PILLOW_ERRORS as error:
        fault = read_structure(data, kind).fault or f"is a {kind} file that cannot be decoded here"
        cause = f"{fault}, and is kept as it is"
        raise UnsupportedImageError(cause, _TAKE_THE_FILE, label) from error
    stored = {name: value for name in _BLOCKS if (value := getattr(row, name))}
    return with_metadata(image, replace(facts, **stored))


def _as_shown(opened: Image.Image, facts: Facts, region: Region | None, label: str) -> Image.Image:
    """A loaded file upright, with its alpha as alpha, cut to the region."""
    image = opened
    if opened.format != "TIFF":  # Pillow turns TIFF files as it loads them
        image = upright(opened, facts.orientation)
    if image.mode in ("P", "PA") and image.palette and image.palette.mode == "RGBA":
        image = image.convert("RGBA")
    check_region(region, image.size, label)
    if region:
        right, bottom = region.x + region.width, region.y + region.height
        image = image.crop((region.x, region.y, min(right, image.width), min(bottom, image.height)))
    return image


def would_lose(what: Sequence[str], label: str) -> LossError:
    """The typed error for a picture that cannot be given whole in the form that is asked for."""
    return LossError(
        f"would lose {'; '.join(dict.fromkeys(what))}",
        "Give an output name with the source's own suffix, and no region, for the file itself; "
        "or say --lossy (in Python lossy=True).",
        label,
    )


def with_metadata(image: Image.Image, source: BitstreamRow | Facts | Picture) -> Image.Image:
    """The source's blocks say orientation 1, unlike those in an original file."""
    segments = list(source.segments or ())
    metadata = {
        "icc_profile": source.icc_profile,
        "exif": source.exif,
        "xmp": source.xmp,
        "segments": segments,
        "dpi": dots_per_inch(segments) or resolution_of(source.exif),
        "comment": "\n".join(text for keyword, text in texts(segments) if keyword == "Comment"),
    }
    for name in ("icc_profile", "exif", "xmp"):
        image.info.pop(name, None)
    image.info.update({name: value for name, value in metadata.items() if value})
    return image


def check_region(region: Region | None, size: tuple[int, int], label: str) -> None:
    """Raises ConfigError for a region that lies outside of a picture."""
    if region and (region.x >= size[0] or region.y >= size[1]):
        raise ConfigError(
            f"region {region.x},{region.y},{region.width},{region.height} is outside of the "
            f"picture, which is {size[0]} x {size[1]}",
            "Give a region that begins inside.",
            label,
        )
