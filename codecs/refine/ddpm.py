"""Ancestral sampling (Ho, Jain and Abbeel, "DDPM", NeurIPS 2020), as HFD samples."""

from __future__ import annotations

import math

from torch import Tensor

from glassplate.codecs.refine.sampling import Denoiser, Noise
from glassplate.codecs.refine.schedule import ShiftedCosine


def sample_ddpm(denoise: Denoiser, noise: Noise, schedule: ShiftedCosine, steps: int) -> Tensor:
    """Each step draws from q(y_next | y, r), with the expected residual in place of r.

    Args:
        denoise: The expected residual.
        noise: Fresh noise is used at every step.
        schedule: Levels of signal and noise.
        steps: Evaluations of the denoiser, at least 1.

    Returns:
        Residuals, of the shape of the noise.
    """
    path = schedule.path(steps)
    y = path[0][1] * noise(0)
    for step in range(steps):
        (signal, level), (next_signal, next_level) = path[step : step + 2]
        expected = denoise(y, signal, level)
        decay = signal / next_signal
        added = level**2 - decay**2 * next_level**2  # variance that leads from next to here
        mean = (decay * next_level**2 * y + next_signal * added * expected) / level**2
        spread = math.sqrt(max(added, 0)) * next_level / level
        y = mean + spread * noise(step + 1) if spread else mean
    return y
