"""`glassplate evaluate` as a user runs it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.flows.terminal.exit_codes import ExitCode

Run = Callable[..., Any]
PUBLISHED = {
    "somebody 2020": [[0.1, 20], [0.5, 26], [1.0, 29], [2.5, 35]],
    "far": [[9, 90], [10, 91]],
}


@pytest.fixture
def pictures(tmp_path: Path, photo: Pixels) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(photo[:96, :128]).save(folder / "a <b>.png")
    Image.fromarray(photo[200:392, 180:404]).save(folder / "c.png")
    return folder


@pytest.mark.slow
def test_a_document_and_a_page(glassplate: Run, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "published.json").write_text(json.dumps(PUBLISHED))
    out = tmp_path / "results"
    arguments = ["--codecs", "webp,jpeg", "--qualities", "90,5,30,60,99", "--bpp-range", "0.2-4"]
    arguments += ["--anchor", "jpeg", "--reference", tmp_path / "published.json", "--out", out]
    done = glassplate("evaluate", pictures, *arguments, "--json")
    assert done.code == 0
    webp, jpeg = (json.loads(line) for line in done.out.splitlines())
    assert (webp["codec"], jpeg["codec"]) == ("webp", "jpeg")
    assert webp["bd_rate_percent"] < 0 == jpeg["bd_rate_percent"]
    assert done.err == ""

    document = json.loads((out / "evaluation.json").read_text())
    assert document["machine"]["cores"] >= 1
    assert "imagecodecs" in document["machine"]["libraries"]
    assert [codec["choice"] for codec in document["codecs"]] == ["webp", "jpeg"]
    points = document["codecs"][0]["points"]
    assert {point["picture"] for point in points} == {"a <b>.png", "c.png"}
    assert [point["quality"] for point in points[::2]] == [5, 30, 60, 90, 99]
    assert document["summary"]["matrices"].keys() == {"psnr"}  # a picture is too small for MS-SSIM
    assert document["summary"]["published"]["webp"]["far"] is None
    assert str(tmp_path) not in json.dumps(document["settings"])

    page = (out / "evaluation.html").read_text()
    assert page.count("<svg") == 1
    assert page.count("<img") + page.count("cannot go so low") == 2 * 3
    assert page.count("data:image/webp;base64,") >= 4
    assert "somebody 2020" in page
    assert "<td>far</td>" not in page
    assert "a &lt;b&gt;.png" in page
    assert not re.search(r"(src|href)=\"https?:", page)
    assert (out / "figures" / "rd-psnr.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--codecs", "jpeg,gif"], "no codec named 'gif'"),
        (["--codecs", ","], "--codecs"),
        (["--qualities", "5,101"], "--qualities"),
        (["--qualities", "low"], "--qualities"),
        (["--bpp-range", "1"], "--bpp-range"),
        (["--bpp-range", "1-0.5"], "--bpp-range"),
        (["--anchor", "htj2k"], "--anchor"),
        (["--limit", "0"], "--limit"),
        (["--workers", "0"], "--workers"),
        (["--device", "tpu"], "--device"),
        (["--reference", "missing.json"], "missing.json"),
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


@pytest.mark.parametrize("text", ["[]", '{"a": [[1, 2]]}', '{"a": [[1], [2]]}', "curves", ""])
def test_a_bad_reference_says_what_it_should_be(
    text: str, glassplate: Run, pictures: Path, tmp_path: Path
) -> None:
    file = tmp_path / "curves.json"
    file.write_text(text)
    done = glassplate("evaluate", pictures, "--reference", file, "--out", tmp_path / "results")
    assert done.code == ExitCode.USAGE
    assert "[[bpp, psnr], [bpp, psnr], ...]" in done.err


@pytest.mark.parametrize("what", [["--codecs", "jpeg"], ["--refine", "flow"]])
def test_a_plugin_that_is_not_there_is_a_line_not_a_traceback(
    what: list[str], glassplate: Run, tmp_path: Path
) -> None:
    done = glassplate("evaluate", tmp_path, *what, "--plugin", "nosuch", "--out", tmp_path / "out")
    assert done.code == 2
    assert "plugin nosuch: cannot be imported" in done.err
