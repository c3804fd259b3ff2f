"""DISTS: how different two pictures look, where texture may be another as long as it is alike.

Ding, Ma, Wang and Simoncelli, "Image quality assessment: Unifying structure and texture similarity"
(TPAMI 2020): means, variances and covariances of what VGG-16 finds (Simonyan and Zisserman, 2015),
with a root mean square of a blur in place of its maxima. At the picture's own size; a tile of
1024 x 1024 pixels takes 2 GB.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from glassplate.codecs.base import Pixels
from glassplate.codecs.measures.feature_distance import planes
from glassplate.codecs.measures.official_weights import OfficialFile

_STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
_CHANNELS = (3, 64, 128, 256, 512, 512)
"""Channels of the picture and of each stage."""
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STABLE = 1e-6
_TINY = 1e-12


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for stage, (before, channels) in zip(_STAGES, pairwise(_CHANNELS), strict=True):
        for place in stage:
            inputs = before if place == stage[0] else channels
            shapes[f"features.{place}.weight"] = (channels, inputs, 3, 3)
            shapes[f"features.{place}.bias"] = (channels,)
    return shapes


TRUNK = OfficialFile("vgg16-397923af.pth", "torchvision", "397923af", _shapes())
LINEAR = OfficialFile(
    "weights.pt",
    "the package DISTS-pytorch 0.1",
    "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
    dict.fromkeys(("alpha", "beta"), (1, sum(_CHANNELS), 1, 1)),
)


class Network:
    """picture ─ 2 times conv 3x3 ─ relu ┬ rms, 1/2 ─ 2 times ... ┬ rms, 1/2 ─ 3 times ... ┬ ...

    Five stages; the picture and what comes after each are compared: 3, 64, 128, 256, 512, 512
    channels.
    """

    def __init__(self, trunk: dict[str, Tensor], linear: dict[str, Tensor]) -> None:
        self.stages = [
            [(trunk[f"features.{place}.weight"].contiguous(memory_format=torch.channels_last),
              trunk[f"features.{place}.bias"]) for place in stage]
            for stage in _STAGES
        ]  # fmt: skip
        total = linear["alpha"].sum() + linear["beta"].sum()
        self.texture, self.structure = (
            torch.split(linear[name].flatten() / total, list(_CHANNELS))
            for name in ("alpha", "beta")
        )

    def __call__(self, pixels: Pixels) -> list[Tensor]:
        """(H, W, 1 or 3) to itself and what each stage finds, (1, C, H to about H / 16, ...)."""
        picture = planes(pixels) / 255
        mean, deviation = (torch.tensor(x)[:, None, None] for x in (_MEAN, _DEVIATION))
        x = ((picture - mean) / deviation).contiguous(memory_format=torch.channels_last)
        found = [picture]
        for place, stage in enumerate(self.stages):
            if place:
                x = _root_mean_square(x)
            for kernel in stage:
                x = F.conv2d(x, *kernel, padding=1).relu_()
            found.append(x)
        return found

    def distance(self, a: list[Tensor], b: list[Tensor]) -> float:
        """DISTS: what is missing to 1, which the likeness of equal pictures adds up to."""
        distance = 0.0
        for p, q, texture, structure in zip(a, b, self.texture, self.structure, strict=True):
            first, second = p.mean((2, 3)), q.mean((2, 3))
            means = (2 * first * second + _STABLE) / (first**2 + second**2 + _STABLE)
            p, q = p - first[..., None, None], q - second[..., None, None]
            covariance = (p * q).mean((2, 3))
            variances = p.square().mean((2, 3)) + q.square().mean((2, 3))
            shapes = (2 * covariance + _STABLE) / (variances + _STABLE)
            distance += float((texture * (1 - means) + structure * (1 - shapes)).sum())
        return distance


def _root_mean_square(x: Tensor) -> Tensor:
    """Every second value of a binomial filter over squares, [1 2 1] both ways, black around."""
    taps = x.new_tensor([0.25, 0.5, 0.25])
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 3, 3)
    mean = F.conv2d(x.square(), kernel, stride=2, padding=1, groups=x.shape[1])
    return (mean + _TINY).sqrt()
