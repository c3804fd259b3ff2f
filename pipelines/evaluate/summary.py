"""What an evaluation says: BD-rates, speed at equal quality, and the pictures that are worst."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, TypeAlias

import numpy as np

from glassplate.codecs.errors import ConfigError, OptionName
from glassplate.pipelines.evaluate.bd_rate import (
    BdRate,
    Curve,
    bd_rate,
    clip,
    rate_at,
    rising,
    value_at,
)
from glassplate.pipelines.evaluate.codec_curves import CurvePoint, Evaluation, Measured

Metric: TypeAlias = Literal["psnr", "ms_ssim", "ssimulacra2"]
Table: TypeAlias = dict[str, dict[str, BdRate | None]]
"""test -> anchor -> delta rate."""

METRICS: dict[Metric, str] = {
    "psnr": "PSNR-RGB in dB",
    "ms_ssim": "MS-SSIM in dB, -10 log10(1 - MS-SSIM)",
    "ssimulacra2": "SSIMULACRA2",
}


@dataclass(frozen=True)
class AtEqualQuality:
    """A codec at the anchor's PSNR: rate, 10^6 pixels a second, and its time over the anchor's."""

    choice: str
    bpp: float | None
    encode_mp_per_second: float | None
    decode_mp_per_second: float | None
    encode_time_ratio: float | None
    decode_time_ratio: float | None


@dataclass(frozen=True)
class PictureRow:
    """A picture: the first codec's PSNR there, and the BD-rate of each codec on it alone."""

    picture: str
    psnr: float | None
    bd_rate: dict[str, BdRate | None]


@dataclass(frozen=True)
class Summary:
    """bpp, psnr: where speeds are compared, on the anchor's curve. subject: the codec in question.

    matrices: for each metric, codec against codec. published: codec against published curve, PSNR.
    pictures: those first on which the subject does worst against the anchor. mean_of_pictures: the
    mean over them of each codec's percent, None unless all have one. Unlike the mean curves, it
    does not depend on how a codec shares out bits between pictures at one setting.
    """

    anchor: str
    subject: str
    bpp: float
    psnr: float
    matrices: dict[Metric, Table]
    published: Table
    equal_quality: tuple[AtEqualQuality, ...]
    pictures: tuple[PictureRow, ...]
    mean_of_pictures: dict[str, float | None]


def summarise(
    evaluation: Evaluation, anchor: str, published: Mapping[str, Curve] | None = None
) -> Summary:
    """Compare everything measured, within the evaluation's range of rates.

    anchor: one of the codecs, as it was asked for. published: PSNR curves of others.
    Raises ConfigError for an anchor without lossy settings, MissingExtraError.
    """
    low, high = evaluation.config.bpp_range
    codecs = {codec.choice: codec for codec in evaluation.codecs}
    subject = next((choice for choice in codecs if choice != anchor), anchor)
    anchor_curve = metric_curve(codecs[anchor], "psnr")
    if not anchor_curve:
        raise ConfigError(
            f"{anchor} is lossless at every quality", "Choose another.", OptionName("anchor")
        )
    psnr = _common_psnr(evaluation, anchor_curve, math.sqrt(low * high))
    bpp = rate_at(anchor_curve, psnr) or anchor_curve[0][0]
    pictures = _pictures(evaluation, anchor, subject, bpp)
    at_anchor = _at_quality(codecs[anchor], psnr, None)
    return Summary(
        anchor=anchor,
        subject=subject,
        bpp=bpp,
        psnr=psnr,
        matrices={metric: _matrix(evaluation, metric) for metric in measured_metrics(evaluation)},
        published=_against(evaluation, published or {}),
        equal_quality=tuple(_at_quality(codec, psnr, at_anchor) for codec in evaluation.codecs),
        pictures=pictures,
        mean_of_pictures={choice: _mean(pictures, choice) for choice in codecs},
    )


def _common_psnr(evaluation: Evaluation, anchor: Curve, bpp: float) -> float:
    """The anchor's PSNR at a rate, or the nearest that every codec has, if there is one."""
    psnr = value_at(anchor, min(max(bpp, anchor[0][0]), anchor[-1][0])) or anchor[0][1]
    curves = [curve for codec in evaluation.codecs if (curve := metric_curve(codec, "psnr"))]
    low, high = max(curve[0][1] for curve in curves), min(curve[-1][1] for curve in curves)
    return min(max(psnr, low), high) if low <= high else psnr


