"""`glassplate get --refine` as a user runs it, on an archive of thin learned pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from thin_refiner import THIN_REFINER, write_codec, write_refiner

from glassplate.codecs import Pixels, Target
from glassplate.codecs.refine.network import SIZES
from glassplate.codecs.refine.options import RefineOptions
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.labels.xmp import SOURCE_TYPE
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

Run = Callable[..., Any]
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
    b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="a plate"/></rdf:RDF></x:xmpmeta>'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photo: Pixels) -> Path:
    """archive/ of two learned pictures and an exact one, refiner-flow.safetensors beside it."""
    root = tmp_path_factory.mktemp("refine")
    (root / "photos").mkdir()
    Image.fromarray(photo[:96, :128]).save(root / "photos" / "one.png")
    Image.fromarray(photo[100:164, :80]).save(root / "photos" / "two.jpg", quality=98, xmp=XMP)
    Image.fromarray(photo[:32, :32, 0] > 99).save(root / "photos" / "bits.png")
    weights = write_codec(root / "hyperprior-small.safetensors", photo)
    write_refiner(root / "refiner-flow.safetensors", weights)
    config = CompressConfig(
        source=str(root / "photos"),
        archive=str(root / "archive"),
        codec="hyperprior",
        weights=str(weights),
        target=Target(quality=20),
        device="cpu",
    )
    compress(config)
    return root


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff"])
def test_a_refined_file_says_so(folder: Path, tmp_path: Path, suffix: str, glassplate: Run) -> None:
    out, heat = tmp_path / f"two{suffix}", tmp_path / "heat.png"
    done = glassplate(
        "get", folder / "archive", "two.jpg", "-o", out, "--refine", "flow", "--refiner-weights",
        folder, "--steps", 2, "--seed", 5, "--detail-map", heat, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    record = json.loads(done.out)
    assert (record["seed"], record["steps"], record["strength"]) == (5, 2, 1.0)
    assert record["mean_detail"] > 1
    with Image.open(out) as image:
        xmp = image.info.get("xmp") or image.info["XML:com.adobe.xmp"]
    text = xmp if isinstance(xmp, str) else xmp.decode()
    for said in (SOURCE_TYPE, record["refiner_weights_sha256"], record["codec_weights_sha256"]):
        assert said in text
    assert "a plate" in text
    with Image.open(heat) as image:
        assert image.size == (80, 64)
        assert len(image.convert("RGB").getcolors(9999)) > 5


def test_strength_zero_is_the_plain_picture(folder: Path) -> None:
    archive = open_archive(str(folder / "archive"), device="cpu")
    options = RefineOptions(kind="flow", strength=0, weights=folder)
    plain, same = archive.get("one.png"), archive.get("one.png", refine=options)
    assert np.array_equal(np.asarray(plain), np.asarray(same))
    assert "xmp" not in same.info
    full = archive.get("one.png", refine=options.model_copy(update={"strength": 1.0}))
    assert SOURCE_TYPE in full.info["xmp"].decode()
    assert not np.array_equal(np.asarray(plain), np.asarray(full))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--refine", "magic"], "--refine"),
        (["--refine", "flow", "--steps", "-4"], "--steps"),
        (["--refine", "flow", "--steps", "1000000"], "--steps"),
        (["--refine", "flow", "--strength", "1.5"], "--strength"),
        (["--refine", "flow", "--seed", "-1"], "--seed"),
        (["--refine", "flow", "--sampler", "ddim"], "--sampler"),
        (["--refine", "gan", "--steps", "3"], "a gan has one step"),
        (["--refine", "flow", "--refiner-weights", "nowhere"], "train refiner --kind flow"),
        (["--refine", "flow", "--original"], "--original"),
        (["--detail-map", "heat.png"], "--detail-map"),
        (["--strength", "0.7"], "--strength"),
        (["--steps", "8"], "--steps"),
        (["--sampler", "ddim"], "--sampler"),
        (["--seed", "3"], "--seed"),
        (["--refiner-weights", "mine"], "--refiner-weights"),
        (["--refine", "flow", "-o", "out.xyz"], "cannot write .xyz"),
        (["--refine", "flow", "-o", "out.bmp"], "cannot say that they were refined"),
    ],
)
def test_bad_options_are_refused_before_any_work(
    folder: Path, tmp_path: Path, arguments: list[str], named: str, glassplate: Run
) -> None:
    out = tmp_path / "out.png"
    done = glassplate("get", folder / "archive", "one.png", "-o", out, *arguments)
    assert done.code == ExitCode.USAGE, done.err
    assert named in done.err
    assert not out.exists()


def test_an_exact_picture_has_no_refiner(folder: Path, tmp_path: Path, glassplate: Run) -> None:
    done = glassplate(
        "get", folder / "archive", "bits.png", "-o", tmp_path / "a.png", "--refine", "flow",
        "--refiner-weights", folder,
    )  # fmt: skip
    assert done.code == ExitCode.USAGE
    assert "has no refiner" in done.err


def test_retrieve(folder: Path, tmp_path: Path, glassplate: Run) -> None:
    command = ("retrieve", folder / "archive", tmp_path / "out", "--refine", "flow")
    command += ("--refiner-weights", folder, "--device", "cpu", "--steps", 1)
    done = glassplate(*command)
    assert done.code == 0, done.err
    assert "retrieving: 3/3" in done.err
    record = json.loads(glassplate(*command, "--json").out)
    assert (record["pictures"], record["refined"], record["plain"]) == (3, 2, 1)
    assert glassplate(*command, "--seed", 5).code == ExitCode.USAGE
    assert len(list((tmp_path / "out").glob("*.*"))) == 3


@pytest.mark.slow
def test_train_refiner(
    folder: Path, tmp_path: Path, photo: Pixels, glassplate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "thin", THIN_REFINER)
    (tmp_path / "photos").mkdir()
    Image.fromarray(photo[:256, :256]).save(tmp_path / "photos" / "one.png")
    command = ("train", "refiner", "--data", tmp_path / "photos", "--out", tmp_path)
    command += ("--codec-weights", folder, "--steps", 1, "--device", "cpu", "--batch", 2)
    done = glassplate(*command, "--size", "thin", "--crop", 64)
    assert done.code == 0, done.err
    assert "refined psnr 10" in done.err
    assert "--refiner-weights" in done.err
    assert (tmp_path / "refiner-flow.md").exists()
    wrong = glassplate(*command, "--kind", "magic")
    assert wrong.code == ExitCode.USAGE
    assert "--kind" in wrong.err
