"""The shipped flow does what it is for, on a photograph that it was not trained on."""

from __future__ import annotations

import pytest

from glassplate.codecs import Codec, Pixels, Target, get_codec
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.measures.st_lpips import Original
from glassplate.codecs.refine.options import RefineOptions
from glassplate.codecs.refine.refiner import Refiner


@pytest.mark.slow
@pytest.mark.parametrize(("quality", "gain"), [(5, 0.08), (15, 0.15)])
def test_a_refined_picture_looks_more_like_the_original(
    photo: Pixels, quality: float, gain: float
) -> None:
    codec = get_codec("hyperprior", device="cpu")
    assert isinstance(codec, Codec)
    stream = codec.encode([photo], Target(quality=quality))[0].bitstream
    refined = Refiner(codec, RefineOptions(kind="flow"), "cpu").refine(stream)
    original = Original(photo)
    assert original.st_lpips(refined.pixels) < (1 - gain) * original.st_lpips(refined.plain)
    assert psnr(photo, refined.pixels) > psnr(photo, refined.plain) - 1.5
