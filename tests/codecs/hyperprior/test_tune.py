"""Weights for the eye beside those for PSNR: fewer bits for the same look, streams of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassplate.codecs import Codec, Pixels, Target, codec_from_spec, get_codec
from glassplate.codecs.errors import BitstreamError, ConfigError, WeightsError
from glassplate.codecs.hyperprior.training.config import HyperpriorTrainConfig
from glassplate.codecs.hyperprior.training.train import _start
from glassplate.codecs.hyperprior.weights import find
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.measures.ssimulacra2 import ssimulacra2
from glassplate.codecs.refine.options import RefineOptions
from glassplate.codecs.refine.refiner import Refiner


def tuned(tune: str) -> Codec:
    codec = get_codec("hyperprior", device="cpu", options={"tune": tune})
    assert isinstance(codec, Codec)
    return codec


@pytest.mark.parametrize("quality", [20, 60])
def test_for_the_same_bits_the_look_is_better_and_psnr_lower(photo: Pixels, quality: float) -> None:
    for_psnr, for_the_eye = tuned("psnr"), tuned("eye")
    (plain,) = for_psnr.encode([photo], Target(quality=quality))
    limit = 8 * len(plain.bitstream) / photo[..., 0].size
    (seen,) = for_the_eye.encode([photo], Target(max_bpp=limit))
    (a,), (b,) = for_psnr.decode([plain.bitstream]), for_the_eye.decode([seen.bitstream])
    one, other = ssimulacra2(photo, a), ssimulacra2(photo, b)
    assert one is not None
    assert other is not None
    assert other > one + 3
    assert psnr(photo, b) < psnr(photo, a)


def test_the_default_is_psnr_and_the_spec_says_which_by_its_weights(small_photo: Pixels) -> None:
    codec = tuned("eye")
    assert tuned("psnr").spec == get_codec("hyperprior", device="cpu").spec
    assert codec.spec.weights_sha256 != tuned("psnr").spec.weights_sha256
    (encoded,) = codec.encode([small_photo], Target(quality=50))
    again = codec_from_spec(codec.spec, device="cpu")
    assert again.spec == codec.spec
    assert isinstance(again, Codec)
    assert (again.decode([encoded.bitstream])[0] == codec.decode([encoded.bitstream])[0]).all()
    with pytest.raises(BitstreamError, match="not by hyperprior"):
        tuned("psnr").decode([encoded.bitstream])


def test_a_shipped_refiner_says_that_it_is_not_for_the_eye() -> None:
    with pytest.raises(WeightsError, match="tune=psnr, not of tune=eye"):
        Refiner(tuned("eye"), RefineOptions(kind="flow"), "cpu")


def test_other_tunes_and_weights_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'psnr' or 'eye'"):
        tuned("nose")
    with pytest.raises(WeightsError, match="base-eye"):
        find(None, "base", "eye")
    with pytest.raises(WeightsError, match=f"{tmp_path}.*small-eye"):
        find(tmp_path, "small", "eye")


@pytest.mark.parametrize(("share", "name"), [(0.0, "small"), (0.3, "small-eye")])
def test_shipped_weights_to_tune_are_those_of_the_loss(
    share: float, name: str, tmp_path: Path
) -> None:
    fields = {"source": "photos", "out": tmp_path, "steps": 1, "start": "shipped"}
    config = HyperpriorTrainConfig.model_validate(fields | {"ssimulacra2": share})
    start = _start(config)
    assert start is not None
    assert start.name == f"hyperprior-{name}.safetensors"
