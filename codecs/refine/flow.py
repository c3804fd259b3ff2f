"""Rectified flow, sampled by Euler steps.

From `x_mse + source * e` to x along straight lines: with a source about as far as the
reconstruction's own error it is posterior-mean rectified flow (Ohayon, Michaeli and Elad, "PMRF",
ICLR 2025); with 1 it starts from pure noise, as HFD's rectified flow does. Around a reconstruction
the noise has a grain, as what is missing has: white noise has too much of the finest detail, which
few steps do not take away.
"""

from __future__ import annotations

import math

from torch import Tensor

from glassplate.codecs.refine.sampling import Denoiser, Noise

NOISE = 0.35
"""Standard deviation of the source around a reconstruction, relative to the reconstruction's error.

Less than all of it: detail in the wrong place looks worse than none. Weights are trained for it: to
change it is to train them anew."""
MARGIN = 2
"""Pixels more of white noise, below and to the right, that its grain is made of."""
_TAPS = (1.0, 4.0, 1.0)


def grain(white: Tensor) -> Tensor:
    """(N, C, H + MARGIN, W + MARGIN) independent standard normals to (N, C, H, W) dependent ones:
    a binomial filter both ways, whose highest frequencies come to a third."""
    scale = math.hypot(*_TAPS)
    height, width = (side - MARGIN for side in white.shape[2:])
    rows = sum(tap / scale * white[:, :, i : i + height] for i, tap in enumerate(_TAPS))
    assert isinstance(rows, Tensor)
    found = sum(tap / scale * rows[..., i : i + width] for i, tap in enumerate(_TAPS))
    assert isinstance(found, Tensor)
    return found


def sample_flow(denoise: Denoiser, noise: Noise, source: Tensor | float, steps: int) -> Tensor:
    """Integrate dy/dt = r - source * e = (E[r | y] - y) / (1 - t) from t = 0 to 1.

    Args:
        denoise: The expected residual.
        noise: Only that of step 0 is used.
        source: Standard deviation of the source, a number or (N, 1, 1, 1).
        steps: Evaluations of the denoiser, at least 1. One gives the expected residual.

    Returns:
        Residuals, of the shape of the noise.
    """
    y = source * noise(0)
    for step in range(steps):
        time = step / steps
        velocity = (denoise(y, time, source * (1 - time)) - y) / (1 - time)
        y = y + velocity / steps
    return y
