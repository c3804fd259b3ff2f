"""What a run would give and take, from a sample that is encoded and thrown away."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import fmean

from glassplate.pipelines.compress.isolate import IsolatedEncoder
from glassplate.pipelines.compress.planning import RunPlan, ShardPlan


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
        seconds=sampled.start_up + _longest_hand(plan) * sampled.work / max(1, sampled_bytes),
        sampled=len(rows),
        psnr=fmean(lossy) if lossy else None,
        statuses=dict(Counter(row.status for row in rows)),
    )


def _longest_hand(plan: RunPlan) -> int:
    """Source bytes that the busiest worker gets: largest shards first, dealt out in turn."""
    workers = plan.config.workers
    sizes = sorted((_own_bytes(shard) for shard in plan.shards), reverse=True)
    return max((sum(sizes[place::workers]) for place in range(workers)), default=0)


def _own_bytes(shard: ShardPlan) -> int:
    return sum(ref.size or 0 for ref in shard.refs if not ref.outcome)
