"""From a bitstream to a refined picture: decode, refine window by window, blend."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from glassplate.codecs.base import (
    Codec,
    Device,
    FileCodec,
    Pixels,
    Region,
    colour,
    has_alpha,
    resolve_device,
)
from glassplate.codecs.container.bitstream import unpack
from glassplate.codecs.container.grid import Rect
from glassplate.codecs.errors import ConfigError, OptionName
from glassplate.codecs.layers.opponent import to_rgb
from glassplate.codecs.layers.windows import STRIDE, Windows, blend
from glassplate.codecs.progress import OnStep, unseen
from glassplate.codecs.refine.ddim import sample_ddim
from glassplate.codecs.refine.ddpm import sample_ddpm
from glassplate.codecs.refine.decoders import DECODERS
from glassplate.codecs.refine.flow import MARGIN, NOISE, grain, sample_flow
from glassplate.codecs.refine.network import Condition
from glassplate.codecs.refine.noise import PictureNoise, noise_of
from glassplate.codecs.refine.options import RefineOptions
from glassplate.codecs.refine.plain_decode import Plain
from glassplate.codecs.refine.weights import find, load


@dataclass(frozen=True)
class Refined:
    """A picture before and after, both (H, W, C) of the region that was asked for."""

    plain: Pixels
    pixels: Pixels

    def detail(self) -> npt.NDArray[np.uint8]:
        """How much was invented: (H, W), mean difference over the colours, in 8-bit levels."""
        before, after = colour(self.plain), colour(self.pixels)
        difference = np.maximum(before, after) - np.minimum(before, after)
        channels = before.shape[2]
        total: npt.NDArray[np.uint16] = difference.sum(2, dtype=np.uint16)
        mean: npt.NDArray[np.uint8] = ((total + channels // 2) // channels).astype(np.uint8)
        return mean


def check_refinable(codec: Codec | FileCodec) -> None:
    """Raises ConfigError for a codec whose pictures cannot be refined."""
    if codec.spec.name not in DECODERS:
        raise ConfigError(
            f"codec {codec.spec.name} has no refiner",
            f"Those that have: {', '.join(DECODERS)}. Leave out --refine.",
            OptionName("refine"),
        )


class Refiner:
    """A refiner for the pictures of one codec. Picture for picture the same on a kind of device.

    weights_sha256: Digest of the refiner's weights.
    """

    def __init__(
        self,
        codec: Codec | FileCodec,
        options: RefineOptions,
        device: Device = "auto",
        windows: Callable[[int, int], Windows] = Windows,
    ) -> None:
        """windows: Those of a picture of this width and height.

        Raises ConfigError for a codec without a refiner, WeightsError, DeviceError.
        """
        check_refinable(codec)
        assert isinstance(codec, Codec)
        path = find(options.weights, options.kind, codec.spec)
        loaded = load(path)
        loaded.about.check(options.kind, codec.spec, path)
        module, function = DECODERS[codec.spec.name].split(":")
        self._decode: Callable[[Codec, bytes, Region], Plain]
        self._decode = getattr(import_module(module), function)
        self.codec, self.options, self.windows = codec, options, windows
        self.device = resolve_device(device)
        self.weights_sha256 = loaded.sha256
        self.schedule = loaded.about.schedule
        on_cpu = self.device == "cpu"
        self.model = loaded.model if on_cpu else copy.deepcopy(loaded.model).to(self.device)

    def refine(
        self,
        bitstream: bytes,
        region: Region | None = None,
        progress: OnStep = unseen,
    ) -> Refined:
        """Decode and refine a picture, or a region of it. Strength 0 is the plain decode.

        A region has the pixels that the whole picture has there. Raises BitstreamError, ValueError
        for a region outside of the picture.
        """
        if self.options.strength == 0:
            pixels = self.codec.decode([bitstream], region)[0]
            return Refined(pixels, pixels)
        header = unpack(bitstream).header
        windows = self.windows(header.width, header.height)
        cover = windows.cover(region)
        plain = self._decode(self.codec, bitstream, cover)
        canvas = colour(plain.pixels).copy()
        noise = noise_of(bitstream, self.options.seed)
        rects = windows.touching(region)
        place = Rect(cover.y, cover.x, cover.y + cover.height, cover.x + cover.width)
        for done, rect in enumerate(rects):
            progress(done, len(rects))
            blend(canvas[rect.within(place)], self._window(plain, rect, noise), windows.fade(rect))
        progress(len(rects), len(rects))
        if has_alpha(plain.pixels):
            canvas = np.concatenate([canvas, plain.pixels[..., -1:]], axis=2)
        part = _inside(cover, region)
        return Refined(plain.pixels[part], canvas[part])

    @torch.inference_mode()
    def _window(self, plain: Plain, rect: Rect, noise: PictureNoise) -> npt.NDArray[np.float32]:
        """One window, (height, width, colours), as floats in [0, 255]."""
        condition = self._condition(plain, rect)
        height, width = condition.plain.shape[-2:]
        grained = self.options.sampler == "flow"
        margin = MARGIN if grained else 0
        under = Rect(rect.top, rect.left, rect.top + height + margin, rect.left + width + margin)

        def noise_at(step: int) -> Tensor:
            white = torch.from_numpy(noise.window(under, step))[None]
            return (grain(white) if grained else white).to(self.device)

        residual = to_rgb(self._sample(condition, noise_at))
        picture = condition.plain + self.options.strength * residual
        pixels = (picture[0, :, : rect.height, : rect.width] + 1) * 127.5
        if plain.pixels.shape[2] < 3:
            pixels = pixels.mean(0, keepdim=True)
        return pixels.clamp(0, 255).permute(1, 2, 0).cpu().numpy()

    def _condition(self, plain: Plain, rect: Rect) -> Condition:
        top, left = rect.top - plain.top, rect.left - plain.left
        pixels = colour(plain.pixels)[top : top + rect.height, left : left + rect.width]
        picture = torch.from_numpy(pixels).to(self.device).permute(2, 0, 1)[None] / 127.5 - 1
        right, bottom = -rect.width % STRIDE, -rect.height % STRIDE
        picture = F.pad(picture, (0, right, 0, bottom), mode="replicate").expand(-1, 3, -1, -1)
        rows, columns = picture.shape[2] // STRIDE, picture.shape[3] // STRIDE
        row, column = top // STRIDE, left // STRIDE
        scales = plain.scales[row : row + rows, column : column + columns]
        return Condition(
            plain=picture,
            scales=torch.from_numpy(scales)[None, None].to(self.device),
            quality=torch.tensor([plain.quality], device=self.device),
        )

    def _sample(self, condition: Condition, noise: Callable[[int], Tensor]) -> Tensor:
        """A residual, (1, 3, H, W), in opponent colours.

        bfloat16 on GPUs alone: CPUs would differ from each other.
        """
        half = self.device == "cuda"

        def denoise(y: Tensor, signal: float, level: Tensor | float) -> Tensor:
            one = y.new_ones(1, 1, 1, 1)
            found: Tensor = self.model(y, signal * one, level * one, condition, half)
            return found

        steps = self.options.steps
        match self.options.sampler:
            case "ddim":
                return sample_ddim(denoise, noise, self.schedule, steps)
            case "ddpm":
                return sample_ddpm(denoise, noise, self.schedule, steps)
            case "noise-flow":
                return sample_flow(denoise, noise, 1.0, steps)
            case "flow":
                source = NOISE * self.model.spread_at(condition)
                return sample_flow(denoise, noise, source, steps)
            case _:  # a GAN's only step
                return sample_flow(denoise, noise, self.model.spread_at(condition), steps)


def _inside(cover: Region, region: Region | None) -> tuple[slice, slice]:
    """The slices of a picture of `cover` that are the region."""
    if region is None:
        return slice(None), slice(None)
    top, left = region.y - cover.y, region.x - cover.x
    return slice(top, top + region.height), slice(left, left + region.width)
