"""Refiners over a collection: what they gain over the plain decode, what they lose, what they cost.

pictures -> for each quality: one stream -> for each variant: Scores, features of patches
                                            mean and Fréchet distance over the pictures -> Row
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from glassplate.codecs.base import Device
from glassplate.codecs.errors import EncodeError
from glassplate.codecs.measures import efficientnet as photo_features
from glassplate.codecs.measures import st_lpips
from glassplate.codecs.measures.frechet import frechet_distance
from glassplate.codecs.measures.official_measures import find_given
from glassplate.codecs.measures.structure import MIN_SIDE
from glassplate.codecs.refine.options import MAX_STEPS, Kind
from glassplate.pipelines.evaluate.bench import Bench, Measured, Picture
from glassplate.pipelines.evaluate.codec_curves import Quality, Show
from glassplate.pipelines.evaluate.measure import Subject, mean_psnr
from glassplate.pipelines.evaluate.pictures import choose, mapping
from glassplate.pipelines.evaluate.speed import Speed, speeds
from glassplate.pipelines.evaluate.variants import PLAIN, Variant, compared, swept
from glassplate.pipelines.pictures.limits import DEFAULT_MAX_PIXELS

Steps = Annotated[int, Field(ge=1, le=MAX_STEPS)]
Strength = Annotated[float, Field(gt=0, le=1)]


class RefineEvaluateConfig(BaseModel):
    """What to measure.

    codec, peers: See `build_choice`; peers are given no more bits than the codec needed.
    qualities: Qualities of the codec.
    refiners: Kinds, each with its usual sampler and steps at every quality.
    weights: A folder with a weight file for each kind; None: the shipped ones.
    perceptual_weights: A folder with official weights of LPIPS, DISTS or FID, which are then
        measured, too; see `find_given`.
    sweep_rates, sweep_pictures: At so many of the lowest qualities, on so many pictures, evenly
        spread, all samplers by `steps` and the first kind by `strengths`, too.
    limit: The first so many pictures. workers: Processes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    codec: str = "hyperprior"
    peers: tuple[str, ...] = ("jpeg", "avif")
    qualities: tuple[Quality, ...] = Field(default=(5, 15, 30, 50), min_length=1)
    refiners: tuple[Kind, ...] = Field(min_length=1)
    weights: Path | None = None
    perceptual_weights: Path | None = None
    steps: tuple[Steps, ...] = (1, 2, 4, 8, 25)
    strengths: tuple[Strength, ...] = (0.25, 0.5, 0.75)
    sweep_rates: int = Field(default=2, ge=0)
    sweep_pictures: int = Field(default=6, ge=1)
    limit: int | None = Field(default=None, ge=1)
    workers: int = Field(default=1, ge=1, le=256)
    device: Device = "auto"
    plugins: tuple[str, ...] = ()
    max_pixels: int = Field(default=DEFAULT_MAX_PIXELS, ge=1)

    @field_validator("qualities", "steps", "strengths")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sorted(set(value)))

    def compared(self) -> list[Variant]:
        """At every quality, on every picture."""
        return compared(self.peers, dict.fromkeys(self.refiners), self.weights)

    def swept(self) -> list[Variant]:
        """At the lowest qualities, on some pictures."""
        kinds = dict.fromkeys(self.refiners)
        return [PLAIN, *swept(kinds, self.steps, self.strengths, self.weights)]


@dataclass(frozen=True)
class Row:
    """Means over pictures of one variant at one quality.

    family: Sampler, or `gan`; steps, strength: None for what is not refined.
    pictures: Those that it could make; the rest is None unless it could make all of them.
    frechet: Between the features of all patches, of the originals and of what came back.
    lpips, dists, fid_256: None without their weights; FID without two patches, too.
    """

    quality: float
    variant: str
    family: str
    steps: int | None
    strength: float | None
    pictures: int
    bpp: float | None = None
    psnr: float | None = None
    ms_ssim: float | None = None
    ssimulacra2: float | None = None
    st_lpips: float | None = None
    frechet: float | None = None
    lpips: float | None = None
    dists: float | None = None
    fid_256: float | None = None


@dataclass(frozen=True)
class RefineEvaluation:
    """Everything measured.

    weights: sha256 of each refiner's. left_out: Files, each with the reason.
    rows: Means of all pictures. sweep: Those of `swept` alone, plain decode, all steps, strengths.
    patches, fid_patches: How many the Fréchet distances and the FID, if it is measured, of `rows`
        and `sweep` are over.
    speeds: On the first picture at the lowest quality.
    """

    config: RefineEvaluateConfig
    bench: Bench
    weights: dict[Kind, str]
    pictures: tuple[Subject, ...]
    swept: tuple[Subject, ...]
    left_out: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    sweep: tuple[Row, ...]
    patches: tuple[int, int]
    fid_patches: tuple[int, int]
    speeds: tuple[Speed, ...]


