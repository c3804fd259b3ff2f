"""Codecs over a collection, every quality of a ladder: real bytes, quality, time and memory.

    pictures -> for each codec: for each quality: encode -> decode -> Point      (one per picture)
                                                    mean over the pictures -> CurvePoint

The curve of a codec is, as is usual in the field, the mean rate and the mean quality over the
pictures for each setting. All codecs see the same pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from glassplate.codecs import Codec, CodecSpec
from glassplate.codecs.base import Device
from glassplate.codecs.errors import EncodeError
from glassplate.codecs.extras import optional
from glassplate.pipelines.codec_choice import build_choice
from glassplate.pipelines.evaluate.bd_rate import EXTRA
from glassplate.pipelines.evaluate.measure import Point, Setting, Subject, mean_psnr, measure
from glassplate.pipelines.evaluate.peak_memory import PeakMemory, peak_memory
from glassplate.pipelines.evaluate.pictures import Mapped, choose, mapping
from glassplate.pipelines.pictures.limits import DEFAULT_MAX_PIXELS

Show = Callable[[int, int, str], None]
"""Shows (points measured, points in all, text)."""

Quality = Annotated[float, Field(ge=0, le=100)]
Rate = Annotated[float, Field(gt=0, le=64)]


class EvaluateConfig(BaseModel):
    """What to measure.

    codecs: see `build_choice`. qualities: the ladder, on each codec's own scale; a codec stops when
    its mean rate has passed the upper end of bpp_range. limit: the first so many pictures.
    workers: processes; with more than one, times are those under load.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    codecs: tuple[str, ...] = Field(min_length=1)
    qualities: tuple[Quality, ...] = Field(default=tuple(range(0, 100, 5)), min_length=1)
    bpp_range: tuple[Rate, Rate] = (0.1, 1.0)
    limit: int | None = Field(default=None, ge=1)
    workers: int = Field(default=1, ge=1, le=256)
    device: Device = "auto"
    ssimulacra2: bool = False
    plugins: tuple[str, ...] = ()
    max_pixels: int = Field(default=DEFAULT_MAX_PIXELS, ge=1)

    @field_validator("qualities")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sorted(set(value)))

    @field_validator("bpp_range")
    @classmethod
    def _not_empty(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] >= value[1]:
            raise ValueError("the range is empty")
        return value


@dataclass(frozen=True)
class CurvePoint:
    """Means over all pictures at one quality, PSNR by `mean_psnr`; speeds are all pixels over all
    seconds."""

    quality: float
    bpp: float
    psnr: float
    ms_ssim: float | None
    ssimulacra2: float | None
    encode_mp_per_second: float
    decode_mp_per_second: float


@dataclass(frozen=True)
class Measured:
    """One codec's measurements. choice: as it was asked for."""

    choice: str
    spec: CodecSpec
    memory: PeakMemory
    points: tuple[Point, ...]
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class Evaluation:
    """Everything measured. left_out: files, each with the reason."""

    config: EvaluateConfig
    pictures: tuple[Subject, ...]
    left_out: tuple[tuple[str, str], ...]
    codecs: tuple[Measured, ...]


def evaluate(config: EvaluateConfig, progress: Show | None = None) -> Evaluation:
    """Measure every codec on every picture.

    Raises what `get_codec` raises, SourceError if no picture can be used, MissingExtraError before
    any work, and EncodeError or BitstreamError where a codec fails.
    """
    optional("bjontegaard", EXTRA)
    codecs = {name: build_choice(name, config.device, config.plugins) for name in config.codecs}
    refusals = {name: codec.refuses for name, codec in codecs.items()}
    pictures, left_out = choose(config.source, refusals, config.limit, config.max_pixels)
    total = len(codecs) * len(config.qualities) * len(pictures)
    measured = []
    try:
        with mapping(config.workers) as mapped:
            for place, (choice, codec) in enumerate(codecs.items()):
                show = partial(_shown, progress, total * place // len(codecs), total)
                measured.append(_measure_codec(config, choice, codec, pictures, mapped, show))
    except BrokenProcessPool as error:
        fix = "Is there enough memory? Fewer --workers need less."
        raise EncodeError("a worker process was killed", fix, choice) from error
    if progress:
        progress(total, total, "")
    return Evaluation(config, tuple(pictures), tuple(left_out), tuple(measured))


def _shown(progress: Show | None, before: int, total: int, done: int, text: str) -> None:
    if progress:
        progress(before + done, total, text)


def _measure_codec(
    config: EvaluateConfig,
    choice: str,
    codec: Codec,
    pictures: list[Subject],
    mapped: Mapped,
    show: Callable[[int, str], None],
) -> Measured:
    setting = Setting(choice, config.device, config.plugins, config.ssimulacra2, config.max_pixels)
    largest = max(pictures, key=lambda picture: picture.megapixels)
    memory = peak_memory(setting, largest)
    points: list[Point] = []
    curve: list[CurvePoint] = []
    for quality in config.qualities:
        here = []
        for point in mapped(partial(measure, setting, quality), pictures):
            here.append(point)
            show(len(points) + len(here), f"{choice} at quality {quality:g}")
        points += here
        curve.append(_mean(here, pictures))
        if curve[-1].bpp > config.bpp_range[1]:
            break
    return Measured(choice, codec.spec, memory, tuple(points), tuple(curve))


def _mean(points: list[Point], pictures: list[Subject]) -> CurvePoint:
    megapixels = sum(picture.megapixels for picture in pictures)
    return CurvePoint(
        quality=points[0].quality,
        bpp=fmean(point.bpp for point in points),
        psnr=mean_psnr(point.psnr for point in points),
        ms_ssim=_mean_or_none([point.ms_ssim for point in points]),
        ssimulacra2=_mean_or_none([point.ssimulacra2 for point in points]),
        encode_mp_per_second=megapixels / math.fsum(point.encode_seconds for point in points),
        decode_mp_per_second=megapixels / math.fsum(point.decode_seconds for point in points),
    )


def _mean_or_none(values: list[float | None]) -> float | None:
    """None where a picture has no value, so that all curves are over the same pictures."""
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None
