"""Runs that are killed at any moment, and two writers at once: real processes, real kills."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.verify import verify_archive
from glassplate.pipelines.config import CompressConfig
from glassplate.pipelines.errors import CommitConflictError

SCRIPT = """
import sys
from glassplate.pipelines.config import CompressConfig
from glassplate.pipelines.errors import CommitConflictError
from glassplate.pipelines.run import compress
print("ready", flush=True)
try:
    result = compress(CompressConfig.model_validate_json(sys.argv[1]))
except CommitConflictError as error:
    print(error.code)
    sys.exit(5)
print("committed" if result.snapshot else "nothing new")
"""

pytestmark = pytest.mark.slow


def start(config: CompressConfig) -> subprocess.Popen[str]:
    """A run in a process group of its own, past its imports."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, config.model_dump_json()],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=300)
    return output.strip()


def check_whole(config: CompressConfig, source: Path) -> None:
    """Every source exactly once, every picture stored once, every file sound."""
    archive = open_archive(config.archive)
    rows = archive.images().to_table().to_pylist()
    assert Counter(row["name"] for row in rows) == {path.name: 1 for path in source.iterdir()}
    ids = archive.bitstreams().to_table(columns=["image_id"])["image_id"].to_pylist()
    expected = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in source.iterdir())
    assert sorted(ids) == expected
    report = verify_archive(archive, decode=True)
    assert report.ok, report.damages
    folder = Path(config.archive)
    named = {file.path for shard in archive.manifest.shards for file in shard.files()}
    found = {str(path.relative_to(folder)) for path in folder.glob("*s/run=*/*.parquet")}
    assert found == named


def test_kill_at_any_moment(source: Path, configure: Any) -> None:
    config = configure(seconds=0.02)
    began = time.monotonic()
    finish(start(configure(seconds=0.02, archive=f"{config.archive}-timed")))
    whole = time.monotonic() - began
    moments = random.Random(7)
    for attempt in range(20):
        archive = f"{config.archive}-{attempt}"
        victim = start(config.model_copy(update={"archive": archive}))
        time.sleep(moments.uniform(0, whole))
        kill(victim)
        again = config.model_copy(update={"archive": archive})
        before = sorted(Path(archive).glob("_manifests/*.json"))
        assert finish(start(again)) == ("nothing new" if before else "committed")
        check_whole(again, source)


def test_killed_again_and_again_it_still_gets_done(source: Path, configure: Any) -> None:
    config = configure(seconds=0.05)
    marks = Path(config.archive) / "_staging"
    for wanted in (1, 2):
        process = start(config)
        while len(list(marks.glob("*/done.json"))) < wanted and process.poll() is None:
            time.sleep(0.01)
        kill(process)
    survived = {path: path.stat().st_mtime_ns for path in marks.glob("*/done.json")}
    assert 2 <= len(survived)
    assert finish(start(config)) == "committed"
    check_whole(config, source)


def test_kill_with_worker_processes(source: Path, configure: Any) -> None:
    config = configure(seconds=0.2, workers=2)
    process = start(config)
    marks = Path(config.archive) / "_staging"
    while not list(marks.glob("*/done.json")) and process.poll() is None:
        time.sleep(0.05)
    kill(process)
    assert not list(Path(config.archive).glob("_manifests/*.json"))
    assert finish(start(config)) == "committed"
    check_whole(config, source)


def test_two_writers_at_once(source: Path, configure: Any) -> None:
    config = configure(seconds=0.03)
    writers = [start(config), start(config)]
    outputs = sorted(finish(writer) for writer in writers)
    assert outputs in (["committed", CommitConflictError.code], ["committed", "nothing new"])
    check_whole(config, source)
    assert finish(start(config)) == "nothing new"


def test_two_writers_of_different_sources(tmp_path: Path, source: Path, configure: Any) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in sorted(source.iterdir())[:10]:
        path.rename(other / f"other-{path.name}")
    configs = [configure(seconds=0.1), configure(seconds=0.1, source=str(other))]
    writers = [start(config) for config in configs]
    codes = [(finish(writer), writer.returncode) for writer in writers]
    assert sorted(codes) == [("commit-conflict", 5), ("committed", 0)]
    loser = configs[codes.index(("commit-conflict", 5))]
    assert finish(start(loser)) == "committed"
    names = open_archive(loser.archive).images().to_table(columns=["name"])["name"].to_pylist()
    assert sorted(names) == sorted(p.name for folder in (source, other) for p in folder.iterdir())
    assert verify_archive(open_archive(loser.archive), decode=True).ok
