"""Rate-distortion curves, and the Bjøntegaard delta rate between two of them.

G. Bjøntegaard, "Calculation of average PSNR differences between RD-curves" (VCEG-M33, 2001), with
piecewise cubic (pchip) interpolation of the logarithm of the rate, by the `bjontegaard` package.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from glassplate.codecs.extras import optional

EXTRA = "evaluate"
MIN_POINTS = 3

Curve: TypeAlias = list[tuple[float, float]]
"""(bits per pixel, quality), both rising."""

Axis: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BdRate:
    """How many more bits a codec needs than its anchor for the same quality, on average.

    percent: negative is better than the anchor. low, high: the quality that both curves reach, over
    which the average is taken. overlap: its share of the quality that either reaches.
    """

    percent: float
    low: float
    high: float
    overlap: float


def rising(points: Iterable[tuple[float, float]]) -> Curve:
    """By rate; without lossless points, and those that cost more bits for no more quality."""
    curve: Curve = []
    for rate, value in sorted(points):
        if rate > 0 and math.isfinite(value) and (not curve or value > curve[-1][1]):
            curve.append((rate, value))
    return curve


def clip(curve: Curve, low: float, high: float) -> Curve:
    """The part of a curve between two rates; its ends are interpolated, never extrapolated."""
    inside = [(rate, value) for rate, value in curve if low < rate < high]
    ends = [(rate, value) for rate in (low, high) if (value := value_at(curve, rate)) is not None]
    return rising(inside + ends)


def value_at(curve: Curve, rate: float) -> float | None:
    """Quality at a rate, None outside the curve. Raises MissingExtraError."""
    if not _spans([point[0] for point in curve], rate):
        return None
    rates, values = np.array(curve).T
    return _interpolate(np.log(rates), values, math.log(rate))


def rate_at(curve: Curve, value: float) -> float | None:
    """Rate at a quality, None outside the curve. Raises MissingExtraError."""
    if not _spans([point[1] for point in curve], value):
        return None
    rates, values = np.array(curve).T
    return math.exp(_interpolate(values, np.log(rates), value))


def bd_rate(anchor: Curve, test: Curve) -> BdRate | None:
    """The delta rate of a curve against an anchor; None where they do not overlap.

    None, too, for curves of fewer than three points. Raises MissingExtraError.
    """
    package = optional("bjontegaard", EXTRA)
    if min(len(anchor), len(test)) < MIN_POINTS:
        return None
    low, high = max(anchor[0][1], test[0][1]), min(anchor[-1][1], test[-1][1])
    if low >= high:
        return None
    percent = package.bd_rate(
        *np.array(anchor).T,
        *np.array(test).T,
        method="pchip",
        require_matching_points=False,
        min_overlap=0,
    )
    span = max(anchor[-1][1], test[-1][1]) - min(anchor[0][1], test[0][1])
    return BdRate(float(percent), low, high, (high - low) / span)


def _spans(axis: list[float], place: float) -> bool:
    return len(axis) > 1 and axis[0] <= place <= axis[-1]


def _interpolate(x: Axis, y: Axis, place: float) -> float:
    return float(optional("scipy.interpolate", EXTRA).PchipInterpolator(x, y)(place))
