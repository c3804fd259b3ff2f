"""What a result was measured on: enough to compare, nothing that names a machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("numpy", "pillow", "imagecodecs", "pyarrow", "duckdb", "apache-beam", "torch")


def machine() -> dict[str, Any]:
    """CPU model, cores, how busy they are, memory, Python and library versions."""
    cpu = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpu[0] if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 1),
        "memory_gib": round(memory / 2**30, 1),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }
