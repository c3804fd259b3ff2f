"""Acting as a user who may not read everything: permission tests mean nothing to root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import glassplate.pipelines.compress.jobs  # noqa: F401 (nobody may not read where libraries lie)
from glassplate.pipelines.jobs.fork_server import SERVER

NOBODY = 65534


@contextmanager
def unprivileged(folder: Path) -> Iterator[None]:
    """If this process is root's, become nobody for a while, who may enter and write `folder`."""
    if os.geteuid() != 0:
        yield
        return
    for parent in [folder, *folder.parents][:-2]:
        parent.chmod(parent.stat().st_mode | 0o055)
    os.chown(folder, NOBODY, NOBODY)
    SERVER.start()  # workers come from there as nobody, who may not start a Python of root's
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
