"""TIFF: tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from PIL import Image

from glassplate.pipelines.pictures.metadata.facts import Facts, Loss

_ORIENTATION = 274
_GIVEN_BACK = {
    *(269, 270, 271, 272, 282, 283, 285, 286, 287, 296, 297, 305, 306, 315, 316, 337),
    *(301, 318, 319),  # transfer function, white point, primaries
    *(33432, 33723, 34377, 34665, 34853),  # copyright, IPTC, Photoshop, EXIF, GPS
    *(18246, 18249, 40091, 40092, 40093, 40094, 40095, 50341),  # as Windows and cameras write them
}
_CODING = {
    *(254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 284, 290, 291),
    *(292, 293, 317, 320, 321, 322, 323, 324, 325, 326, 327, 328, 338, 339, 347, 529, 530),
    *(531, 532, 700, 34675, 59932),
    *range(512, 522),
}
_DIRECTORIES = (34665, 34853)
_RANGES = {280: 0, 340: 0, 281: 255, 341: 255}
"""Smallest and largest values: they say nothing where they are those of 8 bits."""
_SAMPLE_FORMAT, _SIGNED = 339, 2
_EXTRA_SAMPLES, _UNKNOWN_SAMPLE = 338, 0
_PHOTOMETRIC, _SAMPLES = 262, 277
_THREE_COLOURS, _INKS = (2, 6, 8, 9, 10), 5
_SHOWN = 4


def read_tiff(image: Image.Image) -> Facts:
    """Metadata of a TIFF file that Pillow has opened."""
    tags: Mapping[int, Any] = dict(getattr(image, "tag_v2", {}))
    losses = list(_losses_of(tags))
    orientation = numbers(tags.get(_ORIENTATION)) or (1,)
    return Facts(
        _bytes(image.info.get("icc_profile")),
        _exif(image),
        _bytes(image.info.get("xmp")),
        (),
        tuple(losses),
        orientation[0] if 1 <= orientation[0] <= 8 else 1,
    )


def numbers(value: Any) -> tuple[int, ...]:
    """The values of a tag that may be one or many."""
    return (value,) if isinstance(value, int) else tuple(value or ())


def _losses_of(tags: Mapping[int, Any]) -> Iterator[Loss]:
    if _SIGNED in numbers(tags.get(_SAMPLE_FORMAT)):
        yield Loss("signed", "signed samples")
    extra = numbers(tags.get(_EXTRA_SAMPLES))
    colours = {_INKS: 4}.get(tags.get(_PHOTOMETRIC, 0), 1)
    if tags.get(_PHOTOMETRIC) in _THREE_COLOURS:
        colours = 3
    if _UNKNOWN_SAMPLE in extra or tags.get(_SAMPLES, 1) > colours + len(extra):
        yield Loss("alpha", "a channel of unknown meaning")
    unknown = [
        tag
        for tag, value in tags.items()
        if tag not in _GIVEN_BACK | _CODING
        and not (tag in _RANGES and set(numbers(value)) == {_RANGES[tag]})
    ]
    if unknown:
        shown = ", ".join(map(str, sorted(unknown)[:_SHOWN]))
        more = ", ..." if len(unknown) > _SHOWN else ""
        yield Loss("metadata", f"tags that no other format has a place for ({shown}{more})")


def _exif(image: Image.Image) -> bytes | None:
    """The tags that are given back; `tobytes` of the image's own EXIF fails for BigTIFF."""
    source, exif = image.getexif(), Image.Exif()
    for tag in _GIVEN_BACK & set(source):
        if tag in _DIRECTORIES:
            exif.get_ifd(tag).update(source.get_ifd(tag))
        else:
            exif[tag] = source[tag]
    return exif.tobytes() if len(exif) or any(exif.get_ifd(tag) for tag in _DIRECTORIES) else None


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return bytes(value) if isinstance(value, bytes | bytearray) and value else None
