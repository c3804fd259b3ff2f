"""Live progress: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from glassplate.flows.terminal.output import human_seconds, ratio

if TYPE_CHECKING:
    from glassplate.pipelines.jobs.progress import Progress, ProgressCallback

PLAIN_INTERVAL = 5.0
"""Seconds between lines when stderr is a file or a log collector."""

Show = Callable[[int, int, str], None]
"""Shows (done, total, text)."""


@contextmanager
def live_progress(console: Console, *, shown: bool) -> Iterator[ProgressCallback | None]:
    """A callback for a run to report to, or None if nothing is to be shown."""
    with live_count(console, "compressing", shown=shown) as show:
        yield (lambda p: show(p.done, p.total, rates(p))) if show else None


@contextmanager
def live_count(console: Console, verb: str, *, shown: bool) -> Iterator[Show | None]:
    """A callback for things done and to do, or None if nothing is to be shown."""
    if not shown:
        yield None
    elif console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task(verb, total=None, text="")
            yield lambda done, total, text: bar.update(task, completed=done, total=total, text=text)
    else:
        sign = Timer(PLAIN_INTERVAL, console.print, [f"{verb} ..."])
        sign.daemon = True
        sign.start()
        try:
            yield _plain_lines(console, verb)
        finally:
            sign.cancel()


def rates(progress: Progress) -> str:
    """'12.3 images/s, 34.5 MB/s, ratio 4.56x, 2 failed, 1 min 20 s left'; '' at the start."""
    if progress.done == progress.resumed:
        return ""
    parts = [
        f"{progress.images_per_second:.1f} images/s",
        f"{progress.megabytes_per_second:.1f} MB/s",
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
        TextColumn("{task.fields[text]}"),
        console=console,
        transient=True,
    )


def _plain_lines(console: Console, verb: str) -> Show:
    last, finished = time.monotonic(), False

    def show(done: int, total: int, text: str) -> None:
        nonlocal last, finished
        now = time.monotonic()
        if not finished and (now - last >= PLAIN_INTERVAL or done == total):
            last, finished = now, done == total
            console.print(f"{verb}: {done}/{total}" + (f", {text}" if text else ""))

    return show
