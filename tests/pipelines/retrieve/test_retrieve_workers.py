"""Retrieval by worker processes and on clusters: the same files, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import odd_inputs
import pyarrow.parquet as pq
import pytest
from clusters import dask_cluster, portable_cluster
from deadly import POISON

from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress
from glassplate.pipelines.jobs import child_process
from glassplate.pipelines.jobs.fork_server import ForkServer
from glassplate.pipelines.retrieve.planning import RetrieveConfig
from glassplate.pipelines.retrieve.run import LEDGER, retrieve

pytestmark = pytest.mark.slow

HEALTHY = "name <> 'poison.bmp'"
SUPPORT = Path(__file__).parents[2] / "support"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Twelve photographs, and one kept picture that can be made deadly."""
    folder = tmp_path_factory.mktemp("collection")
    (folder / "source").mkdir()
    for number in range(12):
        picture = odd_inputs.photo(96, 64, left=8 * number, top=4 * number)
        picture.save(folder / "source" / f"{number:02}.bmp")
    odd_inputs.photo(*POISON).convert("1").save(folder / "source" / "poison.bmp")
    options = {"source": str(folder / "source"), "archive": str(folder / "archive")}
    compress(CompressConfig(codec="jxl", workers=2, **options))
    return options["archive"]


@pytest.fixture(scope="module")
def expected(archive: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The healthy files, as this process alone writes them."""
    out = tmp_path_factory.mktemp("expected") / "out"
    retrieve(config(archive, out, where=HEALTHY))
    return files(out)


@pytest.fixture(scope="module")
def deadly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One picture kills every process started from now on that decodes it."""
    folder = tmp_path_factory.mktemp("startup")
    (folder / "sitecustomize.py").write_text("import deadly\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{folder}:{SUPPORT}")
        patch.setattr(child_process, "SERVER", ForkServer())  # one that starts from now on
        yield


@contextmanager
def two_processes(folder: Path) -> Iterator[dict[str, Any]]:
    yield {"workers": 2}


@contextmanager
def dask(folder: Path) -> Iterator[dict[str, Any]]:
    with dask_cluster(folder) as cluster:
        yield {"runner": cluster.runner}


@contextmanager
def portable(folder: Path) -> Iterator[dict[str, Any]]:
    with portable_cluster(folder, stall_timeout=45) as cluster:
        yield {"runner": cluster.runner}


@pytest.fixture(scope="module", params=[two_processes, dask, portable])
def where(
    request: Any, deadly: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """The options of a retrieval that say where it runs."""
    start: Callable[[Path], Any] = request.param
    with start(tmp_path_factory.mktemp("cluster") / "folder") as options:
        yield options


def config(archive: str, out: Path, **more: Any) -> RetrieveConfig:
    fields = {"archive": archive, "out": str(out), "format": "png", "device": "cpu"}
    return RetrieveConfig.model_validate(fields | more)


def files(out: Path) -> dict[str, bytes]:
    """The pictures in a folder."""
    return {path.name: path.read_bytes() for path in out.glob("*.png")}


def test_a_picture_that_kills_costs_one_row(
    archive: str, expected: dict[str, bytes], where: dict[str, Any], tmp_path: Path
) -> None:
    options = config(archive, tmp_path, **where)
    result = retrieve(options)
    assert (result.ledger.plain, result.ledger.failed) == (12, 1)
    (failed,) = [row for row in result.rows if row.status == "failed"]
    assert (failed.name, failed.error_code) == ("poison.bmp", "worker-died")
    assert "poison.bmp" in str(failed.error_message)
    assert files(tmp_path) == expected
    assert retrieve(options).rows == result.rows  # not tried again unless that is asked for


def test_what_failed_is_tried_again(
    archive: str, expected: dict[str, bytes], deadly: None, tmp_path: Path
) -> None:
    options = config(archive, tmp_path, workers=2)
    assert retrieve(options).ledger.failed == 1
    healthy = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(command(archive, tmp_path, "--retry-failed"), env=healthy, check=True)
    assert {row["status"] for row in pq.read_table(tmp_path / LEDGER).to_pylist()} == {"plain"}
    assert files(tmp_path).keys() == {*expected, "poison.png"}


def command(archive: str, out: Path, *more: str) -> list[str]:
    glassplate = str(Path(sys.executable).with_name("glassplate"))
    return [glassplate, "retrieve", archive, str(out), "--format", "png", "--device", "cpu", *more]


def test_a_killed_retrieval_is_continued(
    archive: str, expected: dict[str, bytes], tmp_path: Path
) -> None:
    run = command(archive, tmp_path, "--where", HEALTHY, "--workers", "2")
    victim = subprocess.Popen(run, start_new_session=True)
    while not list(tmp_path.glob("_retrieve/plan.jsonl")):
        assert victim.poll() is None
        time.sleep(0.01)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    assert not (tmp_path / LEDGER).exists()
    done = retrieve(config(archive, tmp_path, where=HEALTHY))
    assert done.ledger.plain == 12
    assert files(tmp_path) == expected
