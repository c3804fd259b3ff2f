"""A worker's GPU: one of the machine's, in turn."""

from __future__ import annotations

import os
from collections.abc import Sequence


def share_of(number: int, gpus: Sequence[str]) -> str:
    """The GPU of a worker: 5 of ('0', '1') -> '1'. Workers are numbered, so all get their turn."""
    return gpus[number % len(gpus)]


def take_one_gpu(number: int) -> bool:
    """Let this process see one of the machine's GPUs. Returns whether there is any."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = visible.split(",") if visible else [str(n) for n in range(torch.cuda.device_count())]
    if len(gpus) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = share_of(number, gpus)
    return bool(gpus)
