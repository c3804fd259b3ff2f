"""Workers, pools and drivers killed at random moments of runs on clusters.

GLASSPLATE_KILLS is how often each is killed; 2 unless it is set.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mischief
import pytest
from clusters import Cluster, dask_cluster, portable_cluster
from racing import Racer
from wholeness import check_whole

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
assert mischief  # registers the codec in this process too

KILLS = int(os.environ.get("GLASSPLATE_KILLS", "2"))
CLUSTERS = {"dask": dask_cluster, "portable": portable_cluster}


@pytest.fixture(scope="module", params=sorted(CLUSTERS))
def cluster(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    root = Path(__file__).parents[3]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{root}:{root / 'tests' / 'support'}")
        folder = tmp_path_factory.mktemp("cluster") / request.param
        with CLUSTERS[request.param](folder, stall_timeout=30) as running:
            yield running


@pytest.fixture
def runs(source: Path, configure: Any, cluster: Cluster) -> tuple[Iterator[Any], float]:
    """Options of a run, a new archive each; how long a run takes."""
    config = configure(seconds=0.2, runner=cluster.runner)

    def numbered() -> Iterator[Any]:
        for number in range(KILLS + 2):
            yield config.model_copy(update={"archive": f"{config.archive}-{number}"})

    configs = numbered()
    assert Racer(next(configs)).finish() == "committed"  # warms the workers up
    began = time.monotonic()
    assert Racer(next(configs)).finish() == "committed"
    return configs, time.monotonic() - began


def test_a_killed_worker(runs: Any, cluster: Cluster, source: Path) -> None:
    configs, whole = runs
    moments = random.Random(1)
    for number, config in enumerate(configs):
        run = Racer(config)
        time.sleep(moments.uniform(0, whole))
        cluster.kill_worker(number % 2)
        if run.finish() != "committed":
            assert Racer(config).finish() == "committed"
        check_whole(config, source)


def test_a_killed_driver(runs: Any, source: Path) -> None:
    configs, whole = runs
    moments = random.Random(2)
    for config in configs:
        victim = Racer(config)
        time.sleep(moments.uniform(0, whole))
        victim.kill()
        committed = list(Path(config.archive).glob("_manifests/[0-9]*.json"))
        assert Racer(config).finish() == ("nothing new" if committed else "committed")
        check_whole(config, source)
