"""Deterministic sampling of a diffusion model (Song, Meng and Ermon, "DDIM", ICLR 2021)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from glassplate.codecs.refine.sampling import Denoiser, Noise
from glassplate.codecs.refine.schedule import ShiftedCosine


def sample_ddim(denoise: Denoiser, noise: Noise, schedule: ShiftedCosine, steps: int) -> Tensor:
    """Each step keeps the noise that the expected residual implies, and lowers its level.

    Args:
        denoise: The expected residual.
        noise: Only that of step 0 is used.
        schedule: Levels of signal and noise.
        steps: Evaluations of the denoiser, at least 1.

    Returns:
        Residuals, of the shape of the noise.
    """
    path = schedule.path(steps)
    y = path[0][1] * noise(0)
    for (signal, level), (next_signal, next_level) in pairwise(path):
        expected = denoise(y, signal, level)
        implied = (y - signal * expected) / level
        y = next_signal * expected + next_level * implied
    return y
