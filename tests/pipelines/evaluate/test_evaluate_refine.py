"""Evaluating refiners: what is compared, and that nothing is measured twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from official_weights import randomised
from PIL import Image
from pydantic import ValidationError
from thin_refiner import write_codec, write_refiner

from glassplate.codecs import Pixels, Target
from glassplate.codecs.errors import ConfigError, WeightsError
from glassplate.codecs.measures import official_measures as perceptual
from glassplate.codecs.measures.official_measures import MEASURES, Given, find_given
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.measures.st_lpips import Original
from glassplate.codecs.refine.options import RefineOptions
from glassplate.pipelines.errors import SourceError
from glassplate.pipelines.evaluate.bench import Bench, Picture
from glassplate.pipelines.evaluate.pictures import choose
from glassplate.pipelines.evaluate.refiners import RefineEvaluateConfig, evaluate_refine
from glassplate.pipelines.evaluate.variants import PLAIN, Variant, compared, refining, swept

KINDS = ("flow", "diffusion", "gan")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, photo: Pixels) -> Path:
    """A folder with a thin codec and a refiner of each kind."""
    folder = tmp_path_factory.mktemp("refiners")
    codec = write_codec(folder / "hyperprior-small.safetensors", photo)
    for kind in KINDS:
        write_refiner(folder / f"refiner-{kind}.safetensors", codec, kind)
    return folder


@pytest.fixture(scope="module")
def codec(weights: Path) -> str:
    return f"hyperprior:tile_size=64+bfloat16=false+weights={weights}"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, photo: Pixels) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(photo[:176, :192]).save(folder / "a.png")
    Image.fromarray(photo[200:376, 100:276]).save(folder / "b.png")
    Image.fromarray(photo[:170, :160]).save(folder / "narrow.png")
    return folder


@pytest.fixture
def picture(codec: str, pictures: Path, tmp_path: Path) -> Picture:
    (subject, *_), _ = choose(str(pictures), {}, 1, 10**6)
    return Picture(Bench(codec, tmp_path / "kept"), subject)


def test_names_of_variants() -> None:
    names = [variant.name for variant in compared(["jpeg"], KINDS, None)]
    assert names == ["plain", "jpeg", "flow 4", "ddim 25", "gan"]
    found = {variant.name: variant for variant in swept(KINDS, (1, 4), (0.5,), None)}
    flow = ["flow 4", "flow 1", "noise-flow 1", "noise-flow 4", "flow 4 at 0.5"]
    diffusion = ["ddim 25", "ddim 1", "ddim 4", "ddpm 1", "ddpm 4"]
    assert list(found) == [*flow, *diffusion, "gan"]
    assert found["ddpm 4"].family == "ddpm"
    assert found["flow 4 at 0.5"].family == "flow"


def test_a_variant_is_swept_once_and_found_among_the_usual_ones() -> None:
    names = [variant.name for variant in swept(["flow"], (4, 25), (0.5, 1), None)]
    assert len(names) == len(set(names))
    assert set(compared([], ["flow"], None)) <= {PLAIN, *swept(["flow"], (4,), (), None)}


def test_scores_are_those_of_the_pictures(picture: Picture, weights: Path) -> None:
    flow = refining(RefineOptions(kind="flow", steps=2, weights=weights))
    found = picture.measure(20, flow).scores
    stream = picture.stream(20)
    pixels = picture.bench.refiner(flow.refine).refine(stream).pixels  # type: ignore[arg-type]
    assert found is not None
    assert found.psnr == psnr(picture.pixels, pixels)
    assert found.bpp == 8 * len(stream) / (176 * 192)
    assert found.st_lpips == pytest.approx(Original(picture.pixels).st_lpips(pixels))


def test_a_peer_gets_no_more_bits(picture: Picture) -> None:
    jpeg, plain = (
        picture.measure(60, variant).scores for variant in (Variant("j", peer="jpeg"), PLAIN)
    )
    assert jpeg is not None
    assert plain is not None
    assert 0.5 * plain.bpp < jpeg.bpp <= plain.bpp


def test_a_peer_that_cannot_go_so_low(picture: Picture) -> None:
    (lowest,) = picture.bench.build("jpeg").encode([picture.pixels], Target(quality=0))
    assert len(lowest.bitstream) > len(picture.stream(0))
    found = picture.measure(0, Variant("jpeg", peer="jpeg"))
    assert found.scores is None
    assert len(found.patches) == 0


def test_results_are_kept(picture: Picture, codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = picture.measure(20, PLAIN)
    monkeypatch.setattr(Picture, "decode", None)  # not to be called again
    again = Picture(picture.bench, picture.subject).measure(20, PLAIN)
    assert again.scores == first.scores
    np.testing.assert_array_equal(again.patches, first.patches)
    with pytest.raises(TypeError):
        picture.measure(21, PLAIN)


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Given, ...]:
    """LPIPS by random weights."""
    folder = tmp_path / "lpips"
    folder.mkdir()
    monkeypatch.setattr(perceptual, "MEASURES", (randomised(MEASURES[0], folder),))
    return find_given(folder)


def test_a_measure_more_is_all_that_is_measured_then(
    picture: Picture, given: tuple[Given, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = picture.measure(20, PLAIN)
    assert first.given == {}
    monkeypatch.setattr(Picture, "_measured", None)  # not to be called again
    bench = replace(picture.bench, given=given)
    more = Picture(bench, picture.subject).measure(20, PLAIN)
    decoded = picture.decode(20, PLAIN)
    assert decoded is not None
    assert more.given["lpips"] == given[0].against(picture.pixels)(decoded[0])
    assert more.given["lpips"] > 0
    assert more.scores == first.scores
    monkeypatch.setattr(Picture, "decode", None)
    assert Picture(bench, picture.subject).measure(20, PLAIN).given == more.given
    others = replace(bench, given=(replace(given[0], sha256=("0", "1")),))
    with pytest.raises(TypeError):  # other weights: what is kept is not theirs
        Picture(others, picture.subject).measure(20, PLAIN)


@pytest.mark.slow
def test_an_evaluation(codec: str, weights: Path, pictures: Path, tmp_path: Path) -> None:
    config = RefineEvaluateConfig(
        source=str(pictures),
        codec=codec,
        peers=("jpeg",),
        qualities=(40, 10),
        refiners=("flow",),
        weights=weights,
        steps=(1,),
        strengths=(0.5,),
        sweep_rates=1,
        sweep_pictures=1,
    )
    seen: list[tuple[int, int, str]] = []
    found = evaluate_refine(config, tmp_path, lambda *shown: seen.append(shown))
    assert seen == [(1, 2, "a.png"), (2, 2, "b.png")]
    assert found.left_out == (("narrow.png", "metrics: a side is under 161 pixels"),)
    assert [(row.quality, row.variant) for row in found.rows] == [
        (quality, name) for quality in (10, 40) for name in ("plain", "jpeg", "flow 4")
    ]
    assert [row.variant for row in found.sweep] == [
        "plain", "flow 4", "flow 1", "noise-flow 1", "flow 4 at 0.5",
    ]  # fmt: skip
    plain = next(row for row in found.rows if (row.quality, row.variant) == (40, "plain"))
    assert plain.pictures == 2
    assert plain.psnr is not None
    assert plain.frechet is not None
    assert plain.frechet > 0
    assert found.patches == (5 * 4 + 4 * 4, 5 * 4)  # 192 x 176 and 176 x 176 pixels
    assert {speed.variant for speed in found.speeds} >= {"plain", "flow 4"}
    assert next(speed.relative for speed in found.speeds if speed.variant == "plain") == 1
    assert evaluate_refine(config, tmp_path).rows == found.rows


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"codec": "jpeg"}, ConfigError, "has no refiner"),
        ({"weights": Path("nowhere")}, WeightsError, "refiner flow"),
        ({"perceptual_weights": Path("empty")}, WeightsError, "holds weights of no measure"),
        ({"source": "empty"}, SourceError, "holds no picture that can be measured"),
    ],
)
def test_bad_input_ends_before_any_work(
    change: dict[str, object],
    error: type[Exception],
    text: str,
    codec: str,
    weights: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("not a picture")
    fields = {"source": str(pictures), "codec": codec, "refiners": ("flow",), "weights": weights}
    with pytest.raises(error, match=text):
        evaluate_refine(RefineEvaluateConfig.model_validate(fields | change), tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    "fields",
    [{"steps": (0,)}, {"steps": (1001,)}, {"strengths": (1.5,)}, {"refiners": ("magic",)}],
)
def test_what_is_out_of_range(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RefineEvaluateConfig.model_validate({"source": "x", "refiners": ("flow",)} | fields)
