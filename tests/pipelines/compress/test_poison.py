"""Pictures that kill the process that works on them cost one row each, on every runner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mischief
import numpy as np
import odd_inputs
import pytest
from clusters import Cluster, dask_cluster, portable_cluster
from deadly import POISON
from PIL import Image
from racing import Racer
from wholeness import check_whole

from glassplate.pipelines import open_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.estimate import estimate
from glassplate.pipelines.compress.planning import plan_run
from glassplate.pipelines.compress.run import compress

pytestmark = pytest.mark.slow

PLUGINS = ("mischief", "deadly")
DEAD = {"poison-1.bmp": "decode", "poison-2.bmp": "encode"}


@pytest.fixture
def poisoned(source: Path) -> Path:
    """Twenty pictures, one that kills when it is decoded, one that kills when it is encoded."""
    odd_inputs.photo(*POISON).save(source / "poison-1.bmp")
    Image.fromarray(np.full((32, 48, 3), mischief.TRIGGER, np.uint8)).save(source / "poison-2.bmp")
    return source


def check_named(config: CompressConfig, source: Path) -> None:
    archive = open_archive(config.archive)
    rows = archive.where("error_code is not null").to_pylist()
    assert {row["name"]: row["error_stage"] for row in rows} == DEAD
    assert {(row["status"], row["reason"]) for row in rows} == {("kept", "worker-died")}
    assert {row["error_code"] for row in rows} == {"worker-died"}
    assert all(archive.original(name)[0] == (source / name).read_bytes() for name in DEAD)
    assert all(row["source_uri"] in row["error_message"] for row in rows)
    check_whole(config, source, DEAD)


def test_in_one_run_with_worker_processes(poisoned: Path, configure: Any) -> None:
    config = configure("die", workers=2, plugins=PLUGINS)
    assert compress(config).ledger.damaged == 2
    check_named(config, poisoned)
    assert compress(config).snapshot is None  # not tried again every night


def test_the_command_itself_survives_with_one_worker(poisoned: Path, configure: Any) -> None:
    config = configure("die", plugins=PLUGINS, workers=1)
    assert Racer(config).finish() == "committed"
    check_named(config, poisoned)


def test_a_healthy_picture_is_not_blamed_for_a_kill(source: Path, configure: Any) -> None:
    config = configure(seconds=0.3, workers=2)
    run = Racer(config)
    run.wait_for(Path(config.archive) / "_staging", 1)
    run.kill_a_worker()
    assert run.finish() == "committed"
    check_whole(config, source)


def test_an_estimate_survives_them(poisoned: Path, configure: Any) -> None:
    config = configure("die", plugins=PLUGINS, workers=1)
    guess = estimate(plan_run(config), sample=22)
    assert (guess.inputs, guess.sampled) == (22, 20)


@pytest.fixture(params=["dask", "portable"])
def cluster(request: Any, tmp_path: Path, importable: None) -> Iterator[Cluster]:
    """Dask tells that a worker died, the job service does not."""
    folder = tmp_path / request.param
    dask = request.param == "dask"
    with dask_cluster(folder) if dask else portable_cluster(folder, stall_timeout=45) as running:
        yield running


def test_in_one_run_on_a_cluster(cluster: Cluster, poisoned: Path, configure: Any) -> None:
    config = configure("die", plugins=PLUGINS, runner=cluster.runner)
    assert compress(config).ledger.damaged == 2
    check_named(config, poisoned)