def measured_metrics(evaluation: Evaluation) -> list[Metric]:
    """Those that every codec has values of: small pictures have no MS-SSIM."""
    points = [point for codec in evaluation.codecs for point in codec.curve]
    return [name for name in METRICS if all(getattr(point, name) is not None for point in points)]


def metric_curve(codec: Measured, metric: Metric) -> Curve:
    """Mean rate and mean quality over the pictures; empty if the metric was not measured."""
    values = ((point.bpp, _value(point, metric)) for point in codec.curve)
    return rising((bpp, value) for bpp, value in values if value is not None)


def _value(point: CurvePoint, metric: Metric) -> float | None:
    value: float | None = getattr(point, metric)
    if metric != "ms_ssim" or value is None:
        return value
    return -10 * math.log10(1 - value) if value < 1 else math.inf


def _matrix(evaluation: Evaluation, metric: Metric) -> Table:
    curves = {
        codec.choice: clip(metric_curve(codec, metric), *evaluation.config.bpp_range)
        for codec in evaluation.codecs
    }
    return {
        test: {name: bd_rate(curve, curves[test]) for name, curve in curves.items()}
        for test in curves
    }


def _against(evaluation: Evaluation, published: Mapping[str, Curve]) -> Table:
    between = evaluation.config.bpp_range
    anchors = {name: clip(rising(curve), *between) for name, curve in published.items()}
    return {
        codec.choice: {
            name: bd_rate(curve, clip(metric_curve(codec, "psnr"), *between))
            for name, curve in anchors.items()
        }
        for codec in evaluation.codecs
    }


def _at_quality(codec: Measured, psnr: float, anchor: AtEqualQuality | None) -> AtEqualQuality:
    encode, decode = (
        _speed_at(codec, psnr, name) for name in ("encode_mp_per_second", "decode_mp_per_second")
    )
    return AtEqualQuality(
        choice=codec.choice,
        bpp=rate_at(metric_curve(codec, "psnr"), psnr),
        encode_mp_per_second=encode,
        decode_mp_per_second=decode,
        encode_time_ratio=_time_ratio(encode, anchor.encode_mp_per_second if anchor else encode),
        decode_time_ratio=_time_ratio(decode, anchor.decode_mp_per_second if anchor else decode),
    )


def _speed_at(codec: Measured, psnr: float, name: str) -> float | None:
    """Seconds for a pixel are interpolated between the settings around this quality."""
    points = sorted((point.psnr, 1 / getattr(point, name)) for point in codec.curve)
    if not points[0][0] <= psnr <= points[-1][0]:
        return None
    return 1 / float(np.interp(psnr, *np.array(points).T))


def _time_ratio(speed: float | None, anchor: float | None) -> float | None:
    return anchor / speed if speed and anchor else None


def _pictures(
    evaluation: Evaluation, anchor: str, subject: str, bpp: float
) -> tuple[PictureRow, ...]:
    rows = []
    for picture in evaluation.pictures:
        curves = {
            codec.choice: rising((p.bpp, p.psnr) for p in codec.points if p.picture == picture.name)
            for codec in evaluation.codecs
        }
        clipped = {
            choice: clip(curve, *evaluation.config.bpp_range) for choice, curve in curves.items()
        }
        rates = {choice: bd_rate(clipped[anchor], curve) for choice, curve in clipped.items()}
        rows.append(PictureRow(picture.name, value_at(curves[subject], bpp), rates))
    return tuple(sorted(rows, key=lambda row: _goodness(row, subject)))


def _mean(rows: tuple[PictureRow, ...], choice: str) -> float | None:
    rates = [rate.percent for row in rows if (rate := row.bd_rate[choice])]
    return fmean(rates) if len(rates) == len(rows) else None


def _goodness(row: PictureRow, subject: str) -> tuple[float, float]:
    rate = row.bd_rate[subject]
    return (-rate.percent if rate else math.inf), row.psnr or 0.0
