"""Pictures out of latents that no picture was encoded to: samples of the prior, interpolations."""

from __future__ import annotations

import numpy as np
import torch

from glassplate.codecs.base import Pixels
from glassplate.codecs.vae.codec import VaeCodec
from glassplate.codecs.vae.latents import Floats


def sample_prior(codec: VaeCodec, count: int, size: int, seed: int) -> list[Pixels]:
    """Decode draws of the prior, a standard normal for every value of the latent.

    A latent of this kind keeps places, not meanings, so the draws are textures without a scene:
    what this shows is how far the latents of pictures are from the prior.

    Args:
        size: Side in pixels, rounded up to the stride.
        seed: Seed of the noise, drawn on the CPU: the same on every device.
    """
    side = -(-size // codec.model.stride)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, codec.model.channels, side, side, generator=generator)
    return [codec.picture_of(latent.numpy()) for latent in noise]


def interpolate(codec: VaeCodec, start: Floats, end: Floats, count: int) -> list[Pixels]:
    """Decode latents at equal distances on the straight line from one picture to another.

    Args:
        start, end: (C, h, w) each; of different sizes, their centres are used.
        count: Pictures, both ends included.
    """
    height, width = (min(start.shape[axis], end.shape[axis]) for axis in (1, 2))
    start, end = (_centre(latent, height, width) for latent in (start, end))
    shares = np.linspace(0, 1, count, dtype=np.float32)
    return [codec.picture_of((1 - share) * start + share * end) for share in shares]


def _centre(latent: Floats, height: int, width: int) -> Floats:
    top, left = (latent.shape[1] - height) // 2, (latent.shape[2] - width) // 2
    return latent[:, top : top + height, left : left + width]
