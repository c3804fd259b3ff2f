"""Pictures side by side, pixel for pixel: original, plain, refined, and what was invented."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from glassplate.codecs import Pixels
from glassplate.codecs.base import colour
from glassplate.codecs.refine.refiner import Refined
from glassplate.flows.reports.pictures import worst_window
from glassplate.pipelines.archive.labels.refined import FULL_SCALE, heat_map
from glassplate.pipelines.evaluate.bench import Picture
from glassplate.pipelines.evaluate.measure import Subject
from glassplate.pipelines.evaluate.refiners import RefineEvaluation
from glassplate.pipelines.evaluate.variants import PLAIN, Variant

PICTURES = 3
CROP = (192, 192)
_GAP, _LINE = 6, 18
_PAPER, _INK = "white", "black"


@dataclass(frozen=True)
class Cell:
    """A crop with what is said under it."""

    image: Image.Image
    text: str


def write_sheet(evaluation: RefineEvaluation, path: Path) -> Path:
    """Draw crops of some pictures at the lowest and the middle rate, as WebP.

    The crop is where the plain decode at the lowest rate errs most. Raises OSError.
    """
    config = evaluation.config
    qualities = dict.fromkeys([config.qualities[0], config.qualities[len(config.qualities) // 2]])
    rows = []
    for subject in _spread(evaluation.pictures):
        picture = Picture(evaluation.bench, subject)
        window = worst_window(picture.pixels, _decoded(picture, config.qualities[0], PLAIN), CROP)
        rows += [_row(picture, quality, config.compared(), window) for quality in qualities]
    path.parent.mkdir(parents=True, exist_ok=True)
    _drawn(rows).save(path, "WEBP", quality=55, method=6)
    return path


def _spread(pictures: tuple[Subject, ...]) -> list[Subject]:
    count = min(PICTURES, len(pictures))
    return [pictures[(2 * place + 1) * len(pictures) // (2 * count)] for place in range(count)]


def _decoded(picture: Picture, quality: float, variant: Variant) -> Pixels:
    found = picture.decode(quality, variant)
    assert found is not None  # only peers can fail to go so low
    return colour(found[0])


def _row(
    picture: Picture, quality: float, variants: Iterable[Variant], window: tuple[slice, slice]
) -> list[Cell]:
    """The original, every variant, and a detail map of the first refined one."""
    bpp = picture.bpp(picture.stream(quality))
    cells = [Cell(_image(picture.pixels[window]), f"{picture.subject.name}, {bpp:.3f} bpp")]
    plain = _decoded(picture, quality, PLAIN)
    maps: list[Cell] = []
    for variant in variants:
        found = picture.decode(quality, variant)
        if found is None:
            cells.append(Cell(Image.new("RGB", cells[0].image.size), f"{variant.name}: not so low"))
            continue
        pixels = colour(found[0])
        cells.append(Cell(_image(pixels[window]), variant.name))
        if variant.refine and not maps:
            detail = Refined(plain, pixels).detail()[window]
            text = f"changed by {variant.name}: 0 to {FULL_SCALE}"
            maps.append(Cell(heat_map(detail).convert("RGB"), text))
    return cells + maps


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3))))


def _drawn(rows: list[list[Cell]]) -> Image.Image:
    """A grid; all rows have as many cells."""
    width = max(cell.image.width for row in rows for cell in row) + _GAP
    heights = [max(cell.image.height for cell in row) + _LINE + _GAP for row in rows]
    sheet = Image.new("RGB", (width * len(rows[0]) + _GAP, sum(heights) + _GAP), _PAPER)
    draw, font, top = ImageDraw.Draw(sheet), ImageFont.load_default(12), _GAP
    for row, height in zip(rows, heights, strict=True):
        for place, cell in enumerate(row):
            left = _GAP + place * width
            sheet.paste(cell.image, (left, top))
            draw.text((left, top + cell.image.height + 1), cell.text, _INK, font)
        top += height
    return sheet
