"""Archives only where of two writers one loses."""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractFileSystem

from glassplate.pipelines.archive.format.identity import create_archive
from glassplate.pipelines.errors import ArchiveError
from glassplate.pipelines.storage.exclusive import race_writers
from glassplate.pipelines.storage.store import Store

_FILES: dict[str, bytes] = {}
_DECIDES = threading.Lock()


class Remote(AbstractFileSystem):  # type: ignore[misc]
    """A place of files that decides between writers; each call takes its time."""

    protocol = "remote"
    exclusive = True

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        if not self.exclusive:
            if mode == "create" and path in _FILES:
                raise FileExistsError(path)
            time.sleep(0.01)
            _FILES[path] = value
            return
        time.sleep(0.01)
        with _DECIDES:
            if mode == "create" and path in _FILES:
                raise FileExistsError(path)
            _FILES[path] = value

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        names = [name for name in _FILES if name.startswith(path)]
        return [{"name": n, "size": 1, "type": "file"} for n in names] if detail else names

    def rm(self, path: str, recursive: bool = False, **_: Any) -> None:
        _FILES.pop(path, None)


class Hoping(Remote):
    """One that looks, and hopes that nobody else does."""

    protocol = "hoping"
    exclusive = False


fsspec.register_implementation("remote", Remote, clobber=True)
fsspec.register_implementation("hoping", Hoping, clobber=True)


def test_a_store_where_one_of_two_loses_is_taken() -> None:
    race_writers(Store(f"remote://{uuid.uuid4()}"))


def test_a_store_where_both_win_is_refused_and_left_empty() -> None:
    url = f"hoping://{uuid.uuid4()}"
    with pytest.raises(ArchiveError, match="no conditional writes"):
        create_archive(Store(url))
    assert Store(url).list("") == []


def test_file_systems_that_look_first_are_refused_unseen() -> None:
    """As fsspec's ftp, sftp and webhdfs, which have no conditional write of their own."""

    class Plain(MemoryFileSystem):  # type: ignore[misc]
        protocol = "plain"
        pipe_file = AbstractFileSystem.pipe_file

    fsspec.register_implementation("plain", Plain, clobber=True)
    with pytest.raises(ArchiveError, match="no conditional writes"):
        create_archive(Store(f"plain://{uuid.uuid4()}"))


@pytest.mark.parametrize("url", ["memory://{}", "file://{}"])
def test_memory_and_local_disks_are_taken(tmp_path: Path, url: str) -> None:
    store = Store(url.format(tmp_path / "archive"))
    create_archive(store)
    create_archive(store)
    assert [name for name in store.list("") if name.startswith(".")] == []
