"""The same run on a Dask cluster and behind Beam's job service: the same archive."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import odd_inputs
import pyarrow as pa
import pytest
from clusters import Cluster, dask_cluster, portable_cluster

from glassplate.pipelines import Archive, open_archive
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import (
    commit_plan,
    compress,
    encode_run,
    plan_run,
    verify_run,
)
from glassplate.pipelines.errors import ArchiveError
from glassplate.pipelines.storage.store import Store

pytestmark = pytest.mark.slow

START = {"dask": dask_cluster, "portable": portable_cluster}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, odd formats and bad files: 6 shards."""
    folder = tmp_path_factory.mktemp("collection")
    for odd in (*odd_inputs.damaged(), *odd_inputs.kept(), *odd_inputs.encodable()):
        (folder / odd.name).write_bytes(odd.data)
    return folder


def config(source: Path, archive: Path, runner: dict[str, Any]) -> CompressConfig:
    return CompressConfig(
        source=str(source), archive=str(archive), runner=runner, max_failures=0.5, codec="jxl"
    )


@pytest.fixture(scope="module")
def expected(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The archive that the embedded runner makes."""
    archive = tmp_path_factory.mktemp("expected") / "archive"
    compress(config(source, archive, {"name": "local"}))
    return open_archive(str(archive))


@pytest.fixture(scope="module", params=sorted(START))
def cluster(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with START[request.param](tmp_path_factory.mktemp("cluster") / request.param) as running:
        yield running


def tables(archive: Archive) -> dict[str, pa.Table]:
    """All rows in the archive's order, without the run's id."""
    found = {"images": archive.images(), "bitstreams": archive.bitstreams()}
    found["latents"] = archive.latents()
    return {name: table.to_table().drop_columns("run") for name, table in found.items()}


def digests(archive: Archive) -> list[list[str]]:
    """The sha256 of every file, shard by shard."""
    return [[file.sha256 for file in shard.files()] for shard in archive.manifest.shards]


def test_same_archive(cluster: Cluster, source: Path, expected: Archive, tmp_path: Path) -> None:
    result = compress(config(source, tmp_path / "archive", cluster.runner))
    archive = open_archive(str(tmp_path / "archive"))
    assert result.ledger == expected.manifest.run.ledger
    assert tables(archive) == tables(expected)
    assert digests(archive) == digests(expected)
    assert verify_archive(archive, decode=True).ok
    assert not list((tmp_path / "archive").glob("_staging/*"))
    if cluster.runner["name"] == "portable":
        # Both pools, to encode and to check what was encoded.
        assert cluster.log.read_text().count("Starting worker with command") == 2 * 2


def test_only_what_is_new(cluster: Cluster, source: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(source.iterdir())[:10]:
        (few / path.name).write_bytes(path.read_bytes())
    options = config(few, tmp_path / "archive", cluster.runner)
    compress(options)
    assert compress(options).snapshot is None
    odd_inputs.photo(200, 100).save(few / "new.png")
    assert compress(options).ledger.unchanged == 10


def test_workers_read_staged_files_again(
    cluster: Cluster, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the command: it never asks for a digest."""
    monkeypatch.delattr(Store, "digest")
    plan = plan_run(config(source, tmp_path / "archive", cluster.runner))
    encode_run(plan)
    damaged, sound = (tmp_path / "archive/_staging" / shard.key for shard in plan.shards[:2])
    file = damaged / "images.parquet"
    file.write_bytes(odd_inputs.flip(file.read_bytes(), 400))
    with pytest.raises(ArchiveError, match="missing or damaged"):
        verify_run(plan)
    assert (sound / "done.json").exists()
    assert not (damaged / "done.json").exists()
    encode_run(plan)
    staged = verify_run(plan)
    monkeypatch.undo()
    assert commit_plan(plan, staged)
    assert not list((tmp_path / "archive").glob("_staging/*"))


def test_command(cluster: Cluster, source: Path, tmp_path: Path) -> None:
    runner = dict(cluster.runner)
    options = ["--runner", runner.pop("name")]
    for name, value in runner.items():
        options += ["--runner-option", f"{name}={value}"]
    command = [Path(sys.executable).with_name("glassplate"), "compress", source, tmp_path / "a"]
    done = subprocess.run(
        [*command, "--max-failures", "50%", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "committed to" in done.stderr
    assert "Traceback" not in done.stderr
