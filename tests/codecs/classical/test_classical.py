"""What the standard codecs do beyond the common promises."""

from __future__ import annotations

import numpy as np
import pytest

from glassplate.codecs import Codec, Pixels, Target, get_codec
from glassplate.codecs.classical.libraries import jxl_distance
from glassplate.codecs.measures.pixels import psnr


def _psnr_at(name: str, image: Pixels, quality: float, **options: object) -> tuple[float, int]:
    codec = get_codec(name, options=options)
    assert isinstance(codec, Codec)
    (encoded,) = codec.encode([image], Target(quality=quality))
    return psnr(image, codec.decode([encoded.bitstream])[0]), len(encoded.bitstream)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["avif", "jxl", "jp2", "htj2k"])
def test_quality_100_is_lossless(small_photo: Pixels, name: str, channels: int) -> None:
    assert _psnr_at(name, small_photo[..., :channels], 100)[0] == np.inf


@pytest.mark.parametrize("name", ["avif", "htj2k", "jp2", "jpeg", "jxl", "webp"])
def test_defaults_look_good(photo: Pixels, name: str) -> None:
    codec = get_codec(name)
    assert isinstance(codec, Codec)
    (encoded,) = codec.encode([photo], Target())
    assert psnr(photo, codec.decode([encoded.bitstream])[0]) > 32
    assert 8 * len(encoded.bitstream) / photo[..., 0].size < 2


def test_overshoots_do_not_wrap_around() -> None:
    """White beside black overshoots in any wavelet; white must not come back black."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[16:48, 16:48] = 255
    for name in ("jp2", "htj2k"):
        assert _psnr_at(name, image, 40)[0] > 30


@pytest.mark.parametrize("name", ["jpeg", "avif"])
def test_full_chroma_is_better_and_larger(small_photo: Pixels, name: str) -> None:
    half_psnr, half_bytes = _psnr_at(name, small_photo, 90)
    full_psnr, full_bytes = _psnr_at(name, small_photo, 90, subsampling="4:4:4")
    assert full_psnr > half_psnr
    assert full_bytes > half_bytes


def test_jxl_distance_is_that_of_libjxl() -> None:
    assert jxl_distance(100) == 0
    assert jxl_distance(90) == pytest.approx(1.0)
    assert jxl_distance(30) == pytest.approx(6.4)
    assert jxl_distance(0) == pytest.approx(25)
    distances = [jxl_distance(q) for q in range(101)]
    assert distances == sorted(distances, reverse=True)


@pytest.mark.parametrize(("name", "side"), [("jpeg", 65501), ("webp", 16384), ("avif", 32769)])
def test_size_limits(name: str, side: int) -> None:
    codec = get_codec(name)
    assert isinstance(codec, Codec)
    assert str(side - 1) in str(codec.refuses(side, 1, 3))
    assert codec.refuses(side - 1, 1, 3) is None


@pytest.mark.parametrize(("name", "side"), [("jpeg", 65500), ("webp", 16383), ("avif", 32768)])
def test_the_largest_side_works(name: str, side: int) -> None:
    image = np.full((1, side, 1), 90, np.uint8)
    assert _psnr_at(name, image, 30)[0] > 30
