"""Runs that are killed at any moment, and two writers at once: real processes, real kills."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import mischief
import psutil
import pytest
from racing import Racer
from wholeness import check_whole

from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.upkeep.compact import compact_archive
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.errors import CommitConflictError
from glassplate.pipelines.storage.store import Store

pytestmark = pytest.mark.slow
assert mischief  # registers the codec in this process too


def test_kill_at_any_moment(source: Path, configure: Any) -> None:
    config = configure(seconds=0.02)
    timed = Racer(config.model_copy(update={"archive": f"{config.archive}-timed"}))
    began = time.monotonic()
    timed.finish()
    whole = time.monotonic() - began
    moments = random.Random(7)
    for attempt in range(20):
        again = config.model_copy(update={"archive": f"{config.archive}-{attempt}"})
        victim = Racer(again)
        time.sleep(moments.uniform(0, whole))
        victim.kill()
        committed = list(Path(again.archive).glob("_manifests/[0-9]*.json"))
        assert Racer(again).finish() == ("nothing new" if committed else "committed")
        check_whole(again, source)


def test_killed_again_and_again_it_still_gets_done(source: Path, configure: Any) -> None:
    config = configure(seconds=0.1)
    marks = Path(config.archive) / "_staging"
    for wanted in (1, 2):
        victim = Racer(config)
        victim.wait_for(marks, wanted)
        victim.kill()
    assert Racer(config).finish() == "committed"
    check_whole(config, source)


def test_kill_with_worker_processes(source: Path, configure: Any) -> None:
    config = configure(seconds=0.2, workers=2)
    victim = Racer(config)
    victim.wait_for(Path(config.archive) / "_staging", 1)
    victim.kill()
    assert not list(Path(config.archive).glob("_manifests/[0-9]*.json"))
    assert Racer(config).finish() == "committed"
    check_whole(config, source)


def test_two_writers_at_once(source: Path, configure: Any) -> None:
    config = configure(seconds=0.03)
    writers = [Racer(config), Racer(config)]
    outcomes = sorted(writer.finish() for writer in writers)
    assert outcomes in (
        [CommitConflictError.code, "committed"],
        ["committed", "nothing new"],
    )
    check_whole(config, source)
    assert Racer(config).finish() == "nothing new"


def test_two_writers_of_different_sources(tmp_path: Path, source: Path, configure: Any) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in sorted(source.iterdir())[:10]:
        path.rename(other / f"other-{path.name}")
    configs = [configure(seconds=0.1), configure(seconds=0.1, source=str(other))]
    writers = [Racer(config) for config in configs]
    outcomes = [writer.finish() for writer in writers]
    assert "committed" in outcomes
    for config, outcome in zip(configs, outcomes, strict=True):
        assert outcome in (CommitConflictError.code, "committed")  # both, if they did not overlap
        again = "nothing new" if outcome == "committed" else "committed"
        assert Racer(config).finish() == again
    archive = open_archive(config.archive)
    names = archive.images().to_table(columns=["name"])["name"].to_pylist()
    assert sorted(names) == sorted(p.name for folder in (source, other) for p in folder.iterdir())
    assert verify_archive(archive, decode=True).ok


def test_compaction_in_the_middle_of_a_run(source: Path, configure: Any) -> None:
    config = configure(seconds=0.05)
    late = [path.rename(source.parent / path.name) for path in sorted(source.iterdir())[8:]]
    for path in late[:4]:
        assert Racer(config).finish() == "committed"
        path.rename(source / path.name)
    for path in late[4:]:
        path.rename(source / path.name)
    slow = Racer(config)
    slow.wait_for(Path(config.archive) / "_staging", 1)
    compacted = compact_archive(Store(config.archive), keep_snapshots=1)
    assert compacted.snapshot
    assert slow.finish() == CommitConflictError.code
    assert open_archive(config.archive).manifest == compacted.snapshot
    assert Racer(config).finish() == "committed"
    check_whole(config, source)


def test_kill_in_the_commit(source: Path, configure: Any) -> None:
    """From the first file that is published on."""
    moments = random.Random(11)
    for attempt in range(4):
        config = configure(archive=f"{source.parent}/archive-{attempt}")
        victim = Racer(config)
        while not list(Path(config.archive).glob("*/run=*/*.parquet")):
            assert victim.process.is_alive()
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.05))
        victim.kill()
        committed = list(Path(config.archive).glob("_manifests/[0-9]*.json"))
        assert Racer(config).finish() == ("nothing new" if committed else "committed")
        check_whole(config, source)


def test_kill_of_the_command_ends_its_workers(source: Path, configure: Any) -> None:
    config = configure(seconds=0.2, workers=2)
    victim = Racer(config)
    victim.wait_for(Path(config.archive) / "_staging", 1)
    others = psutil.Process(victim.process.pid).children(recursive=True)
    assert len(others) >= 3  # the server of processes, and two workers
    victim.process.kill()
    victim.process.join()
    _, alive = psutil.wait_procs(others, timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    assert Racer(config).finish() == "committed"
    check_whole(config, source)
