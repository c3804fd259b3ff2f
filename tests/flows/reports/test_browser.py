"""Every page that is written, in Chromium: narrow and wide, in light and in dark."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import SCHEMES, WIDTHS, browser, chromium, looked_at
from PIL import Image
from thin_refiner import write_codec, write_refiner

from glassplate.codecs import Pixels
from glassplate.codecs.gan.model import SIZES, ModelConfig

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Run = Callable[..., Any]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not chromium(), reason="no Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def sound(opened: Browser, tmp_path: Path) -> Callable[[Path], None]:
    """Looks at a page; GLASSPLATE_SCREENSHOTS=FOLDER keeps what was seen."""

    def check(page: Path) -> None:
        shots = Path(os.environ.get("GLASSPLATE_SCREENSHOTS") or tmp_path / "shots")
        assert looked_at(opened, page, shots) == []
        assert len(list(shots.glob(f"{page.stem}-*.png"))) == len(WIDTHS) * len(SCHEMES)

    return check


def test_the_page_on_an_archive(
    glassplate: Run, archive: Path, tmp_path: Path, sound: Callable[[Path], None]
) -> None:
    page = tmp_path / "archive.html"
    assert glassplate("report", archive, "-o", page).code == 0
    sound(page)


def test_the_page_on_a_picture(
    glassplate: Run, collection: Path, tmp_path: Path, sound: Callable[[Path], None]
) -> None:
    page = tmp_path / "picture.html"
    assert glassplate("report", collection / "holiday" / "beach.png", "-o", page).code == 0
    sound(page)


@pytest.mark.parametrize("kind", ["gan", "hyperprior"])
def test_the_page_on_a_training_run(
    glassplate: Run, collection: Path, tmp_path: Path, photo: Pixels, kind: str,
    sound: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setitem(SIZES, "8", ModelConfig(side=8, noise=8, width=8))
    (tmp_path / "photos").mkdir()
    Image.fromarray(photo[:256, :256]).save(tmp_path / "photos" / "one.png")
    out = tmp_path / f"training-{kind}"
    command = ["train", kind, "--data", tmp_path / "photos", "--out", out, "--device", "cpu"]
    command += ["--crop", 64, "--batch", 2, "--steps", 6 if kind == "hyperprior" else 40]
    done = glassplate(*command, *(["--size", "8"] if kind == "gan" else []))
    assert done.code == 0, done.err
    page = tmp_path / f"training-{kind}.html"
    shutil.copy(out / "training.html", page)
    sound(page)


def test_the_page_on_codecs(
    glassplate: Run, tmp_path: Path, photo: Pixels, sound: Callable[[Path], None]
) -> None:
    (tmp_path / "pictures").mkdir()
    Image.fromarray(photo[200:392, 180:404]).save(tmp_path / "pictures" / "one.png")
    out = tmp_path / "results"
    arguments = ["--codecs", "webp,jpeg", "--qualities", "10,50,90", "--bpp-range", "0.2-4"]
    done = glassplate(
        "evaluate", tmp_path / "pictures", *arguments, "--anchor", "jpeg", "--out", out
    )
    assert done.code == 0, done.err
    sound(out / "evaluation.html")


def test_the_page_on_refiners(
    glassplate: Run, tmp_path: Path, photo: Pixels, sound: Callable[[Path], None]
) -> None:
    (tmp_path / "pictures").mkdir()
    Image.fromarray(photo[:176, :192]).save(tmp_path / "pictures" / "one.png")
    codec = write_codec(tmp_path / "hyperprior-small.safetensors", photo)
    write_refiner(tmp_path / "refiner-flow.safetensors", codec)
    out = tmp_path / "results"
    arguments = ["--refine", "flow", "--refiner-weights", tmp_path, "--qualities", "10,60"]
    arguments += ["--codecs", f"hyperprior:tile_size=64+bfloat16=false+weights={tmp_path}"]
    arguments += ["--steps", "1", "--sweep-rates", "1", "--out", out]
    done = glassplate("evaluate", tmp_path / "pictures", *arguments)
    assert done.code == 0, done.err
    sound(out / "refine.html")
