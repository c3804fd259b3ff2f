"""The search for a target, on a codec whose behaviour is known exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassplate.codecs import Encoded, Pixels, Target
from glassplate.codecs.errors import EncodeError
from glassplate.codecs.measures.structure import ms_ssim
from glassplate.codecs.search import encode_all_to_target, encode_to_target

IMAGE = np.zeros((10, 8, 1), np.uint8)


class _Model:
    """Sizes and errors by quality; a stream is its quality, padded to its size."""

    def __init__(self, sizes: list[int], errors: list[int]) -> None:
        self.sizes, self.errors = sizes, errors
        self.trials = 0

    def encode(self, quality: float) -> Encoded:
        self.trials += 1
        return Encoded(bytes([round(quality)]) + bytes(self.sizes[round(quality)] - 1), quality)

    def decode(self, bitstream: bytes) -> Pixels:
        return np.full_like(IMAGE, self.errors[bitstream[0]])

    def run(self, target: Target) -> Encoded:
        return encode_to_target(self.encode, self.decode, IMAGE, target, 42)


def _monotone() -> _Model:
    return _Model(list(range(1, 102)), list(range(200, 99, -1)))


def test_quality_and_default_are_taken_as_they_are() -> None:
    model = _monotone()
    assert model.run(Target(quality=7)).quality == 7
    assert model.run(Target()).quality == 42
    assert model.trials == 2


@given(st.integers(0, 100))
def test_the_smallest_quality_that_meets_a_psnr(quality: int) -> None:
    model = _monotone()
    wanted = 20 * np.log10(255 / (200 - quality)) - 1e-9
    assert model.run(Target(psnr=wanted)).quality == quality
    assert model.trials <= 7


@given(st.integers(0, 100))
def test_the_greatest_quality_that_keeps_to_a_budget(quality: int) -> None:
    model = _monotone()
    assert model.run(Target(max_bpp=8 * (quality + 1) / 80)).quality == quality
    assert model.trials <= 7


@given(
    st.lists(st.integers(1, 90), min_size=101, max_size=101),
    st.lists(st.integers(1, 255), min_size=101, max_size=101),
    st.integers(1, 20),
    st.floats(0.1, 9),
)
def test_whatever_is_returned_meets_the_target(
    sizes: list[int], errors: list[int], wanted_psnr: int, max_bpp: float
) -> None:
    model = _Model(sizes, errors)
    for target in (Target(psnr=wanted_psnr), Target(max_bpp=max_bpp)):
        try:
            best = model.run(target)
        except EncodeError:
            continue
        if target.psnr is not None:
            assert 20 * np.log10(255 / errors[round(best.quality)]) >= wanted_psnr
        else:
            assert 8 * len(best.bitstream) <= max_bpp * 80


def test_out_of_reach() -> None:
    with pytest.raises(EncodeError, match="psnr=90"):
        _monotone().run(Target(psnr=90))
    with pytest.raises(EncodeError, match=r"max_bpp=0\.01"):
        _monotone().run(Target(max_bpp=0.01))


def _faded(photo: Pixels, quality: float) -> Pixels:
    """The photograph, with less contrast at lower qualities."""
    return (128 + (photo - 128.0) * (quality + 1) / 102).astype(np.uint8)


@pytest.mark.parametrize("wanted", [0.7, 0.9, 0.99])
def test_the_smallest_quality_that_meets_an_ms_ssim(photo: Pixels, wanted: float) -> None:
    image = photo[:200, :170]
    best = encode_to_target(
        lambda quality: Encoded(bytes([round(quality)]) * (round(quality) + 1), quality),
        lambda bitstream: _faded(image, bitstream[0]),
        image,
        Target(ms_ssim=wanted),
        0,
    )
    reached = ms_ssim(image, _faded(image, best.quality))
    under = ms_ssim(image, _faded(image, best.quality - 1))
    assert reached is not None
    assert under is not None
    assert under < wanted <= reached


def test_a_small_picture_has_no_ms_ssim_to_reach(small_photo: Pixels) -> None:
    with pytest.raises(EncodeError, match=r"ms_ssim=0\.1"):
        encode_to_target(
            lambda quality: Encoded(b"1", quality),
            lambda _: small_photo,
            small_photo,
            Target(ms_ssim=0.1),
            0,
        )


def test_pictures_are_searched_side_by_side() -> None:
    """Each by its own qualities; the codec is called once a round for all that are not done."""
    models = [_monotone(), _Model([1] * 101, [40] * 101)]
    calls = []

    def encode_at(places: Sequence[int], qualities: Sequence[float]) -> list[Encoded]:
        calls.append(list(places))
        return [models[p].encode(q) for p, q in zip(places, qualities, strict=True)]

    target = Target(max_bpp=8 * 21 / 80)
    best = encode_all_to_target(encode_at, lambda _: [], [IMAGE, IMAGE], target, 0)
    assert [encoded.quality for encoded in best] == [20, 100]
    assert calls[0] == [0, 1]
    assert len(calls) <= 7
