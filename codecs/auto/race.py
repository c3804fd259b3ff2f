"""Several codecs on one picture: which meets the target with the fewest bytes, in few encodings.

Each codec's search begins with one trial, at the quality where its mean curve meets the target.
From that on the curve, moved to go through what was measured, predicts what it takes. Before a
codec's first trial the trials of the others do so: it is expected to lie as far from them as the
mean curves lie from each other. Only those go on that may still win, the likeliest first; by how
much predictions can be wrong was measured, and for pictures with flat areas (drawings, pages,
screens), where codecs differ most, nothing is said before a trial.

    python -m tests.benchmarks.auto     how good that is, against trying all to the end
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from glassplate.codecs.base import Candidate, Codec, Encoded, Pixels, Target, colour
from glassplate.codecs.errors import EncodeError
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.search import Curve, Search, interpolated, mean_curve, reached

MARGINS = (0.045, 0.02)
"""By how much a prediction from one trial, and from more, may be too high: log2 of bytes."""
UNTRIED, UNTRIED_SIBLING = 0.3, 0.05
"""The same before the first trial, from other codecs, and from the same one with other options."""
POINTS = 25.0
"""A bit budget is met by all, and SSIMULACRA2 compared: points that count as one log2 of bytes."""
FLAT = 0.2
"""Share of pixels equal to their neighbour, from which a picture has flat areas."""
REACH = {"ssimulacra2": 7.0, "psnr": 6.0, "ms_ssim": 4.0}
"""Further beyond the end of its mean curve no codec gets: points, dB, dB."""


@dataclass
class Entrant:
    """One codec's search on one picture, and what it costs: log2 of bpp, or for a bit budget
    SSIMULACRA2 (PSNR for a picture too small for it) with a minus.

    label: The codec and its options, as mean curves know them.
    near: Under 1 for codecs whose qualities between whole ones make a difference; how near the
        best its search has to come.
    seen: (quality, cost) of the trials. failed: why it has no stream at all.
    """

    label: str
    codec: Codec
    image: Pixels
    target: Target
    near: float = 1
    seen: list[tuple[float, float]] = field(default_factory=list)
    failed: EncodeError | None = None
    done: bool = False

    def __post_init__(self) -> None:
        (measure,) = self.target.model_dump(exclude_none=True)
        unit = 0.1 if self.near < 1 else 1
        curve = mean_curve(self.label, measure)
        self.search = Search(0, self.image, self.target, curve, unit, self.near)
        self.has_budget = self.target.max_bpp is not None
        self._curve = self._cost_curve()
        self._best_cost = math.inf
        self.usual = interpolated(self._curve, self._quality_at_target())
        self.done = self.search.shortfall() > REACH.get(measure, math.inf)

    @property
    def best(self) -> Encoded | None:
        """What meets the target best, of what was tried."""
        return self.search.best

    def cost(self, tried: Sequence[Entrant] = ()) -> float:
        """Bytes of the best when the search has ended, else as predicted; infinite if it missed."""
        if self.done:
            return self._best_cost
        if self.seen:
            quality = self._quality_at_target()
            shifts = [(q, cost - interpolated(self._curve, q)) for q, cost in self.seen]
            return interpolated(self._curve, quality) + interpolated(shifts, quality)
        from_others = [self.usual + one.cost() - one.usual for one in self._nearest(tried)]
        return fmean(from_others) if from_others else -math.inf

    def margin(self, tried: Sequence[Entrant] = ()) -> float:
        """By how much the cost may come out lower in the end."""
        if self.done:
            return 0
        if self.seen:
            margin = MARGINS[min(len(self.seen), len(MARGINS)) - 1]
        elif _has_flat_areas(self.image):
            margin = math.inf
        else:
            siblings = any(one.name == self.name for one in self._nearest(tried))
            margin = UNTRIED_SIBLING if siblings else UNTRIED
        return margin * (POINTS if self.has_budget else 1)

    @property
    def name(self) -> str:
        """The codec without its options."""
        return self.label.partition(":")[0]

    def step(self) -> None:
        """Encode once more."""
        quality = self.search.quality
        try:
            (trial,) = self.codec.encode([self.image], Target(quality=quality))
        except EncodeError as error:
            self.failed, self.done = error, True
            return
        (decoded,) = self.codec.decode([trial.bitstream])
        cost = self._cost_of(trial, decoded)
        self.search.take(trial, reached(self.target, self.image, trial, decoded))
        self.seen = sorted([*self.seen, (quality, cost)])
        if self.search.best is trial:
            self._best_cost = cost
        self.done = self.search.done

    def candidate(self, winner: Entrant, entrants: Sequence[Entrant]) -> Candidate:
        """What it took, or would take, beside the winner."""
        if self.done and (self.failed or self.best is None):
            return Candidate(self.label, None, "missed")
        if self.done and self.best:
            size = len(self.best.bitstream)
            return Candidate(self.label, size, "stored" if self is winner else "tried")
        pixels = self.image[..., 0].size
        budget = self.target.max_bpp
        cost = math.log2(budget) if budget else self.cost(_tried(entrants))
        return Candidate(self.label, round(2**cost * pixels / 8), "predicted")

    def _nearest(self, tried: Sequence[Entrant]) -> Sequence[Entrant]:
        """Those that say most of it before its first trial."""
        known = [one for one in tried if math.isfinite(one.cost())]
        return [one for one in known if one.name == self.name] or known

    def _quality_at_target(self) -> float:
        step = self.search.crossing()
        step = step if self.near < 1 else math.ceil(step)
        return 100 - step if self.has_budget else step

    def _cost_of(self, trial: Encoded, decoded: Pixels) -> float:
        if not self.has_budget:
            return math.log2(8 * len(trial.bitstream) / self.image[..., 0].size)
        from glassplate.codecs.measures.ssimulacra2 import ssimulacra2  # torch: slow to load

        look = ssimulacra2(self.image, decoded)
        return -(psnr(colour(self.image), colour(decoded)) if look is None else look)

    def _cost_curve(self) -> Curve:
        measure = "ssimulacra2" if self.has_budget else "max_bpp"
        sign = -1 if self.has_budget else 1
        curve = mean_curve(self.label, measure) or [(0, 0.0), (100, 8.0 * sign)]
        return [(quality, sign * value) for quality, value in curve]


def race(entrants: Sequence[Entrant], *, exhaustive: bool = False) -> Entrant | None:
    """The entrant that meets the target at the lowest cost; None if none does.

    exhaustive: Every search goes on to its end.
    """
    while entrant := _next(entrants, exhaustive):
        entrant.step()
    ended = [entrant for entrant in entrants if entrant.done and entrant.best]
    return min(ended, key=lambda entrant: entrant.cost(), default=None)


def _next(entrants: Sequence[Entrant], exhaustive: bool) -> Entrant | None:
    """Whose trial is the next: of those that may win first one without any, then the likeliest."""
    tried = _tried(entrants)
    open_ = [entrant for entrant in entrants if not entrant.done]
    if not exhaustive:
        sure = min((one.cost() + one.margin() for one in tried), default=math.inf)
        open_ = [one for one in open_ if one.cost(tried) - one.margin(tried) < sure]
        likeliest = min(tried, key=lambda one: one.cost(), default=None)
        if likeliest and not likeliest.done and likeliest not in open_:
            open_.append(likeliest)
    untried = [entrant for entrant in open_ if not entrant.seen]
    return untried[0] if untried else min(open_, key=lambda one: one.cost(), default=None)


def _tried(entrants: Sequence[Entrant]) -> list[Entrant]:
    return [entrant for entrant in entrants if entrant.seen]


def _has_flat_areas(image: Pixels) -> bool:
    """Whether a picture looks drawn, by its pixels that equal their neighbours on the left."""
    equal = (image[:, 1:] == image[:, :-1]).all(axis=2)
    return bool(equal.size) and float(equal.mean()) > FLAT
