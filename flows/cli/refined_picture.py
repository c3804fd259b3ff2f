"""`glassplate get --refine`: one picture, refined, with progress and a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from glassplate.flows.terminal.live import live_count
from glassplate.flows.terminal.output import Output, human_bytes, human_seconds, one_line
from glassplate.flows.terminal.wording import counted

if TYPE_CHECKING:
    from glassplate.codecs import Region
    from glassplate.codecs.refine.options import RefineOptions
    from glassplate.pipelines.archive.labels.refined import RefinedPicture
    from glassplate.pipelines.archive.read.reader import Archive


def refined(
    output: Output,
    archive: Archive,
    key: str,
    path: Path,
    region: Region | None,
    options: RefineOptions,
    *,
    shown: bool,
) -> RefinedPicture:
    """Refine a picture and write it. Raises as `Archive.refine` and `deliver.save`."""
    from glassplate.pipelines.archive.deliver.file import check_labelled, save

    check_labelled(path)  # before the work, not after it
    started = time.monotonic()

    with live_count(output.stderr, "refining windows", shown=shown) as show:

        def progress(done: int, total: int) -> None:
            left = (time.monotonic() - started) * (total - done) / max(done, 1)
            if show:
                show(done, total, f"{human_seconds(left)} left" if 0 < done < total else "")

        picture = archive.refine(key, options, region, progress)
    save(picture.image, path)
    return picture


def report_refined(output: Output, path: Path, picture: RefinedPicture) -> None:
    """Say what was written, and how it was made."""
    facts, size = picture.facts, path.stat().st_size
    if output.as_json:
        output.record({"file": str(path), "bytes": size, **facts})
        return
    output.message(
        f"wrote {one_line(str(path))} ({human_bytes(size)}), refined by {facts['refiner']} in "
        f"{counted(facts['steps'], 'step')}, strength {facts['strength']:g}, seed {facts['seed']}; "
        f"mean change {facts['mean_detail']:.2f} of 255"
    )
