"""Ten million rows, and a year of nightly runs, before and after compaction.

    .venv/bin/python -m tests.benchmarks.scale [--rows 10000000] [--nights 365]

How long it takes to open the archive, to look a picture up, to plan a run and to query; what
manifests, indexes, plans and what crosses a runner come to in bytes. Rows are synthetic (see
`synthetic.py`), all the code is the product's. Needs 9 GB of disk for ten million rows. Every
measurement of memory is of a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
from apache_beam.coders import FastPrimitivesCoder

from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.format.identity import create_archive
from glassplate.pipelines.archive.format.manifest import Ledger, RunEntry, Snapshot
from glassplate.pipelines.archive.format.snapshots import (
    current_snapshot,
    manifest_numbers,
    manifest_path,
    new_run_id,
)
from glassplate.pipelines.archive.format.staging import StagedShard
from glassplate.pipelines.archive.upkeep.compact import compact_archive
from glassplate.pipelines.archive.write.commit import commit_run
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.planning import plan_run
from glassplate.pipelines.sources.listing import list_source
from glassplate.pipelines.storage.store import Store
from tests.benchmarks.machine import write_result
from tests.benchmarks.point_lookup import CountingFileSystem, drop_from_page_cache, measure
from tests.benchmarks.synthetic import (
    LARGE_EVERY,
    SPEC,
    image_id,
    name,
    stage_all,
    write_sources,
)

SHARD_ROWS = 512
NIGHTLY = (8, 8, 4)
"""Rows of the shards of one night: what planning makes of 20 new pictures."""

FIRST_NIGHT = datetime(2025, 1, 1, 2, tzinfo=UTC)


def commit(store: Store, staged: list[StagedShard], night: int = 0) -> Snapshot:
    base = current_snapshot(store)
    now = FIRST_NIGHT + timedelta(days=night)
    run = RunEntry(
        run_id=new_run_id(base, now),
        started=now.isoformat(),
        finished=now.isoformat(),
        options={},
        ledger=sum((one.ledger for one in staged), Ledger()),
    )
    return commit_run(store, base, staged, run, [SPEC])


def in_a_process(task: Callable[..., None], *arguments: Any, times: int = 2) -> dict[str, float]:
    """Seconds (of the last time, when all is imported) and peak memory of a task on its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(sender, task, arguments, times))
    process.start()
    seconds, peak_mib = receiver.recv()
    process.join()
    return {"seconds": round(seconds, 5), "peak_mib": peak_mib}


def _report(sender: Any, task: Callable[..., None], arguments: tuple[Any, ...], times: int) -> None:
    for _ in range(times):
        started = time.perf_counter()
        task(*arguments)
        seconds = time.perf_counter() - started
    status = Path("/proc/self/status").read_text()
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    sender.send((seconds, round(int(peak) / 1024)))


def open_task(url: str) -> None:
    open_archive(url)


def plan_task(source: str, url: str, unchanged: int, new: int) -> None:
    plan = plan_run(CompressConfig(source=source, archive=url))
    assert (plan.unchanged, plan.new_inputs) == (unchanged, new)


def query_task(url: str, rows: int) -> None:
    assert open_archive(url).stats()["sources"] == rows


def compact_task(url: str) -> None:
    compact_archive(Store(url))


class Subject:
    """One archive with its source: what is measured of it, before and after compaction."""

    def __init__(self, folder: Path, rows: int, listed: int, new: int) -> None:
        self.url, self.source = str(folder / "archive"), str(folder / "source")
        self.rows, self.listed, self.new = rows, listed, new
        self.store = Store(self.url)
        create_archive(self.store)
        write_sources(Path(self.source), range(listed))
        for extra in range(new):
            (Path(self.source) / f"new-{extra}.jpg").write_bytes(bytes(100 + extra))

    def sizes(self) -> dict[str, Any]:
        """Files and bytes of the newest snapshot, and per row and shard."""
        snapshot = current_snapshot(self.store)
        assert snapshot
        manifest = len(self.store.read(manifest_path(snapshot.number)))
        kinds = {
            "catalogue": [shard.images for shard in snapshot.shards],
            "bitstreams": [shard.bitstreams for shard in snapshot.shards if shard.bitstreams],
            "id_index": snapshot.id_index,
            "name_index": snapshot.name_index,
        }
        return {
            "shards": len(snapshot.shards),
            "files": sum(len(shard.files()) for shard in snapshot.shards),
            "index_segments": len(snapshot.id_index),
            "manifest_bytes": manifest,
            "manifest_bytes_per_shard": round(manifest / len(snapshot.shards)),
            "bytes_per_row": {
                kind: round(sum(file.bytes for file in files) / self.rows, 1)
                for kind, files in kinds.items()
            },
        }

    def times(self, numbers: list[int]) -> dict[str, Any]:
        """Opening, looking up pictures of these numbers, planning, querying."""
        url = f"counted://{self.url}"
        opened = open_archive(url)

        def cold() -> None:
            drop_from_page_cache(Path(self.url))

        def warm() -> None:
            pass

        return {
            "open": in_a_process(open_task, self.url),
            "cold_open_and_lookup": measure(
                [lambda n=n: open_archive(url).bitstream(image_id(n)) for n in numbers[:5]], cold
            ),
            "lookup_by_id": measure(
                [lambda n=n: opened.bitstream(image_id(n)) for n in numbers], warm
            ),
            "lookup_by_name": measure(
                [lambda n=n: opened.bitstream(name(n)) for n in numbers], warm
            ),
            "plan": in_a_process(plan_task, self.source, self.url, self.listed, self.new)
            | {"listed": self.listed + self.new},
            "query": in_a_process(query_task, self.url, self.rows),
        }

    def compact(self, numbers: list[int]) -> dict[str, Any]:
        """Everything before and after compaction."""
        before = self.sizes() | self.times(numbers)
        compaction = in_a_process(compact_task, self.url, times=1)
        return {
            "before": before,
            "compact": compaction,
            "after": self.sizes() | self.times(numbers),
        }


