"""Latents of an autoencoder beside the bitstreams of any codec, in the same pass or later."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import odd_inputs
import pyarrow.dataset as ds
import pytest
import torch
from PIL import Image

from glassplate.codecs import load_decoder
from glassplate.codecs.errors import OutOfMemoryError
from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.deliver.dataset import export
from glassplate.pipelines.archive.read.reader import Archive
from glassplate.pipelines.archive.read.similar import similar
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.latents import Latents
from glassplate.pipelines.compress.run import compress, plan_run
from glassplate.pipelines.storage.store import Store

DEEP = np.arange(96 * 64, dtype=np.uint16).reshape(64, 96) * 10


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A picture for the codec, one with alpha, a 16-bit one that is kept, a damaged one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    odd_inputs.photo(96, 64).save(folder / "photo.png")
    odd_inputs.photo(80, 72).convert("L").save(folder / "grey.png")
    Image.fromarray(DEEP).save(folder / "deep.png")
    whole = odd_inputs.save(odd_inputs.photo(64, 64), "JPEG")
    (folder / "broken.jpg").write_bytes(whole[: len(whole) // 2])
    return folder


def configure(photos: Path, **options: Any) -> CompressConfig:
    defaults = {"codec": "jxl", "workers": 1, "max_failures": 1, "device": "cpu"}
    archive = str(photos.parent / "archive")
    return CompressConfig(source=str(photos), archive=archive, **defaults | options)


def rows_of(config: CompressConfig) -> list[dict[str, Any]]:
    """The rows with a latent, with the names of their pictures, by plain pyarrow."""
    names = {
        row["image_id"]: row["name"] for row in open_archive(config.archive).where().to_pylist()
    }
    table = ds.dataset(f"{config.archive}/latents", partitioning="hive").to_table()
    rows = [row for row in table.to_pylist() if row["latent"] is not None]
    return sorted((row | {"name": names[row["image_id"]]} for row in rows), key=lambda r: r["name"])


def check(config: CompressConfig) -> None:
    """Each picture that can be shown has a latent, from which the archive's model draws it."""
    rows = rows_of(config)
    assert [row["name"] for row in rows] == ["deep.png", "grey.png", "photo.png"]
    (weights,) = Path(config.archive).glob("models/*/weights.safetensors")
    decoder = load_decoder(weights)
    archive = open_archive(config.archive)
    for row in rows:
        assert row["model"] == weights.parent.name
        assert row["dtype"] == "int8"
        values = np.frombuffer(row["latent"], np.int8).reshape(row["shape"]).astype(np.float32)
        values *= np.array(row["scale"], np.float32)[:, None, None]
        with torch.inference_mode():
            drawn = decoder(torch.from_numpy(values)[None])[0].permute(1, 2, 0).numpy() * 255
        shown = np.asarray(archive.get(row["image_id"], lossy=True)).astype(np.float32)
        if row["name"] == "deep.png":
            shown /= 257
        shown = shown if shown.ndim == 3 else shown[..., None]
        error = np.abs(drawn[: shown.shape[0], : shown.shape[1]] - shown).mean()
        assert error < 12, row["name"]


def test_in_the_same_pass(photos: Path) -> None:
    config = configure(photos, latents="vae")
    ledger = compress(config).ledger
    assert (ledger.encoded, ledger.kept) == (2, 2)
    check(config)
    assert compress(config).snapshot is None


def test_over_an_archive_that_has_none(photos: Path) -> None:
    plain = configure(photos)
    compress(plain)
    before = open_archive(plain.archive).where().to_pylist()
    config = configure(photos, latents="vae")
    result = compress(config)
    assert result.ledger.unchanged == 4
    check(config)
    archive = open_archive(config.archive)
    assert archive.bitstreams().count_rows() == 4
    kept = ("name", "status", "codec", "image_id", "psnr", "stored_bytes", "settings")
    after = archive.where().to_pylist()
    assert [[row[name] for name in kept] for row in after] == [
        [row[name] for name in kept] for row in before
    ]
    assert compress(config).snapshot is None
    assert compress(plain).snapshot is None
    assert verify_archive(archive, decode=True).ok


def test_what_reads_latents_reads_these(photos: Path, tmp_path: Path) -> None:
    compress(configure(photos))
    config = configure(photos, latents="vae")
    compress(config)
    archive = open_archive(config.archive)
    assert len(similar(archive, "photo.png", 2, "latent")) == 2
    with tarfile.open(export(archive, tmp_path / "out", "webdataset").files[0]) as tar:
        members = tar.getnames()
        about = json.load(tar.extractfile(next(n for n in members if n.endswith(".json"))) or "")
    assert sum(name.endswith(".npy") for name in members) == 3
    assert sum(name.endswith(".json") for name in members) == 4
    assert about["image_id"] in {row["image_id"] for row in archive.where().to_pylist()}


def test_what_fails_for_a_while_is_tried_by_the_next_run(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that cannot be shown gets a row that says so; one without memory gets none."""
    compress(configure(photos))
    config = configure(photos, latents="vae")
    carried = [one for shard in plan_run(config).shards for one in shard.carried]
    assert len(carried) == 4

    def fails(self: Archive, key: str, **_: Any) -> None:
        raise OutOfMemoryError("there is not enough memory", "", key)

    store = Store(config.archive)
    monkeypatch.setattr(Archive, "get", fails)
    (damaged,) = Latents(config).of_stored(carried, store)
    assert damaged.latent is None
    monkeypatch.undo()
    assert len(list(Latents(config).of_stored(carried, store))) == 4


@pytest.mark.parametrize(("old", "new"), [(True, "embedding"), (False, "none")])
def test_the_option_as_it_was(photos: Path, old: bool, new: str) -> None:
    assert configure(photos, latents=old).latents == new


def test_weights_are_those_of_an_autoencoder(photos: Path) -> None:
    with pytest.raises(ValueError, match="latents_weights"):
        configure(photos, latents_weights="x.safetensors")
