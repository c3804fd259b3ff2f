"""What happens to pictures: Gaussian noise, missing pixels, JPEG artefacts, shrinking.

All of them take and give 8-bit pictures, as files hold them: noise is rounded and clipped.
"""

from __future__ import annotations

import io
from typing import Literal, get_args

import numpy as np
from PIL import Image

from glassplate.codecs.base import Pixels

Noise = Literal["gaussian", "missing", "jpeg"]
NOISES: tuple[Noise, ...] = get_args(Noise)

SIGMA = (5.0, 50.0)
"""Standard deviation of noise that the denoiser learns, in levels of 255."""
MISSING = (0.1, 0.7)
"""Share of the pixels that are missing."""
QUALITY = (5, 60)
"""Range of JPEG qualities, as libjpeg counts."""
JPEG_BLOCK = 16
"""Side of what JPEG codes together with subsampled chroma."""


def add_noise(pixels: Pixels, sigma: float, generator: np.random.Generator) -> Pixels:
    """White Gaussian noise on every value: sigma in levels of 255, rounded and clipped."""
    noise = sigma * generator.standard_normal(pixels.shape, np.float32)
    noisy: Pixels = np.clip(np.round(pixels + noise), 0, 255).astype(np.uint8)
    return noisy


def drop_pixels(pixels: Pixels, share: float, generator: np.random.Generator) -> Pixels:
    """Each pixel is black with this probability, in all of its channels."""
    kept = generator.random(pixels.shape[:2], np.float32) >= share
    return pixels * kept[:, :, None].astype(np.uint8)


def jpeg(pixels: Pixels, quality: int, top: int = 0, left: int = 0) -> Pixels:
    """A grey or RGB picture, written as JPEG (4:2:0) and read again.

    Args:
        pixels: (H, W, 1 or 3).
        quality: 1 to 100.
        top, left: So many pixels of the codec's first blocks lie outside of the picture, as after
            cropping a JPEG file; below both H and W.
    """
    shifted = np.pad(pixels, ((top, 0), (left, 0), (0, 0)), mode="reflect")
    buffer = io.BytesIO()
    as_image(shifted).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as image:
        return np.array(image).reshape(shifted.shape)[top:, left:]


def shrink(pixels: Pixels, scale: int) -> Pixels:
    """A picture at 1/scale of its size, bicubic with antialiasing; sides are multiples of scale."""
    height, width = pixels.shape[0] // scale, pixels.shape[1] // scale
    return _resized(pixels, width, height)


def enlarge(pixels: Pixels, scale: int) -> Pixels:
    """A picture at `scale` times its size, bicubic. Any number of channels."""
    return _resized(pixels, pixels.shape[1] * scale, pixels.shape[0] * scale)


def degrade(pixels: Pixels, noise: Noise, generator: np.random.Generator) -> Pixels:
    """One kind of noise of a random strength, within what the denoiser has to learn."""
    match noise:
        case "gaussian":
            return add_noise(pixels, generator.uniform(*SIGMA), generator)
        case "missing":
            return drop_pixels(pixels, generator.uniform(*MISSING), generator)
        case "jpeg":
            aligned = generator.random() < 0.5  # most files are not cropped
            top, left = (0, 0) if aligned else generator.integers(JPEG_BLOCK, size=2).tolist()
            return jpeg(pixels, int(generator.integers(QUALITY[0], QUALITY[1] + 1)), top, left)


def as_image(pixels: Pixels) -> Image.Image:
    """(H, W, 1 to 4) as Pillow has it."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _resized(pixels: Pixels, width: int, height: int) -> Pixels:
    resized = as_image(pixels).resize((width, height), Image.Resampling.BICUBIC)
    return np.array(resized).reshape(height, width, -1)
