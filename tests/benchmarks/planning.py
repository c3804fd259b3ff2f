"""Seconds to plan an archive of unchanged inputs: `python -m tests.benchmarks.planning`.

The inputs are 100,000 small real files in 100 folders; the archive's catalogue has a row for each,
written by the product's own writer. Nothing but the pictures is made up.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from glassplate.pipelines.archive.format.manifest import Ledger, RunEntry
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.archive.write.commit import commit_run, create_archive
from glassplate.pipelines.archive.write.shard import stage_shard
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.planning import plan_run
from glassplate.pipelines.storage.store import Store
from tests.benchmarks.machine import write_result

SHARD = 512


def write_files(folder: Path, count: int) -> None:
    for number in range(count):
        path = folder / f"{number % 100:02}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)


def write_archive(config: CompressConfig) -> None:
    """A snapshot that holds every input of the source."""
    store = Store(config.archive)
    create_archive(store)
    refs = [ref for shard in plan_run(config).shards for ref in shard.refs]
    refs.sort(key=lambda ref: ref.name)
    staged = []
    for start in range(0, len(refs), SHARD):
        rows = [
            ImageRow(ref.uri, ref.name, ref.version, "skipped", reason="not-an-image")
            for ref in refs[start : start + SHARD]
        ]
        staged.append(stage_shard(store, f"{start:064}", rows, [], []))
    ledger = sum((one.ledger for one in staged), Ledger())
    run_id = "20260101T000000Z-000000"
    run = RunEntry(run_id=run_id, started="", finished="", options={}, ledger=ledger)
    commit_run(store, None, staged, run, [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    inputs = parser.parse_args().inputs
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        write_files(source, inputs)
        config = CompressConfig(source=str(source), archive=f"{folder}/archive")
        write_archive(config)
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            plan = plan_run(config)
            seconds.append(round(time.perf_counter() - started, 2))
            assert (plan.unchanged, plan.new_inputs) == (inputs, 0)
    write_result("planning", {"unchanged_inputs": inputs, "seconds": seconds})


if __name__ == "__main__":
    main()
