"""Rectified flow, sampled by Euler steps.

From `x_mse + source * e` to x along straight lines: with the reconstruction's own error as the
source's standard deviation it is posterior-mean rectified flow (Ohayon, Michaeli and Elad, "PMRF",
ICLR 2025); with 1 it starts from pure noise, as HFD's rectified flow does.
"""

from __future__ import annotations

from torch import Tensor

from glassplate.codecs.refine.sampling import Denoiser, Noise


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
