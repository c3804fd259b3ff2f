"""Memory of worker processes: the share that each may have, and what holds it to that.

Two things do: the kernel refuses to map more data than the limit (a MemoryError, in most places),
and whoever asked the process something looks at what it takes, and kills it (`child_process`).
"""

from __future__ import annotations

import os
import re
import resource
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from glassplate.codecs.memory import machine_memory

SHARED_OUT = 0.8
"""Share of a machine's memory; the rest is for the command, the page cache, and others."""

ROOMY = 2 << 30
"""Bytes that a worker should have at least: codec, libraries and a picture of 100 megapixels."""

LEAST = 512 << 20
"""Bytes that a worker with a small codec takes before it has seen a picture."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_UNITS = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def parse_bytes(value: object) -> object:
    """'4GB' -> 4000000000, '1.5GiB' -> 1610612736; anything else is left for pydantic to judge."""
    match = re.fullmatch(r"\s*([\d.]+)\s*([kmgt]?i?)b?\s*", str(value).lower())
    units = _UNITS | _BINARY_UNITS
    if not isinstance(value, str) or not match or match[2] not in units:
        return value
    with suppress(ValueError):
        return int(float(match[1]) * units[match[2]])
    return value


Bytes = Annotated[int, BeforeValidator(parse_bytes), Field(ge=LEAST)]
"""A number of bytes, or text like 4GB and 1.5GiB."""


def share_of_memory(workers: int) -> int:
    """Bytes for each of so many workers on this machine."""
    return max(LEAST, int(machine_memory() * SHARED_OUT) // workers)


def default_workers() -> int:
    """As many as there are cores, and memory for."""
    return max(1, min(usable_cores(), int(machine_memory() * SHARED_OUT) // ROOMY))


def usable_cores() -> int:
    """Cores that this process may use, by its affinity and its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with suppress(OSError, ValueError):  # no group, or "max": no limit
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores or 1, int(quota) // int(period)))
    return cores or 1


def limit_own_memory(limit: int, *, by_kernel: bool) -> None:
    """Hold this process to a number of bytes, and offer it first when the machine has no more.

    by_kernel: Refuse data beyond it. What is mapped but not touched so far does not count; with a
        GPU, whose driver maps far more than it touches, leave it to who watches.
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    if by_kernel:
        untouched = max(0, _status("VmData") - _status("VmRSS"))
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        soft = limit + untouched
        if hard != resource.RLIM_INFINITY:
            soft = min(soft, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def resident(pid: int) -> int:
    """Bytes of memory that a process takes now; 0 if there is none (any more)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * resource.getpagesize()


def _status(field: str) -> int:
    """Bytes, of this process; 0 where the system does not tell."""
    with suppress(OSError):
        match = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
        return int(match[1]) * 1024 if match else 0
    return 0
