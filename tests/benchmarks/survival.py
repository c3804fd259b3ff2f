"""100,000 damaged containers and 100 kills: `python -m tests.benchmarks.survival`.

Containers: every codec's, every second one with checksums that hold again, each decoded in a
process that may take 4 GiB. Kills: kill -9 of the command alone, of all its processes, or of a
worker, at a random moment of the run or of its commit; the next run has to leave an archive that is
whole.

Goes on where it was stopped: what is done stands in the result. --minutes ends it early.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUPPORT = Path(__file__).parents[1] / "support"
sys.path.insert(0, str(SUPPORT))
os.environ["PYTHONPATH"] = os.pathsep.join([str(SUPPORT.parents[1]), str(SUPPORT)])

import mischief  # noqa: E402
import odd_inputs  # noqa: E402
from mutating import CODECS, MEMORY, outcomes  # noqa: E402
from racing import Racer  # noqa: E402
from wholeness import check_whole  # noqa: E402

from glassplate.pipelines.compress.config import CompressConfig  # noqa: E402
from tests.benchmarks.machine import RESULTS, write_result  # noqa: E402

assert mischief  # registers its codec here, too
NAME = "survival"
CHUNK = 200
VICTIMS = ("command", "all processes", "worker", "all processes, in the commit")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=1e9)
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    path = RESULTS / f"{NAME}.json"
    done = json.loads(path.read_text()) if path.exists() else {}
    done.pop("machine", None)
    containers = {name: Counter(done.get("containers", {}).get(name, {})) for name in CODECS}
    kills = Counter(done.get("kills", {}))
    each = -(-options.mutations // len(CODECS))

    def keep() -> None:
        write_result(NAME, _result(containers, kills))

    _containers(containers, each, end)
    keep()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        for number in range(20):
            picture = odd_inputs.photo(48, 32, left=8 * number, top=4 * number)
            picture.save(source / f"{number:02}.bmp")
        try:
            _kills(kills, options.kills, source, end)
        finally:
            keep()


def _result(containers: dict[str, Counter[str]], kills: Counter[str]) -> dict[str, Any]:
    everything: Counter[str] = sum(containers.values(), Counter())
    return {
        "memory_gib": MEMORY / 2**30,
        "mutations": everything.total(),
        "untyped": sum(count for what, count in everything.items() if what.startswith("untyped")),
        "processes_died": sum(n for what, n in everything.items() if what.startswith("process")),
        "containers": {name: dict(sorted(found.items())) for name, found in containers.items()},
        "runs_killed": kills.total(),
        "kills": dict(sorted(kills.items())),
    }


def _containers(found: dict[str, Counter[str]], each: int, end: float) -> None:
    for name in CODECS:
        while (done := found[name].total()) < each and time.monotonic() < end:
            found[name] += outcomes(name, done, min(CHUNK, each - done))


def _kills(found: Counter[str], wanted: int, source: Path, end: float) -> None:
    """Every kill is followed by a run that is not killed, and a look at the whole archive."""
    while (number := found.total()) < wanted and time.monotonic() < end:
        draw = random.Random(number)
        victim = VICTIMS[number % len(VICTIMS)]
        archive = source.parent / f"archive-{number}"
        config = CompressConfig(
            source=str(source),
            archive=str(archive),
            codec="mischief",
            codec_options={"seconds": 0.05},
            plugins=("mischief",),
            workers=1 + number // len(VICTIMS) % 2,
        )
        run = Racer(config)
        _killers[victim](run, archive, draw)
        committed = list(archive.glob("_manifests/[0-9]*.json"))
        outcome = Racer(config).finish()
        assert outcome == ("nothing new" if committed else "committed"), (number, outcome)
        check_whole(config, source)
        found[victim] += 1


def _kill_command(run: Racer, archive: Path, draw: random.Random) -> None:
    time.sleep(draw.uniform(0, 2))
    run.process.kill()
    run.process.join()


def _kill_all(run: Racer, archive: Path, draw: random.Random) -> None:
    time.sleep(draw.uniform(0, 2))
    run.kill()


def _kill_in_commit(run: Racer, archive: Path, draw: random.Random) -> None:
    while not list(archive.glob("*/run=*/*.parquet")) and run.process.is_alive():
        time.sleep(0.001)
    time.sleep(draw.uniform(0, 0.08))
    run.kill()


def _kill_worker(run: Racer, archive: Path, draw: random.Random) -> None:
    """The run itself goes on to its end."""
    while not list(archive.glob("_staging/*/done.json")) and run.process.is_alive():
        time.sleep(0.01)
    time.sleep(draw.uniform(0, 0.5))
    run.kill_a_worker()
    run.finish()


_killers: dict[str, Callable[[Racer, Path, random.Random], None]] = dict(
    zip(VICTIMS, (_kill_command, _kill_all, _kill_worker, _kill_in_commit), strict=True)
)


if __name__ == "__main__":
    main()
