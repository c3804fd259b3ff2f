"""What is wrong with a picture, estimated from its pixels alone: noise, JPEG, missing pixels.

Measured before anything is taken out, so that a clean photograph is left alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glassplate.codecs.base import Pixels

Floats = npt.NDArray[np.float64]

CLEAN_SIGMA = 2.5
"""Noise below that is that of a good photograph, in levels of 255."""
FAINT, STRONG = 10.0, 20.0
"""Noise up to the first sigma hides no detail; from the second on all is left to the network."""
REPAIRED, LEFT = 60, 80
"""JPEG qualities: up to the first artefacts are taken out whole, from the second on not at all."""
MISSING = 0.01
"""Share of black pixels, strewn at random, from which on they are missing ones."""
SMALLEST = 32
"""Sides below that are too few pixels for an estimate."""

_LUMA = np.array([0.299, 0.587, 0.114])
_PATCHES, _BLOCKS, _WINDOWS = 20_000, 2500, 400
_WINDOW = 32
_BRIGHT = 64
"""Mean level of windows in which noise makes no pixel black."""
_PERIODIC = 0.3
"""Mean cosine from which on coefficients are multiples of a step; clean pictures have 0.02."""
_FLAT_SHARE = 1
"""Per cent of the blocks, the flattest ones, from which noise under JPEG is read."""
_FEWEST = 8
_MEDIAN_SQUARE = 0.4549
"""Median of the square of a normal variable of variance 1."""
_LEAST = 0.85
"""What these have of the noise that is everywhere, about: they are those that have the least."""
_TEXTURE = 2.5
"""What those may have in a clean photograph, in levels of 255; the Kodak pictures have 2.1."""
_TABLE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
"""Steps of luma at quality 50, ITU-T T.81 K.1; libjpeg scales them for the others."""


@dataclass(frozen=True)
class Damage:
    """What was found.

    sigma: Standard deviation of the noise, in levels of 255.
    missing: Share of the pixels that are missing (black), 0 to 1.
    jpeg_quality: As libjpeg counts; None if no trace of JPEG was found.
    """

    sigma: float = 0.0
    missing: float = 0.0
    jpeg_quality: int | None = None

    @property
    def noise(self) -> float:
        """Sigma if that is more than a good photograph has, else 0."""
        return self.sigma if self.sigma >= CLEAN_SIGMA else 0.0

    @property
    def floor(self) -> float:
        """Share of what a network would change that is taken over everywhere, 0 to 1."""
        if self.missing:
            return 1.0
        quality = LEFT if self.jpeg_quality is None else self.jpeg_quality
        jpeg = (LEFT - quality) / (LEFT - REPAIRED)
        noise = (self.sigma - FAINT) / (STRONG - FAINT)
        return min(1.0, max(0.0, jpeg, noise))

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing to take out."""
        return not (self.noise or self.floor)

    def __str__(self) -> str:
        parts = []
        if self.missing:
            parts.append(f"{self.missing:.0%} of the pixels missing")
        elif self.noise:
            parts.append(f"noise of sigma {self.sigma:.1f}")
        if self.jpeg_quality is not None:
            parts.append(f"JPEG of quality {self.jpeg_quality}")
        return ", ".join(parts) or "no noise"


def find_damage(pixels: Pixels, seed: int = 0) -> Damage | None:
    """Estimate from samples of a grey or RGB picture, (H, W, 1 or 3); the same for one seed.

    Returns None for a picture of fewer than 32 rows or columns. Time and memory are bounded.
    """
    if min(pixels.shape[:2]) < SMALLEST:
        return None
    random = np.random.default_rng(seed)
    missing = missing_share(_samples(pixels, _WINDOW, _WINDOWS, random))
    if missing >= MISSING:
        return Damage(missing=missing)
    patches = _samples(pixels, 8, _PATCHES, random)
    is_grey = bool((patches == patches[..., :1]).all())
    seen = pixels[..., :1] if is_grey else pixels
    quality, at = jpeg_quality(seen, random)
    flat = flat_noise(_samples(seen, 8, _BLOCKS, random, at), white=quality is None)
    # of grey no direction is without picture
    return Damage(flat if is_grey else max(flat, noise_level(patches)), 0.0, quality)


