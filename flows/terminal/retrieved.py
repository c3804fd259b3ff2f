"""What people read of a retrieval that is going on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassplate.flows.terminal.output import human_seconds

if TYPE_CHECKING:
    from glassplate.pipelines.jobs.progress import Progress


def rates(progress: Progress) -> str:
    """'12.3 images/s, 2 failed, 1 min 20 s left'; '' at the start."""
    if progress.done == progress.resumed:
        return ""
    parts = [f"{progress.images_per_second:.1f} images/s"]
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    if progress.eta is not None and progress.done < progress.total:
        parts.append(f"{human_seconds(progress.eta)} left")
    return ", ".join(parts)
