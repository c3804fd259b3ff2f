"""From a picture to a restored one: window by window, blended, as refinement does it.

A denoiser takes out no more than there is: of what the network would change, so much is taken over
in each place that its energy is at most that of the noise that was found in the picture.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from glassplate.codecs.base import Device, Pixels, colour, has_alpha, resolve_device
from glassplate.codecs.errors import TooManyPixelsError
from glassplate.codecs.layers.windows import Windows, blend
from glassplate.codecs.progress import OnStep, unseen
from glassplate.codecs.restore.damage import Damage, find_damage
from glassplate.codecs.restore.degradations import enlarge
from glassplate.codecs.restore.options import RestoreOptions
from glassplate.codecs.restore.weights import find, load

MAX_PIXELS = 200_000_000
"""Most pixels of what comes out."""

NEIGHBOURHOOD = 33
"""Side of the square over which energies are compared, in pixels: its half lies within the context
that windows have around them."""


class Restorer:
    """Takes out noise, or enlarges. Picture for picture the same on a kind of device.

    weights_sha256: Digest of the network's weights.
    """

    def __init__(
        self,
        options: RestoreOptions,
        device: Device = "auto",
        windows: Callable[[int, int], Windows] = Windows,
    ) -> None:
        """windows: For a picture of this width and height. Raises WeightsError, DeviceError."""
        loaded = load(find(options.weights, options.task), options.task)
        self.options, self.windows = options, windows
        self.device = resolve_device(device)
        self.weights_sha256 = loaded.sha256
        on_cpu = self.device == "cpu"
        self.model = loaded.model if on_cpu else copy.deepcopy(loaded.model).to(self.device)

    def find(self, pixels: Pixels) -> Damage | None:
        """What a denoiser would take out of a picture of any number of channels.

        Returns None if nothing is estimated: before enlarging, and of tiny pictures.
        """
        return None if self.options.scale else find_damage(colour(pixels))

    def restore(
        self,
        pixels: Pixels,
        progress: OnStep = unseen,
        found: Damage | None = None,
    ) -> Pixels:
        """Restore a picture of any size and number of channels; alpha is enlarged, no more.

        found: As `find` has it; None: a denoiser looks itself. A clean picture comes out as it is.

        Returns one of the same size, or `scale` times as wide and high. Memory beyond these is
        bounded. Raises TooManyPixelsError.
        """
        scale = self.options.scale or 1
        count = pixels.shape[0] * pixels.shape[1] * scale**2
        if count > MAX_PIXELS:
            raise TooManyPixelsError(f"{count} pixels would come out, at most {MAX_PIXELS} may")
        found = found or self.find(pixels)
        if found and found.is_clean:
            return pixels.copy()
        begun = enlarge(pixels, scale) if scale > 1 else pixels
        plain = colour(begun)
        canvas = plain.copy()
        windows = self.windows(plain.shape[1], plain.shape[0])
        rects = windows.touching()
        for done, rect in enumerate(rects):
            progress(done, len(rects))
            part = slice(rect.top, rect.bottom), slice(rect.left, rect.right)
            blend(canvas[part], self._window(plain[part], found), windows.fade(rect))
        progress(len(rects), len(rects))
        return np.concatenate([canvas, begun[..., -1:]], axis=2) if has_alpha(begun) else canvas

    @torch.inference_mode()
    def _window(self, plain: Pixels, found: Damage | None) -> npt.NDArray[np.float32]:
        """One window, (height, width, 1 or 3), as floats in [0, 255].

        bfloat16 on GPUs alone: CPUs would differ from each other.
        """
        picture = torch.from_numpy(plain).to(self.device).permute(2, 0, 1)[None] / 255
        restored = self.model(picture.expand(-1, 3, -1, -1), half=self.device == "cuda")
        if plain.shape[2] == 1:
            restored = restored.mean(1, keepdim=True)
        if found and found.floor < 1:
            restored = _held_back(picture, restored, found)
        values: npt.NDArray[np.float32]
        values = (restored[0] * 255).clamp(0, 255).permute(1, 2, 0).cpu().numpy()
        return values


def _held_back(picture: Tensor, restored: Tensor, found: Damage) -> Tensor:
    """What a network made of a picture, (1, C, H, W) in [0, 1], as far as the damage explains it.

    White noise of variance v, taken out whole, is a change of mean square v; where the change is
    greater, the rest of it is detail of the picture, and the change is scaled by v / mean square.
    """
    change = restored - picture
    square = change.square().mean(1, keepdim=True)
    for kernel in ((NEIGHBOURHOOD, 1), (1, NEIGHBOURHOOD)):
        padding = (kernel[0] // 2, kernel[1] // 2)
        square = F.avg_pool2d(square, kernel, 1, padding, count_include_pad=False)
    share = (found.noise / 255) ** 2 / square.clamp_min(1e-12)
    return picture + share.clamp(found.floor, 1) * change
