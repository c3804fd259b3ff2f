"""Regions of an archive's pictures as 8-bit pixels, from blocks that are kept for the next region.

A codec with tiles decodes a region alone; other bitstreams are decoded whole, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image

from glassplate.codecs.base import Region
from glassplate.codecs.cache import ByteBoundedCache
from glassplate.codecs.container.bitstream import unpack
from glassplate.codecs.errors import TooManyPixelsError, UnsupportedImageError
from glassplate.flows.server.processes.reduced import FACTORS, reduced
from glassplate.flows.server.protocol.config import TILE
from glassplate.pipelines.archive.deliver.holds import with_loss
from glassplate.pipelines.archive.read.reader import Archive

_MODES = ("L", "LA", "RGB", "RGBA")
_BAND = 2 * TILE
"""Rows that a large region is decoded by, if it is to be shrunk."""

_MANY_BLOCKS = 16
_REMEMBERED = 10_000


@dataclass(frozen=True)
class _Facts:
    """place: Of the bitstream, which never changes there. tiled: Whether regions are cheap."""

    place: tuple[str, int]
    tiled: bool


class PixelReader:
    """Reads one snapshot; the cache may outlive it."""

    def __init__(self, archive: Archive, cache: ByteBoundedCache[Image.Image]) -> None:
        self.archive = archive
        self._cache = cache
        self._last: tuple[tuple[object, ...], Image.Image] | None = None
        self._facts = lru_cache(_REMEMBERED)(self._look)

    def read(self, image_id: str, region: Region, shrink: float) -> Image.Image:
        """A region, L, LA, RGB or RGBA, perhaps already smaller by a whole number up to `shrink`.

        info has the ICC profile, if there is one. Raises as `Archive.get`, TooManyPixelsError.
        """
        facts = self._facts(image_id)
        if region.width * region.height > self.archive.max_pixels:
            cause = f"{region.width} x {region.height} pixels would have to be decoded for this"
            raise TooManyPixelsError(cause, "Ask for a part of it.", image_id[:16])
        if not facts.tiled:
            return self._from_whole(image_id, facts.place, region, shrink)
        blocks = list(_blocks(region))
        if len(blocks) <= _MANY_BLOCKS:
            return self._from_blocks(image_id, facts, region, blocks)
        factor = _whole_factor(region, shrink)
        return _shrunk(self._bands(image_id, region), region, factor)

    def _from_whole(
        self, image_id: str, place: tuple[str, int], region: Region, shrink: float
    ) -> Image.Image:
        """From the whole picture, or a smaller one where that is quicker to decode."""
        whole = self._whole(place)
        factor = next((f for f in FACTORS if _divides(f, region, shrink)), 1)
        if whole is None and factor > 1:
            small = self._whole((*place, factor))
            if small is None and (made := reduced(self.archive, image_id, factor)):
                small = self._keep_whole((*place, factor), made)
            if small:
                return _cut(small, _divided(region, factor))
        if whole is None:
            self._last = None  # there may be no memory for two
            whole = self._keep_whole(place, self._decode(image_id, None))
        return _cut(whole, region)

    def _whole(self, key: tuple[object, ...]) -> Image.Image | None:
        if self._last and self._last[0] == key:
            return self._last[1]
        return self._cache.get(key)

    def _keep_whole(self, key: tuple[object, ...], image: Image.Image) -> Image.Image:
        """In the cache, and where it is too large for that, until the next one comes."""
        self._last = key, image
        return self._keep(key, image)

    def _look(self, image_id: str) -> _Facts:
        stored = self.archive.stored(image_id)
        header = unpack(self.archive.bitstream(image_id).bitstream).header
        return _Facts((stored.file.path, stored.row), header.tile_size > 0 and header.channels > 0)

    def _decode(self, image_id: str, region: Region | None) -> Image.Image:
        try:
            return shown(self.archive.get(image_id, region, lossy=True))
        except UnsupportedImageError as error:
            raise UnsupportedImageError(error.cause, "Get the original.", error.subject) from error

    def _from_blocks(
        self, image_id: str, facts: _Facts, region: Region, blocks: list[tuple[int, int]]
    ) -> Image.Image:
        parts = {block: self._cache.get((*facts.place, *block)) for block in blocks}
        if missing := [block for block, part in parts.items() if part is None]:
            left, top = (min(block[axis] for block in missing) * TILE for axis in (0, 1))
            right, bottom = ((max(block[axis] for block in missing) + 1) * TILE for axis in (0, 1))
            box = Region(x=left, y=top, width=right - left, height=bottom - top)
            decoded = self._decode(image_id, box)
            for x, y in missing:
                part = _cut(decoded, Region(x=x * TILE - left, y=y * TILE - top, **_SQUARE))
                parts[x, y] = self._keep((*facts.place, x, y), part)
        pieces = [part for part in parts.values() if part is not None]
        whole = Image.new(pieces[0].mode, (region.width, region.height))
        for (x, y), part in zip(parts, pieces, strict=True):
            whole.paste(part, (x * TILE - region.x, y * TILE - region.y))
        whole.info = dict(pieces[0].info)
        return whole

    def _bands(self, image_id: str, region: Region) -> Iterator[Image.Image]:
        top = region.y
        while top < region.bottom:
            bottom = min((top // _BAND + 1) * _BAND, region.bottom)
            band = Region(x=region.x, y=top, width=region.width, height=bottom - top)
            yield self._decode(image_id, band)
            top = bottom

    def _keep(self, key: tuple[object, ...], image: Image.Image) -> Image.Image:
        pixel = 1 if image.mode == "L" else 4  # as Pillow holds them
        self._cache.put(key, image, image.width * image.height * pixel)
        return image


_SQUARE = {"width": TILE, "height": TILE}


def shown(image: Image.Image) -> Image.Image:
    """A picture of any mode as L, LA, RGB or RGBA, with nothing but its ICC profile."""
    image = with_loss(image, "WEBP")
    if "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode not in _MODES:
        image = image.convert("RGB")
    icc = image.info.get("icc_profile")
    image.info = {"icc_profile": icc} if icc else {}
    return image


def _cut(image: Image.Image, region: Region) -> Image.Image:
    box = (region.x, region.y, min(region.right, image.width), min(region.bottom, image.height))
    part = image.crop(box)
    part.info = dict(image.info)
    return part


def _blocks(region: Region) -> Iterator[tuple[int, int]]:
    for y in range(region.y // TILE, -(-region.bottom // TILE)):
        for x in range(region.x // TILE, -(-region.right // TILE)):
            yield x, y


def _divides(factor: int, region: Region, shrink: float) -> bool:
    """Whether a region can be cut from a picture that is smaller by a factor, and is to shrink
    further by a better filter."""
    return 2 * factor <= shrink and region.x % factor == 0 and region.y % factor == 0


def _divided(region: Region, factor: int) -> Region:
    return Region(
        x=region.x // factor,
        y=region.y // factor,
        width=-(-region.width // factor),
        height=-(-region.height // factor),
    )


def _whole_factor(region: Region, shrink: float) -> int:
    """The largest power of two at which all bands but the last divide evenly, and which leaves
    half of the shrinking to a better filter."""
    factor = 1
    while 4 * factor <= min(shrink, _BAND) and region.y % (2 * factor) == 0:
        factor *= 2
    return factor


def _shrunk(bands: Iterator[Image.Image], region: Region, factor: int) -> Image.Image:
    """Bands one below the other, each shrunk as soon as it is there."""
    whole: Image.Image | None = None
    top = 0
    for band in bands:
        part = band.reduce(factor) if factor > 1 else band
        if whole is None:
            size = -(-region.width // factor), -(-region.height // factor)
            whole = Image.new(part.mode, size)
            whole.info = dict(band.info)
        whole.paste(part, (0, top))
        top += part.height
    assert whole
    return whole
