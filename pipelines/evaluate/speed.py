"""What refining costs: from stream to picture, against the plain decode."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from glassplate.pipelines.evaluate.bench import Picture
from glassplate.pipelines.evaluate.variants import PLAIN, Variant


@dataclass(frozen=True)
class Speed:
    """From stream to picture, decoding included.

    core_seconds_per_megapixel: Time of all threads; it hardly changes under other work.
    relative: Ratio of seconds to those of the plain decode.
    """

    variant: str
    seconds_per_megapixel: float
    core_seconds_per_megapixel: float
    relative: float


def speeds(picture: Picture, quality: float, variants: Iterable[Variant]) -> list[Speed]:
    """The better of two runs of every variant that is made of the stream at full strength."""
    seconds = {}
    for variant in dict.fromkeys(variants):
        if not variant.peer and (variant.refine is None or variant.refine.strength == 1):
            decode = partial(picture.decode, quality, variant)
            seconds[variant.name] = min(_seconds(decode), _seconds(decode))
    (plain, _), size = seconds[PLAIN.name], picture.subject.megapixels
    return [
        Speed(name, taken / size, cores / size, taken / plain)
        for name, (taken, cores) in seconds.items()
    ]


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """On the clock, and of all cores together."""
    started, cores = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - cores
