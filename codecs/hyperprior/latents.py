"""From y to symbols and back, one tile at a time: means are floats, everything else is integers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glassplate.codecs.hyperprior.entropy import TileSymbols
from glassplate.codecs.hyperprior.model import Hyperprior
from glassplate.codecs.hyperprior.order import STEPS, gather, scatter
from glassplate.codecs.hyperprior.parsing import IntegerScaleNet
from glassplate.codecs.hyperprior.tables import ESCAPE_RANGE, TOTAL, FrequencyTable

Floats = npt.NDArray[np.float32]
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
        depth = np.minimum(whole, self.DEPTH - 1).astype(np.uint8)
        symbol = whole + (magnitude - whole > self.thresholds[indices, depth])
        signed: Floats = np.copysign(np.minimum(symbol, LARGEST), residual)
        return signed.astype(np.int16)

    def _thresholds(self, table: FrequencyTable, rate_weight: float) -> Floats:
        """Fraction above which 0, 1, 2 and more round up: (DEPTH,)."""
        centre = table.table[table.reach : table.reach + self.DEPTH + 1].astype(np.float64) + 1
        bits = -np.log2(centre / TOTAL)
        threshold = 0.5 + rate_weight / 2 * np.maximum(np.diff(bits), 0)
        return np.minimum(threshold, 1).astype(np.float32)


@torch.inference_mode()
def encode_tile(
    model: Hyperprior, scales: IntegerScaleNet, quantizer: Quantizer, y: Tensor, quality: int
) -> tuple[TileSymbols, list[npt.NDArray[np.uint8]], Floats]:
    """Choose the symbols of a tile.

    Args:
        y: (1, Y, h, w) float32, in quantisation steps.
        quality: In tenths.

    Returns:
        Symbols, scale indices per step in coding order, and y as it will be decoded, (Y, h, w).
    """
    level = torch.tensor([quality], device=y.device)
    z = torch.round(model.hyper_analysis(y, level)).clamp(-LARGEST, LARGEST)
    z_symbols = z[0].to(torch.int16).cpu().numpy()
    wanted: Floats = y[0].cpu().numpy()
    _, height, width = wanted.shape
    state = scales.begin(z_symbols, height, width, quality)
    known = np.zeros_like(wanted)
    symbols = np.zeros(wanted.shape, np.int16)
    indices = []
    for step, mean in _means(model, z, known, level):
        index = state.indices(step)
        chosen = quantizer(gather(wanted, step) - mean, index)
        state.reveal(step, chosen)
        indices.append(index)
        scatter(chosen, step, symbols)
        scatter(mean + chosen, step, known)
    return TileSymbols(z_symbols, symbols), indices, known


@torch.inference_mode()
def decode_tile(model: Hyperprior, tile: TileSymbols, quality: int, device: str) -> Floats:
    """Parsed symbols to y in quantisation steps, (Y, h, w) float32."""
    level = torch.tensor([quality], device=device)
    z = torch.from_numpy(tile.z).to(device, torch.float32)[None]
    known = np.zeros(tile.y.shape, np.float32)
    for step, mean in _means(model, z, known, level):
        scatter(mean + gather(tile.y, step), step, known)
    return known


def _means(
    model: Hyperprior, z: Tensor, known: Floats, level: Tensor
) -> Iterator[tuple[int, Floats]]:
    """Each step and its means in coding order; between two, the caller fills `known`."""
    mean, side = model.means.begin(z, level, *known.shape[1:])
    squashed = np.zeros_like(known)
    for step in range(STEPS):
        if step:
            scatter(np.arcsinh(gather(known, step - 1)), step - 1, squashed)
            so_far = (torch.from_numpy(x)[None].to(z.device) for x in (known, squashed))
            mean = model.means(side, *so_far, step)
        yield step, gather(mean[0].cpu().numpy(), step)
