"""The HTML reports: what they say, and that they need nothing but themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.codecs.svd.low_rank import element_count, low_rank
from glassplate.flows.reports.image import image_page
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

Run = Callable[..., Any]
VOID = {"meta", "img", "br"}


class _Page(HTMLParser):
    """Checks nesting, and collects ids and what is loaded from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.loaded += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(file: Path) -> _Page:
    page = _Page(file.read_text())
    assert [url for url in page.loaded if not url.startswith(("data:", "#"))] == []
    return page


def test_archive_report(glassplate: Run, archive: Path, tmp_path: Path) -> None:
    file, figures = tmp_path / "out" / "report.html", tmp_path / "figures"
    done = glassplate("report", archive, "-o", file, "--figures", figures)
    assert done.code == ExitCode.OK
    page = _read(file)
    for text in ("holiday/beach.png", "town [1].png", "broken.jpg", "not-an-image", "alpha"):
        assert text in page.text
    assert len([url for url in page.loaded if url.startswith("data:image/webp")]) == 2 + 2 * 2
    assert file.read_text().count("currentColor") > 20
    assert {path.name for path in figures.iterdir()} == {"bpp.png", "psnr.png"}
    with Image.open(figures / "bpp.png") as figure:
        assert figure.width > 600


def test_names_cannot_write_html(glassplate: Run, tmp_path: Path, small_photo: Pixels) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    evil = "<script>alert(1)<\\script>"
    Image.fromarray(small_photo).save(source / f"{evil}.png")
    (source / f"{evil}.jpg").write_text("no picture")
    archive = str(tmp_path / "a")
    compress(CompressConfig(source=str(source), archive=archive, codec="jpeg", max_failures=1))
    assert glassplate("report", archive, "-o", tmp_path / "r.html").code == ExitCode.OK
    assert "<script" not in (tmp_path / "r.html").read_text()
    assert evil in _read(tmp_path / "r.html").text


def test_archive_of_failures_only_still_has_a_report(glassplate: Run, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "x.jpg").write_text("no picture")
    archive = str(tmp_path / "a")
    compress(CompressConfig(source=str(tmp_path / "photos"), archive=archive, max_failures=1))
    assert glassplate("report", archive, "-o", tmp_path / "r.html").code == ExitCode.OK
    assert "x.jpg" in _read(tmp_path / "r.html").text


def test_image_report(glassplate: Run, small_photo: Pixels, tmp_path: Path) -> None:
    picture, file = tmp_path / "picture.png", tmp_path / "svd.html"
    Image.fromarray(small_photo).save(picture)
    done = glassplate("report", picture, "-o", file, "--rank", 20, "--rank", 5,
                      "--figures", tmp_path / "figures")  # fmt: skip
    assert done.code == ExitCode.OK
    page = _read(file)
    for rank in (20, 5):
        assert f"{element_count(96, 128, rank, 3):,} numbers" in page.text
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {
        "singular-values", "compression-factor", "energy",
    }  # fmt: skip
    ids = re.findall(r' id="([^"]+)"', file.read_text())
    assert len(ids) == len(set(ids))


def test_image_report_tells_the_truth(small_photo: Pixels, tmp_path: Path) -> None:
    Image.fromarray(small_photo).save(tmp_path / "picture.png")
    page = image_page(tmp_path / "picture.png", [30, 10])
    assert [a.rank for a in page["approximations"]] == [30, 10]
    for approximation in page["approximations"]:
        error = np.square(low_rank(small_photo, approximation.rank) - small_photo).mean()
        assert approximation.exact_psnr == pytest.approx(10 * np.log10(255**2 / error), abs=1e-6)
        assert approximation.exact_psnr - 2 < approximation.psnr < approximation.exact_psnr + 0.5
        assert approximation.bpp == 8 * approximation.bytes / (96 * 128)


@pytest.mark.parametrize("mode", ["L", "1", "RGBA", "CMYK"])
def test_image_report_takes_any_mode(mode: str, small_photo: Pixels, tmp_path: Path) -> None:
    Image.fromarray(small_photo[:40, :50]).convert(mode).save(tmp_path / "picture.tif")
    page = image_page(tmp_path / "picture.tif", None)
    assert page["channels"] == (1 if mode in ("L", "1") else 3)
    assert page["approximations"]


def test_image_report_of_one_flat_pixel(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    page = image_page(tmp_path / "dot.png", None)
    assert [a.rank for a in page["approximations"]] == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--rank", "0"], "--rank"), (["--rank", "1000"], "--rank")],
)
def test_image_report_refuses_ranks_that_save_nothing(
    arguments: list[str], message: str, glassplate: Run, small_photo: Pixels, tmp_path: Path
) -> None:
    Image.fromarray(small_photo).save(tmp_path / "picture.png")
    done = glassplate("report", tmp_path / "picture.png", "-o", tmp_path / "r.html", *arguments)
    assert done.code == ExitCode.USAGE
    assert message in done.err


def test_report_on_something_else_is_a_usage_error(glassplate: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    done = glassplate("report", tmp_path / "notes.txt", "-o", tmp_path / "r.html")
    assert done.code == ExitCode.USAGE
    assert "notes.txt" in done.err


def test_report_on_half_a_picture_says_so(
    glassplate: Run, small_photo: Pixels, tmp_path: Path
) -> None:
    picture = tmp_path / "half.png"
    Image.fromarray(small_photo).save(picture)
    picture.write_bytes(picture.read_bytes()[:5000])
    done = glassplate("report", picture, "-o", tmp_path / "r.html")
    assert done.code == ExitCode.USAGE
    assert "half.png: cannot be decoded" in done.err


def test_a_source_that_is_gone_is_told(
    glassplate: Run, small_photo: Pixels, tmp_path: Path
) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    Image.fromarray(small_photo).save(source / "here.png")
    archive = str(tmp_path / "a")
    compress(CompressConfig(source=str(source), archive=archive, codec="jpeg"))
    (source / "here.png").unlink()
    assert glassplate("report", archive, "-o", tmp_path / "r.html").code == ExitCode.OK
    page = _read(tmp_path / "r.html")
    assert "the source is no file here" in page.text
    assert len([url for url in page.loaded if url.startswith("data:image/webp")]) == 1 + 1
