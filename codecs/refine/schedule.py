"""How much signal and noise there is at a time: `y = signal * r + noise * e`, e standard normal.

All refiners work on the residual r = x - x_mse, in units where a picture spans [-1, 1], and in
opponent colours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from glassplate.codecs.refine.options import MAX_NOISE, SHIFT

MAX_LOG_SNR = 20.0


class Schedule(Protocol):
    """Times run from 0 to 1; what an end means is the schedule's own."""

    def levels(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Signal and noise levels at times of any shape."""
        ...


@dataclass(frozen=True)
class ShiftedCosine:
    """Variance preserving: time 0 is clean, time 1 is noise.

        logSNR(t) = -2 (log tan(pi t / 2) + log shift)

    After Hoogeboom et al., "Simple diffusion" (ICML 2023) and "High-fidelity image compression with
    score-based generative models" (arXiv:2305.18231).

    shift: Below 1 means less noise: coarse detail is in the reconstruction already. Half of the
        times have a level below it; 0.1 is about the error of a reconstruction.
    max_noise: The noise level, relative to the signal's, is never above this. A sampler starts
        from that much noise around the reconstruction.
    """

    shift: float = SHIFT
    max_noise: float = MAX_NOISE

    def __post_init__(self) -> None:
        if not (self.shift > 0 and self.max_noise > 0):
            raise ValueError("shift and max_noise have to be positive")

    def log_snr(self, time: Tensor) -> Tensor:
        """Log of (signal / noise)^2, from MAX_LOG_SNR at 0 down to -2 log(max_noise) at 1."""
        angle = math.pi / 2 * time
        log_tan = torch.log(torch.sin(angle)) - torch.log(torch.cos(angle).clamp(min=1e-12))
        log_snr = -2 * (log_tan + math.log(self.shift))
        return log_snr.clamp(-2 * math.log(self.max_noise), MAX_LOG_SNR)

    def levels(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Signal and noise levels; their squares add up to 1."""
        log_snr = self.log_snr(time)
        return torch.sigmoid(log_snr).sqrt(), torch.sigmoid(-log_snr).sqrt()

    def path(self, steps: int) -> list[tuple[float, float]]:
        """Levels from noise to clean at steps + 1 even times; the last is (1, 0) exactly."""
        signal, noise = self.levels(torch.linspace(1, 0, steps + 1, dtype=torch.float64))
        return [*zip(signal[:-1].tolist(), noise[:-1].tolist(), strict=True), (1.0, 0.0)]


@dataclass(frozen=True)
class StraightLine:
    """Rectified flow: `y = t * r + (1 - t) * source * e`, noise at time 0, clean at time 1.

    Liu et al., "Flow straight and fast" (ICLR 2023).
    """

    def levels(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Signal and noise levels, the latter in units of the source's standard deviation."""
        return time, 1 - time
