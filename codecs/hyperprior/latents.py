"""From y to symbols and back, one tile at a time: means are floats, everything else is integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glassplate.codecs.hyperprior.network.folded import FoldedHyperAnalysis
from glassplate.codecs.hyperprior.network.means import Floats, FoldedMeans
from glassplate.codecs.hyperprior.network.model import Hyperprior
from glassplate.codecs.hyperprior.network.order import STEPS, gather, scatter
from glassplate.codecs.hyperprior.parsing.integer_net import IntegerScaleNet
from glassplate.codecs.hyperprior.parsing.tables import ESCAPE_RANGE, TOTAL, FrequencyTable
from glassplate.codecs.hyperprior.parsing.tile_coder import TileSymbols

LARGEST = ESCAPE_RANGE - 1
RATE_WEIGHT = 0.05
"""Squared error, in squared steps, that the encoder accepts to save one bit."""


class Quantizer:
    """Rounds residuals, and rounds up only where the error saved is worth the bits.

    A magnitude r between k - 1 and k becomes k if (r - k + 1)^2 - (r - k)^2 exceeds RATE_WEIGHT
    times the extra bits of k: rate-distortion optimal for one symbol by itself (Sullivan and
    Wiegand, 1998). Decoders know nothing of it.
    """

    DEPTH = 3

    def __init__(self, tables: Sequence[FrequencyTable], rate_weight: float = RATE_WEIGHT) -> None:
        self.thresholds = np.stack([self._thresholds(t, rate_weight) for t in tables])

    def __call__(self, residual: Floats, indices: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
        """(n,) residuals in steps, (n,) scale indices -> (n,) symbols."""
        magnitude = np.abs(residual)
        whole = np.floor(magnitude)
        place = np.minimum(whole, self.DEPTH - 1).astype(np.intp)
        place += indices.astype(np.intp) * self.DEPTH
        magnitude -= whole
        whole += magnitude > self.thresholds.ravel()[place]
        np.copysign(np.minimum(whole, LARGEST, out=whole), residual, out=whole)
        return whole.astype(np.int16)

    def _thresholds(self, table: FrequencyTable, rate_weight: float) -> Floats:
        """Fraction above which 0, 1, 2 and more round up: (DEPTH,)."""
        centre = table.table[table.reach : table.reach + self.DEPTH + 1].astype(np.float64) + 1
        bits = -np.log2(centre / TOTAL)
        threshold = 0.5 + rate_weight / 2 * np.maximum(np.diff(bits), 0)
        return np.minimum(threshold, 1).astype(np.float32)


class TileNets:
    """What makes symbols of y, and y of symbols, at one quality."""

    def __init__(self, model: Hyperprior, quality: int, device: str = "cpu") -> None:
        """quality: In tenths."""
        level = torch.tensor([quality], device=device)
        self.quality, self.device = quality, device
        self.hyper_analysis = FoldedHyperAnalysis(model.hyper_analysis, level)
        self.means = FoldedMeans(model.means, level)
        self.inverse_gain = model.inverse_gain(level)[0]


@torch.inference_mode()
def encode_tile(
    nets: TileNets, scales: IntegerScaleNet, quantizer: Quantizer, y: Tensor
) -> tuple[TileSymbols, list[npt.NDArray[np.uint8]]]:
    """Choose the symbols of a tile.

    Args:
        y: (1, Y, h, w) float32, in quantisation steps.

    Returns:
        Symbols, and scale indices per step in coding order.
    """
    z = torch.round(nets.hyper_analysis(y)).clamp(-LARGEST, LARGEST)
    z_symbols = z[0].to(torch.int16).cpu().numpy()
    wanted: Floats = y[0].cpu().numpy()
    _, height, width = wanted.shape
    state = scales.begin(z_symbols, height, width, nets.quality)
    means = nets.means.begin(z, height, width)
    symbols = np.empty(wanted.shape, np.int16)
    indices = []
    for step in range(STEPS):
        mean, index = means.mean(step), state.indices(step)
        chosen = quantizer(gather(wanted, step) - mean, index)
        indices.append(index)
        scatter(chosen, step, symbols)
        if step < STEPS - 1:
            state.reveal(step, chosen)
            means.reveal(step, mean + chosen)
    return TileSymbols(z_symbols, symbols), indices


@torch.inference_mode()
def decode_tile(nets: TileNets, tile: TileSymbols) -> Tensor:
    """Parsed symbols to y in quantisation steps, (Y, h, w) float32 on the device."""
    z = torch.from_numpy(tile.z).to(nets.device, torch.float32)[None]
    means = nets.means.begin(z, *tile.y.shape[1:])
    for step in range(STEPS):
        means.reveal(step, means.mean(step) + gather(tile.y, step))
    return means.y