def evaluate_refine(
    config: RefineEvaluateConfig, folder: Path, progress: Show | None = None
) -> RefineEvaluation:
    """Measure every variant; what `folder` holds of an earlier evaluation is used.

    Raises, before any work, what `get_codec` and `Refiner` raise, MissingExtraError, and
    SourceError if no picture can be used; EncodeError or BitstreamError where a codec fails.
    """
    given = find_given(config.perceptual_weights) if config.perceptual_weights else ()
    bench = Bench(config.codec, folder, config.device, config.plugins, config.max_pixels, given)
    st_lpips.load_network()
    photo_features.load_network()
    codecs = {choice: bench.build(choice) for choice in (config.codec, *config.peers)}
    weights = {
        variant.refine.kind: bench.refiner(variant.refine).weights_sha256
        for variant in config.compared()
        if variant.refine
    }
    refusals = {choice: codec.refuses for choice, codec in codecs.items()} | {"metrics": _too_small}
    pictures, left_out = choose(config.source, refusals, config.limit, config.max_pixels)
    some = _spread(pictures, config.sweep_pictures) if config.sweep_rates else []
    _measure(config, bench, pictures, some, progress)
    low = config.qualities[: config.sweep_rates]
    rows, of_all = _rows(bench, pictures, config.qualities, config.compared())
    sweep, of_some = _rows(bench, some, low, config.swept())
    timed = config.compared() + (config.swept() if config.sweep_rates else [])
    return RefineEvaluation(
        config=config,
        bench=bench,
        weights=weights,
        pictures=tuple(pictures),
        swept=tuple(some),
        left_out=tuple(left_out),
        rows=tuple(rows),
        sweep=tuple(sweep),
        patches=(of_all.patches, of_some.patches),
        fid_patches=(of_all.fid, of_some.fid),
        speeds=tuple(speeds(Picture(bench, pictures[0]), config.qualities[0], timed)),
    )


def _too_small(width: int, height: int, channels: int) -> str | None:
    return f"a side is under {MIN_SIDE} pixels" if min(width, height) < MIN_SIDE else None


def _spread(pictures: list[Subject], count: int) -> list[Subject]:
    count = min(count, len(pictures))
    return [pictures[place * len(pictures) // count] for place in range(count)]


def _measure(
    config: RefineEvaluateConfig,
    bench: Bench,
    pictures: list[Subject],
    some: list[Subject],
    progress: Show | None,
) -> None:
    """Everything into the folder, a picture at a time."""
    names = frozenset(picture.name for picture in some)
    try:
        with mapping(config.workers) as mapped:
            done = mapped(partial(_measure_picture, config, bench, names), pictures)
            for count, name in enumerate(done, 1):
                if progress:
                    progress(count, len(pictures), name)
    except BrokenProcessPool as error:
        fix = "Is there enough memory? Fewer --workers need less."
        raise EncodeError("a worker process was killed", fix, config.source) from error


def _measure_picture(
    config: RefineEvaluateConfig, bench: Bench, some: frozenset[str], subject: Subject
) -> str:
    picture = Picture(bench, subject)
    picture.originals()
    for place, quality in enumerate(config.qualities):
        variants = config.compared()
        if subject.name in some and place < config.sweep_rates:
            variants += config.swept()
        for variant in dict.fromkeys(variants):
            picture.measure(quality, variant)
    return subject.name


class _Counts(NamedTuple):
    """Patches."""

    patches: int = 0
    fid: int = 0


def _rows(
    bench: Bench, subjects: list[Subject], qualities: Iterable[float], variants: list[Variant]
) -> tuple[list[Row], _Counts]:
    """Means over what the folder holds, and how many patches the originals have."""
    if not subjects:
        return [], _Counts()
    pictures = [Picture(bench, subject) for subject in subjects]
    originals = [picture.originals() for picture in pictures]
    rows = []
    for quality in qualities:
        for variant in variants:
            found = [picture.measure(quality, variant) for picture in pictures]
            row = _row(quality, variant, sum(one.scores is not None for one in found))
            if row.pictures == len(pictures):
                row = replace(row, **_means(found), **_distances(bench, originals, found))
            rows.append(row)
    patches = sum(len(one.patches) for one in originals)
    return rows, _Counts(patches, sum(len(one.given.get("fid_256", ())) for one in originals))


def _row(quality: float, variant: Variant, pictures: int) -> Row:
    steps, strength = None, None
    if variant.refine:
        steps, strength = variant.refine.steps, variant.refine.strength
    return Row(quality, variant.name, variant.family, steps, strength, pictures)


def _means(found: list[Measured]) -> dict[str, Any]:
    scores = [asdict(one.scores) for one in found if one.scores]
    means = {name: fmean(one[name] for one in scores) for name in scores[0]}
    return means | {"psnr": mean_psnr(one["psnr"] for one in scores)}


def _distances(bench: Bench, originals: list[Measured], found: list[Measured]) -> dict[str, Any]:
    """Between the patches of a collection, and what the bench's measures say of it."""
    real, made = (np.concatenate([one.patches for one in side]) for side in (originals, found))
    distances: dict[str, Any] = {"frechet": frechet_distance(real, made)}
    for given in bench.given:
        name = given.measure.name
        before = [one.given[name] for one in originals if name in one.given]
        distances[name] = given.over(before, [one.given[name] for one in found])
    return distances
