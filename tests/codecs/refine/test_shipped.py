"""The shipped refiners do what they are for, on a photograph that none was trained on."""

from __future__ import annotations

import pytest

from glassplate.codecs import Pixels, Target, get_codec
from glassplate.codecs.base import Codec
from glassplate.codecs.metrics import psnr
from glassplate.codecs.refine.options import Kind, RefineOptions
from glassplate.codecs.refine.refiner import Refiner
from glassplate.codecs.st_lpips import Original


@pytest.fixture(scope="module")
def codec() -> Codec:
    found = get_codec("hyperprior", device="cpu")
    assert isinstance(found, Codec)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "gain", "loss"), [("flow", 0.15, 1.5), ("diffusion", 0.1, 3), ("gan", 0.1, 1.5)]
)
@pytest.mark.parametrize("quality", [5, 15])
def test_a_refined_picture_looks_more_like_the_original(
    photo: Pixels, codec: Codec, kind: Kind, gain: float, loss: float, quality: float
) -> None:
    stream = codec.encode([photo], Target(quality=quality))[0].bitstream
    refined = Refiner(codec, RefineOptions(kind=kind), "cpu").refine(stream)
    original = Original(photo)
    assert original.st_lpips(refined.pixels) < (1 - gain) * original.st_lpips(refined.plain)
    assert psnr(photo, refined.pixels) > psnr(photo, refined.plain) - loss
