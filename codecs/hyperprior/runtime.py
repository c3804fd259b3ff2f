"""A loaded model on its device, folded for the qualities that are in use."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from glassplate.codecs.hyperprior.latents import Quantizer, TileNets
from glassplate.codecs.hyperprior.network.folded import FoldedAnalysis, FoldedSynthesis
from glassplate.codecs.hyperprior.network.model import Hyperprior
from glassplate.codecs.hyperprior.parsing.tile_coder import EntropyCoder

QUALITIES_KEPT = 16


class Runtime:
    """What encoder and decoder share. Qualities are in tenths.

    bfloat16: Run the insides of the transforms' blocks in bfloat16, if the processor has it.
    """

    def __init__(self, model: Hyperprior, coder: EntropyCoder, device: str, bfloat16: bool) -> None:
        self.model, self.coder, self.device = model, coder, device
        self.quantizer = Quantizer(coder.y_tables)
        self.dtype = torch.bfloat16 if bfloat16 and _has_bfloat16(device) else torch.float32
        self.tile_nets = lru_cache(QUALITIES_KEPT)(self._tile_nets)
        self._analysis = lru_cache(QUALITIES_KEPT)(self._fold_analysis)
        self._synthesis = lru_cache(QUALITIES_KEPT)(self._fold_synthesis)

    @property
    def analysis_halo(self) -> int:
        """Rows of y around a window that its analysis depends on."""
        return -(-self.model.config.analysis_blocks // 2)

    @property
    def synthesis_halo(self) -> int:
        """Rows of y around a window that its synthesis depends on."""
        return -(-self.model.config.synthesis_blocks // 2)

    @torch.inference_mode()
    def analyse(self, pixels: Tensor, quality: int) -> Tensor:
        """(N, H, W, 1 or 3) uint8 -> y in quantisation steps, (N, y, H/16, W/16)."""
        return self._analysis(quality)(pixels.to(self.device))

    @torch.inference_mode()
    def synthesise(self, y: Tensor, quality: int, channels: int) -> Tensor:
        """The inverse of `analyse`, on the CPU; channels are 1 or 3."""
        return self._synthesis(quality)(y.to(self.device), channels).cpu()

    def _level(self, quality: int) -> Tensor:
        return torch.tensor([quality], device=self.device)

    @torch.inference_mode()
    def _tile_nets(self, quality: int) -> TileNets:
        return TileNets(self.model, quality, self.device)

    @torch.inference_mode()
    def _fold_analysis(self, quality: int) -> FoldedAnalysis:
        return FoldedAnalysis(self.model, self._level(quality), self.dtype)

    @torch.inference_mode()
    def _fold_synthesis(self, quality: int) -> FoldedSynthesis:
        return FoldedSynthesis(self.model, self._level(quality), self.dtype)


def _has_bfloat16(device: str) -> bool:
    """Whether bfloat16 is computed with; elsewhere it is emulated, slowly."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