def noise_level(patches: Pixels) -> float:
    """Standard deviation of white noise, from patches of (N, 8, 8, C).

    Chen, Zhu and Heng, An Efficient Statistical Method for Image Noise Level Estimation, ICCV 2015:
    what a picture shows lies in few of the directions of its patches; in all the others there is
    noise alone, and their variances lie evenly about its own.
    """
    rows = patches.reshape(len(patches), -1).astype(np.float64)
    rows -= rows.mean(axis=0)
    variances = np.linalg.eigvalsh(rows.T @ rows / len(rows))
    for count in range(len(variances), 0, -1):
        mean = variances[:count].mean()
        if (variances[:count] > mean).sum() >= (variances[:count] < mean).sum():
            return float(np.sqrt(max(mean, 0.0)))
    return 0.0


def flat_noise(blocks: Pixels, *, white: bool) -> float:
    """Noise of the luma of (N, 8, 8, C), a JPEG's own blocks: what the flattest of them have.

    For what `noise_level` is blind to, as it looks where colours differ: grey pictures, noise that
    all colours share, and noise that went through JPEG, which empties those directions. 0 for as
    little as photographs without any flat place have.

    white: Expect as much of it in the finest diagonal band, where texture has little (Donoho and
        Johnstone, Ideal Spatial Adaptation by Wavelet Shrinkage, Biometrika 1994). JPEG empties it.
    """
    share = ((blocks == 0) | (blocks == 255)).mean(axis=(1, 2, 3))
    whole = blocks[(share < 0.02) | (share == 1)]  # clipped in part: noise that is cut off
    luma, gain = _luma(whole if len(whole) >= _FEWEST else blocks)
    squares = np.square(_DCT @ luma @ _DCT.T)
    squares[:, [0, 0, 1], [0, 1, 0]] = 0  # a plane is no noise
    energy = squares.mean(axis=(1, 2))
    flattest = np.argsort(energy)[: max(_FEWEST, len(energy) * _FLAT_SHARE // 100)]
    found = float(energy[flattest].max())
    if white:
        found = min(found, float(np.median(squares[flattest, 4:, 4:])) / _MEDIAN_SQUARE)
    level = math.sqrt(found)
    return level / (gain * _LEAST) if level >= _TEXTURE else 0.0


def missing_share(windows: Pixels) -> float:
    """Share of black pixels that lie at random, (N, S, S, C); 0 if they form lines or areas."""
    black: npt.NDArray[np.bool_] = ~np.asarray(windows.any(axis=3))
    seen = windows.sum(axis=(1, 2, 3)) / np.maximum(1, (~black).sum(axis=(1, 2)) * windows.shape[3])
    black = black[(seen > _BRIGHT) & (black.mean(axis=(1, 2)) < 0.9)]  # no night, no frames
    share = float(black.mean()) if black.size else 0.0
    if not MISSING <= share < 0.95:
        return 0.0
    down = black[:, 1:][black[:, :-1]].mean()
    across = black[:, :, 1:][black[:, :, :-1]].mean()
    dependence = np.abs(np.array([down, across]) - share) / (1 - share)
    return share if dependence.max() < 0.2 else _alone(black)


def _alone(black: npt.NDArray[np.bool_]) -> float:
    """Share of pixels missing beside black lines or areas, from the black ones that are alone."""
    alone = black[:, 1:-1, 1:-1].copy()
    for near in (black[:, :-2, 1:-1], black[:, 2:, 1:-1], black[:, 1:-1, :-2], black[:, 1:-1, 2:]):
        alone &= ~near
    seen = found = float(alone.mean())
    for _ in range(20):  # seen = found (1 - found)^4, up to a fifth
        found = min(0.2, seen / (1 - found) ** 4)
    return found if found >= MISSING else 0.0


def jpeg_quality(pixels: Pixels, random: np.random.Generator) -> tuple[int | None, tuple[int, int]]:
    """Quality of the JPEG that a picture once was, None if of none, and where its blocks begin.

    Its DCT coefficients are multiples of the steps of that quality: Neelamani et al., JPEG
    Compression History Estimation for Color Images, IEEE TIP 2006. Qualities above 98 leave steps
    too small to be seen, and tables other than libjpeg's are not known here.
    """
    found: tuple[float, int | None, tuple[int, int]] = (_PERIODIC, None, (0, 0))
    for at in dict.fromkeys([(0, 0), _grid(pixels, random)]):
        luma, _ = _luma(_samples(pixels, 8, _BLOCKS, random, at))
        coefficients = _DCT @ (luma - 128) @ _DCT.T
        scores = [(_periodicity(coefficients, _steps(q)), q, at) for q in range(3, 99)]
        found = max(found, max(scores, key=lambda score: score[0]), key=lambda score: score[0])
    return found[1], found[2]


def _periodicity(coefficients: Floats, steps: npt.NDArray[np.integer]) -> float:
    """Mean over the bands of the cosine at multiples of the step, -1 to 1."""
    means = []
    for row, column in _BANDS:
        step, values = int(steps[row, column]), coefficients[:, row, column]
        values = values[np.abs(values) > step / 2]
        if step >= 3 and len(values) >= 20:
            means.append(float(np.cos(2 * np.pi * values / step).mean()))
    return float(np.mean(means)) if len(means) >= 3 else 0.0


def _steps(quality: int) -> npt.NDArray[np.integer]:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps: npt.NDArray[np.integer] = np.clip((_TABLE * scale + 50) // 100, 1, 255)
    return steps


def _grid(pixels: Pixels, random: np.random.Generator) -> tuple[int, int]:
    """First row and column of a block: where neighbours differ more than inside of blocks."""
    luma, _ = _luma(_samples(pixels, _WINDOW, _WINDOWS, random, (0, 0)))
    return _edge(luma.swapaxes(1, 2)), _edge(luma)


def _edge(windows: Floats) -> int:
    """Phase 0 to 7 of the columns at which steps are greatest, (N, S, S)."""
    step = np.abs(np.diff(windows, axis=2))
    beside = (step[:, :, :-2] + step[:, :, 2:]) / 2
    excess = (step[:, :, 1:-1] - beside).mean(axis=(0, 1))  # between columns k + 1 and k + 2
    phases = (np.arange(len(excess)) + 2) % 8
    sums = np.bincount(phases, excess) / np.bincount(phases)
    return int(sums.argmax())


def _samples(
    pixels: Pixels,
    side: int,
    most: int,
    random: np.random.Generator,
    grid: tuple[int, int] | None = None,
) -> Pixels:
    """Squares of a picture, (N, side, side, C), N at most `most`; grid: where one of 8 begins."""
    stride, (top, left) = (8, grid) if grid else (1, (0, 0))
    views = np.lib.stride_tricks.sliding_window_view(pixels, (side, side), axis=(0, 1))
    views = views[top::stride, left::stride]
    count = views.shape[0] * views.shape[1]
    chosen = random.choice(count, most, replace=False) if count > most else np.arange(count)
    found: Pixels = np.moveaxis(views[chosen // views.shape[1], chosen % views.shape[1]], 1, 3)
    return found


def _luma(samples: Pixels) -> tuple[Floats, float]:
    """(N, S, S), and how much white noise in all colours keeps there."""
    if samples.shape[3] == 1:
        return samples[..., 0].astype(np.float64), 1.0
    return samples @ _LUMA, float(np.linalg.norm(_LUMA))


_BANDS = [(row, column) for row in range(8) for column in range(8) if row or column]
_ANGLES = np.outer(np.arange(8), 2 * np.arange(8) + 1) * np.pi / 16
_DCT: Floats = np.cos(_ANGLES) * np.where(np.arange(8) == 0, np.sqrt(1 / 8), 0.5)[:, None]
"""The orthonormal DCT of 8 values, a frequency a row."""
