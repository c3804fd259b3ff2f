"""A loaded model on its device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from glassplate.codecs.hyperprior.entropy import EntropyCoder
from glassplate.codecs.hyperprior.latents import Quantizer
from glassplate.codecs.hyperprior.model import Hyperprior


@dataclass(frozen=True)
class Runtime:
    """What encoder and decoder share.

    bfloat16: Run the insides of the transforms' blocks in bfloat16.
    """

    model: Hyperprior
    coder: EntropyCoder
    quantizer: Quantizer
    device: str
    bfloat16: bool

    @property
    def analysis_halo(self) -> int:
        """Rows of y around a window that its analysis depends on."""
        return -(-self.model.config.analysis_blocks // 2)

    @property
    def synthesis_halo(self) -> int:
        """Rows of y around a window that its synthesis depends on."""
        return -(-self.model.config.synthesis_blocks // 2)

    @torch.inference_mode()
    def analyse(self, x: Tensor, qualities: Sequence[int]) -> Tensor:
        """(N, 3, H, W) in [0, 1], quality of each in tenths -> y in quantisation steps."""
        level = torch.tensor(qualities, device=self.device)
        y = self.model.analysis(x.to(self.device), level, self.bfloat16)
        steps: Tensor = y * self.model.gain(level)
        return steps

    @torch.inference_mode()
    def synthesise(self, y: Tensor, qualities: Sequence[int]) -> Tensor:
        """The inverse of `analyse`, rounded to 0..255: (N, 3, H, W) float32 on the CPU."""
        level = torch.tensor(qualities, device=self.device)
        y = y.to(self.device) * self.model.inverse_gain(level)
        x = self.model.synthesis(y, level, self.bfloat16)
        pixels: Tensor = (x * 255).clamp_(0, 255).cpu()
        return pixels
