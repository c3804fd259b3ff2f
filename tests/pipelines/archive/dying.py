"""A writer that is killed with SIGKILL before its n-th operation on the store."""

from __future__ import annotations

import os
import signal
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import IO

from glassplate.pipelines.archive.format.snapshots import current_snapshot, new_run_id
from glassplate.pipelines.archive.upkeep.compact import compact_archive
from glassplate.pipelines.archive.write.commit import commit_run
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import CODEC, encoded, run_entry, stage


class DyingStore(Store):
    """Counts the operations that change files."""

    def __init__(self, url: str, operations: int) -> None:
        super().__init__(url)
        self.left = operations

    def _count(self) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1

    def create(self, path: str) -> AbstractContextManager[IO[bytes]]:
        self._count()
        return super().create(path)

    def create_exclusive(self, path: str, data: bytes) -> None:
        self._count()
        super().create_exclusive(path, data)

    def link(self, source: str, target: str) -> None:
        self._count()
        super().link(source, target)

    def delete(self, path: str) -> None:
        self._count()
        super().delete(path)


def second_run(store: Store) -> None:
    """Stage and commit one shard of two pictures."""
    staged = [stage(store, "second", [encoded("b.png", 2), encoded("c.png", 3)])]
    base = current_snapshot(store)
    run = run_entry(staged, new_run_id(base, datetime.now(UTC)))
    commit_run(store, base, staged, run, [CODEC.spec])


def run_and_die(url: str, operations: int) -> None:
    """For a process of its own."""
    second_run(DyingStore(url, operations))


def compact_and_die(url: str, operations: int) -> None:
    """For a process of its own."""
    compact_archive(DyingStore(url, operations), keep_snapshots=1)
