"""Pictures side by side, pixel for pixel: original, plain, refined, and what was invented."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from glassplate.codecs import Pixels
from glassplate.pipelines.archive.labels.refined import FULL_SCALE, heat_map
from glassplate.pipelines.evaluate.refined_crops import RefinedCrops, refined_crops
from glassplate.pipelines.evaluate.refiners import RefineEvaluation

_GAP, _LINE = 6, 18
_PAPER, _INK = "white", "black"


@dataclass(frozen=True)
class Cell:
    """A crop with what is said under it."""

    image: Image.Image
    text: str


def write_sheet(evaluation: RefineEvaluation, path: Path) -> Path:
    """Draw crops of some pictures at the lowest and the middle rate, as WebP; see `refined_crops`.

    Raises OSError.
    """
    rows = [_row(crops) for crops in refined_crops(evaluation)]
    path.parent.mkdir(parents=True, exist_ok=True)
    _drawn(rows).save(path, "WEBP", quality=55, method=6)
    return path


def _row(crops: RefinedCrops) -> list[Cell]:
    """The original, every variant, and a detail map of the first refined one."""
    cells = [Cell(_image(crops.original), f"{crops.picture}, {crops.bpp:.3f} bpp")]
    for name, pixels in crops.variants:
        if pixels is None:
            cells.append(Cell(Image.new("RGB", cells[0].image.size), f"{name}: not so low"))
        else:
            cells.append(Cell(_image(pixels), name))
    if crops.changed:
        name, detail = crops.changed
        cells.append(Cell(heat_map(detail).convert("RGB"), f"changed by {name}: 0 to {FULL_SCALE}"))
    return cells


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
