"""Codecs measured on real pictures, and what the measurements say."""

from __future__ import annotations

import io
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from glassplate.codecs import Encoded, Pixels, Target, get_codec
from glassplate.codecs.classical.libraries import WebpCodec
from glassplate.codecs.errors import (
    BitstreamError,
    ConfigError,
    GlassplateError,
    MissingExtraError,
    UnknownCodecError,
)
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.measures.structure import ms_ssim
from glassplate.pipelines.codec_choice import build_choice
from glassplate.pipelines.errors import SourceError
from glassplate.pipelines.evaluate.bd_rate import bd_rate, clip, rate_at, rising, value_at
from glassplate.pipelines.evaluate.codec_curves import EvaluateConfig, Evaluation, evaluate
from glassplate.pipelines.evaluate.measure import Setting, Subject, mean_psnr, measure
from glassplate.pipelines.evaluate.summary import metric_curve, summarise
from glassplate.pipelines.sources.listing import list_source

CURVE = [(0.1, 28.0), (0.2, 30.5), (0.4, 33.0), (0.8, 35.6), (1.2, 37.0)]
QUALITIES = (5, 30, 60, 90, 99)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, photo: Pixels) -> Path:
    """Two RGB photographs, one with alpha, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(photo[:192, :224]).save(folder / "a.png")
    Image.fromarray(photo[200:392, 180:404]).save(folder / "b.png")
    Image.fromarray(np.dstack([photo[:40, :50], photo[:40, :50, :1]])).save(folder / "alpha.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture(scope="module")
def evaluation(pictures: Path) -> Evaluation:
    """JPEG and WebP, up to 1.5 bits per pixel."""
    config = EvaluateConfig(
        source=str(pictures), codecs=("jpeg", "webp"), qualities=QUALITIES, bpp_range=(0.1, 1.5)
    )
    return evaluate(config)


@settings(deadline=None)  # the first call imports
@given(st.floats(0.2, 5))
def test_a_curve_shifted_in_rate_has_exactly_that_bd_rate(factor: float) -> None:
    result = bd_rate(CURVE, [(rate * factor, value) for rate, value in CURVE])
    assert result is not None
    assert result.percent == pytest.approx(100 * (factor - 1), abs=1e-6)
    assert (result.low, result.high, result.overlap) == (28.0, 37.0, 1.0)


def test_overlap_is_the_quality_that_both_reach() -> None:
    result = bd_rate(CURVE, [(rate, value + 4.5) for rate, value in CURVE])
    assert result is not None
    assert (result.low, result.high) == (32.5, 37.0)
    assert result.overlap == pytest.approx(4.5 / 13.5)
    assert result.percent < -50


def test_without_overlap_or_points_there_is_no_bd_rate() -> None:
    assert bd_rate(CURVE, [(rate, value + 20) for rate, value in CURVE]) is None
    assert bd_rate(CURVE, CURVE[:2]) is None
    assert bd_rate([], CURVE) is None


def test_curves_rise_and_are_lossy() -> None:
    points = [(0.5, 30.0), (0.2, 28.0), (0.6, 29.0), (3.0, float("inf")), (0.9, 32.0)]
    assert rising(points) == [(0.2, 28.0), (0.5, 30.0), (0.9, 32.0)]


def test_clipping_interpolates_the_ends_and_never_extrapolates() -> None:
    clipped = clip(CURVE, 0.15, 5)
    assert [rate for rate, _ in clipped] == [0.15, 0.2, 0.4, 0.8, 1.2]
    assert 28.0 < clipped[0][1] < 30.5
    assert clip(CURVE, 2, 5) == []
    assert value_at(CURVE, 0.05) is None
    assert rate_at(CURVE, 40) is None
    assert value_at(CURVE, 0.4) == pytest.approx(33.0)
    assert rate_at(CURVE, 33.0) == pytest.approx(0.4)


def test_points_are_real_bytes_and_real_decodings(evaluation: Evaluation, photo: Pixels) -> None:
    original = np.ascontiguousarray(photo[:192, :224])
    for codec in evaluation.codecs:
        point = next(p for p in codec.points if (p.picture, p.quality) == ("a.png", 30))
        same = get_codec(codec.choice)
        (encoded,) = same.encode([original], Target(quality=30))  # type: ignore[union-attr]
        (decoded,) = same.decode([encoded.bitstream])  # type: ignore[union-attr]
        assert point.bytes == len(encoded.bitstream)
        assert point.bpp == 8 * point.bytes / (192 * 224)
        assert (point.psnr, point.ms_ssim) == (psnr(original, decoded), ms_ssim(original, decoded))
        assert min(point.encode_seconds, point.decode_seconds) > 0
        assert point.ssimulacra2 is None


def test_a_curve_is_the_mean_over_the_pictures(evaluation: Evaluation) -> None:
    for codec in evaluation.codecs:
        for mean in codec.curve:
            points = [point for point in codec.points if point.quality == mean.quality]
            assert [point.picture for point in points] == ["a.png", "b.png"]
            assert mean.bpp == pytest.approx(np.mean([point.bpp for point in points]))
            assert mean.psnr == pytest.approx(np.mean([point.psnr for point in points]))
            seconds = sum(point.encode_seconds for point in points)
            assert mean.encode_mp_per_second == pytest.approx(2 * 192 * 224 / 1e6 / seconds)


def test_a_lossless_picture_does_not_spoil_the_mean(tmp_path: Path, photo: Pixels) -> None:
    Image.fromarray(photo[:192, :224]).save(tmp_path / "a.png")
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(tmp_path / "flat.png")
    config = EvaluateConfig(
        source=str(tmp_path), codecs=("jpeg", "webp"), qualities=(30, 60, 90), bpp_range=(0.1, 3)
    )
    evaluation = evaluate(config)
    jpeg = evaluation.codecs[0]
    assert any(math.isinf(point.psnr) for point in jpeg.points)
    for point in jpeg.curve:
        here = [one.psnr for one in jpeg.points if one.quality == point.quality]
        assert point.psnr == pytest.approx(sum(min(value, 60) for value in here) / 2)
    rates = summarise(evaluation, "jpeg").matrices["psnr"]
    assert rates["webp"]["jpeg"] is not None


def test_the_mean_of_lossless_pictures_is_infinite() -> None:
    assert mean_psnr([math.inf, math.inf]) == math.inf
    assert mean_psnr([math.inf, 40.0]) == 50.0


def test_a_codec_stops_when_it_has_passed_the_range(evaluation: Evaluation) -> None:
    for codec in evaluation.codecs:
        assert [point.bpp > 1.5 for point in codec.curve] == [False] * (len(codec.curve) - 1) + [
            True
        ]
        assert len(codec.curve) < len(QUALITIES)


def test_what_cannot_be_compared_is_left_out_with_a_reason(evaluation: Evaluation) -> None:
    assert [picture.name for picture in evaluation.pictures] == ["a.png", "b.png"]
    reasons = dict(evaluation.left_out)
    assert reasons["alpha.png"].startswith("jpeg: has 4 channels")
    assert "not a picture" in reasons["notes.txt"]


def test_peak_memory_is_that_of_a_working_process(evaluation: Evaluation) -> None:
    for codec in evaluation.codecs:
        assert 10_000_000 < codec.memory.idle <= codec.memory.peak


def test_summary_compares_each_codec_with_each(evaluation: Evaluation) -> None:
    published = {"half": [(p.bpp / 2, p.psnr) for p in evaluation.codecs[0].curve]}
    summary = summarise(evaluation, "webp", published)
    table = summary.matrices["psnr"]
    worse, better = table["jpeg"]["webp"], table["webp"]["jpeg"]
    assert worse is not None
    assert better is not None
    assert worse.percent > 5
    assert (1 + worse.percent / 100) * (1 + better.percent / 100) == pytest.approx(1, abs=1e-6)
    assert set(summary.matrices) == {"psnr", "ms_ssim"}
    twice = summary.published["jpeg"]["half"]
    assert twice is not None
    assert twice.percent == pytest.approx(100, abs=3)


def test_speed_is_compared_at_the_anchors_quality(evaluation: Evaluation) -> None:
    summary = summarise(evaluation, "webp")
    jpeg, webp = summary.equal_quality
    assert (webp.encode_time_ratio, webp.decode_time_ratio) == (1, 1)
    assert (jpeg.encode_time_ratio or 1) < 1
    assert webp.bpp == pytest.approx(summary.bpp, rel=0.02)
    assert rate_at(metric_curve(evaluation.codecs[0], "psnr"), summary.psnr) == jpeg.bpp
    speeds = [point.encode_mp_per_second for point in evaluation.codecs[1].curve]
    assert min(speeds) <= (webp.encode_mp_per_second or 0) <= max(speeds)


def test_speed_is_compared_at_a_quality_that_all_codecs_have(evaluation: Evaluation) -> None:
    jpeg, webp = evaluation.codecs
    good = replace(jpeg, curve=jpeg.curve[-2:])
    summary = summarise(replace(evaluation, codecs=(good, webp)), "webp")
    assert summary.psnr == good.curve[0].psnr > summarise(evaluation, "webp").psnr
    assert summary.equal_quality[0].bpp == pytest.approx(good.curve[0].bpp)
    assert summary.equal_quality[1].bpp == summary.bpp


def test_the_worst_picture_comes_first(evaluation: Evaluation) -> None:
    summary = summarise(evaluation, "webp")
    assert summary.subject == "jpeg"
    percents = [row.bd_rate["jpeg"].percent for row in summary.pictures if row.bd_rate["jpeg"]]
    assert len(percents) == 2
    assert percents == sorted(percents, reverse=True)
    assert summary.mean_of_pictures == {"jpeg": pytest.approx(sum(percents) / 2), "webp": 0}


@pytest.mark.slow
def test_workers_change_nothing_but_time(pictures: Path, evaluation: Evaluation) -> None:
    again = evaluate(evaluation.config.model_copy(update={"workers": 2}))
    for one, other in zip(evaluation.codecs, again.codecs, strict=True):
        assert [(p.picture, p.quality, p.bytes, p.psnr) for p in one.points] == [
            (p.picture, p.quality, p.bytes, p.psnr) for p in other.points
        ]


@pytest.mark.slow
def test_limit_and_plugins(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[3])
    config = EvaluateConfig(
        source=str(pictures), codecs=("fake",), qualities=(50,), limit=1, plugins=("tests.fakes",)
    )
    shown: list[tuple[int, int, str]] = []
    found = evaluate(config, lambda *moment: shown.append(moment))
    assert [picture.name for picture in found.pictures] == ["a.png"]
    assert found.codecs[0].points[0].psnr == float("inf")
    assert shown == [(1, 1, "fake at quality 50"), (1, 1, "")]
    with pytest.raises(ConfigError, match="fake is lossless"):
        summarise(found, "fake")


def test_ssimulacra2_is_100_for_equal_pictures_and_falls_with_quality(pictures: Path) -> None:
    (ref,) = list_source(str(pictures / "a.png")).refs
    picture = Subject("a.png", 224, 192, ref)
    scores = [
        measure(Setting(choice, plugins=("tests.fakes",), ssimulacra2=True), quality, picture)
        for choice, quality in (("fake", 100.0), ("jpeg", 90.0), ("jpeg", 10.0))
    ]
    equal, good, poor = (point.ssimulacra2 or 0 for point in scores)
    assert equal == 100
    assert 60 < good < 100
    assert poor < 30


@pytest.mark.parametrize(
    ("choice", "error", "text"),
    [
        ("gif", UnknownCodecError, "no codec named 'gif'"),
        ("original", ConfigError, "no rate to trade"),
        ("avif:speed=11", ConfigError, "speed"),
        ("avif:subsampling", ConfigError, "not NAME=VALUE"),
    ],
)
def test_codecs_that_cannot_be_compared_are_refused_first(
    choice: str, error: type[GlassplateError], text: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=text):
        evaluate(EvaluateConfig(source=str(tmp_path), codecs=("jpeg", choice)))


def test_a_codec_that_fails_is_named_with_the_picture(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ref,) = list_source(str(pictures / "a.png")).refs
    setting, picture = Setting("webp"), Subject("a.png", 224, 192, ref)
    measure(setting, 50, picture)
    encode = WebpCodec._encode_at

    def cut(self: WebpCodec, image: Pixels, quality: float) -> Encoded:
        return replace(whole := encode(self, image, quality), bitstream=whole.bitstream[:-9])

    monkeypatch.setattr(WebpCodec, "_encode_at", cut)
    with pytest.raises(BitstreamError, match=r"a\.png, webp at quality 50: "):
        measure(setting, 50, picture)


def test_a_choice_carries_options() -> None:
    codec = build_choice("avif:subsampling=4:4:4+speed=9", "auto", ())
    assert codec.spec.params == {"subsampling": "4:4:4", "speed": 9}


def test_nothing_to_measure_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(SourceError, match="no picture that can be measured"):
        evaluate(EvaluateConfig(source=str(tmp_path), codecs=("jpeg",)))


def test_a_missing_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    with pytest.raises(MissingExtraError, match=r"glassplate\[evaluate\]"):
        evaluate(EvaluateConfig(source=str(tmp_path), codecs=("jpeg",)))


def test_grey_pictures_are_measured(tmp_path: Path, photo: Pixels) -> None:
    buffer = io.BytesIO()
    Image.fromarray(photo[:64, :64, 0]).save(buffer, "PNG")
    (tmp_path / "grey.png").write_bytes(buffer.getvalue())
    (ref,) = list_source(str(tmp_path)).refs
    point = measure(Setting("jpeg"), 80, Subject("grey.png", 64, 64, ref))
    assert point.psnr > 30
    assert point.ms_ssim is None
