"""SSIMULACRA2: how alike two pictures look, 100 for equal ones, 90 for those not told apart.

Sneyers, `tools/ssimulacra2.cc` of libjxl (2023): in XYB, a colour space of the eye's cones, at six
scales, structural similarity and the edges that came or went, each averaged plainly and by its
fourth power; the 108 averages are weighted by what people saw. The values are those of PyPI's
`ssimulacra2` 0.3.0 within 0.1, from quality 5 to 95: a test compares them. It zeroes what lies left
and right of a picture and mirrors what lies above and below, and so does this.

Everything is float32 and runs in strips of rows, on the CPU or on CUDA, in batches; gradients flow
to both pictures. Channels of a scale whose weights are all below 0.01 are left out, which changes
less than a thousandth of a point: of the first scale only the brightness remains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glassplate.codecs.base import Pixels, colour, has_alpha
from glassplate.codecs.measures.blur import REACH, blur, halve

MIN_SIDE = 8
"""Pictures with a smaller side have no value."""
SCALES = 6
STRIP_PIXELS = 1 << 16
"""Pixels of one strip, in all pictures of a batch: what stays in a core's cache."""

MAX_WHOLE_PIXELS = 1 << 24
"""Pictures and scales with more keep no next scale: it is made row by row, in bounded memory."""

_C2 = 0.0009
_IGNORED_WEIGHT = 0.01
_TINY = 1e-24

Rows: TypeAlias = Callable[[int, int], Tensor]
"""(top, bottom) to linear light in [0, 1]: (bottom - top, N, 3, W) float32."""


def ssimulacra2(a: Pixels, b: Pixels) -> float | None:
    """SSIMULACRA2 of two 8-bit pictures, at most 100; None when a side is under 8 pixels.

    a, b: (H, W, 1 to 4). With alpha: both composited on black and on white, the worse value counts.
    Raises ValueError on unequal shapes.
    """
    if a.shape != b.shape:
        raise ValueError(f"pictures of unequal shape: {a.shape} and {b.shape}")
    if min(a.shape[:2]) < MIN_SIDE:
        return None
    if has_alpha(a):
        return min(_of_colour(_on(ground, a), _on(ground, b)) for ground in (0, 255))
    return _of_colour(a, b)


def score(weighted: Tensor) -> Tensor:
    """SSIMULACRA2 of what `weighted_sum` gives; any shape."""
    x = weighted * 0.9562382616834844
    x = 2.326765642916932 * x - 0.020884521182843837 * x**2 + 6.248496625763138e-05 * x**3
    return 100 - 10 * torch.where(x > 0, x.clamp(min=_TINY) ** 0.6276336467831387, 0)


def weighted_sum(a: Tensor, b: Tensor) -> Tensor:
    """The weighted sum of all averages, before the curve to 100: 0 for equal pictures, (N,).

    As a loss it is of the size of 1, and grows about evenly with what is seen.

    a, b: (N, 3, H, W) sRGB in [0, 1], sides of at least 8 pixels. Raises ValueError on others.
    """
    if a.shape != b.shape or a.shape[1] != 3 or min(a.shape[2:]) < MIN_SIDE:
        raise ValueError(f"not two batches of RGB pictures: {a.shape} and {b.shape}")
    linear_a, linear_b = (_linear(x.permute(2, 0, 1, 3)) for x in (a, b))
    return _weighted_sum(_slicer(linear_a), _slicer(linear_b), a.shape[2], a.shape[3])


@torch.inference_mode()
def _of_colour(a: Pixels, b: Pixels) -> float:
    rows_a, rows_b = _decoder(colour(a)), _decoder(colour(b))
    return float(score(_weighted_sum(rows_a, rows_b, *a.shape[:2])))


