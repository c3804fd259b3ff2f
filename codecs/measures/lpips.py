"""LPIPS 0.1: how different two pictures look, by a network that learned to tell objects apart.

Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep features as a
perceptual metric" (CVPR 2018): the AlexNet of torchvision (Krizhevsky, "One weird trick for
parallelizing convolutional neural networks", 2014), and linear layers that were fitted to people's
judgements. The trunk's weights are not shipped: ImageNet's terms are no licence.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from glassplate.codecs.base import Pixels
from glassplate.codecs.measures.feature_distance import planes, weighted_distance
from glassplate.codecs.measures.official_weights import OfficialFile

_KERNELS = {  # name: out, in, height, width
    "features.0": (64, 3, 11, 11),
    "features.3": (192, 64, 5, 5),
    "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3),
    "features.10": (256, 256, 3, 3),
}
_LINEAR = [f"lin{layer}.model.1.weight" for layer in range(len(_KERNELS))]
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
TRUNK = OfficialFile(
    "alexnet-owt-7be5be79.pth",
    "torchvision",
    "7be5be79",
    {f"{name}.weight": shape for name, shape in _KERNELS.items()}
    | {f"{name}.bias": shape[:1] for name, shape in _KERNELS.items()},
)
LINEAR = OfficialFile(
    "alex.pth",
    "the package lpips 0.1.4 (lpips/weights/v0.1)",
    "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    {name: (1, shape[0], 1, 1) for name, shape in zip(_LINEAR, _KERNELS.values(), strict=True)},
)


class Network:
    """conv 11x11, 1/4 ─ relu ┬ max 3x3, 1/2 ─ conv 5x5 ─ relu ┬ max 3x3, 1/2 ─ conv 3x3 ─ relu ...

    Three of the last kind; what comes after a relu is compared: 64, 192, 384, 256, 256 channels.
    """

    def __init__(self, trunk: dict[str, Tensor], linear: dict[str, Tensor]) -> None:
        self.kernels = [
            (trunk[f"{name}.weight"].contiguous(memory_format=torch.channels_last),
             trunk[f"{name}.bias"])
            for name in _KERNELS
        ]  # fmt: skip
        self.linear = [linear[name] for name in _LINEAR]

    def __call__(self, pixels: Pixels) -> list[Tensor]:
        """(H, W, 1 or 3) to what each layer finds, (1, C, about H / 4 to 1 / 16, likewise W)."""
        shift, scale = (torch.tensor(x)[:, None, None] for x in (_SHIFT, _SCALE))
        x = (planes(pixels) / 127.5 - 1 - shift) / scale
        x = x.contiguous(memory_format=torch.channels_last)
        found = [F.relu(F.conv2d(x, *self.kernels[0], stride=4, padding=2))]
        for layer, kernel in enumerate(self.kernels[1:]):
            x = F.max_pool2d(found[-1], 3, 2) if layer < 2 else found[-1]
            found.append(F.relu(F.conv2d(x, *kernel, padding="same")))
        return found

    def distance(self, a: list[Tensor], b: list[Tensor]) -> float:
        """LPIPS."""
        return weighted_distance(a, b, self.linear)
