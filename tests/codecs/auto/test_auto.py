"""The best of several codecs for each picture: never larger than any that was tried, on target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from glassplate.codecs import Codec, Encoded, Pixels, Region, Target, codec_from_spec, get_codec
from glassplate.codecs.auto.codec import AutoCodec
from glassplate.codecs.base import colour
from glassplate.codecs.container.bitstream import unpack
from glassplate.codecs.errors import (
    BitstreamError,
    ConfigError,
    TargetMissedError,
    UnsupportedImageError,
)
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.measures.ssimulacra2 import ssimulacra2
from glassplate.codecs.search import reached

TARGETS = [
    Target(),
    Target(quality=55),
    Target(psnr=34),
    Target(ms_ssim=0.97),
    Target(ssimulacra2=60),
    Target(ssimulacra2=90),
    Target(max_bpp=1.5),
]
AUTO = AutoCodec(device="cpu")


def _encode(image: Pixels, target: Target, codec: AutoCodec = AUTO) -> Encoded:
    (encoded,) = codec.encode([image], target)
    return encoded


def _alone(label: str, image: Pixels, target: Target) -> int:
    """Bytes of one candidate alone."""
    name, _, rest = label.partition(":")
    options = dict(part.split("=") for part in rest.split("+")) if rest else {}
    codec = get_codec(name, device="cpu", options=options)
    assert isinstance(codec, Codec)
    return len(codec.encode([image], target)[0].bitstream)


def _page() -> Pixels:
    page = Image.new("RGB", (240, 180), "white")
    pen = ImageDraw.Draw(page)
    for line in range(11):
        pen.text((8, 16 * line), f"{line}. red and blue text on a page", fill=(20 * line, 0, 150))
    return np.asarray(page)


def _check(image: Pixels, encoded: Encoded, target: Target) -> None:
    """The target is met; the stream is the smallest, or the best looking, of those tried."""
    (decoded,) = AUTO.decode([encoded.bitstream])
    assert decoded.shape == image.shape
    aim = target if target.quality is None else Target(ssimulacra2=target.quality)
    aim = Target(ssimulacra2=80) if target == Target() else aim
    value = reached(aim, image, encoded, decoded)
    assert value is not None
    if aim.max_bpp:
        assert 2**value <= aim.max_bpp
    elif aim.ms_ssim:
        assert 1 - 10 ** (-value / 10) >= aim.ms_ssim
    else:
        assert value >= (aim.psnr or aim.ssimulacra2 or 0)
    (stored,) = (one for one in encoded.candidates if one.how == "stored")
    assert stored.bytes == len(encoded.bitstream)
    tried = [one.bytes for one in encoded.candidates if one.how == "tried"]
    if not aim.max_bpp:
        assert all(size is not None and size >= stored.bytes for size in tried)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_the_stream_is_an_ordinary_one_of_the_codec_that_won(photo: Pixels, target: Target) -> None:
    image = photo[:192, :256]
    encoded = _encode(image, target)
    _check(image, encoded, target)
    assert encoded.spec
    assert unpack(encoded.bitstream).header.codec == encoded.spec.name != "auto"
    codec = codec_from_spec(encoded.spec, device="cpu")
    assert isinstance(codec, Codec)
    region = Region(x=40, y=30, width=90, height=70)
    (whole,), (part,) = codec.decode([encoded.bitstream]), AUTO.decode([encoded.bitstream], region)
    assert (whole[30:100, 40:130] == part).all()


@pytest.mark.parametrize("target", [Target(ssimulacra2=60), Target(psnr=34)], ids=str)
def test_no_candidate_alone_is_smaller_by_more_than_its_whole_steps(
    photo: Pixels, target: Target
) -> None:
    """A search with tenths may stop 0.4 of a step short."""
    image = photo[:192, :256]
    encoded = _encode(image, target)
    for one in encoded.candidates:
        assert len(encoded.bitstream) <= 1.02 * _alone(one.codec, image, target)


def test_a_drawn_page_is_not_for_the_learned_codec() -> None:
    encoded = _encode(_page(), Target(ssimulacra2=80))
    assert encoded.spec
    assert encoded.spec.name in ("avif", "jxl")


def test_candidates_that_cannot_win_are_skipped_and_predicted(photo: Pixels) -> None:
    chosen = _encode(photo, Target(ssimulacra2=50))
    everything = _encode(photo, Target(ssimulacra2=50), get_codec_exhaustive())
    assert {one.how for one in everything.candidates} == {"stored", "tried"}
    assert "predicted" in {one.how for one in chosen.candidates}
    assert len(chosen.bitstream) <= 1.01 * len(everything.bitstream)
    known = {one.codec: one.bytes for one in everything.candidates}
    for one in chosen.candidates:
        size = known[one.codec]
        assert one.bytes
        assert size
        assert abs(np.log2(one.bytes / size)) < 0.4


def get_codec_exhaustive() -> AutoCodec:
    codec = get_codec("auto", device="cpu", options={"exhaustive": True})
    assert isinstance(codec, AutoCodec)
    return codec


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(9, 60),
    width=st.integers(9, 60),
    channels=st.sampled_from([1, 3]),
    noise=st.sampled_from([0, 4, 60]),
    target=st.sampled_from([Target(ssimulacra2=70), Target(psnr=36), Target(max_bpp=24)]),
)
def test_any_picture_meets_its_target_at_the_fewest_bytes_tried(
    seed: int, height: int, width: int, channels: int, noise: int, target: Target
) -> None:
    random = np.random.default_rng(seed)
    ramp = np.linspace(0, 255, height)[:, None, None] * np.linspace(0.2, 1, width)[:, None]
    image = ramp + random.normal(0, noise, (height, width, channels)) if noise else ramp
    image = np.broadcast_to(image, (height, width, channels)).clip(0, 255).astype(np.uint8)
    _check(image, _encode(image, target), target)


def test_quality_100_is_lossless(photo: Pixels) -> None:
    image = photo[:100, :120]
    encoded = _encode(image, Target(quality=100))
    assert (AUTO.decode([encoded.bitstream])[0] == image).all()


def test_squared_errors_are_met_by_what_is_tuned_for_them(photo: Pixels) -> None:
    labels = [one.codec for one in _encode(photo[:128, :128], Target(psnr=33)).candidates]
    assert "avif:tune=psnr" in labels
    assert "hyperprior" in labels
    assert "hyperprior:tune=eye" not in labels


def test_alpha_is_for_the_codec_that_holds_it(photo: Pixels) -> None:
    image = np.concatenate([photo[:96, :96], photo[96:192, :96, :1]], axis=2)
    encoded = _encode(image, Target(ssimulacra2=50))
    assert encoded.spec
    assert encoded.spec.name == "hyperprior"
    assert {one.how for one in encoded.candidates} == {"stored", "refused"}
    (decoded,) = AUTO.decode([encoded.bitstream])
    assert (decoded[..., 3] == image[..., 3]).all()
    look = ssimulacra2(image, decoded)
    assert look is not None
    assert look >= 50
    with pytest.raises(UnsupportedImageError):
        _encode(image, Target(quality=100))
    with pytest.raises(TargetMissedError, match="no candidate reaches ssimulacra2=99"):
        _encode(image, Target(ssimulacra2=99))


def test_grey_has_no_chroma_to_sample(photo: Pixels) -> None:
    labels = [one.codec for one in _encode(photo[:96, :96, :1], Target(psnr=32)).candidates]
    assert not any("4:4:4" in label for label in labels)


def test_pictures_too_small_for_the_measure_miss_it_or_keep_to_a_budget() -> None:
    image = np.full((4, 4, 3), 90, np.uint8)
    with pytest.raises(TargetMissedError):
        _encode(image, Target())
    _check(image, _encode(image, Target(max_bpp=60)), Target(max_bpp=60))
    assert psnr(colour(AUTO.decode([_encode(image, Target(psnr=40)).bitstream])[0]), image) >= 40


def test_a_stream_of_another_codec_is_refused(photo: Pixels) -> None:
    webp = get_codec("webp")
    assert isinstance(webp, Codec)
    (encoded,) = webp.encode([photo[:32, :32]], Target())
    with pytest.raises(BitstreamError, match="none of the candidates"):
        AUTO.decode([encoded.bitstream])


def test_candidates_can_be_named() -> None:
    codec = get_codec("auto", device="cpu", options={"candidates": "jxl"})
    assert isinstance(codec, AutoCodec)
    assert [one.spec.name for one in codec.writers(Target())] == ["jxl"]
    assert codec.spec.weights_sha256 is None
    with pytest.raises(ConfigError, match="hyperprior"):
        get_codec("auto", options={"candidates": ["webp"]})


def test_its_spec_names_the_options_and_the_weights() -> None:
    assert codec_from_spec(AUTO.spec, device="cpu").spec == AUTO.spec
    assert AUTO.spec.weights_sha256 == AUTO.writers(Target())[0].spec.weights_sha256
    assert get_codec_exhaustive().spec.fingerprint != AUTO.spec.fingerprint