def ten_million(folder: Path, rows: int) -> dict[str, Any]:
    """One large archive, as a first run leaves it."""
    listed = rows // 100
    subject = Subject(folder, rows, listed, new=100)
    started = time.perf_counter()
    starts = range(0, rows, SHARD_ROWS)
    jobs = [(n, range(start, min(start + SHARD_ROWS, rows))) for n, start in enumerate(starts)]
    staged = stage_all(subject.url, subject.source, subject.listed, jobs)
    built = time.perf_counter() - started
    started = time.perf_counter()
    commit(subject.store, staged)
    committed = time.perf_counter() - started
    chooser = random.Random(1)
    large = [job[1] for job in jobs[::LARGE_EVERY]]
    numbers = [chooser.choice(chooser.choice(large)) for _ in range(100)]
    return {
        "rows": rows,
        "staging_seconds": round(built, 1),
        "commit_seconds": round(committed, 1),
        **subject.compact(numbers),
    }


def year(folder: Path, nights: int) -> dict[str, Any]:
    """Many small runs, one after the other."""
    per_night = sum(NIGHTLY)
    rows = nights * per_night
    subject = Subject(folder, rows, rows, new=per_night)
    jobs = []
    for night in range(nights):
        start = night * per_night
        for size in NIGHTLY:
            jobs.append((len(jobs) * LARGE_EVERY, range(start, start + size)))
            start += size
    staged = stage_all(subject.url, subject.source, subject.listed, jobs)
    seconds = []
    for night in range(nights):
        tonight = staged[night * len(NIGHTLY) :][: len(NIGHTLY)]
        started = time.perf_counter()
        commit(subject.store, tonight, night)
        seconds.append(time.perf_counter() - started)
    manifests = [manifest_path(number) for number in manifest_numbers(subject.store)]
    chooser = random.Random(1)
    return {
        "nights": nights,
        "rows_a_night": per_night,
        "first_commits_median_ms": round(statistics.median(seconds[:10]) * 1e3),
        "last_commits_median_ms": round(statistics.median(seconds[-10:]) * 1e3),
        "all_manifests_bytes": sum(subject.store.size(path) for path in manifests),
        **subject.compact([chooser.randrange(rows) for _ in range(100)]),
    }


def references(folder: Path) -> dict[str, float]:
    """Bytes of a listing and a plan for each input, and of what crosses a runner for each shard."""
    write_sources(folder / "source", range(SHARD_ROWS * 8))
    tracemalloc.start()
    listing = list_source(str(folder / "source"))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    plan = plan_run(CompressConfig(source=str(folder / "source"), archive=str(folder / "archive")))
    lines = [len(shard.to_json()) for shard in plan.shards]
    return {
        "listing_bytes_per_input": round(held / len(listing.refs)),
        "plan_bytes_per_input": round(sum(lines) / plan.new_inputs, 1),
        "shuffled_bytes_per_shard": len(FastPrimitivesCoder().encode((10**9, 10**9 + max(lines)))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--folder", type=Path, default="/var/tmp", help="for scratch files")
    options = parser.parse_args()
    fsspec.register_implementation("counted", CountingFileSystem)
    results = {}
    for key, part in (
        ("references", references),
        ("year", lambda folder: year(folder, options.nights)),
        ("large", lambda folder: ten_million(folder, options.rows)),
    ):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            results[key] = part(Path(folder))
            print(json.dumps({key: results[key]}, indent=2), flush=True)
    write_result("scale", results)


if __name__ == "__main__":
    main()
