"""Encode to a target: the quality that just meets PSNR, MS-SSIM, SSIMULACRA2 or a bit budget."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from glassplate.codecs.base import Encoded, Pixels, Target, colour
from glassplate.codecs.errors import TargetMissedError
from glassplate.codecs.measures.pixels import psnr

ENCODINGS = 6
"""After so many, the best that meets the target is taken; one more if none has met it yet."""
_FAR = 20.0
"""Further beyond the target counts as this far: a lossless picture has infinite dB."""

Curve = Sequence[tuple[float, float]]
"""(quality, value), by rising quality."""


def encode_to_target(
    encode_at: Callable[[float], Encoded],
    decode: Callable[[bytes], Pixels],
    image: Pixels,
    target: Target,
    default_quality: float,
    codec: str = "",
) -> Encoded:
    """`encode_all_to_target` for one picture."""
    (encoded,) = encode_all_to_target(
        lambda _, qualities: [encode_at(qualities[0])],
        lambda bitstreams: [decode(bitstreams[0])],
        [image],
        target,
        default_quality,
        codec,
    )
    return encoded


def encode_all_to_target(
    encode_at: Callable[[Sequence[int], Sequence[float]], list[Encoded]],
    decode: Callable[[Sequence[bytes]], list[Pixels]],
    images: Sequence[Pixels],
    target: Target,
    default_quality: float,
    codec: str = "",
) -> list[Encoded]:
    """Encode each picture at the quality that its target asks for.

    psnr, ms_ssim, ssimulacra2: the smallest whole-numbered quality that reaches it; max_bpp: the
    greatest that keeps to it. Where it lies is told by the codec's mean curve, moved to go through
    what was measured, in three encodings or so, those of all pictures side by side. What is
    returned was measured and meets the target; that the next quality would not is at times told by
    the curve alone. If none meets it: raises TargetMissedError.

    Args:
        encode_at: Places of pictures in `images`, and a quality for each, to encoded pictures.
        decode: Bitstreams to pictures.
        codec: Whose mean curve to begin with; where there is none, by bisection, at most seven.
    """
    if target.quality is not None or target == Target():
        quality = default_quality if target.quality is None else target.quality
        return encode_at(range(len(images)), [quality] * len(images))
    rising = target.max_bpp is None
    (measure,) = target.model_dump(exclude_none=True)
    curve = mean_curve(codec, measure)
    searches = [Search(place, image, target, curve) for place, image in enumerate(images)]
    active = searches
    while active:
        trials = encode_at([s.place for s in active], [s.quality for s in active])
        decoded: Sequence[Pixels | None] = [None] * len(trials)
        if rising:
            decoded = decode([trial.bitstream for trial in trials])
        for search, trial, pixels in zip(active, trials, decoded, strict=True):
            search.take(trial, reached(target, search.image, trial, pixels))
        active = [search for search in active if not search.done]
    return [search.found(target) for search in searches]


def reached(
    target: Target, image: Pixels, encoded: Encoded, decoded: Pixels | None
) -> float | None:
    """What a picture has of the measure that the target names, as curves have it: dB, MS-SSIM as
    -10 log10(1 - x), SSIMULACRA2, or log2 of bpp. None where it has no such measure."""
    if target.max_bpp is not None:
        return math.log2(8 * len(encoded.bitstream) / image[..., 0].size)
    assert decoded is not None
    if target.psnr is not None:
        return psnr(colour(image), colour(decoded))
    # torch: seldom needed, slow to load
    if target.ms_ssim is not None:
        from glassplate.codecs.measures.structure import ms_ssim

        similarity = ms_ssim(colour(image), colour(decoded))
        return None if similarity is None else _decibels(similarity)
    from glassplate.codecs.measures.ssimulacra2 import ssimulacra2

    return ssimulacra2(image, decoded)


def _wanted(target: Target) -> float:
    """What is to be reached, or not to be passed, as `reached` has it."""
    if target.max_bpp is not None:
        return math.log2(target.max_bpp)
    if target.ms_ssim is not None:
        return _decibels(target.ms_ssim)
    wanted = target.psnr if target.psnr is not None else target.ssimulacra2
    assert wanted is not None
    return wanted


def _decibels(similarity: float) -> float:
    return -10 * math.log10(1 - similarity) if similarity < 1 else math.inf


@dataclass
class Search:
    """The search for one picture, over steps from 0 to 100 that ever more easily meet the target.

    A step is a quality, or for a bit budget 100 less a quality; unit: 1, or 0.1 for a codec whose
    qualities make a difference between whole ones, too. near: So near the best is near enough, by
    the curve. gains: By step that was tried, how
    far beyond the target it came; below 0 it missed. best: Of those that met it.
    """

    place: int
    image: Pixels
    target: Target
    curve: Curve | None
    unit: float = 1
    near: float = 1
    gains: dict[float, float] = field(default_factory=dict)
    best: Encoded | None = None
    done: bool = False
    step: float = 0

    def __post_init__(self) -> None:
        self.wanted = _wanted(self.target)
        self.rising = self.target.max_bpp is None
        self.step = self._next(-1, 101)

    @property
    def quality(self) -> float:
        """The next to try."""
        return self.step if self.rising else 100 - self.step

    def take(self, trial: Encoded, value: float | None) -> None:
        """Note a trial at `quality`, and choose the next."""
        if value is None:
            self.done = True
            return
        gain = self._gain(value)
        self.gains[self.step] = gain
        if gain >= 0 and (self.best is None or self._is_better(trial, self.best)):
            self.best = trial
        low, high = self._between()
        if high - low < 1.5 * self.unit or self._is_told(high):
            self.done = True
        elif self.curve and len(self.gains) >= ENCODINGS:
            self.done = self.best is not None or 100 in self.gains
            self.step = 100
        else:
            self.step = self._next(low, high)

    def _between(self) -> tuple[float, float]:
        """The last step that missed, the first that met the target; outside of 0 to 100: none."""
        met = (step for step, gain in self.gains.items() if gain >= 0)
        high = min(met, default=100 + self.unit)
        missed = (step for step, gain in self.gains.items() if gain < 0 and step < high)
        return max(missed, default=-self.unit), high

    def crossing(self) -> float:
        """The step, whole or not, that is expected to just meet the target."""
        low, high = self._between()
        if not self.done or high > 100:
            high = self.step
        low = max(low, high - 1)
        below, above = self._expected(low), self._expected(high)
        return high - (high - low) * above / (above - below) if below < 0 <= above else high

    def shortfall(self) -> float:
        """How far the curve's best misses the target, in the measure's own unit; 0: it does not."""
        return max(0.0, -self._on_curve(100)) if self.curve else 0.0

    def _is_told(self, high: float) -> bool:
        """Whether the curve says that a little before the best one misses."""
        return bool(self.curve) and high <= 100 and self._expected(high - self.near) < 0

    def _next(self, low: float, high: float) -> float:
        """The smallest step between the two that is expected to meet the target.

        Every second time from the fourth on the one in the middle, and always without a curve.
        """
        if self.curve is None or (len(self.gains) >= 3 and len(self.gains) % 2):
            return _whole((low + high) / 2, self.unit)
        unit, spare = (self.unit, self.near / 2 if self.unit < 1 else 0) if self.gains else (1, 0)
        count = math.ceil((min(high, 100 + unit) - low) / unit - 1e-6)
        inside = [_whole(low + place * unit, unit) for place in range(1, count)]
        return next((step for step in inside if self._expected(step - spare) >= 0), inside[-1])

    def _expected(self, step: float) -> float:
        """The curve's gain, moved to go through the gains that were found, straight in between."""
        if not self.gains:
            return self._on_curve(step)
        shifts = [(s, self.gains[s] - self._on_curve(s)) for s in sorted(self.gains)]
        return self._on_curve(step) + interpolated(shifts, step)

    def _on_curve(self, step: float) -> float:
        assert self.curve is not None
        return self._gain(interpolated(self.curve, step if self.rising else 100 - step))

    def _gain(self, value: float) -> float:
        gain = value - self.wanted if self.rising else self.wanted - value
        return min(gain, _FAR)

    def _is_better(self, a: Encoded, b: Encoded) -> bool:
        return len(a.bitstream) < len(b.bitstream) if self.rising else a.quality > b.quality

    def found(self, target: Target) -> Encoded:
        """The best. Raises TargetMissedError if no trial met the target."""
        if self.best is None:
            raise TargetMissedError(
                f"no quality setting reaches {target}", "Choose a less strict target."
            )
        return self.best


def _whole(step: float, unit: float) -> float:
    """The step as a multiple of the unit, rounded down."""
    return round(math.floor(step / unit + 1e-6) * unit, 1)


def interpolated(points: Sequence[tuple[float, float]], x: float) -> float:
    """On the straight lines between points by rising x; beyond the ends, the value at the end."""
    place = bisect_left(points, x, key=lambda point: point[0])
    if place == 0:
        return points[0][1]
    if place == len(points):
        return points[-1][1]
    (left, a), (right, b) = points[place - 1], points[place]
    return a + (b - a) * (x - left) / (right - left)


def mean_curve(codec: str, measure: str) -> Curve | None:
    """Mean curve of a measure that a target can name; None for a codec that was not measured."""
    found = _mean_curves().get(codec)
    return None if found is None else list(zip(found["quality"], found[measure], strict=True))


@cache
def _mean_curves() -> dict[str, dict[str, list[float]]]:
    """By codec; tests/benchmarks/mean_curves.py measures anew."""
    path = Path(__file__).with_name("mean_curves.json")
    curves: dict[str, dict[str, list[float]]] = json.loads(path.read_text())
    return curves
