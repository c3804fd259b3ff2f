"""Retrieval as a job: files, ledger, resumption, refusals, refined pictures among plain ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from thin_refiner import write_codec, write_refiner

from glassplate.codecs import Pixels, Target
from glassplate.codecs.errors import ConfigError, WeightsError
from glassplate.codecs.refine.options import RefineOptions
from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.labels.xmp import SOURCE_TYPE
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress
from glassplate.pipelines.errors import NotFoundError
from glassplate.pipelines.jobs.progress import Progress
from glassplate.pipelines.jobs.step import begun, forget_begun
from glassplate.pipelines.retrieve.planning import RetrieveConfig, plan_retrieve
from glassplate.pipelines.retrieve.run import LEDGER, retrieve
from glassplate.pipelines.retrieve.shard import Mark, mark_path
from glassplate.pipelines.retrieve.work import RetrieveWork
from glassplate.pipelines.storage.store import Store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photo: Pixels) -> Path:
    """archive/: two learned pictures, a copy of one, an exact one, a failed one; a refiner."""
    root = tmp_path_factory.mktemp("retrieve")
    (root / "photos" / "a").mkdir(parents=True)
    Image.fromarray(photo[:96, :128]).save(root / "photos" / "a" / "one.png")
    Image.fromarray(photo[:96, :128]).save(root / "photos" / "copy.png")
    Image.fromarray(photo[100:164, :80]).save(root / "photos" / "two.jpg", quality=98)
    Image.fromarray(photo[:32, :32, 0] > 99).save(root / "photos" / "bits.png")
    (root / "photos" / "broken.png").write_bytes(b"\x89PNG\r\n")
    weights = write_codec(root / "hyperprior-small.safetensors", photo)
    write_refiner(root / "refiner-flow.safetensors", weights)
    config = CompressConfig(
        source=str(root / "photos"),
        archive=str(root / "archive"),
        codec="hyperprior",
        weights=str(weights),
        target=Target(quality=20),
        device="cpu",
        max_failures=1.0,
    )
    compress(config)
    return root


def config(folder: Path, out: Path, **more: object) -> RetrieveConfig:
    fields = {"archive": str(folder / "archive"), "out": str(out), "device": "cpu"}
    return RetrieveConfig.model_validate(fields | more)


def test_every_selected_picture_is_a_file_and_a_row(folder: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    result = retrieve(config(folder, tmp_path / "out"), seen.append)
    assert (result.ledger.pictures, result.ledger.plain, result.ledger.failed) == (4, 4, 0)
    files = {row.name: tmp_path / "out" / row.file for row in result.rows}
    archive = open_archive(str(folder / "archive"), device="cpu")
    for name, path in files.items():
        assert path.suffix == Path(name).suffix  # each in its own format
        with Image.open(path) as image:
            difference = np.asarray(image, int) - np.asarray(archive.get(name), int)
        assert np.abs(difference).max() <= (16 if name == "two.jpg" else 0)
    assert files["bits.png"].read_bytes() == (folder / "photos" / "bits.png").read_bytes()
    ledger = pq.read_table(tmp_path / "out" / LEDGER).to_pylist()
    assert [row["file"] for row in ledger] == [row.file for row in result.rows]
    assert sum(row["bytes"] for row in ledger) == result.ledger.bytes
    assert (seen[-1].done, seen[-1].total) == (4, 4)


def test_refined_pictures_among_exact_ones(folder: Path, tmp_path: Path) -> None:
    options = RefineOptions(kind="flow", weights=folder, steps=1, seed=9)
    result = retrieve(config(folder, tmp_path / "out", refine=options, format="jpg"))
    status = {row.name: row.status for row in result.rows}
    assert status.pop("bits.png") == "plain"
    assert set(status.values()) == {"refined"}
    for row in result.rows:
        assert row.file.endswith(".jpg")
        refined = row.status == "refined"
        assert (row.seed, (row.mean_detail or 0) > 0) == (9 if refined else None, refined)
        data = (tmp_path / "out" / row.file).read_bytes()
        assert (SOURCE_TYPE.encode() in data) == refined


def test_an_interrupted_retrieval_is_continued(folder: Path, tmp_path: Path) -> None:
    options = config(folder, tmp_path / "out")
    whole = retrieve(options)
    store = Store(options.out)
    lost = whole.plan.shards[2]
    for path in (LEDGER, f"_retrieve/{lost.key}.json", lost.items[0].file):
        store.delete(path)
    kept = tmp_path / "out" / whole.plan.shards[0].items[0].file
    before = kept.stat().st_mtime_ns
    seen: list[Progress] = []
    again = retrieve(options, seen.append)
    assert again.rows == whole.rows
    assert seen[0].resumed == seen[0].done == 3
    assert (tmp_path / "out" / lost.items[0].file).exists()
    assert kept.stat().st_mtime_ns == before
    assert retrieve(options).rows == whole.rows


def test_a_picture_that_cannot_be_given_back_is_a_row(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder / "archive", tmp_path / "archive")
    for victim in copy.glob("bitstreams/*/*.parquet"):
        victim.unlink()
    result = retrieve(config(folder, tmp_path / "out", archive=str(copy)))
    assert (result.ledger.pictures, result.ledger.failed) == (4, 4)
    assert {row.error_code for row in result.rows} == {"shard-damaged"}
    assert pq.read_table(tmp_path / "out" / LEDGER)["status"].to_pylist() == ["failed"] * 4


def test_what_cannot_be_done_is_refused_before_any_work(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    flow = RefineOptions(kind="flow", weights=folder)
    refusals: list[tuple[type[Exception], str, dict[str, object]]] = [
        (NotFoundError, "no stored picture", {"where": "width > 5000"}),
        (ConfigError, "wide", {"where": "wide > 5000"}),
        (ConfigError, "cannot write .xyz", {"format": "xyz"}),
        (ConfigError, "has no refiner", {"refine": flow, "where": "name = 'bits.png'"}),
        (WeightsError, "train refiner", {"refine": RefineOptions(kind="gan", weights=folder)}),
    ]
    for error, cause, more in refusals:
        with pytest.raises(error, match=cause):
            retrieve(config(folder, out, **more))
        assert not out.exists()
    out.mkdir()
    (out / "mine.txt").touch()
    with pytest.raises(ConfigError, match="is not empty"):
        retrieve(config(folder, out))
    retrieve(config(folder, tmp_path / "other", where="name = 'two.jpg'"))
    with pytest.raises(ConfigError, match="other options"):
        retrieve(config(folder, tmp_path / "other"))


def test_a_worker_that_outlives_a_job_sees_what_the_next_one_is_to_give_back(
    tmp_path: Path, photo: Pixels
) -> None:
    (tmp_path / "photos").mkdir()
    options = CompressConfig(
        source=str(tmp_path / "photos"), archive=str(tmp_path / "archive"), codec="jpeg"
    )
    wanted = RetrieveConfig(archive=str(tmp_path / "archive"), out=str(tmp_path / "out"))
    store = Store(wanted.out)
    for number in range(2):
        part = photo[64 * number :][:64, :64]
        Image.fromarray(part).save(tmp_path / "photos" / f"{number}.png")
        compress(options)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        plan = plan_retrieve(wanted)
        json = wanted.model_dump_json()
        work = RetrieveWork(wanted.out, "plan", json, plan.snapshot)
        statuses = []
        for shard in plan.shards:
            key = begun(work)(shard.model_dump_json())  # as in the processes of a cluster
            mark = Mark.model_validate_json(store.read(mark_path(key)))
            statuses += [row.status for row in mark.rows]
        assert statuses == ["plain"] * (number + 1)
    forget_begun()
