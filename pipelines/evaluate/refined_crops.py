"""Parts of pictures of an evaluation of refiners: original, plain, refined, and what changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glassplate.codecs import Pixels
from glassplate.codecs.base import colour
from glassplate.codecs.refine.refiner import Refined
from glassplate.pipelines.evaluate.bench import Picture
from glassplate.pipelines.evaluate.crops import Window, worst_window
from glassplate.pipelines.evaluate.measure import Subject
from glassplate.pipelines.evaluate.refiners import RefineEvaluation
from glassplate.pipelines.evaluate.variants import PLAIN, Variant

PICTURES = 3
CROP = (192, 192)


@dataclass(frozen=True)
class RefinedCrops:
    """One part of a picture at one rate.

    picture, bpp: The picture's name, and the rate of its stream. original: (H, W, 1 or 3).
    variants: By name; None if a peer cannot go so low.
    changed: The first refined variant, by name, and its difference from the plain decode, (H, W)
        uint8 levels.
    """

    picture: str
    bpp: float
    original: Pixels
    variants: tuple[tuple[str, Pixels | None], ...]
    changed: tuple[str, npt.NDArray[np.uint8]] | None


def refined_crops(evaluation: RefineEvaluation) -> list[RefinedCrops]:
    """Some pictures at the lowest and the middle rate, where the plain decode errs most."""
    config = evaluation.config
    qualities = dict.fromkeys([config.qualities[0], config.qualities[len(config.qualities) // 2]])
    rows = []
    for subject in _spread(evaluation.pictures):
        picture = Picture(evaluation.bench, subject)
        window = worst_window(picture.pixels, _plain(picture, config.qualities[0]), CROP)
        rows += [_at(picture, quality, config.compared(), window) for quality in qualities]
    return rows


def _spread(pictures: tuple[Subject, ...]) -> list[Subject]:
    count = min(PICTURES, len(pictures))
    return [pictures[(2 * place + 1) * len(pictures) // (2 * count)] for place in range(count)]


def _plain(picture: Picture, quality: float) -> Pixels:
    found = picture.decode(quality, PLAIN)
    assert found is not None  # only peers can fail to go so low
    return colour(found[0])


def _at(
    picture: Picture, quality: float, variants: Iterable[Variant], window: Window
) -> RefinedCrops:
    plain = _plain(picture, quality)
    changed = None
    crops: list[tuple[str, Pixels | None]] = []
    for variant in variants:
        found = picture.decode(quality, variant)
        if found is None:
            crops.append((variant.name, None))
            continue
        pixels = colour(found[0])
        crops.append((variant.name, pixels[window].copy()))
        if variant.refine and not changed:
            changed = variant.name, Refined(plain, pixels).detail()[window].copy()
    bpp = picture.bpp(picture.stream(quality))
    original = picture.pixels[window].copy()
    return RefinedCrops(picture.subject.name, bpp, original, tuple(crops), changed)
