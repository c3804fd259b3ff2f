"""Peak memory must not grow with the number of images: `python -m tests.benchmarks.memory`.

The peak, over the run, of the resident memory of `compress` and all its worker processes together
(proportional share, so that common pages count once), sampled ten times a second.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.machine import write_result
from tests.benchmarks.photographs import write_photographs
from tests.benchmarks.pipeline_efficiency import COMPRESS


def descendants(pid: int) -> list[int]:
    """A process and all that it started, directly or not."""
    found = [pid]
    for parent in found:
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
            listed = [(task / "children").read_text().split() for task in tasks]
        except OSError:
            continue
        found += [int(child) for children in listed for child in children]
    return found


def share(pid: int) -> int:
    """Proportional set size in bytes, 0 once the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def peak(source: Path, archive: str, codec: str, workers: int) -> int:
    command = [sys.executable, "-c", COMPRESS, str(source), archive, codec, str(workers)]
    process = subprocess.Popen(command)
    highest = 0
    while process.poll() is None:
        highest = max(highest, sum(share(pid) for pid in descendants(process.pid)))
        time.sleep(0.1)
    assert process.returncode == 0
    return highest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs=2, default=[500, 5000])
    parser.add_argument("--photos", type=Path, help="cut the photographs from these pictures")
    parser.add_argument("--codec", default="jxl")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in options.images:
            source = Path(folder) / f"source-{count}"
            write_photographs(source, count, options.photos)
            peaks[count] = peak(source, f"{folder}/archive-{count}", options.codec, options.workers)
    few, many = peaks.values()
    write_result(
        "memory",
        {
            "codec": options.codec,
            "workers": options.workers,
            "peak_mib": {str(count): round(value / 2**20) for count, value in peaks.items()},
            "growth": round(many / few - 1, 3),
        },
    )


if __name__ == "__main__":
    main()
