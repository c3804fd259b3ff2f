"""Rate plus weighted distortion, at a random quality per sample, in training and validation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from glassplate.codecs.hyperprior.latents import RATE_WEIGHT
from glassplate.codecs.hyperprior.network.model import Hyperprior
from glassplate.codecs.hyperprior.network.order import step_masks
from glassplate.codecs.hyperprior.network.scale_net import SCALE_UNIT, ZERO_INDEX, ste_round
from glassplate.codecs.layers.rate_blocks import QUALITY_STEPS, asinh
from glassplate.codecs.measures.similarity import ms_ssim
from glassplate.codecs.measures.ssimulacra2 import weighted_sum

LAMBDA_MIN = 0.0008
LAMBDA_MAX = 0.15
BALANCE = 0.3
"""The loss of a quality is divided by (lambda / LAMBDA_MIN) ** BALANCE, so that none dominates."""
MIN_LIKELIHOOD = 1e-6
MS_SSIM_UNIT, SSIMULACRA2_UNIT = 1280.0, 10.0
"""What 1 - MS-SSIM and SSIMULACRA2's weighted sum are multiplied by, to be of the size of squared
errors at 255 scale."""


@dataclass(frozen=True)
class Mix:
    """What the distortion is made of: shares of MS-SSIM and SSIMULACRA2; squared errors the rest.

    Source: Wang et al., Asilomar 2003, and Sneyers, libjxl 2023; 1280 is such that half MS-SSIM and
    half squared errors hardly cost PSNR.
    """

    ms_ssim: float = 0.0
    ssimulacra2: float = 0.0

    def distortion(self, result: Estimate, x: Tensor) -> Tensor:
        """Distortion (N,) of pictures x, (N, 3, H, W) in [0, 1], at the scale of squared errors."""
        total = (1 - self.ms_ssim - self.ssimulacra2) * result.mse
        decoded = result.decoded.float().clamp(0, 1)
        if self.ms_ssim:
            total = total + self.ms_ssim * MS_SSIM_UNIT * (1 - ms_ssim(x, decoded))
        if self.ssimulacra2:
            total = total + self.ssimulacra2 * SSIMULACRA2_UNIT * weighted_sum(x, decoded)
        return total


SQUARED_ERRORS = Mix()


def lagrange(quality: Tensor) -> Tensor:
    """Lambda of a quality (0 to 1000), log-spaced, on squared errors at 255 scale."""
    share = quality / QUALITY_STEPS
    return LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** share


def logistic_bits(symbol: Tensor, log_scale: Tensor) -> Tensor:
    """Bits of a (possibly noisy) symbol under a logistic law integrated over one step."""
    inverse = torch.exp(-log_scale)
    magnitude = symbol.abs()
    near = torch.sigmoid((0.5 - magnitude) * inverse)
    far = torch.sigmoid((-0.5 - magnitude) * inverse)
    return -torch.log2((near - far).clamp(min=MIN_LIKELIHOOD))


def deadzone(residual: Tensor, log_scale: Tensor) -> Tensor:
    """Round as `latents.Quantizer` does, by the logistic law instead of tables."""
    magnitude = residual.abs()
    whole = magnitude.floor()
    extra = logistic_bits(whole + 1, log_scale) - logistic_bits(whole, log_scale)
    threshold = (0.5 + RATE_WEIGHT / 2 * extra).clamp(0.5, 1)
    return torch.copysign(whole + (magnitude - whole > threshold), residual)


@dataclass
class Estimate:
    """What a forward pass gives: estimated bits per pixel and squared error at 255 scale, (N,).

    decoded: (N, 3, H, W), about [0, 1]. scales: (N, 1, H / 16, W / 16), mean scale index.
    """

    bpp: Tensor
    mse: Tensor
    decoded: Tensor
    scales: Tensor


def estimate(
    model: Hyperprior, x: Tensor, quality: Tensor, *, half: bool = False, noisy: bool = True
) -> Estimate:
    """Run encoder and decoder and estimate the rate.

    Args:
        x: (N, 3, H, W) in [0, 1], sides multiples of 16.
        quality: (N,) int64.
        half: Run the transforms' blocks in bfloat16.
        noisy: Round plainly and estimate the rate with uniform noise, a smooth bound. Otherwise
            round as the encoder does and give the rate of the symbols; only the gradient towards
            the analysis is then that of the bound.
    """
    y = model.analysis(x, quality, half) * model.gain(quality)
    z = model.hyper_analysis(y, quality)
    z_rounded = ste_round(z)
    z_bits = _z_bits(model, _noised(z) if noisy else z_rounded, quality).sum((1, 2, 3))
    decoded_y, y_bits, scales = _code(model, y, z_rounded, quality, noisy)
    decoded = model.synthesis(decoded_y * model.inverse_gain(quality), quality, half)
    if not noisy:
        decoded = decoded.clamp(0, 1)
    pixels = x.shape[-2] * x.shape[-1]
    mse = F.mse_loss(decoded, x, reduction="none").mean((1, 2, 3)) * 255**2
    return Estimate((z_bits + y_bits) / pixels, mse, decoded, scales)


def _code(
    model: Hyperprior, y: Tensor, z: Tensor, quality: Tensor, noisy: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """y as it is decoded, with the gradient of y itself; the bits of each sample, (N,); and the
    mean scale index of each position, (N, 1, h, w)."""
    height, width = y.shape[-2:]
    mean, side = model.means.begin(z, quality, height, width)
    scale_side = model.scales.features(z)[..., :height, :width]
    masks = step_masks(y.shape[1], height, width, y.device)
    known, symbols, bits = torch.zeros_like(y), torch.zeros_like(y), torch.zeros_like(y)
    scales = torch.zeros_like(y[:, :1])
    for step, mask in enumerate(masks):
        if step:
            mean = model.means(side, known, asinh(known), step)
        residual = (y - mean) * mask
        index = model.scales(scale_side, symbols, step, quality)
        scales = scales + (index.detach() * mask).mean(1, keepdim=True)
        log_scale = (index - ZERO_INDEX) / SCALE_UNIT
        chosen, rate = _choose(residual, log_scale, noisy)
        bits = bits + rate * mask
        known = known + (y + (chosen - residual).detach()) * mask
        symbols = symbols + chosen
    return known, bits.sum((1, 2, 3)), scales


def _choose(residual: Tensor, log_scale: Tensor, noisy: bool) -> tuple[Tensor, Tensor]:
    """Symbols without gradient, and the bits of each."""
    if noisy:
        rate = logistic_bits(_noised(residual), log_scale)
        return torch.floor(residual + 0.5).detach(), rate
    chosen = deadzone(residual.detach(), log_scale.detach())
    smooth = logistic_bits(_noised(residual), log_scale.detach())
    return chosen, logistic_bits(chosen, log_scale) + smooth - smooth.detach()


def loss(bpp: Tensor, distortion: Tensor, quality: Tensor) -> Tensor:
    """The balanced Lagrangian, a scalar; all (N,), distortion at the scale of squared errors."""
    weight = lagrange(quality)
    return ((bpp + weight * distortion) / (weight / LAMBDA_MIN) ** BALANCE).mean()


def psnr(mse: Tensor) -> Tensor:
    """dB of squared errors at 255 scale."""
    return 10 * torch.log10(255**2 / mse.clamp(min=1e-9))


def _noised(x: Tensor) -> Tensor:
    return x + torch.rand_like(x) - 0.5


def _z_bits(model: Hyperprior, z: Tensor, quality: Tensor) -> Tensor:
    node = torch.round(quality * (model.config.nodes - 1) / QUALITY_STEPS).long()
    location = model.z_location[node][:, :, None, None]
    log_scale = model.z_log_scale[node][:, :, None, None].clamp(min=math.log(0.03))
    return logistic_bits(z - location, log_scale)
