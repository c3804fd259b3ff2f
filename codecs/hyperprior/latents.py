"""From y to symbols and back, one tile at a time: means are floats, everything else is integers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glassplate.codecs.hyperprior.entropy import TileSymbols
from glassplate.codecs.hyperprior.model import Hyperprior
from glassplate.codecs.hyperprior.order import STEPS, gather, scatter, step_masks
from glassplate.codecs.hyperprior.parsing import IntegerScaleNet
from glassplate.codecs.hyperprior.tables import ESCAPE_RANGE, TOTAL, FrequencyTable

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

    def __call__(
        self, residual: npt.NDArray[np.float32], indices: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.int16]:
        """(n,) residuals in steps, (n,) scale indices -> (n,) symbols."""
        magnitude = np.abs(residual)
        whole = np.floor(magnitude)
        depth = np.minimum(whole, self.DEPTH - 1).astype(np.uint8)
        symbol = whole + (magnitude - whole > self.thresholds[indices, depth])
        signed: npt.NDArray[np.float32] = np.copysign(np.minimum(symbol, LARGEST), residual)
        return signed.astype(np.int16)

    def _thresholds(self, table: FrequencyTable, rate_weight: float) -> npt.NDArray[np.float32]:
        """Fraction above which 0, 1, 2 and more round up: (DEPTH,)."""
        centre = table.table[table.reach : table.reach + self.DEPTH + 1].astype(np.float64) + 1
        bits = -np.log2(centre / TOTAL)
        threshold = 0.5 + rate_weight / 2 * np.maximum(np.diff(bits), 0)
        return np.minimum(threshold, 1).astype(np.float32)


def encode_tile(
    model: Hyperprior, scales: IntegerScaleNet, quantizer: Quantizer, y: Tensor, quality: int
) -> tuple[TileSymbols, list[npt.NDArray[np.uint8]], Tensor]:
    """Choose the symbols of a tile.

    Args:
        y: (1, Y, h, w) float32, in quantisation steps.
        quality: In tenths.

    Returns:
        Symbols, scale indices per step in coding order, and y as it will be decoded.
    """
    level = torch.tensor([quality], device=y.device)
    z = torch.round(model.hyper_analysis(y, level)).clamp(-LARGEST, LARGEST)
    z_symbols = z[0].to(torch.int16).cpu().numpy()
    height, width = y.shape[-2:]
    state = scales.begin(z_symbols, height, width, quality)
    symbols = np.zeros(y.shape[1:], np.int16)
    indices = []

    def choose(step: int, mean: Tensor) -> None:
        residual = gather((y - mean)[0].cpu().numpy(), step)
        index = state.indices(step)
        chosen = quantizer(residual, index)
        state.reveal(step, chosen)
        scatter(chosen, step, symbols)
        indices.append(index)

    known = torch.zeros_like(y)
    for step, mask, mean in _walk(model, z, known, level):
        choose(step, mean)
        _settle(known, mask, mean, symbols)
    return TileSymbols(z_symbols, symbols), indices, known


def decode_tile(model: Hyperprior, tile: TileSymbols, quality: int, device: str) -> Tensor:
    """Parsed symbols to y in quantisation steps, (1, Y, h, w) float32."""
    level = torch.tensor([quality], device=device)
    z = torch.from_numpy(tile.z).to(device, torch.float32)[None]
    known = torch.zeros((1, *tile.y.shape), device=device)
    for _, mask, mean in _walk(model, z, known, level):
        _settle(known, mask, mean, tile.y)
    return known


def _walk(
    model: Hyperprior, z: Tensor, known: Tensor, level: Tensor
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Step, mask and means, one step after the other; the caller fills `known` in between."""
    channels, height, width = known.shape[1:]
    side = model.means.features(z, level)[..., :height, :width]
    masks = step_masks(channels, height, width, known.device)
    for step in range(STEPS):
        yield step, masks[step], model.means(side, known, step)


def _settle(known: Tensor, mask: Tensor, mean: Tensor, symbols: npt.NDArray[np.int16]) -> None:
    decoded = mean + torch.from_numpy(symbols).to(known.device)
    known.copy_(torch.where(mask, decoded, known))
