"""`glassplate enhance` and `retrieve --denoise` as a user runs them, by a thin restorer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from thin_restorer import THIN_RESTORER, write_restorer

from glassplate.codecs import Pixels, Region
from glassplate.codecs.errors import ConfigError
from glassplate.codecs.refine.options import RefineOptions
from glassplate.codecs.restore.degradations import add_noise
from glassplate.codecs.restore.network import SIZES
from glassplate.codecs.restore.options import RestoreOptions
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.labels.xmp import SOURCE_TYPE
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("restorers")
    write_restorer(folder, "denoise")
    write_restorer(folder, "upscale")
    return folder


def xmp_of(path: Path) -> str:
    with Image.open(path) as image:
        xmp = image.info.get("xmp") or image.info["XML:com.adobe.xmp"]
    return xmp if isinstance(xmp, str) else xmp.decode()


@pytest.mark.parametrize(
    ("asked", "size"), [(["--denoise"], (128, 96)), (["--upscale", 2], (256, 192))]
)
def test_a_picture_of_an_archive_is_restored(
    archive: Path, tmp_path: Path, weights: Path, glassplate: Run, asked: list[Any],
    size: tuple[int, int],
) -> None:  # fmt: skip
    out = tmp_path / "out.jpg"
    command = ("enhance", archive, "holiday/beach.png", *asked, "--restorer-weights", weights)
    done = glassplate(*command, "-o", out, "--json")
    assert done.code == 0, done.err
    record = json.loads(done.out)
    assert record["source"] == "holiday/beach.png"
    assert record["size"] == list(size)
    with Image.open(out) as image:
        assert image.size == size
    for said in (SOURCE_TYPE, record["restorer_weights_sha256"], record["restorer"]):
        assert said in xmp_of(out)


def test_what_was_found_is_said(
    tmp_path: Path, photo: Pixels, weights: Path, glassplate: Run
) -> None:
    """Noise by its sigma, in the label, too; a clean picture comes out as it is, and says so."""
    clean, noisy = photo // 2 + 64, tmp_path / "noisy.png"
    Image.fromarray(add_noise(clean, 20, np.random.default_rng(0))).save(noisy)
    out = tmp_path / "out.png"
    command = ("--denoise", "--restorer-weights", weights, "-o", out)
    done = glassplate("enhance", noisy, *command)
    assert "found noise of sigma 20" in done.err
    assert "labelled in its XMP" in done.err
    assert SOURCE_TYPE in xmp_of(out)
    assert "<glassplate:Found>noise of sigma 20" in xmp_of(out)

    Image.fromarray(clean).resize((256, 256), Image.Resampling.BOX).save(tmp_path / "clean.png")
    done = glassplate("enhance", tmp_path / "clean.png", *command)
    assert "found no noise, left as it is" in done.err
    assert SOURCE_TYPE not in xmp_of(out)
    assert "<glassplate:Found>no noise" in xmp_of(out)
    with Image.open(out) as image, Image.open(tmp_path / "clean.png") as source:
        assert np.array_equal(image, source)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_a_plain_file_is_restored_beside_it(
    tmp_path: Path, photo: Pixels, weights: Path, glassplate: Run, mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    picture = Image.fromarray(photo[:40, :50]).convert(mode)
    if mode == "RGBA":
        picture.putalpha(picture.getchannel("R"))
    picture.save("scan.png", icc_profile=b"a profile")
    command = ("enhance", "scan.png", "--upscale", 4, "--restorer-weights", weights)
    done = glassplate(*command)
    assert done.code == 0, done.err
    assert "wrote scan-4x.png (200 x 160" in done.err
    with Image.open("scan-4x.png") as image:
        assert image.size == (200, 160)
        assert image.mode == ("RGB" if mode == "P" else mode)
        assert image.info["icc_profile"] == b"a profile"
    again = glassplate(*command)
    assert again.code == ExitCode.USAGE
    assert "is there already" in again.err


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        ([], 2, "say what to do"),
        (["--denoise", "--upscale", 2], 2, "one at a time"),
        (["--upscale", 3], 2, "--upscale"),
        (["--upscale", "two"], 2, "--upscale"),
        (["--denoise", "--restorer-weights", "nowhere"], 2, "train restorer --task denoise"),
        (["--denoise", "-o", "out.xyz"], 2, "cannot write .xyz"),
        (["--denoise", "-o", "out.bmp"], 2, "cannot say that they were"),
        (["--denoise", "--device", "tpu"], 2, "--device"),
    ],
)
def test_bad_options_are_refused_before_any_work(
    archive: Path, tmp_path: Path, arguments: list[Any], code: int, named: str, glassplate: Run
) -> None:
    out = tmp_path / "out.png"
    done = glassplate("enhance", archive, "holiday/beach.png", "-o", out, *arguments)
    assert done.code == code, done.err
    assert named in done.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        ([], "glassplate extract ARCHIVE OUT."),
        (["photo archive"], "glassplate extract 'photo archive' OUT."),
        (["archive", "out"], "glassplate extract archive out."),
        (["archive", "a.png", "-o", "a b.png"], "glassplate get archive a.png -o 'a b.png'."),
    ],
)
def test_who_wants_everything_back_is_told_what_to_type(
    arguments: list[str], typed: str, glassplate: Run
) -> None:
    done = glassplate("restore", *arguments)
    assert done.code == ExitCode.USAGE
    assert typed in done.err
    assert "glassplate enhance" in done.err
    assert " restore " not in glassplate("--help").out


def test_the_former_name_works_for_one_release_and_says_so(
    tmp_path: Path, photo: Pixels, weights: Path, glassplate: Run
) -> None:
    Image.fromarray(photo[:40, :50]).save(tmp_path / "scan.png")
    out = tmp_path / "out.png"
    command = ("restore", tmp_path / "scan.png", "--upscale", 2, "-o", out)
    done = glassplate(*command, "--restorer-weights", weights)
    assert done.code == 0, done.err
    assert "called `enhance` now" in done.err
    with Image.open(out) as image:
        assert image.size == (100, 80)


def test_sources_that_cannot_be_restored(
    archive: Path, tmp_path: Path, weights: Path, glassplate: Run
) -> None:
    Image.new("I;16", (20, 20)).save(tmp_path / "deep.png")
    (tmp_path / "text.jpg").write_text("not a picture")
    for source, code, named in (
        ([archive, "nobody.png"], ExitCode.NOT_FOUND, "nobody.png"),
        ([archive], ExitCode.USAGE, "Name an archive and a picture"),
        ([tmp_path, "beach.png"], ExitCode.USAGE, "not an archive"),
        ([tmp_path / "nowhere.png"], ExitCode.USAGE, "no such file"),
        ([tmp_path / "text.jpg"], ExitCode.USAGE, "not a picture"),
        ([tmp_path / "deep.png"], ExitCode.USAGE, "16-bit"),
        ([archive, "alpha.png"], 0, "wrote"),
    ):
        out = tmp_path / "out.png"
        command = ("enhance", *source, "--denoise", "--restorer-weights", weights, "-o", out)
        done = glassplate(*command)
        assert done.code == code, done.err
        assert named in done.err


def test_get_restores(archive: Path, weights: Path) -> None:
    opened = open_archive(str(archive), device="cpu")
    options = RestoreOptions(scale=2, weights=weights)
    region = Region(x=10, y=20, width=30, height=40)
    part = opened.get("holiday/beach.png", region, restore=options)
    assert part.size == (60, 80)
    assert SOURCE_TYPE in part.info["xmp"].decode()
    with pytest.raises(ConfigError, match="either refined or restored"):
        opened.get("holiday/beach.png", refine=RefineOptions(kind="flow"), restore=options)


def test_retrieve(tmp_path: Path, photo: Pixels, weights: Path, glassplate: Run) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(photo[:96, :128]).save(tmp_path / "photos" / "beach.png")
    Image.fromarray(photo[:40, :50]).convert("LA").save(tmp_path / "photos" / "grey.png")
    Image.fromarray(photo[:40, :50, 0] > 99).save(tmp_path / "photos" / "bits.png")
    archive = tmp_path / "archive"
    compress(CompressConfig(source=str(tmp_path / "photos"), archive=str(archive), codec="jpeg"))
    command = ("retrieve", archive, tmp_path / "out", "--restorer-weights", weights)
    done = glassplate(*command, "--upscale", 2, "--device", "cpu", "--json")
    assert done.code == 0, done.err
    record = json.loads(done.out)
    assert (record["pictures"], record["restored"], record["plain"]) == (3, 2, 1)
    for name, size in (("beach", (256, 192)), ("grey", (100, 80)), ("bits", (50, 40))):
        with Image.open(tmp_path / "out" / f"{name}.png") as image:
            assert image.size == size
    assert SOURCE_TYPE in xmp_of(tmp_path / "out" / "beach.png")
    other = glassplate(*command, "--denoise")
    assert other.code == ExitCode.USAGE
    assert "other options" in other.err
    for asked, named in ((["--upscale", 3], "--upscale"), (["--denoise"], "train restorer")):
        command = ("retrieve", archive, tmp_path / "none", *asked, "--restorer-weights", "nowhere")
        refused = glassplate(*command)
        assert refused.code == ExitCode.USAGE
        assert named in refused.err
    assert not (tmp_path / "none").exists()
    both = glassplate("retrieve", archive, tmp_path / "b", "--denoise", "--refine", "flow")
    assert both.code == ExitCode.USAGE
    assert "either refined or restored" in both.err


def test_the_command_trains(
    tmp_path: Path, photo: Pixels, glassplate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "thin", THIN_RESTORER)
    (tmp_path / "photos").mkdir()
    Image.fromarray(photo[:256, :256]).save(tmp_path / "photos" / "one.png")
    command = ("train", "restorer", "--data", tmp_path / "photos", "--out", tmp_path / "run")
    command += ("--steps", 1, "--device", "cpu", "--batch", 2, "--size", "thin", "--crop", 64)
    done = glassplate(*command, "--noise", "missing")
    assert done.code == 0, done.err
    assert "restored missing 50" in done.err
    assert "--restorer-weights" in done.err
    assert "noise (missing)" in (tmp_path / "run" / "restorer-denoise.md").read_text()
    for wrong in ("--task", "--noise"):
        refused = glassplate(*command, wrong, "magic")
        assert refused.code == ExitCode.USAGE
        assert wrong in refused.err
