"""What a run would give and take, from a sample that is encoded and thrown away."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from statistics import fmean

from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.compress.isolate import IsolatedEncoder
from glassplate.pipelines.compress.planning import RunPlan
from glassplate.pipelines.sources.places.refs import SourceRef


@dataclass(frozen=True)
class Estimate:
    """Extrapolated from `sampled` inputs by their source bytes.

    latent_bytes: of embeddings and latents, beside the stored bytes.
    psnr: mean dB over the sample's lossy pictures, None if there are none.
    statuses: counts in the sample, by status.
    """

    inputs: int
    source_bytes: int
    stored_bytes: int
    latent_bytes: int
    seconds: float
    sampled: int
    psnr: float | None
    statuses: dict[str, int]


def estimate(plan: RunPlan, sample: int = 8) -> Estimate:
    """Encode an evenly spaced sample of a plan's inputs; writes nothing. The same plan, the same
    sample. Time is for this machine and the plan's workers, the start of their processes included.
    """
    config = plan.config
    refs = [ref for shard in plan.shards for ref in shard.refs if not ref.outcome]
    chosen = [refs[i * len(refs) // sample] for i in range(sample)] if len(refs) > sample else refs
    sampled = IsolatedEncoder(config).sample(chosen)
    rows = sampled.rows
    sampled_bytes = sum(row.source_bytes or 0 for row in rows)
    source_bytes = sum(ref.size or 0 for ref in refs)
    scale = source_bytes / sampled_bytes if sampled_bytes else 0.0
    lossy = [row.psnr for row in rows if row.psnr is not None and not row.bit_exact]
    return Estimate(
        inputs=plan.new_inputs,
        source_bytes=source_bytes,
        stored_bytes=round(scale * sum(row.stored_bytes or 0 for row in rows)),
        latent_bytes=round(scale * sampled.latent_bytes),
        seconds=sampled.start_up + _busiest(plan, rows) * sampled.work,
        sampled=len(rows),
        psnr=fmean(lossy) if lossy else None,
        statuses=dict(Counter(row.status for row in rows)),
    )


def _busiest(plan: RunPlan, rows: Sequence[ImageRow]) -> float:
    """What the busiest worker has to do, as a multiple of the sample: by pixels, as work goes.

    Shards go to whoever is free, the largest first, as in a run.
    """
    density, sampled = Density(rows), sum(_pixels(row) for row in rows)
    if not sampled:
        return 0.0
    hands = [0.0] * plan.config.workers
    for shard in sorted(plan.shards, key=lambda shard: (-shard.source_bytes, shard.key)):
        hands.sort()
        hands[0] += sum(density.pixels(ref) for ref in shard.refs if not ref.outcome)
    return max(hands) / sampled


class Density:
    """Pixels for each byte of a file, by its suffix: a JPEG has several times those of a PNG."""

    def __init__(self, rows: Sequence[ImageRow]) -> None:
        pixels, sizes = defaultdict[str, float](float), defaultdict[str, int](int)
        for row in rows:
            for kind in ("", _suffix(row.name)):
                pixels[kind] += _pixels(row)
                sizes[kind] += row.source_bytes or 0
        self._of = {kind: pixels[kind] / size for kind, size in sizes.items() if size}

    def pixels(self, ref: SourceRef) -> float:
        """How many a file is likely to have."""
        return (ref.size or 0) * self._of.get(_suffix(ref.name), self._of.get("", 0.0))


def _pixels(row: ImageRow) -> float:
    return float((row.width or 0) * (row.height or 0))


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower() or "none"
