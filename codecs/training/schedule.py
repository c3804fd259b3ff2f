"""When training ends and how the learning rate falls: by steps, by minutes, or by both."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then half a cosine down to 2 % of the peak.

    Progress is the larger of steps done and minutes spent, so that a run on a busy machine ends on
    time. Raising `steps` or `minutes` of a finished run restarts it warm: progress falls back.
    """

    peak: float
    steps: int | None = None
    minutes: float | None = None
    warmup: int = 200
    floor: float = 0.02

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            raise ValueError("a schedule needs steps, minutes, or both")

    def progress(self, step: int, minutes: float) -> float:
        """Share of the run that is done, 0 to 1."""
        by_step = step / self.steps if self.steps else 0.0
        by_time = minutes / self.minutes if self.minutes else 0.0
        return min(1.0, max(by_step, by_time))

    def rate(self, step: int, minutes: float) -> float:
        """The learning rate for the next step."""
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress(step, minutes)))
        warm = min(1.0, (step + 1) / self.warmup)
        return self.peak * warm * (self.floor + (1 - self.floor) * cosine)
