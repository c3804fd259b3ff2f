"""CPU seconds of commands that do next to nothing: `python -m tests.benchmarks.start_up`.

What is measured is what stands before any work: imports. `--other COMMAND` measures another
build's `glassplate` in turn with this one, on an archive of its own writing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from skimage import data

from tests.benchmarks.machine import write_result

HERE = Path(sys.executable).with_name("glassplate")
COMMANDS = {
    "--help": ["--help"],
    "query": ["query", "archive"],
    "get": ["get", "archive", "astronaut.png", "-o", "back.png"],
    "compress, nothing new": ["compress", "photos", "archive", "--codec", "jxl", "--no-progress"],
}


def write_archive(command: Path, folder: Path) -> None:
    """Two photographs by `jxl`."""
    (folder / "photos").mkdir()
    for name in ("astronaut", "coffee"):
        Image.fromarray(np.asarray(getattr(data, name)())).save(folder / "photos" / f"{name}.png")
    arguments = COMMANDS["compress, nothing new"]
    subprocess.run([command, *arguments], cwd=folder, check=True, capture_output=True)


def cpu_seconds(command: Path, arguments: list[str], folder: Path) -> float:
    """User and system time of one process and its children."""
    before = os.times()
    subprocess.run([command, *arguments], cwd=folder, check=True, capture_output=True)
    after = os.times()
    user = after.children_user - before.children_user
    return user + after.children_system - before.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other", type=Path, help="glassplate of another build")
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    builds = {"this": HERE} | ({"other": options.other} if options.other else {})
    with tempfile.TemporaryDirectory() as scratch:
        folders = {name: Path(scratch) / name for name in builds}
        for name, command in builds.items():
            folders[name].mkdir()
            write_archive(command, folders[name])
        result = {}
        for what, arguments in COMMANDS.items():
            seconds: dict[str, list[float]] = {name: [] for name in builds}
            for _ in range(options.repeat):
                for name, command in builds.items():
                    seconds[name].append(cpu_seconds(command, arguments, folders[name]))
            found = {name: round(median(values), 2) for name, values in seconds.items()}
            result[what] = found | (
                {"share": round(median(seconds["this"]) / median(seconds["other"]), 2)}
                if options.other
                else {}
            )
    write_result("start_up", {"repeat": options.repeat, "cpu_seconds": result})


if __name__ == "__main__":
    main()
