"""Pictures that are measured, and the processes that do it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Protocol, TypeVar

import torch

from glassplate.codecs.errors import InputError, UnsupportedImageError
from glassplate.pipelines.errors import SourceError
from glassplate.pipelines.evaluate.measure import Subject, load_pixels
from glassplate.pipelines.sources.listing import list_source

logger = logging.getLogger(__name__)

Found = TypeVar("Found")
Refuses = Callable[[int, int, int], str | None]
"""Why a picture of this width, height and number of channels cannot be used, or None."""


def choose(
    source: str, refusals: Mapping[str, Refuses], limit: int | None, max_pixels: int
) -> tuple[list[Subject], list[tuple[str, str]]]:
    """The first `limit` pictures that nobody refuses, and the files left out, with reasons.

    Raises SourceError if no picture is left.
    """
    chosen: list[Subject] = []
    left_out: list[tuple[str, str]] = []
    for ref in list_source(source).refs:
        if len(chosen) == limit:
            break
        try:
            height, width, channels = load_pixels(ref, max_pixels).shape
        except (InputError, UnsupportedImageError) as error:
            left_out.append((ref.name, error.cause))
            continue
        found = {name: refuses(width, height, channels) for name, refuses in refusals.items()}
        reasons = [f"{name}: {reason}" for name, reason in found.items() if reason]
        if reasons:
            left_out.append((ref.name, ", ".join(reasons)))
        else:
            chosen.append(Subject(ref.name, width, height, ref))
    for name, reason in left_out:
        logger.warning("%s: left out: %s", name, reason)
    if not chosen:
        raise SourceError("holds no picture that can be measured", "", source)
    return chosen, left_out


class Mapped(Protocol):
    """`map`, wherever it runs."""

    def __call__(
        self, function: Callable[[Subject], Found], pictures: Iterable[Subject], /
    ) -> Iterable[Found]: ...


@contextmanager
def mapping(workers: int) -> Iterator[Mapped]:
    """`map`, in this process or in several, which share the cores."""
    if workers == 1:
        yield map
        return
    threads = max(1, len(os.sched_getaffinity(0)) // workers)
    with ProcessPoolExecutor(
        workers, get_context("spawn"), torch.set_num_threads, (threads,)
    ) as pool:
        yield pool.map
