"""What people read of a plan, a compaction, a retrieval, a training run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from glassplate.flows.terminal.output import human_bytes, human_seconds

if TYPE_CHECKING:
    from glassplate.codecs.training.callbacks import Step
    from glassplate.pipelines.archive.deliver.folder import Extracted
    from glassplate.pipelines.archive.upkeep.compact import Compaction
    from glassplate.pipelines.compress.planning import RunPlan
    from glassplate.pipelines.jobs.progress import Progress


def record_of(result: Compaction) -> dict[str, Any]:
    """What a compaction did, as one JSON object."""
    return {
        "snapshot": result.snapshot.number if result.snapshot else None,
        "shards_before": result.shards_before,
        "shards_after": result.shards_after,
        "snapshots_forgotten": result.expired.snapshots,
        "files_deleted": result.expired.files,
        "bytes_deleted": result.expired.bytes,
    }


def lines_of(result: Compaction) -> list[str]:
    """The same for people."""
    if result.snapshot is None:
        lines = [f"nothing to merge: {counted(result.shards_before, 'shard')}"]
    else:
        lines = [
            f"{counted(result.shards_before, 'shard')} became {result.shards_after}, "
            f"snapshot {result.snapshot.number}"
        ]
    expired = result.expired
    if expired.snapshots:
        lines.append(
            f"{counted(expired.snapshots, 'snapshot')} forgotten, "
            f"{counted(expired.files, 'file')} deleted, "
            f"{human_bytes(expired.bytes)}"
        )
    return lines


def sum_of(result: Extracted, directory: str, seconds: float) -> list[str]:
    """What an extraction gave, in one line, and a line for each kind of picture that is told."""
    new = [file.entry for file in result.files if file.new]
    there, originals = len(result.files) - len(new), sum(entry.is_original for entry in new)
    kinds = f"{originals} as the files they were, {len(new) - originals} decoded"
    size = human_bytes(sum(entry.bytes for entry in new))
    wrote = f"wrote {counted(len(new), 'picture')} ({size}) to {directory}"
    lines = [f"{wrote} in {human_seconds(seconds)}: {kinds}"] if new else []
    if there:
        lines.append(f"{counted(there, 'picture')} of an earlier extract {are(there)} there, whole")
    as_png = Counter(file.instead_of for file in result.files if file.instead_of)
    lines += [
        f"{counted(count, 'picture')} came out as PNG: a {suffix} file would lose something"
        for suffix, count in as_png.items()
    ]
    if result.errors:
        lines.append(f"{counted(len(result.errors), 'picture')} could not be given back:")
    return lines


def counted(count: int, noun: str, nouns: str = "") -> str:
    """'1 picture', '2 pictures'."""
    return f"{count} {noun if count == 1 else nouns or f'{noun}s'}"


def are(count: int) -> str:
    """The verb for so many."""
    return "is" if count == 1 else "are"


def remarks(plan: RunPlan) -> list[str]:
    """What a person should know of a plan, beside its counts."""
    lines = []
    archive = plan.config.archive
    if plan.gone:
        them = (
            "1 source is gone; its picture stays"
            if plan.gone == 1
            else (f"{plan.gone} sources are gone; their pictures stay")
        )
        lines.append(f"{them}: glassplate query {archive} --gone")
    if plan.lacking_latents:
        lines.append(f"latents of {counted(plan.lacking_latents, 'stored picture')} are made")
    for codec, target, count in plan.otherwise:
        pictures = "1 picture is" if count == 1 else f"{count} pictures are"
        how = "" if target == "default" else f", {target.replace('=', ' ').replace('_', '-')}"
        if (codec, target) == (plan.config.codec, plan.target):
            how += ", with other weights or options"
        lines.append(f"{pictures} stored by {codec}{how}; --reencode stores them anew")
    return lines


def saved(choices: dict[str, Any]) -> str:
    """'auto chose jxl for 3, avif for 1; 4.2 % fewer bytes than by jxl alone, about'."""
    won = ", ".join(f"{row['codec']} for {row['won']}" for row in choices["codecs"] if row["won"])
    share = 100 * (1 - choices["bytes"] / choices["single_bytes"])
    best = choices["best_single"]
    return f"auto chose {won or 'nothing'}; about {share:.1f} % fewer bytes than {best} alone"


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


_ABOUT_THE_RUN = {"time", "step", "minutes", "learning_rate", "pictures", "device", "points"}
_ABOUT_THE_RUN |= {"samples", "collapse"}


def step_text(step: Step) -> str:
    """'loss 0.4466, learning rate 1.8e-05, 3 min 20 s left'."""
    left = human_seconds(60 * step.minutes_left)
    return f"loss {step.loss:.4f}, learning rate {step.learning_rate:.1e}, {left} left"


def measures(record: dict[str, Any]) -> dict[str, Any]:
    """The measures of a validation record; points of a rate-distortion curve and the reasons of a
    collapse as text."""
    found = {name: value for name, value in record.items() if name not in _ABOUT_THE_RUN}
    if "collapse" in record:
        found["collapse"] = ", ".join(one["reason"] for one in record["collapse"]) or None
    points = [f"{bpp:.3f} bpp {db:.2f} dB" for bpp, db in record.get("points", [])]
    return found | {f"point {place}": text for place, text in enumerate(points, 1)}


def validation_text(record: dict[str, Any]) -> str:
    """'step 1200, minute 12.0: validation loss 0.5275, 0.113 bpp 26.05 dB, ...'."""
    parts = [
        text if name.startswith("point ") else f"{name.replace('_', ' ')} {text}"
        for name, text in measures(record).items()
        if text is not None
    ]
    return f"step {record['step']}, minute {record['minutes']}: {', '.join(parts)}"


def validation_row(record: dict[str, Any]) -> dict[str, Any]:
    """The same as a row of a table."""
    return {"step": record["step"], "minutes": record["minutes"], **measures(record)}
