"""What every sampler is given: a denoiser of residuals, and noise by the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

Denoiser: TypeAlias = Callable[[Tensor, float, Tensor | float], Tensor]
"""(y, signal, noise) -> the expected residual, given y = signal * r + noise * e."""
Noise: TypeAlias = Callable[[int], Tensor]
"""Step, from 0 -> standard normal noise of the shape of y."""
