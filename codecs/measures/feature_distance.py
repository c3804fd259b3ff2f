"""Two pictures compared by what a network finds in them, in tiles where they are large."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from glassplate.codecs.base import Pixels
from glassplate.codecs.container.grid import Rect
from glassplate.codecs.measures.packaged_weights import tiles

_TINY = 1e-10


class Network(Protocol):
    """What compares."""

    def __call__(self, pixels: Pixels) -> list[Tensor]:
        """(H, W, 1 or 3) to what each layer finds, (1, C, h, w)."""

    def distance(self, a: list[Tensor], b: list[Tensor]) -> float:
        """Between what was found in two pictures."""


class Original:
    """A picture to compare others with; what the network finds in it is computed once.

    pixels: (H, W, 1 or 3), sides of at least 32.
    """

    def __init__(self, pixels: Pixels, network: Network) -> None:
        self.pixels, self.network = pixels, network
        self._found: Callable[[Rect], list[Tensor]]
        self._found = lru_cache(maxsize=1)(lambda tile: network(_part(pixels, tile)))

    @torch.inference_mode()
    def distance(self, decoded: Pixels) -> float:
        """From a decoded picture, 0 for equal ones; in tiles, the mean by area.

        Raises ValueError on unequal shapes.
        """
        if decoded.shape != self.pixels.shape:
            raise ValueError(f"unequal shapes: {self.pixels.shape} and {decoded.shape}")
        distance = 0.0
        for tile in tiles(*decoded.shape[:2]):
            found = self.network(_part(decoded, tile))
            distance += self.network.distance(self._found(tile), found) * tile.height * tile.width
        return distance / decoded[..., 0].size


def planes(pixels: Pixels) -> Tensor:
    """(H, W, 1 or 3) uint8 as (1, 3, H, W)."""
    return (
        torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].expand(-1, 3, -1, -1)
    )


def weighted_distances(
    a: list[Tensor], b: list[Tensor], weights: list[Tensor], tiny: float = _TINY
) -> Tensor:
    """The weighted squared difference of unit vectors, mean over places, summed over layers.

    Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric" (LPIPS,
    CVPR 2018).

    Args:
        a, b: (N, C, h, w) for each layer.
        weights: (1, C, 1, 1) for each layer.
        tiny: Lengths of vectors are no smaller; for gradients, whose size is bounded by it.

    Returns:
        (N,).
    """
    found = [
        F.conv2d((_unit(p, tiny) - _unit(q, tiny)) ** 2, weight).mean((1, 2, 3))
        for p, q, weight in zip(a, b, weights, strict=True)
    ]
    return torch.stack(found).sum(0)


def weighted_distance(a: list[Tensor], b: list[Tensor], weights: list[Tensor]) -> float:
    """`weighted_distances` of one picture."""
    return float(weighted_distances(a, b, weights))


def _unit(x: Tensor, tiny: float) -> Tensor:
    return x / (x.square().sum(1, keepdim=True) + tiny**2).sqrt()


def _part(pixels: Pixels, tile: Rect) -> Pixels:
    return pixels[tile.top : tile.bottom, tile.left : tile.right]
