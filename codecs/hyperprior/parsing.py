"""Parsing without floats: the integer scale net in NumPy, alone in deciding which table to use.

The same arithmetic as `scale_net`, on integers held in float32, whose matrix products are exact in
any order because every sum stays below 2^24; that is checked when the weights are loaded. Dividing
weights and biases by a power of two beforehand, and adding 1/2, keeps that, so that a rounded and
divided sum is only to be cut off. No torch, no device, no thread count takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from glassplate.codecs.errors import WeightsError
from glassplate.codecs.hyperprior.blocks import QUALITY_STEPS
from glassplate.codecs.hyperprior.order import STEPS, cells, scatter
from glassplate.codecs.hyperprior.scale_net import (
    ACTIVATION_MAX,
    ACTIVATION_UNIT,
    SCALE_UNIT,
    SCALES,
    SYMBOL_CLIP,
    WEIGHT_MAX,
    WEIGHT_UNIT,
)

Floats = npt.NDArray[np.float32]
EXACT_BELOW = (1 << 24) - (1 << 8)  # and 1/2 of the largest divisor is still to be added
BLAS = ThreadpoolController()
INDEX_UNIT = WEIGHT_UNIT * ACTIVATION_UNIT // SCALE_UNIT
LAYERS = ("up1", "up2", "energy", "context", "side", "head")


P = ParamSpec("P")
R = TypeVar("R")


def _one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """The products are small: on busy cores, waiting for a second thread costs 40 times more."""
    wrapped: Callable[P, R] = BLAS.wrap(limits=1, user_api="blas")(function)
    return wrapped


@dataclass(frozen=True)
class IntegerLayer:
    """Integer weights (outputs, inputs * kernel^2) and biases (outputs, 1), as float32.

    Or those of a layer, divided by a power of two: its sums are exact as well.
    """

    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        """(inputs * kernel^2, positions) -> (outputs, positions)."""
        total: Floats = self.weight @ x
        total += self.bias
        return total

    def bound(self) -> int:
        """The largest magnitude that any partial sum can take."""
        sums = ACTIVATION_MAX * np.abs(self.weight, dtype=np.float64).sum(1)
        return int((sums + np.abs(self.bias[:, 0])).max())

    def divided(self, unit: int, half: float = 0) -> IntegerLayer:
        """The layer whose sums are those of this one, divided by a power of two, plus a half."""
        return IntegerLayer(self.weight / np.float32(unit), self.bias / np.float32(unit) + half)


class IntegerScaleNet:
    """Scale indices, step by step. Immutable; `begin` gives the state of one tile."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """arrays: integer weights by name, as `weights.integer_arrays` writes them.

        Raises WeightsError if sums could be inexact.
        """
        layers = {
            name: IntegerLayer(
                _flat(arrays[f"{name}.weight"]), _flat(arrays[f"{name}.bias"][:, None])
            )
            for name in LAYERS
        }
        step_bias = arrays["step_bias"].astype(np.float32)
        self.rate_bias = arrays["rate_bias"].astype(np.int64)
        inner = layers["context"].bound() + layers["side"].bound() + int(np.abs(step_bias).max())
        outer = layers["head"].bound() + int(np.abs(self.rate_bias).max())
        others = (layers[name].bound() for name in ("up1", "up2", "energy"))
        weights = max(float(np.abs(layer.weight).max()) for layer in layers.values())
        if max(inner, outer, *others) >= EXACT_BELOW or weights > WEIGHT_MAX:
            raise WeightsError("the integer scale net could overflow", "Use sound weights.")
        self.step_bias = step_bias[..., None] / np.float32(WEIGHT_UNIT) + np.float32(0.5)
        self.up1, self.up2, self.energy = (
            layers[name].divided(WEIGHT_UNIT, 0.5) for name in ("up1", "up2", "energy")
        )
        self.side, self.context = (
            layers[name].divided(WEIGHT_UNIT) for name in ("side", "context")
        )
        self.head = layers["head"].divided(INDEX_UNIT, 0.5)

    @property
    def channels(self) -> int:
        """Channels of y."""
        return int(self.rate_bias.shape[1])

    @_one_thread
    def begin(self, z: npt.NDArray[np.int16], height: int, width: int, quality: int) -> ScaleState:
        """Start on a tile.

        Args:
            z: (Z, h, w), h and w a quarter of y's, rounded up.
            height, width: Size of y.
            quality: 0 to `QUALITY_STEPS`.
        """
        x = ACTIVATION_UNIT * np.clip(z, -SYMBOL_CLIP, SYMBOL_CLIP).astype(np.float32)
        for layer in (self.up1, self.up2):
            _, rows, columns = x.shape
            total = layer(x.reshape(len(x), -1))
            x = _shuffle(_cut(total).reshape(-1, rows, columns))
        side = self.side(x[:, :height, :width].reshape(len(x), -1))
        return ScaleState(self, side, height, width, self._rate_bias(quality))

    def _rate_bias(self, quality: int) -> Floats:
        """(y, 1): rate bias between nodes, interpolated in integers, rounded half up."""
        nodes = len(self.rate_bias)
        spacing = QUALITY_STEPS // (nodes - 1)
        lower = min(quality // spacing, nodes - 2)
        far = quality - lower * spacing
        total = self.rate_bias[lower] * (spacing - far) + self.rate_bias[lower + 1] * far
        rounded: Floats = ((2 * total + spacing) // (2 * spacing)).astype(np.float32)
        return rounded[:, None]


class ScaleState:
    """What is known of one tile: ask for the `indices` of a step, then `reveal` its symbols."""

    def __init__(
        self, net: IntegerScaleNet, side: Floats, height: int, width: int, rate_bias: Floats
    ) -> None:
        self.net, self.side = net, side
        self.head_bias = net.head.bias + rate_bias / np.float32(INDEX_UNIT)
        energy = net.energy.bias
        self.energy = np.broadcast_to(energy[:, :, None], (len(energy), height, width)).copy()

    @_one_thread
    def indices(self, step: int) -> npt.NDArray[np.uint8]:
        """Scale indices of the symbols of a step, (n,) in coding order."""
        net = self.net
        _, height, width = self.energy.shape
        total = net.context(_windows(self.energy))
        total += self.side
        total += net.step_bias[step]
        inner = _cut(total).reshape(-1, height, width)
        parts = []
        for group, rows, columns in cells(net.channels, step):
            corner = inner[:, rows, columns].reshape(len(inner), -1)
            total = net.head.weight[group] @ corner
            total += self.head_bias[group]
            parts.append(_cut(total, SCALES - 1).astype(np.uint8).ravel())
        return np.concatenate(parts)

    @_one_thread
    def reveal(self, step: int, symbols: npt.NDArray[np.int16]) -> None:
        """Tell the symbols of a step, (n,) in coding order."""
        weight = self.net.energy.weight
        magnitude = np.minimum(np.abs(symbols), SYMBOL_CLIP).astype(np.float32) * ACTIVATION_UNIT
        start = 0
        for group, rows, columns in cells(self.net.channels, step):
            corner = self.energy[:, rows, columns]
            count = (group.stop - group.start) * corner[0].size
            part = magnitude[start : start + count].reshape(group.stop - group.start, -1)
            corner += (weight[:, group] @ part).reshape(corner.shape)
            start += count


def dense(
    vectors: list[npt.NDArray[np.int16]], channels: int, height: int, width: int
) -> npt.NDArray[np.int16]:
    """The symbols of all steps, each in coding order, as one (channels, height, width) array."""
    out = np.empty((channels, height, width), np.int16)
    for step in range(STEPS):
        scatter(vectors[step], step, out)
    return out


def _cut(total: Floats, peak: int = ACTIVATION_MAX) -> Floats:
    """Sums that are divided and have the half: rounded, and no more than the peak; in place."""
    np.clip(total, 0, peak + 0.5, out=total)
    return np.floor(total, out=total)


def _shuffle(x: Floats) -> Floats:
    """pixel_shuffle by 2: (4 C, H, W) -> (C, 2H, 2W)."""
    channels, height, width = len(x) // 4, x.shape[1], x.shape[2]
    x = x.reshape(channels, 2, 2, height, width).transpose(0, 3, 1, 4, 2)
    return x.reshape(channels, 2 * height, 2 * width)


def _windows(energy: Floats) -> Floats:
    """3x3 windows of what `_cut` makes of (C, H, W), zero-padded: (C * 9, H * W)."""
    padded = np.zeros((len(energy), energy.shape[1] + 2, energy.shape[2] + 2), np.float32)
    inside = padded[:, 1:-1, 1:-1]
    inside[:] = energy
    _cut(inside)
    windows = np.lib.stride_tricks.sliding_window_view(padded, energy.shape[1:], axis=(1, 2))
    return windows.reshape(len(energy) * 9, -1)


def _flat(array: npt.NDArray[np.generic]) -> Floats:
    return np.ascontiguousarray(array.reshape(len(array), -1), dtype=np.float32)
