"""How much memory there is, and a typed error where it is not enough.

A header may declare any size: who allocates what it declares asks `check_fits` first.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from glassplate.codecs.base import Pixels
from glassplate.codecs.errors import OutOfMemoryError

_FIX = "Give it more memory, or ask for a region of the picture."
_CGROUP = Path("/sys/fs/cgroup")
_CGROUP_FILES = ("memory.max", "memory/memory.limit_in_bytes")
_LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_DATA)


def memory_limit() -> int:
    """Bytes that this process may have at most: of its machine, control group and own limits."""
    own = [resource.getrlimit(limit)[0] for limit in _LIMITS]
    return min([machine_memory(), *(limit for limit in own if limit != resource.RLIM_INFINITY)])


@cache
def machine_memory() -> int:
    """Bytes of memory of the machine, or of this process's control group (a container)."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(memory, *_cgroup_limits())


def check_fits(needed: int, what: str, subject: str = "") -> None:
    """Raises OutOfMemoryError if `needed` bytes are more than this process may have at all."""
    limit = memory_limit()
    if needed > limit:
        cause = f"{what} takes {needed / 2**30:.1f} GiB of memory, there are {limit / 2**30:.1f}"
        raise OutOfMemoryError(cause, _FIX, subject)


def empty_picture(height: int, width: int, channels: int) -> Pixels:
    """A (height, width, channels) uint8 array to decode into. Raises OutOfMemoryError."""
    check_fits(height * width * channels, f"a picture of {width} x {height} pixels")
    with memory_errors():
        return np.empty((height, width, channels), np.uint8)


@contextmanager
def memory_errors(subject: str = "") -> Iterator[None]:
    """Whatever libraries raise for want of memory is an OutOfMemoryError about `subject`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError("there is not enough memory for it", _FIX, subject) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is MemoryError, or the RuntimeError that torch raises instead."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and ("allocate memory" in str(error) or type(error).__name__ == "OutOfMemoryError")
    )


def _cgroup_limits() -> list[int]:
    """Limits of the groups that this process is in, version 2 or 1; as containers see them."""
    limits = [2**63]
    for name in _CGROUP_FILES:
        try:
            limits.append(int((_CGROUP / name).read_text()))
        except (OSError, ValueError):  # no such version, or "max"
            continue
    return limits
