"""similar, export, sample and interpolate, as a user runs them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.pipelines.archive.deliver.dataset import export
from glassplate.pipelines.archive.read.reader import open_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, photo: Pixels) -> Path:
    """Five pictures with latents: two are near duplicates; and one that is kept, with alpha."""
    folder = tmp_path_factory.mktemp("latents")
    (folder / "photos").mkdir()
    for number in range(4):
        part = Image.fromarray(photo[100 * number : 100 * number + 96, 50 : 178 + 8 * number])
        part.save(folder / "photos" / f"{number}.png")
    again = Image.open(folder / "photos" / "1.png").resize((120, 90))
    again.save(folder / "photos" / "again.png")
    Image.fromarray(photo[:40, :50]).convert("RGBA").save(folder / "photos" / "alpha.tif")
    Image.fromarray(photo[:40, :50]).convert("CMYK").save(folder / "photos" / "kept.tif")
    archive = folder / "archive"
    compress(CompressConfig(source=str(folder / "photos"), archive=str(archive), codec="vae"))
    return archive


@pytest.mark.parametrize("option", [[], ["--latents"]])
def test_near_duplicates_come_first(archive: Path, glassplate: Run, option: list[str]) -> None:
    done = glassplate("similar", archive, "1.png", "-k", "2", "--json", *option)
    assert done.code == 0
    first, second = (json.loads(line) for line in done.out.splitlines())
    assert first["name"] == "again.png"
    assert first["similarity"] > 0.95 > second["similarity"]
    assert first["image_id"] != second["image_id"]


def test_what_has_no_latent_is_said(archive: Path, glassplate: Run) -> None:
    assert glassplate("similar", archive, "kept.tif").code == ExitCode.NOT_FOUND
    assert glassplate("similar", archive, "1.png", "-k", "100").out.count(".png") == 4


def test_webdataset_shards_hold_every_picture_once(archive: Path, tmp_path: Path) -> None:
    opened = open_archive(str(archive), device="cpu")
    result = export(
        opened, tmp_path / "out", "webdataset", "codec = 'vae'", pictures=True, shard_bytes=60_000
    )
    assert len(result.files) > 1
    assert not result.errors
    members: dict[str, bytes] = {}
    for file in result.files:
        with tarfile.open(file) as tar:
            for member in tar:
                content = tar.extractfile(member)
                assert content
                assert member.name not in members
                members[member.name] = content.read()
    keys = {name.split(".")[0] for name in members}
    assert len(members) == 3 * len(keys) == 3 * opened.stats()["encoded"]
    for key in keys:
        about = json.loads(members[f"{key}.json"])
        latent = np.load(io.BytesIO(members[f"{key}.npy"]))
        picture = Image.open(io.BytesIO(members[f"{key}.png"]))
        assert picture.size == (about["width"], about["height"])
        assert latent.shape == (4, -(-about["height"] // 8), -(-about["width"] // 8))
        assert latent.dtype == np.float16


def test_parquet_for_datasets(archive: Path, glassplate: Run, tmp_path: Path) -> None:
    done = glassplate(
        "export", archive, tmp_path / "out", "--as", "parquet", "--pictures", "--json"
    )
    assert done.code == ExitCode.SOME_FAILED  # PNG has no CMYK
    assert "kept.tif: PNG cannot hold this picture" in done.err
    (file,) = (tmp_path / "out").iterdir()
    schema = pq.read_schema(file)
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == schema.names
    assert features["image"] == {"_type": "Image"}
    assert features["psnr"] == {"_type": "Value", "dtype": "float32"}
    rows = pq.read_table(file).to_pylist()
    assert {row["name"] for row in rows} >= {"0.png", "again.png", "kept.tif"}
    for row in rows:
        if row["name"] == "kept.tif":
            assert row["image"] is row["latent"] is None
            continue
        picture = Image.open(io.BytesIO(row["image"]["bytes"]))
        assert picture.size == (row["width"], row["height"])
        if row["codec"] == "vae":
            shape = np.array(row["latent"]).shape
            assert shape == (4, -(-row["height"] // 8), -(-row["width"] // 8))
            assert row["scaling_factor"] == 1
        else:
            assert row["latent"] is None
    assert glassplate("export", archive, tmp_path / "out").code == ExitCode.USAGE
    assert glassplate("export", archive, tmp_path / "x", "--where", "false").code == ExitCode.USAGE
    assert glassplate("export", archive, tmp_path / "x", "--as", "csv").code == ExitCode.USAGE


def test_samples_depend_on_the_seed_alone(glassplate: Run, tmp_path: Path) -> None:
    sheets = []
    for seed in (1, 1, 2):
        done = glassplate(
            "sample", "-o", tmp_path / "s.png", "-n", "5", "--size", "40", "--seed", str(seed)
        )
        assert done.code == 0
        sheets.append(np.asarray(Image.open(tmp_path / "s.png")))
    assert sheets[0].shape == (80, 120, 3)
    np.testing.assert_array_equal(sheets[0], sheets[1])
    assert np.abs(sheets[0].astype(int) - sheets[2]).mean() > 10


def test_interpolation_goes_from_one_to_the_other(
    archive: Path, glassplate: Run, tmp_path: Path
) -> None:
    strip = tmp_path / "strip.png"
    assert glassplate("interpolate", archive, "0.png", "3.png", "-o", strip, "-n", "3").code == 0
    frames = np.split(np.asarray(Image.open(strip)).astype(float), 3, axis=1)
    opened = open_archive(str(archive), device="cpu")
    first, last = np.asarray(opened.get("0.png")), np.asarray(opened.get("3.png"))[:, 8:136]

    def apart(a: Any, b: Any) -> float:
        return float(np.abs(a - b).mean())

    assert frames[0].shape == first.shape
    assert apart(frames[0], first) < 12
    assert apart(frames[2], last) < 12
    for end, other in ((first, last), (last, first)):
        assert apart(frames[1], end) < apart(end, other)
