"""How whoever starts a training run follows it, and ends it early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Step:
    """Where a run stands after a step.

    number: Steps so far, those before a resumption included. minutes: Likewise.
    share: Done, 0 to 1. loss: Moving mean.
    """

    number: int
    minutes: float
    share: float
    loss: float
    learning_rate: float

    @property
    def minutes_left(self) -> float:
        """At the pace so far."""
        return self.minutes * (1 - self.share) / self.share if self.share else float("inf")


@dataclass(frozen=True)
class Callbacks:
    """What a run calls while it goes on; by default nothing.

    stop: Asked after every step; when true, a checkpoint is written and StoppedError raised.
    on_pictures: (pictures read, crops kept), while the data are being prepared.
    on_step: After every step.
    on_validation: With every record that goes into metrics.jsonl.
    """

    stop: Callable[[], bool] = lambda: False
    on_pictures: Callable[[int, int], None] = lambda pictures, crops: None
    on_step: Callable[[Step], None] = lambda step: None
    on_validation: Callable[[dict[str, Any]], None] = lambda record: None


SILENT = Callbacks()
"""Train to the end and say nothing."""
