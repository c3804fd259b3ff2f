"""The store: the same guarantees on every file system."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from glassplate.pipelines.errors import OutsideError
from glassplate.pipelines.storage.store import Store


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(str(tmp_path / "a") if request.param == "local" else f"memory://{uuid.uuid4()}")


def test_what_is_written_is_read(store: Store) -> None:
    store.write("x/y.bin", b"0123456789")
    assert store.read("x/y.bin") == b"0123456789"
    assert store.read("x/y.bin", 2, 5) == b"234"
    assert (store.size("x/y.bin"), store.list("x")) == (10, ["y.bin"])
    with store.open("x/y.bin") as handle:
        handle.seek(8)
        assert handle.read() == b"89"


def test_a_missing_folder_is_empty_and_deleting_it_is_fine(store: Store) -> None:
    assert store.list("nowhere") == []
    store.delete("nowhere")
    assert not store.exists("nowhere")


def test_exclusive_creation_has_one_winner(store: Store) -> None:
    store.create_exclusive("m/1.json", b"first")
    with pytest.raises(FileExistsError):
        store.create_exclusive("m/1.json", b"second")
    assert store.read("m/1.json") == b"first"
    assert store.list("m") == ["1.json"]


def test_exclusive_creation_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    store = Store(str(tmp_path))
    store.create_exclusive("m/1.json", b"first")
    with pytest.raises(FileExistsError):
        store.create_exclusive("m/1.json", b"second")
    store.link("m/1.json", "n/1.json")
    assert store.read("n/1.json") == b"first"


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write("file", b"old")

    def stop_half_way() -> None:
        with store.create("file") as sink:
            sink.write(b"new, but not to the end")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_half_way()
    assert store.read("file") == b"old"
    assert store.list("") == ["file"]


def test_linking_keeps_the_source(store: Store) -> None:
    store.write("a/1", b"bytes")
    store.link("a/1", "b/2")
    store.delete("a")
    assert store.read("b/2") == b"bytes"


def test_odd_local_paths_are_paths(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "50% off :: ünï #1"))
    store.write("file", b"x")
    assert (tmp_path / "50% off :: ünï #1" / "file").read_bytes() == b"x"


def test_a_store_travels_to_workers(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    pickle.loads(pickle.dumps(store)).write("file", b"x")
    assert store.read("file") == b"x"


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a/", ".."])
def test_paths_stay_below_the_root(store: Store, path: str) -> None:
    for use in (store.read, store.exists, store.list, store.delete, store.digest):
        with pytest.raises(OutsideError):
            use(path)
    with pytest.raises(OutsideError):
        store.write(path, b"")
    with pytest.raises(OutsideError):
        store.create_exclusive(path, b"")


def test_links_may_lead_into_the_folder_but_not_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/precious").write_bytes(b"of great value")
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")  # the folder itself may be a link
    store = Store(str(tmp_path / "root"))
    store.write("a/x", b"x")
    (tmp_path / "real/inside").symlink_to("a")
    assert store.read("inside/x") == b"x"
    (tmp_path / "real/folder").symlink_to(tmp_path / "outside")
    (tmp_path / "real/file").symlink_to("../outside/precious")
    for path in ("folder", "folder/precious", "file"):
        for use in (store.read, store.open, store.list, store.delete, store.digest):
            with pytest.raises(OutsideError, match="is a link that leads out"):
                use(path)
        with pytest.raises(OutsideError):
            store.write(path, b"")
        with pytest.raises(OutsideError):
            store.link("a/x", path)
    assert (tmp_path / "outside/precious").read_bytes() == b"of great value"
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["precious"]


def test_a_full_disk_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    """With a limit on the size of files, which is as a disk without room."""
    code = f"""
import resource
from glassplate.pipelines.errors import StorageError
from glassplate.pipelines.storage.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
store = Store({str(tmp_path / "a")!r})
store.write("small", b"x" * 1000)
for write in (store.write, store.create_exclusive):
    try:
        write("b/large", b"x" * 100_000)
    except StorageError as error:
        print(error)
print(store.list(""), store.list("b"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *errors, names = done.stdout.splitlines()
    assert names == "['b', 'small'] []"
    assert len(errors) == 2
    for error in errors:
        assert error.startswith(f"{tmp_path}/a/b/large: cannot be written: ")
        assert "Make room, then run again" in error


def test_new_folders_are_flushed_up_to_one_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr("glassplate.pipelines.storage.store._sync_folder", flushed.append)
    Store(str(tmp_path)).write("a/b/c/x", b"x")
    assert flushed == [tmp_path, tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c"]
