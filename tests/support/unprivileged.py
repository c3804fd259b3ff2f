"""Acting as a user who may not read everything: permission tests mean nothing to root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glassplate.pipelines.jobs import child_process
from glassplate.pipelines.jobs.fork_server import ForkServer

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
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    server, child_process.SERVER = child_process.SERVER, ForkServer()  # workers are nobody's, too
    try:
        yield
    finally:
        child_process.SERVER = server
        os.seteuid(0)
        os.setegid(0)
