"""The features of the Fréchet inception distance, FID.

Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium"
(NeurIPS 2017): the last pooled layer of TensorFlow's Inception-v3 of 2015 (Szegedy et al., CVPR
2016). It differs from the network of the paper and of torchvision: averages leave out the padding,
and the last block takes maxima. Weights, size and range of the input are those of pytorch-fid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from glassplate.codecs.base import Pixels
from glassplate.codecs.measures.feature_distance import planes
from glassplate.codecs.measures.official_weights import OfficialFile

DIMENSIONS = 2048
PATCH, SHIFT = 256, 128
"""Pixels: patches side by side, and once more from SHIFT to the right and below (FID/256; Mentzer
et al., "High-fidelity generative image compression", NeurIPS 2020)."""
_INPUT = 299
_BATCH = 8
_EPSILON = 1e-3
_NORMAL = ("weight", "bias", "running_mean", "running_var")
_POOL = "_pool"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Convolution:
    """With a batch norm and a relu after it. kernel: Height, width."""

    name: str
    inputs: int
    channels: int
    kernel: tuple[int, int]


@dataclass(frozen=True)
class Block:
    """Branches side by side; a branch is steps, a step is convolutions side by side.

    pooling: Before the branch called _POOL; "halve" makes the last steps halve the size, unpadded,
        as does a maximum beside them.
    """

    branches: dict[str, list[list[Convolution]]]
    pooling: str


_STEM = (
    Convolution("Conv2d_1a_3x3", 3, 32, (3, 3)),
    Convolution("Conv2d_2a_3x3", 32, 32, (3, 3)),
    Convolution("Conv2d_2b_3x3", 32, 64, (3, 3)),
    Convolution("Conv2d_3b_1x1", 64, 80, (1, 1)),
    Convolution("Conv2d_4a_3x3", 80, 192, (3, 3)),
)


# Each branch: channels and kernel of one convolution after the other; `+`: both kernels, side by
# side. The kinds are A to E of the file's names in torchvision.
def _a(pooled: int) -> dict[str, str]:
    return {
        "1x1": "64 1x1",
        "5x5": "48 1x1, 64 5x5",
        "3x3dbl": "64 1x1, 96 3x3, 96 3x3",
        _POOL: f"{pooled} 1x1",
    }


def _c(c: int) -> dict[str, str]:
    return {
        "1x1": "192 1x1",
        "7x7": f"{c} 1x1, {c} 1x7, 192 7x1",
        "7x7dbl": f"{c} 1x1, {c} 7x1, {c} 1x7, {c} 7x1, 192 1x7",
        _POOL: "192 1x1",
    }


_B = {"3x3": "384 3x3", "3x3dbl": "64 1x1, 96 3x3, 96 3x3"}
_D = {"3x3": "192 1x1, 320 3x3", "7x7x3": "192 1x1, 192 1x7, 192 7x1, 192 3x3"}
_E = {
    "1x1": "320 1x1",
    "3x3": "384 1x1, 384 1x3+3x1",
    "3x3dbl": "448 1x1, 384 3x3, 384 1x3+3x1",
    _POOL: "192 1x1",
}


def _branch(name: str, inputs: int, text: str) -> list[list[Convolution]]:
    """Convolutions are numbered where a branch has several, and lettered where a step has."""
    steps = []
    parts = [part.split() for part in text.split(", ")]
    for number, (channels, kernels) in enumerate(parts, 1):
        step = []
        for letter, kernel in zip("ab", kernels.split("+"), strict=False):
            ending = f"_{number}" if len(parts) > 1 else ""
            ending += letter if "+" in kernels else ""
            height, width = map(int, kernel.split("x"))
            step.append(Convolution(name + ending, inputs, int(channels), (height, width)))
        inputs = int(channels)
        steps.append(step)
    return steps


def _block(name: str, inputs: int, branches: dict[str, str], pooling: str = "average") -> Block:
    return Block(
        {key: _branch(f"{name}.branch{key}", inputs, text) for key, text in branches.items()},
        pooling,
    )


_BLOCKS = (
    _block("Mixed_5b", 192, _a(32)),
    _block("Mixed_5c", 256, _a(64)),
    _block("Mixed_5d", 288, _a(64)),
    _block("Mixed_6a", 288, _B, "halve"),
    _block("Mixed_6b", 768, _c(128)),
    _block("Mixed_6c", 768, _c(160)),
    _block("Mixed_6d", 768, _c(160)),
    _block("Mixed_6e", 768, _c(192)),
    _block("Mixed_7a", 768, _D, "halve"),
    _block("Mixed_7b", 1280, _E),
    _block("Mixed_7c", 2048, _E, "maximum"),
)


def _shapes() -> dict[str, tuple[int, ...]]:
    inner = (one for block in _BLOCKS for steps in block.branches.values() for one in chain(*steps))
    shapes: dict[str, tuple[int, ...]] = {}
    for one in chain(_STEM, inner):
        shapes[f"{one.name}.conv.weight"] = (one.channels, one.inputs, *one.kernel)
        shapes |= {f"{one.name}.bn.{part}": (one.channels,) for part in _NORMAL}
    return shapes


TRUNK = OfficialFile(
    "pt_inception-2015-12-05-6726825d.pth", "pytorch-fid's releases", "6726825d", _shapes()
)


class Network:
    """5 convolutions, 1/8 ─ A A A ─ B, 1/2 ─ C C C C ─ D, 1/2 ─ E E ─ mean."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.weights = weights

    def __call__(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) in 0 to 1 to (N, 2048)."""
        size = (_INPUT, _INPUT)
        x = 2 * F.interpolate(x, size, mode="bilinear", align_corners=False) - 1
        x = x.contiguous(memory_format=torch.channels_last)
        first, second, third, fourth, fifth = _STEM
        x = self._convolved(x, first, halved=True)
        x = self._convolved(x, second, padded=False)
        x = F.max_pool2d(self._convolved(x, third), 3, 2)
        x = self._convolved(self._convolved(x, fourth), fifth, padded=False)
        x = F.max_pool2d(x, 3, 2)
        for block in _BLOCKS:
            x = self._block(x, block)
        return x.mean((2, 3))

    @torch.inference_mode()
    def patches(self, pixels: Pixels) -> Floats:
        """Features of a picture's patches: (H, W, 1 or 3) to (N, 2048), a few patches at a time."""
        found = [np.zeros((0, DIMENSIONS), np.float32)]
        places = list(_corners(*pixels.shape[:2]))
        for start in range(0, len(places), _BATCH):
            parts = [
                planes(pixels[top : top + PATCH, left : left + PATCH])
                for top, left in places[start : start + _BATCH]
            ]
            found.append(self(torch.cat(parts) / 255).numpy())
        return np.concatenate(found)

    def _block(self, x: Tensor, block: Block) -> Tensor:
        halving = block.pooling == "halve"
        found = []
        for name, steps in block.branches.items():
            y = _pooled(x, block.pooling) if name == _POOL else x
            for step in steps:
                halved = halving and step is steps[-1]
                y = torch.cat([self._convolved(y, one, halved=halved) for one in step], 1)
            found.append(y)
        return torch.cat([*found, F.max_pool2d(x, 3, 2)] if halving else found, 1)

    def _convolved(
        self, x: Tensor, layer: Convolution, *, halved: bool = False, padded: bool = True
    ) -> Tensor:
        height, width = layer.kernel
        padding = (height // 2, width // 2) if padded and not halved else 0
        kernel = self.weights[f"{layer.name}.conv.weight"]
        x = F.conv2d(x, kernel, stride=2 if halved else 1, padding=padding)
        weight, bias, mean, variance = (self.weights[f"{layer.name}.bn.{part}"] for part in _NORMAL)
        return F.batch_norm(x, mean, variance, weight, bias, eps=_EPSILON).relu_()


def _pooled(x: Tensor, pooling: str) -> Tensor:
    if pooling == "maximum":
        return F.max_pool2d(x, 3, 1, 1)
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _corners(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Top and left of every patch: as many as fit from the corner, and from SHIFT."""
    for start in (0, SHIFT):
        rows, columns = (range(start, side - PATCH + 1, PATCH) for side in (height, width))
        yield from product(rows, columns)
