"""Live progress of a run: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from glassplate.flows.output import human_seconds, ratio

if TYPE_CHECKING:
    from glassplate.pipelines.progress import Progress

PLAIN_INTERVAL = 5.0
"""Seconds between lines when stderr is a file or a log collector."""


@contextmanager
def live_progress(console: Console, *, shown: bool) -> Iterator[Callable[[Progress], None] | None]:
    """A callback for the pipelines to report to, or None if nothing is to be shown."""
    if not shown:
        yield None
    elif console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task("compressing", total=None, rates="")

            def update(progress: Progress) -> None:
                bar.update(
                    task, completed=progress.done, total=progress.total, rates=rates(progress)
                )

            yield update
    else:
        yield _plain_lines(console)


def rates(progress: Progress) -> str:
    """'12.3 images/s, 34.5 MB/s, ratio 4.56x, 2 failed, 1 min 20 s left'."""
    parts = [
        f"{progress.images_per_second:.1f} images/s",
        f"{progress.bytes_per_second / 1e6:.1f} MB/s",
        f"ratio {ratio(progress.source_bytes, progress.stored_bytes)}",
    ]
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    if progress.eta is not None and progress.done < progress.total:
        parts.append(f"{human_seconds(progress.eta)} left")
    return ", ".join(parts)


def _bar(console: Console) -> Bar:
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rates]}"),
        console=console,
        transient=True,
    )


def _plain_lines(console: Console) -> Callable[[Progress], None]:
    last = time.monotonic()

    def update(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PLAIN_INTERVAL or progress.done == progress.total:
            last = now
            console.print(f"{progress.done}/{progress.total} images, {rates(progress)}")

    return update
