"""How far a job is, by its marks, on storage that fails now and then."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassplate.pipelines.errors import StorageError
from glassplate.pipelines.jobs.progress import MarkWatcher, Tally
from glassplate.pipelines.storage.store import Store


class _Blinking(Store):
    """A store that cannot be reached while `away` holds."""

    away: Exception | None = None

    def list(self, path: str) -> list[str]:
        if self.away:
            raise self.away
        return super().list(path)


@pytest.mark.parametrize("trouble", [StorageError("no route", "", "s3"), OSError("no route")])
def test_a_look_that_storage_fails_says_what_the_last_one_said(
    trouble: Exception, tmp_path: Path
) -> None:
    store = _Blinking(str(tmp_path))
    store.write("marks/a", b"")
    tallies = {"a": Tally(2, 0, 10, 5), "b": Tally(3, 1, 20, 7), "c": Tally(1)}
    watcher = MarkWatcher(store, "marks", tallies, 6, tallies.__getitem__)
    assert (watcher.look().done, watcher.look().resumed) == (2, 2)
    store.write("marks/b", b"")
    store.write("marks/other", b"")
    store.away = trouble
    assert watcher.look().done == 2
    store.away = None
    seen = watcher.look()
    assert (seen.done, seen.total, seen.failed) == (5, 6, 1)
    assert (seen.source_bytes, seen.stored_bytes, seen.resumed_bytes) == (30, 12, 10)


def test_a_mark_that_is_not_sound_yet_is_read_again(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write("marks/a", b"")
    found: list[Tally | None] = [None, Tally(4)]
    watcher = MarkWatcher(store, "marks", ["a"], 4, lambda name: found.pop(0))
    assert watcher.look().done == 4
