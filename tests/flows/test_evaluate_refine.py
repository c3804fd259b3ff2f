"""`glassplate evaluate --refine` as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from thin_refiner import write_codec, write_refiner

from glassplate.codecs import Pixels
from glassplate.flows.exit_codes import ExitCode

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
