"""ST-LPIPS: how different two pictures look, by a network that learned it from people's judgements.

Ghildyal and Liu, "Shift-tolerant perceptual similarity metric" (ECCV 2022): LPIPS (Zhang et al.,
CVPR 2018) on an AlexNet with strides of one, each followed by a blur before every second value is
taken (Zhang, "Making convolutional networks shift-invariant again", ICML 2019). Its first filters
look like noise: it was trained for judgements alone, not for ImageNet before that.

The weights are those in PyPI's `stlpips_pytorch`, trunk and linear layers both. The package's code
is not run: its downsampling may not be used commercially, and it wants libraries for notebooks. Its
values are pinned in a test.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from glassplate.codecs.base import Pixels
from glassplate.codecs.measures import feature_distance as compared
from glassplate.codecs.measures.feature_distance import planes, weighted_distance
from glassplate.codecs.measures.packaged_weights import PackagedWeights

WEIGHTS = PackagedWeights(
    "stlpips_pytorch",
    "weights/vST0.0/alex_shift_tolerant.pth",
    "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
)
LAYERS = (
    "net.slice1.0", "net.slice2.5", "net.slice3.9", "net.slice4.11", "net.slice5.13",
)  # fmt: skip


class Network:
    """The AlexNet of ST-LPIPS.

    conv 11x11 ─ blur, 1/2 ─ relu ┬ max 3x3 ─ blur, 1/4 ─ conv 5x5 ─ relu ┬ max 3x3 ─ blur, 1/8 ─┐
                                64│                                   192│                      │
    ┌─────────────────────────────────────────────────────────────────────────────────────────────┘
    └ conv 3x3 ─ relu ┬ conv 3x3 ─ relu ┬ conv 3x3 ─ relu
                   384│              256│             256│
    """

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.shift, self.scale = weights["scaling_layer.shift"], weights["scaling_layer.scale"]
        self.kernels = [
            (weights[f"{name}.weight"].contiguous(memory_format=torch.channels_last),
             weights[f"{name}.bias"])
            for name in LAYERS
        ]  # fmt: skip
        self.linear = [weights[f"lin{layer}.model.1.weight"] for layer in range(len(LAYERS))]

    def __call__(self, pixels: Pixels) -> list[Tensor]:
        """(H, W, 1 or 3) to what each layer finds, (1, C, about H / 2 to 1 / 8, likewise W)."""
        return self.features(planes(pixels) / 127.5 - 1)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] to what each layer finds; differentiable."""
        x = (pictures - self.shift) / self.scale
        x = x.contiguous(memory_format=torch.channels_last)
        first = F.relu(_blur(F.conv2d(x, *self.kernels[0], padding=2)))
        x = _blur(F.max_pool2d(first, 3, 1))
        second = F.relu(F.conv2d(x, *self.kernels[1], padding=2))
        x = _blur(F.max_pool2d(second, 3, 1))
        found = [first, second]
        for kernel in self.kernels[2:]:
            x = F.relu(F.conv2d(x, *kernel, padding=1))
            found.append(x)
        return found

    def distance(self, a: list[Tensor], b: list[Tensor]) -> float:
        """ST-LPIPS: LPIPS of what this network finds."""
        return weighted_distance(a, b, self.linear)


@cache
def load_network(device: torch.device | str = "cpu") -> Network:
    """The network, once a device. Raises MissingExtraError, WeightsError for other weights."""
    return Network({name: tensor.to(device) for name, tensor in WEIGHTS.load().items()})


class Original(compared.Original):
    """A picture to compare others with; what the network finds in it is computed once.

    pixels: (H, W, 1 or 3), sides of at least 32.
    """

    def __init__(self, pixels: Pixels) -> None:
        super().__init__(pixels, load_network())

    def st_lpips(self, decoded: Pixels) -> float:
        """From a decoded picture, 0 for equal ones. Raises ValueError on unequal shapes."""
        return self.distance(decoded)


def _blur(x: Tensor) -> Tensor:
    """Every second value of a binomial filter, [1 2 1] both ways, edges reflected."""
    taps = x.new_tensor([0.25, 0.5, 0.25])
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=x.shape[1])
