"""Refining as a user sees it: determinism, strength, regions, tiles, alpha, and bad input."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from thin_refiner import write_refiner

from glassplate.codecs import Pixels, Region, Target, get_codec
from glassplate.codecs.errors import ConfigError, WeightsError
from glassplate.codecs.hyperprior.codec import HyperpriorCodec
from glassplate.codecs.layers.windows import Windows
from glassplate.codecs.refine.options import SAMPLERS, Kind, RefineOptions
from glassplate.codecs.refine.refiner import Refiner
from glassplate.codecs.refine.weights import load

SMALL = partial(Windows, window=96, overlap=32)


def refiner(
    codec: HyperpriorCodec, weights: Path, kind: str = "flow", **options: object
) -> Refiner:
    chosen = RefineOptions.model_validate({"kind": kind, "weights": weights, **options})
    return Refiner(codec, chosen, "cpu", SMALL)


def distance(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(float) - other).max())


@pytest.mark.parametrize(
    ("kind", "sampler"), [(kind, sampler) for kind in SAMPLERS for sampler in SAMPLERS[kind]]
)
def test_it_repeats_and_depends_on_the_seed(
    codec: HyperpriorCodec, weights: Path, stream: bytes, kind: str, sampler: str
) -> None:
    steps = 1 if kind == "gan" else 2
    first, again, other = (
        refiner(codec, weights, kind, sampler=sampler, steps=steps, seed=seed).refine(stream)
        for seed in (5, 5, 6)
    )
    assert np.array_equal(first.pixels, again.pixels)
    assert distance(first.pixels, other.pixels) > 5
    assert np.array_equal(first.plain, codec.decode([stream])[0])
    assert 0 < first.detail().mean() < 60


def test_strength(codec: HyperpriorCodec, weights: Path, stream: bytes) -> None:
    plain = codec.decode([stream])[0]
    none, half, full = (
        refiner(codec, weights, strength=strength).refine(stream) for strength in (0, 0.5, 1)
    )
    assert np.array_equal(none.pixels, plain)
    assert none.detail().max() == 0
    blend = (plain.astype(float) + full.pixels) / 2
    clipped = (full.pixels < 3) | (full.pixels > 252)  # or near it, where windows meet
    assert np.abs(blend - half.pixels)[~clipped].max() <= 2
    assert 0 < half.detail().mean() < full.detail().mean()


@pytest.mark.parametrize("region", [(0, 0, 20, 20), (70, 33, 90, 100), (100, 140, 500, 500)])
def test_a_region_is_a_part_of_the_whole(
    codec: HyperpriorCodec, weights: Path, stream: bytes, region: tuple[int, int, int, int]
) -> None:
    x, y, width, height = region
    one = refiner(codec, weights)
    whole = one.refine(stream).pixels
    part = one.refine(stream, Region(x=x, y=y, width=width, height=height)).pixels
    expected = whole[y : y + height, x : x + width]
    assert part.shape == expected.shape
    assert distance(part, expected) <= 2  # the codec's own regions are within 1 of the whole


@pytest.mark.parametrize("kind", ["flow", "diffusion"])
def test_tiles_leave_no_seams(
    codec: HyperpriorCodec, weights: Path, stream: bytes, kind: Kind
) -> None:
    """Windows against the whole at once, also where windows meet."""
    options = RefineOptions(kind=kind, weights=weights, steps=2)
    whole = Refiner(codec, options, "cpu").refine(stream).pixels
    windows = partial(Windows, window=112, overlap=48)
    tiled = Refiner(codec, options, "cpu", windows).refine(stream).pixels
    difference = np.abs(whole.astype(float) - tiled)
    assert len(windows(170, 150).touching()) == 4
    assert difference.mean() < 0.1
    assert difference.max() <= 6
    assert distance(whole, codec.decode([stream])[0]) > 30


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 900), st.integers(1, 900), st.sampled_from([(96, 32), (256, 64), (768, 128)]))
def test_windows_cover_every_pixel(width: int, height: int, sizes: tuple[int, int]) -> None:
    windows = Windows(width, height, *sizes)
    canvas = np.zeros((height, width))
    for rect in windows.touching():
        assert rect.top % 16 == rect.left % 16 == 0
        assert 0 < rect.height <= sizes[0] >= rect.width > 0
        rows, columns = slice(rect.top, rect.bottom), slice(rect.left, rect.right)
        canvas[rows, columns] += windows.fade(rect) * (1 - canvas[rows, columns])
    assert canvas.min() == pytest.approx(1)


def test_grey_and_alpha_come_back(codec: HyperpriorCodec, weights: Path, photo: Pixels) -> None:
    for channels in (1, 2, 4):
        part = np.concatenate([photo[:40, :50], photo[40:80, :50, :1]], 2)[:, :, -channels:]
        image = np.ascontiguousarray(part)
        stream = codec.encode([image], Target(quality=20))[0].bitstream
        refined = refiner(codec, weights, steps=1).refine(stream)
        assert refined.pixels.shape == image.shape
        assert refined.detail().max() > 0
        if channels != 1:
            assert np.array_equal(refined.pixels[..., -1], image[..., -1])


def test_progress_counts_windows(codec: HyperpriorCodec, weights: Path, stream: bytes) -> None:
    seen: list[tuple[int, int]] = []
    refiner(codec, weights, steps=1).refine(stream, None, lambda *count: seen.append(count))
    assert seen == [(done, 6) for done in range(7)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": -1}, {"steps": 0}, {"steps": 100_000}, {"strength": -0.1}, {"strength": 1.1},
        {"strength": float("nan")}, {"seed": -1}, {"sampler": "ddim"}, {"kind": "magic"},
        {"kind": "gan", "steps": 2}, {"speed": 11},
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RefineOptions.model_validate({"kind": "flow"} | wrong)


def test_weights_have_to_fit(
    codec: HyperpriorCodec, weights: Path, tmp_path: Path, photo: Pixels
) -> None:
    flow = weights / "refiner-flow.safetensors"
    with pytest.raises(WeightsError, match="kind flow, not diffusion"):
        refiner(codec, flow, "diffusion")
    shipped = HyperpriorCodec(None, "cpu")
    with pytest.raises(WeightsError, match=str(shipped.spec.weights_sha256)):
        refiner(shipped, weights)
    with pytest.raises(WeightsError, match="train refiner --kind flow"):
        refiner(codec, tmp_path)
    for content in (b"", b"garbage", codec.weights_path.read_bytes(), flow.read_bytes()[:-9]):
        (tmp_path / "bad.safetensors").write_bytes(content)
        with pytest.raises(WeightsError):
            refiner(codec, tmp_path / "bad.safetensors")
    with pytest.raises(ConfigError, match="codec jxl has no refiner"):
        Refiner(get_codec("jxl"), RefineOptions(kind="flow"))


def test_weights_say_what_they_are(codec: HyperpriorCodec, tmp_path: Path) -> None:
    path = write_refiner(tmp_path / "one.safetensors", codec.weights_path, "diffusion")
    about = load(path).about
    assert (about.kind, about.codec) == ("diffusion", "hyperprior")
    assert about.codec_weights == codec.spec.weights_sha256
