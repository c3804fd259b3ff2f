"""Parsing without floats: the integer scale net in NumPy, alone in deciding which table to use.

The same arithmetic as `scale_net`, on integers held in float32, whose matrix products are exact in
any order because every sum stays below 2^24; that is checked when the weights are loaded. Dividing
weights and biases by a power of two beforehand, and adding 1/2, keeps that, so that a rounded and
divided sum is only to be cut off. No torch, no device, no thread count takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from glassplate.codecs.errors import WeightsError
from glassplate.codecs.hyperprior.network.order import STEPS, cells, scatter
from glassplate.codecs.hyperprior.network.scale_net import (
    ACTIVATION_MAX,
    ACTIVATION_UNIT,
    SCALE_UNIT,
    SCALES,
    SYMBOL_CLIP,
    WEIGHT_MAX,
    WEIGHT_UNIT,
)
from glassplate.codecs.layers.rate_blocks import QUALITY_STEPS

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.integer[Any]]
Activations = npt.NDArray[np.uint8]
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

    def __call__(self, x: Integers) -> Floats:
        """(inputs, positions) -> (outputs, positions), for a 1x1 kernel."""
        total: Floats = self.weight @ x.astype(np.float32)
        total += self.bias
        return total

    def bound(self) -> int:
        """The largest magnitude that any partial sum can take."""
        sums = ACTIVATION_MAX * np.abs(self.weight, dtype=np.float64).sum(1)
        return int((sums + np.abs(self.bias[:, 0])).max())

    def divided(self, unit: int, half: float = 0) -> IntegerLayer:
        """The layer whose sums are those of this one, divided by a power of two, plus a half."""
        return IntegerLayer(self.weight / np.float32(unit), self.bias / np.float32(unit) + half)


class ContextLayer:
    """A 3x3 layer, row by row of its kernel: its input is laid out three times, not nine."""

    def __init__(self, layer: IntegerLayer) -> None:
        kernel = layer.weight.reshape(len(layer.weight), -1, 3, 3).transpose(2, 0, 3, 1)
        self.rows = kernel.reshape(3, len(layer.weight), -1)
        self.bias = layer.bias

    def __call__(self, x: Floats) -> Floats:
        """(3, inputs, H + 2, W), see `_shifted`, -> (outputs, H * W)."""
        width = x.shape[3]
        flat = x.reshape(-1, x.shape[2] * width)
        inside = slice(0, flat.shape[1] - 2 * width)
        total: Floats = self.rows[0] @ flat[:, inside]
        total += self.bias
        for row in (1, 2):
            total += self.rows[row] @ flat[:, row * width :][:, inside]
        return total


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
        self.up1, self.up2 = (layers[name].divided(WEIGHT_UNIT, 0.5) for name in ("up1", "up2"))
        energy = layers["energy"].divided(WEIGHT_UNIT, 0.5)
        self.energy_bias = energy.bias[..., None]
        self.energy_of_one = energy.weight * ACTIVATION_UNIT
        self.side = layers["side"].divided(WEIGHT_UNIT)
        self.context = ContextLayer(layers["context"].divided(WEIGHT_UNIT))
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
        x: Integers = ACTIVATION_UNIT * np.clip(z, -SYMBOL_CLIP, SYMBOL_CLIP)
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
        self.energy = np.empty((len(net.energy_bias), height, width), np.float32)
        self.energy[:] = net.energy_bias
        self.shifted = np.zeros((3, len(self.energy), height + 2, width), np.float32)

    @_one_thread
    def indices(self, step: int) -> Activations:
        """Scale indices of the symbols of a step, (n,) in coding order."""
        net = self.net
        _, height, width = self.energy.shape
        total = self._context() if step else self._blank_context()
        total += self.side
        total += net.step_bias[step]
        inner = _cut(total).reshape(-1, height, width)
        parts = []
        for group, rows, columns in cells(net.channels, step):
            corner = inner[:, rows, columns].reshape(len(inner), -1)
            total = net.head.weight[group] @ corner.astype(np.float32)
            total += self.head_bias[group]
            parts.append(_cut(total, SCALES - 1).ravel())
        return np.concatenate(parts)

    def _context(self) -> Floats:
        """What the symbols so far add, (hidden, positions)."""
        return self.net.context(_shifted(self.energy, self.shifted))

    def _blank_context(self) -> Floats:
        """The same before any symbol: positions differ only in being at an edge or not."""
        _, height, width = self.energy.shape
        small = self.energy[:, :3, :3]
        _, rows, columns = small.shape
        out = np.zeros((3, len(small), rows + 2, columns), np.float32)
        total = self.net.context(_shifted(small, out)).reshape(-1, rows, columns)
        total = np.repeat(total, _middle(rows, height), axis=1)
        return np.repeat(total, _middle(columns, width), axis=2).reshape(len(total), -1)

    @_one_thread
    def reveal(self, step: int, symbols: npt.NDArray[np.int16]) -> None:
        """Tell the symbols of a step, (n,) in coding order."""
        weight = self.net.energy_of_one
        magnitude = np.minimum(np.abs(symbols), SYMBOL_CLIP).astype(np.float32)
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


def _cut(total: Floats, peak: int = ACTIVATION_MAX) -> Activations:
    """Sums that are divided and have the half: rounded, and no more than the peak."""
    return np.clip(total, 0, peak + 0.5, out=total).astype(
        np.uint8
    )  # cuts off what is behind the point


def _shuffle(x: Activations) -> Activations:
    """pixel_shuffle by 2: (4 C, H, W) -> (C, 2H, 2W)."""
    channels, height, width = len(x) // 4, x.shape[1], x.shape[2]
    x = x.reshape(channels, 2, 2, height, width).transpose(0, 3, 1, 4, 2)
    return x.reshape(channels, 2 * height, 2 * width)


def _shifted(energy: Floats, out: Floats) -> Floats:
    """What `_cut` makes of (C, H, W), by columns of a 3x3 kernel, into `out`, zero at its edges.

    out: (3, C, H + 2, W): the neighbours to the left, the positions, the neighbours to the right.
    """
    middle = out[1, :, 1:-1]
    np.floor(np.clip(energy, 0, ACTIVATION_MAX + 0.5, out=middle), out=middle)
    out[0, :, 1:-1, 1:] = middle[..., :-1]
    out[2, :, 1:-1, :-1] = middle[..., 1:]
    return out


def _middle(few: int, many: int) -> npt.NDArray[np.intp]:
    """How often each of a few (1 to 3) rows is repeated, so that they are many; edges stay."""
    repeats = np.ones(few, np.intp)
    repeats[few // 2] += many - few
    return repeats


def _flat(array: npt.NDArray[np.generic]) -> Floats:
    return np.ascontiguousarray(array.reshape(len(array), -1), dtype=np.float32)
