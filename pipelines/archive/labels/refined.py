"""Pictures refined on the way out, and labelled as what they then are."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from glassplate.codecs.refine.refiner import Refined, Refiner
from glassplate.pipelines.archive.labels.xmp import with_label

FULL_SCALE = 32
"""Levels of 255 that a detail map shows as its brightest."""


@dataclass(frozen=True)
class RefinedPicture:
    """A refined picture.

    image: Labelled in its XMP. detail: (H, W) uint8, mean difference from the plain decode over the
    colours, in levels. facts: What the label says, and `mean_detail`.
    """

    image: Image.Image
    detail: npt.NDArray[np.uint8]
    facts: dict[str, Any]

    def save_detail_map(self, path: Path) -> None:
        """`heat_map` as PNG. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        heat_map(self.detail).save(path, "PNG")


def heat_map(detail: npt.NDArray[np.uint8]) -> Image.Image:
    """(H, W) levels of change to colours: black where nothing was invented."""
    from matplotlib import colormaps

    colours = colormaps["inferno"](np.arange(256) / FULL_SCALE, bytes=True)[:, :3]
    image = Image.fromarray(detail)
    image.putpalette(colours.tobytes())
    return image


def facts_of(refiner: Refiner) -> dict[str, Any]:
    """What a refined file says of itself."""
    options = refiner.options
    return {
        "software": f"Glassplate {importlib.metadata.version('glassplate')}",
        "codec": refiner.codec.spec.name,
        "codec_weights_sha256": refiner.codec.spec.weights_sha256,
        "refiner": options.kind,
        "refiner_weights_sha256": refiner.weights_sha256,
        "sampler": options.sampler,
        "steps": options.steps,
        "strength": options.strength,
        "seed": options.seed,
    }


def label(image: Image.Image, refined: Refined, refiner: Refiner) -> RefinedPicture:
    """Say in the picture's XMP what was done to it. At strength 0 nothing was."""
    facts, detail = facts_of(refiner), refined.detail()
    if refiner.options.strength > 0:
        image.info["xmp"] = with_label(image.info.get("xmp"), facts)
    return RefinedPicture(image, detail, facts | {"mean_detail": float(detail.mean())})
