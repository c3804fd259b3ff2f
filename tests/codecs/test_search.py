"""The search for a target, on a codec whose behaviour is known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassplate.codecs import Codec, Encoded, Pixels, Target, get_codec, search
from glassplate.codecs.errors import EncodeError
from glassplate.codecs.measures.structure import ms_ssim
from glassplate.codecs.search import ENCODINGS, encode_all_to_target, encode_to_target

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


@pytest.fixture
def curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec `known`, whose mean curves are a little steeper than those of the model."""
    known = {
        "quality": [0, 10, 25, 50, 100],
        "psnr": [2.5, 3.0, 3.9, 5.6, 9.8],
        "max_bpp": [-3.5, 0.3, 1.7, 2.8, 3.9],
    }
    monkeypatch.setattr(search, "_mean_curves", lambda: {"known": known})


@pytest.mark.usefixtures("curves")
@pytest.mark.parametrize("quality", range(0, 101, 3))
def test_a_known_curve_saves_encodings(quality: int) -> None:
    for target in (
        Target(psnr=float(20 * np.log10(255 / (200 - quality)) - 1e-9)),
        Target(max_bpp=8 * (quality + 1) / 80),
    ):
        model = _monotone()
        best = encode_to_target(model.encode, model.decode, IMAGE, target, 42, "known")
        assert abs(best.quality - quality) <= 2
        assert model.trials <= ENCODINGS


@given(
    st.lists(st.integers(1, 90), min_size=101, max_size=101),
    st.lists(st.integers(1, 255), min_size=101, max_size=101),
    st.integers(1, 20),
    st.floats(0.1, 9),
)
def test_whatever_a_curve_leads_to_meets_the_target(
    sizes: list[int], errors: list[int], wanted_psnr: int, max_bpp: float
) -> None:
    model = _Model(sizes, errors)
    for target in (Target(psnr=wanted_psnr), Target(max_bpp=max_bpp)):
        model.trials = 0
        try:
            best = encode_to_target(model.encode, model.decode, IMAGE, target, 0, "jpeg")
        except EncodeError:
            continue
        finally:
            assert model.trials <= ENCODINGS + 1
        if target.psnr is not None:
            assert 20 * np.log10(255 / errors[round(best.quality)]) >= wanted_psnr
        else:
            assert 8 * len(best.bitstream) <= max_bpp * 80


@pytest.mark.parametrize("name", ["avif", "hyperprior", "jpeg", "webp"])
def test_three_encodings_or_so_of_a_photograph(
    name: str, photo: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what the package knows of its codecs, whatever the target; it is met, and not by far."""
    image, codec, trials = photo[:256, :256], get_codec(name, device="cpu"), []
    assert isinstance(codec, Codec)
    reached = search.reached

    def counted(target: Target, *picture: Any) -> float | None:
        trials.append(target)
        return reached(target, *picture)

    monkeypatch.setattr(search, "reached", counted)
    targets = (Target(psnr=34), Target(ms_ssim=0.98), Target(ssimulacra2=60), Target(max_bpp=0.8))
    for target in targets:
        (encoded,) = codec.encode([image], target)
        (decoded,) = codec.decode([encoded.bitstream])
        value = reached(target, image, encoded, decoded)
        assert value is not None
        if target.max_bpp:
            assert 0.7 < 2**value <= 0.8
        elif target.ms_ssim:
            assert 0.98 <= 1 - 10 ** (-value / 10) < 0.983
        else:
            assert 0 <= value - (target.psnr or 60) < (1 if target.psnr else 2)
    assert len(trials) <= 4.5 * len(targets)
