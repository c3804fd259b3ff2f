"""Pictures that a trained generator makes up."""

from __future__ import annotations

import numpy as np
import torch

from glassplate.codecs.base import Pixels
from glassplate.codecs.gan.model import Generator


@torch.inference_mode()
def sample(generator: Generator, count: int, seed: int) -> list[Pixels]:
    """`count` pictures, (side, side, 3) each, from noise of a seed, drawn on the CPU."""
    noise = torch.randn(
        count, generator.config.noise, generator=torch.Generator().manual_seed(seed)
    )
    pixels = ((generator(noise) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
    return [np.ascontiguousarray(one) for one in pixels.numpy()]
