"""Speed-up and overhead of each runner: `python -m tests.benchmarks.runners`.

Speed-up: images a second with one worker and with two, beside those of a bare loop of as many
processes that do the same work to each picture. Clusters are started before, with as many workers,
and warmed up by a run; the loop starts in a fresh Python.

Overhead: seconds for each shard beyond encoding it, from runs of few and of many shards of one tiny
picture each, so that the start-up drops out: slope of the runner less that of calling
`encode_shard` in a loop.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from glassplate.pipelines.archive.format.identity import create_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.encode import encode_shard, set_up_worker
from glassplate.pipelines.compress.planning import RunPlan, ShardPlan, plan_run
from glassplate.pipelines.compress.run import compress, encode_run
from glassplate.pipelines.storage.store import Store
from tests.benchmarks.machine import write_result
from tests.benchmarks.photographs import write_photographs
from tests.benchmarks.pipeline_efficiency import LOOP
from tests.support.clusters import dask_cluster, portable_cluster

FEW, MANY = 20, 220
Runner = dict[str, Any]


@contextmanager
def local(folder: Path, workers: int) -> Iterator[Runner]:
    yield {"name": "local"}


@contextmanager
def dask(folder: Path, workers: int) -> Iterator[Runner]:
    with dask_cluster(folder, workers) as cluster:
        yield cluster.runner


@contextmanager
def portable(folder: Path, workers: int) -> Iterator[Runner]:
    with portable_cluster(folder, workers) as cluster:
        yield cluster.runner


RUNNERS: dict[str, Callable[[Path, int], AbstractContextManager[Runner]]]
RUNNERS = {"local": local, "dask": dask, "portable": portable}


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def images_per_second(source: Path, images: int, codec: str, folder: Path) -> dict[str, Any]:
    """By runner and number of workers."""
    loop = folder / "loop.py"
    loop.write_text(LOOP)
    speeds: dict[str, dict[str, float]] = {"bare loop": {}}
    for workers in (1, 2):
        command = [sys.executable, str(loop), str(source), codec, str(workers), "whole"]
        seconds = timed(lambda c=command: subprocess.run(c, check=True))  # type: ignore[misc]
        speeds["bare loop"][str(workers)] = images / seconds
        for name, start in RUNNERS.items():
            with start(folder / f"{name}-{workers}", workers) as runner:
                options = {"source": str(source), "codec": codec, "workers": workers}
                for run in ("warm", "timed"):
                    archive = str(folder / f"{name}-{workers}-{run}")
                    config = CompressConfig(**options, archive=archive, runner=runner)
                    seconds = timed(lambda c=config: compress(c))  # type: ignore[misc]
            speeds.setdefault(name, {})[str(workers)] = images / seconds
    return {
        name: {
            "images_per_second": {workers: round(speed, 1) for workers, speed in one.items()},
            "speed_up": round(one["2"] / one["1"], 2),
            "of_bare_loop": round(one["2"] / speeds["bare loop"]["2"], 2),
        }
        for name, one in speeds.items()
    }


def overhead(source: Path, folder: Path) -> dict[str, float]:
    """Milliseconds a shard by runner, one worker each."""
    slopes = {}
    for name, start in RUNNERS.items():
        with start(folder / f"{name}-overhead", 1) as runner:
            seconds = {}
            for shards in (FEW, FEW + 1, MANY):  # the first run warms up
                plan = tiny_shards(source, folder / f"tiny-{name}-{shards}", runner, shards)
                seconds[shards] = timed(lambda p=plan: encode_run(p))  # type: ignore[misc]
            slopes[name] = (seconds[MANY] - seconds[FEW + 1]) / (MANY - FEW - 1)
    plan = tiny_shards(source, folder / "bare", {"name": "local"}, MANY)
    create_archive(Store(plan.config.archive))
    tiers = set_up_worker(plan.config)
    bare = timed(lambda: [encode_shard(shard, plan.config, tiers) for shard in plan.shards]) / MANY
    found = {name: round(1e3 * (slope - bare), 1) for name, slope in slopes.items()}
    return {"encode_shard alone": round(1e3 * bare, 1), **found}


def tiny_shards(source: Path, archive: Path, runner: Runner, shards: int) -> RunPlan:
    """A plan with a shard for each of so many pictures."""
    config = CompressConfig(source=str(source), archive=str(archive), runner=runner, codec="jpeg")
    plan = plan_run(config)
    refs = [ref for shard in plan.shards for ref in shard.refs][:shards]
    alone = tuple(ShardPlan(f"{number:064x}", (ref,)) for number, ref in enumerate(refs))
    return replace(plan, shards=alone)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--codec", default="jxl")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photographs(folder / "photographs", options.images)
        speeds = images_per_second(folder / "photographs", options.images, options.codec, folder)
        (folder / "tiny").mkdir()
        for number in range(MANY):
            picture = Image.new("RGB", (8, 8), (number % 256, number // 16, 99))
            picture.save(folder / "tiny" / f"{number:04}.bmp")
        write_result(
            "runners",
            {
                "codec": options.codec,
                "images": options.images,
                "runners": speeds,
                "overhead_milliseconds_per_shard": overhead(folder / "tiny", folder),
            },
        )


if __name__ == "__main__":
    main()
