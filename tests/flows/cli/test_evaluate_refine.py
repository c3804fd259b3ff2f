"""`glassplate evaluate --refine` as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from official_weights import randomised
from PIL import Image
from thin_refiner import write_codec, write_refiner

from glassplate.codecs import Pixels
from glassplate.codecs.measures import official_measures as perceptual
from glassplate.flows.terminal.exit_codes import ExitCode

Run = Callable[..., Any]


@pytest.fixture
def pictures(tmp_path: Path, photo: Pixels) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(photo[:176, :192]).save(folder / "a <b>.png")
    return folder


@pytest.mark.slow
def test_a_document_a_page_and_a_sheet(
    glassplate: Run, pictures: Path, tmp_path: Path, photo: Pixels
) -> None:
    codec = write_codec(tmp_path / "hyperprior-small.safetensors", photo)
    write_refiner(tmp_path / "refiner-flow.safetensors", codec)
    write_refiner(tmp_path / "refiner-gan.safetensors", codec, "gan")
    out = tmp_path / "results"
    arguments = ["--refine", "flow,gan", "--refiner-weights", tmp_path, "--qualities", "30,10,60"]
    arguments += ["--codecs", f"hyperprior:tile_size=64+bfloat16=false+weights={tmp_path},jpeg"]
    arguments += ["--steps", "1,2", "--strengths", "0.5", "--sweep-rates", "1", "--out", out]
    done = glassplate("evaluate", pictures, *arguments, "--json")
    assert done.code == 0
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["variant"] for row in rows] == ["plain", "jpeg", "flow 4", "gan"] * 3
    assert rows[2]["seconds_per_megapixel"] > 0
    assert done.err == ""

    document = json.loads((out / "refine.json").read_text())
    assert document["weights"].keys() == {"flow", "gan"}
    assert document["settings"]["strengths"] == [0.5]
    assert {row["quality"] for row in document["sweep"]} == {10}
    assert str(tmp_path) not in json.dumps(document["settings"]["qualities"])

    page = (out / "refine.html").read_text()
    assert page.count("<svg") == 5 + 2
    assert page.count("data:image/webp;base64,") == 1
    assert "a &lt;b&gt;.png" in page
    assert (out / "figures" / "trade-frechet-10.png").stat().st_size > 1000
    with Image.open(out / "refine.webp") as sheet:  # original, four variants and a map, two rates
        assert sheet.width > 6 * 160
        assert sheet.height > 2 * 160


@pytest.mark.slow
def test_measures_by_given_weights(
    glassplate: Run, tmp_path: Path, photo: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = write_codec(tmp_path / "hyperprior-small.safetensors", photo)
    write_refiner(tmp_path / "refiner-flow.safetensors", codec)
    Image.fromarray(photo[:384, :390]).save(tmp_path / "a.png")
    given, out = tmp_path / "given", tmp_path / "results"
    given.mkdir()
    measures = tuple(randomised(measure, given) for measure in perceptual.MEASURES)
    monkeypatch.setattr(perceptual, "MEASURES", measures)
    arguments = ["--refine", "flow", "--refiner-weights", tmp_path, "--qualities", "10"]
    arguments += ["--codecs", f"hyperprior:tile_size=64+bfloat16=false+weights={tmp_path}"]
    arguments += ["--steps", "1", "--strengths", "0.5", "--sweep-rates", "0", "--out", out]
    done = glassplate(
        "evaluate", tmp_path / "a.png", *arguments, "--perceptual-weights", given, "--no-progress"
    )
    assert done.code == 0
    assert done.out.split()[7:10] == ["st", "lpips", "frechet"]
    assert done.out.split()[10:14] == ["lpips", "dists", "fid", "256"]
    assert "FID is over 2 patches, fewer than its 2048 dimensions" in done.err
    document = json.loads((out / "refine.json").read_text())
    assert [file[:4] for file in document["perceptual_weights"]] == [
        "alex",
        "alex",
        "vgg1",
        "weig",
        "pt_i",
    ]
    assert document["fid_patches"] == [2, 0]
    for row in document["rows"]:
        assert row["lpips"] > 0
        assert row["dists"] > 0
        assert row["fid_256"] > 0
    page = (out / "refine.html").read_text()
    assert page.count("<svg") == 5 + 3
    assert "FID over 256x256 patches</th>" in page
    assert "2 patches are fewer than the 2048 dimensions" in page
    assert document["perceptual_weights"]["weights.pt"] in page


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--refine", "magic"], "--refine"),
        (["--refine", ","], "--refine"),
        (["--refine", "flow", "--codecs", ","], "--codecs"),
        (["--refine", "flow", "--codecs", "jpeg"], "no refiner"),
        (["--refine", "flow", "--codecs", "hyperprior,gif"], "no codec named 'gif'"),
        (["--refine", "flow", "--steps", "0"], "--steps"),
        (["--refine", "flow", "--strengths", "2"], "--strengths"),
        (["--refine", "flow", "--sweep-pictures", "0"], "--sweep-pictures"),
        (["--refine", "flow", "--anchor", "avif"], "--anchor: does not go with --refine"),
        (["--refine", "flow", "--refiner-weights", "nowhere"], "refiner flow"),
        (
            ["--refine", "flow", "--perceptual-weights", "nowhere"],
            "nowhere: is not a folder. LPIPS",
        ),
        (["--perceptual-weights", "x"], "--perceptual-weights: needs --refine"),
        (["--steps", "4"], "--steps: needs --refine"),
    ],
)
def test_a_bad_option_is_a_usage_error(
    arguments: list[str], named: str, glassplate: Run, pictures: Path, tmp_path: Path
) -> None:
    done = glassplate("evaluate", pictures, "--out", tmp_path / "results", *arguments)
    assert done.code == ExitCode.USAGE
    assert done.err.startswith("error: ")
    assert named in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "results").exists()