def _on(ground: int, pixels: Pixels) -> Pixels:
    """Grey or colour over a ground of one level, as a viewer shows it: 8 bits a channel."""
    alpha = pixels[:, :, -1:].astype(np.uint16)
    over = pixels[:, :, :-1] * alpha + ground * (255 - alpha)
    return ((over + 127) // 255).astype(np.uint8)


def _decoder(pixels: Pixels) -> Rows:
    """Rows of an 8-bit picture, read from a table of the sRGB curve."""
    table = _srgb_table()

    def rows(top: int, bottom: int) -> Tensor:
        part = pixels[top:bottom].transpose(0, 2, 1)
        light = torch.from_numpy(table.take(part))[:, None]
        return light if light.shape[2] == 3 else light.expand(-1, -1, 3, -1)

    return rows


def _slicer(linear: Tensor) -> Rows:
    return lambda top, bottom: linear[top:bottom]


def _halver(rows: Rows, height: int) -> Rows:
    """Rows at half the size, made anew each time they are asked for."""
    return lambda top, bottom: halve(rows(2 * top, min(2 * bottom, height)))


@cache
def _srgb_table() -> npt.NDArray[np.float32]:
    table: npt.NDArray[np.float32] = (
        _linear(torch.arange(256.0, dtype=torch.float64) / 255).float().numpy()
    )
    return table


def _linear(x: Tensor) -> Tensor:
    """sRGB to linear light."""
    return torch.where(x <= 0.04045, x / 12.92, ((x.clamp(min=0.04) + 0.055) / 1.055) ** 2.4)


def _weighted_sum(a: Rows, b: Rows, height: int, width: int) -> Tensor:
    sizes = _scale_sizes(height, width)
    weights = torch.tensor(_WEIGHTS[: len(sizes) * 18]).view(3, len(sizes), 2, 3)
    used = (weights >= _IGNORED_WEIGHT).any(-1).any(-1)
    last = int(used.any(0).nonzero().max())
    found = []
    for scale, (height, width) in enumerate(sizes[: last + 1]):
        channels = used[:, scale].nonzero()[:, 0].tolist()
        averages, a, b = _compare(a, b, height, width, channels, scale == last)
        found.append(_weigh(averages, weights[channels, scale].to(averages.device)))
    return torch.stack(found).sum(0)


def _scale_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Height and width of each scale; those with a side under 8 pixels are left out."""
    sizes: list[tuple[int, int]] = []
    while len(sizes) < SCALES and min(height, width) >= MIN_SIDE:
        sizes.append((height, width))
        height, width = -(-height // 2), -(-width // 2)
    return sizes


def _compare(
    a: Rows, b: Rows, height: int, width: int, channels: list[int], last: bool
) -> tuple[Tensor, Rows, Rows]:
    """What one scale finds, (N, C, 2, 3), and the pictures at half the size."""
    kept = not last and height * width <= MAX_WHOLE_PIXELS
    sums: list[Tensor] = []
    halves: list[Tensor] = []
    for top, bottom in _strips(height, width):
        seen = slice(max(0, top - REACH), min(height, bottom + REACH))
        own = slice(top - seen.start, bottom - seen.start)
        both = [rows(seen.start, seen.stop) for rows in (a, b)]
        sums.append(_sums(_xyb(both[0], channels), _xyb(both[1], channels), own))
        if kept and not halves:
            size = (-(-height // 2), *both[0].shape[1:3], -(-width // 2))
            halves = [rows.new_empty(size) for rows in both]
        for half, rows in zip(halves, both, strict=False):
            half[top // 2 : -(-bottom // 2)] = halve(rows[own])
    averages = torch.stack(sums).sum(0) / (height * width)
    if kept:
        return averages, _slicer(halves[0]), _slicer(halves[1])
    return averages, _halver(a, height), _halver(b, height)


def _strips(height: int, width: int) -> Iterator[tuple[int, int]]:
    """First and last row of strips, each of an even number of rows but for the last."""
    rows = max(32, STRIP_PIXELS // width // 2 * 2)
    return ((top, min(top + rows, height)) for top in range(0, height, rows))


def _sums(a: Tensor, b: Tensor, own: slice) -> Tensor:
    """Over the own rows of a strip, (N, C, 2, 3): plain or to the fourth power; by kind, structure
    that differs, edges that came, edges that went."""
    blurred = blur(torch.stack([a, b, a * a + b * b, (a - b) ** 2], 1))[own]
    mean_a, mean_b, squares, errors = blurred.unbind(1)
    a, b = a[own], b[own]
    # 1 - luminance * (2 covariance + C2) / (variances + C2), by differences, which float32 keeps.
    shift = (mean_a - mean_b) ** 2
    variances = squares - mean_a * mean_a - mean_b * mean_b + _C2
    differs = errors - shift
    structure = ((differs + (variances - differs) * shift) / variances).clamp(min=0)
    edges = (1 + (b - mean_b).abs()) / (1 + (a - mean_a).abs()) - 1
    kinds = torch.stack([structure, edges.clamp(min=0), (-edges).clamp(min=0)])
    return torch.stack([kinds.sum((1, 4)), (kinds**2).square().sum((1, 4))]).permute(2, 3, 0, 1)


def _weigh(averages: Tensor, weights: Tensor) -> Tensor:
    """(N, C, 2, 3) and (C, 2, 3) to (N,)."""
    plain, fourth = averages.unbind(2)
    root = torch.where(fourth > _TINY, fourth.clamp(min=_TINY) ** 0.25, 0)
    return (torch.stack([plain, root], 2) * weights).sum((1, 2, 3))


def _xyb(linear: Tensor, channels: list[int]) -> Tensor:
    """Linear light, (H, N, 3, W), to some of X, Y and B - Y: (H, N, C, W), all about [0, 1]."""
    cones = _cones(linear, 3 if 2 in channels else 2)
    long, medium = cones[:, :, 0], cones[:, :, 1]
    y = (long + medium) / 2
    planes = []
    for channel in channels:
        if channel == 0:
            planes.append((long - medium) * 7 + 0.42)
        elif channel == 1:
            planes.append(y + 0.01)
        else:
            planes.append(cones[:, :, 2] - y + 0.55)
    return torch.stack(planes, 2)


def _cones(linear: Tensor, count: int) -> Tensor:
    """What the first cones of a long, a medium and a short wave say: (H, N, count, W)."""
    red, green, blue = linear.unbind(2)
    mixed = torch.stack([red * r + green * g + blue * b for r, g, b in _ABSORBANCE[:count]], 2)
    return ((mixed + _BIAS).log() / 3).exp() - _BIAS_ROOT


_ABSORBANCE = (
    (0.3, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342268924547819, 0.20476744424496821, 0.55180986650955360),
)
_BIAS = 0.0037930732552754493
_BIAS_ROOT = math.cbrt(_BIAS)
_WEIGHTS = (
    0, 0.0007376606707406586, 0, 0, 0.0007793481682867309, 0,
    0, 0.0004371155730107379, 0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752,
    0, 0.0016406437456599754, 0, 1.8422455520539298, 11.441172603757666, 0,
    0.0007989109436015163, 0.000176816438078653, 0, 1.8787594979546387, 10.94906990605142, 0,
    0.0007289346991508072, 0.9677937080626833, 0,
    0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053,
    0.0004550992113792063, 0, 0, 0.0013648766163243398, 0, 0,
    0, 0, 0, 7.466890328078848, 0, 17.445833984131262,
    0.0006235601634041466, 0, 0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264,
    225.20515300849274, 0, 0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985,
    176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408,
    0, 0, 0, 34.77906344483772, 44.835625328877896, 0,
    0, 0, 0, 0, 0, 0,
    0, 0.0008680556573291698, 0, 0, 0, 0,
    0, 0.0005313191874358747, 0, 0.00016533814161379112, 0, 0,
    0, 0, 0, 0.0004179171803251336, 0.0017290828234722833, 0,
    0.0020827005846636437, 0, 0, 8.826982764996862, 23.19243343998926, 0,
    95.1080498811086, 0.9863978034400682, 0.9834382792465353,
    0.0012286405048278493, 171.2667255897307, 0.9807858872435379,
    0, 0, 0, 0.0005130064588990679, 0, 0.00010854057858411537,
)  # fmt: skip
"""By channel (X, Y, B - Y), by scale, by norm (plain, fourth), by kind; as many scales as a picture
has are read without gaps, which is how the original reads them."""
