"""Listing: every file once, whatever its name, and nothing left out in silence."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from unprivileged import unprivileged

from glassplate.codecs.errors import ChangedError, TooLargeError, UnreadableError, VanishedError
from glassplate.pipelines.errors import SourceError
from glassplate.pipelines.sources.listing import list_source
from glassplate.pipelines.sources.packed.zip_and_tar import split_packed
from glassplate.pipelines.sources.reading import MAX_FILE_BYTES, read_source

ODD_NAMES = ["a b.jpg", "grün 写真.jpg", "new\nline.jpg", "100%41.jpg", "#x?[y]*.jpg", "-rf", "'\""]


def write(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def names(url: str | Path, leave_out: str = "") -> list[str]:
    return [ref.name for ref in list_source(str(url), leave_out).refs]


def test_directory_is_listed_recursively_and_sorted(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a.jpg", ".hidden", "b/c/notes.txt"):
        write(tmp_path / name)
    assert names(tmp_path) == [".hidden", "a.jpg", "b/1.png", "b/2.png", "b/c/notes.txt"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_listed_and_open(tmp_path: Path, name: str) -> None:
    write(tmp_path / "sub" / name, name.encode())
    (ref,) = list_source(str(tmp_path)).refs
    assert ref.name == f"sub/{name}"
    assert ref.uri == f"file://{tmp_path}/sub/{name}"
    assert read_source(ref) == name.encode()


def test_names_that_are_not_utf8_are_escaped_and_open(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    with open(path, "wb") as file:  # noqa: PTH123 (a name of raw bytes)
        file.write(b"latin-1")
    (ref,) = list_source(str(tmp_path)).refs
    assert ref.name == "caf%E9.jpg"
    assert ref.uri.encode("utf-8").endswith(b"caf%E9.jpg")
    assert read_source(ref) == b"latin-1"


def test_deep_nesting(tmp_path: Path) -> None:
    write(tmp_path.joinpath(*["d"] * 300, "deep.jpg"))
    assert names(tmp_path) == ["d/" * 300 + "deep.jpg"]


def test_symlink_loops_end_and_real_names_win(tmp_path: Path) -> None:
    write(tmp_path / "z" / "1.jpg")
    (tmp_path / "a").symlink_to("z")
    (tmp_path / "z" / "up").symlink_to("..")
    (tmp_path / "self").symlink_to("self")
    listing = list_source(str(tmp_path))
    assert [ref.name for ref in listing.refs] == ["self", "z/1.jpg"]
    assert [ref.name for ref in listing.problems] == ["self"]


def test_linked_folder_outside_is_listed_once(tmp_path: Path) -> None:
    write(tmp_path / "outside" / "1.jpg")
    source = tmp_path / "source"
    source.mkdir()
    (source / "one").symlink_to("../outside")
    (source / "two").symlink_to("../outside")
    assert names(source) == ["one/1.jpg"]


def test_special_files_are_skipped_without_opening(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.jpg"))
        refs = list_source(str(tmp_path)).refs
    assert [(r.name, r.outcome and r.outcome[:2]) for r in refs] == [
        ("fifo.jpg", ("skipped", "not-a-regular-file")),
        ("socket.jpg", ("skipped", "not-a-regular-file")),
    ]


def test_dangling_link_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (ref,) = list_source(str(tmp_path)).problems
    assert ref.outcome
    assert ref.outcome[:2] == ("failed", "vanished")


def test_unreadable_folder_is_a_failure(tmp_path: Path) -> None:
    write(tmp_path / "open" / "1.jpg")
    write(tmp_path / "closed" / "2.jpg").parent.chmod(0)
    with unprivileged(tmp_path):
        listing = list_source(str(tmp_path))
    assert [(ref.name, ref.outcome and ref.outcome[1]) for ref in listing.refs] == [
        ("closed", "unreadable"),
        ("open/1.jpg", None),
    ]


def test_unreadable_file_is_an_error_at_reading(tmp_path: Path) -> None:
    write(tmp_path / "closed.jpg").chmod(0)
    with unprivileged(tmp_path), pytest.raises(UnreadableError, match="permission denied"):
        read_source(list_source(str(tmp_path)).refs[0])


def test_archive_inside_the_source_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "1.jpg")
    write(tmp_path / "archive" / "images" / "x.parquet")
    assert names(tmp_path, str(tmp_path / "archive")) == ["1.jpg"]


def test_glob(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.png", "b/3.jpg", "b/c/4.jpg"):
        write(tmp_path / name)
    assert names(tmp_path / "*.jpg") == ["1.jpg"]
    assert names(tmp_path / "*" / "*.jpg") == ["b/3.jpg"]
    assert names(tmp_path / "**" / "*.jpg") == ["1.jpg", "b/3.jpg", "b/c/4.jpg"]


def test_single_file(tmp_path: Path) -> None:
    assert names(write(tmp_path / "b" / "3.jpg")) == ["3.jpg"]


def test_each_spelling_of_a_path_gives_the_same_uri(tmp_path: Path) -> None:
    write(tmp_path / "real" / "sub" / "a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "sub")
    write(tmp_path / "list.csv", b"url\nreal/../real/sub/a.jpg\n./real//sub/a.jpg\n")
    plain = {f"file://{tmp_path}/real/sub/a.jpg"}
    for url in ("real/../real/sub", "real/sub/", "link/../sub", "real/./sub/../sub/*.jpg"):
        for start in (f"{tmp_path}/", f"file://{tmp_path}/", f"{os.path.relpath(tmp_path)}/"):
            assert {ref.uri for ref in list_source(start + url).refs} == plain
    assert {ref.uri for ref in list_source(f"{tmp_path}/real/../list.csv").refs} == plain
    linked = list_source(f"{tmp_path}/real/../link").refs
    assert [ref.uri for ref in linked] == [f"file://{tmp_path}/link/a.jpg"]
    inside = f"zip://*::{tmp_path}/real/../a.zip"
    assert split_packed(inside) == ("zip://*", f"file://{tmp_path}/a.zip")
    assert split_packed(inside.replace("::", "::file://")) == split_packed(inside)


def test_version_follows_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "1.jpg", b"one")
    (before,) = list_source(str(tmp_path)).refs
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    (after,) = list_source(str(tmp_path)).refs
    assert before.version == f"3:{status.st_mtime_ns}"
    assert after.version == f"3:{status.st_mtime_ns + 1}"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_list_of_files(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "b" / "1.jpg")
    other = write(tmp_path / "other" / "2.jpg")
    with fsspec.open("memory://bucket/3.jpg", "wb") as file:
        file.write(b"three")
    entries = ["b/1.jpg", str(other), "memory://bucket/3.jpg", "b/gone.jpg", "b", "b/1.jpg"]
    table = pa.table({"label": ["?"] * len(entries), "url": entries})
    path = tmp_path / f"list.{kind}"
    if kind == "csv":
        path.write_text("label,url\n" + "".join(f"?,{entry}\n" for entry in entries))
    else:
        pq.write_table(table, path)
    listing = list_source(str(path))
    assert {ref.name: ref.outcome and ref.outcome[1] for ref in listing.refs} == {
        "b": "not-a-regular-file",
        "b/1.jpg": None,
        "b/gone.jpg": "vanished",
        "bucket/3.jpg": None,
        str(other)[1:]: None,
    }
    assert read_source(next(r for r in listing.refs if r.name == "bucket/3.jpg")) == b"three"


def test_list_without_a_column_of_names(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("number\n1\n")
    with pytest.raises(SourceError, match="no column"):
        list_source(str(tmp_path / "list.csv"))


def test_remote_folder_glob_and_file() -> None:
    fs = fsspec.filesystem("memory")
    for name in ("1.jpg", "b/2.jpg", "archive/images/x.parquet"):
        fs.pipe_file(f"/remote-listing/{name}", b"data")
    url = "memory://remote-listing"
    assert names(url, f"{url}/archive") == ["1.jpg", "b/2.jpg"]
    assert names(f"{url}/**/*.jpg") == ["1.jpg", "b/2.jpg"]
    (ref,) = list_source(f"{url}/b/2.jpg").refs
    assert (ref.name, ref.uri) == ("2.jpg", f"{url}/b/2.jpg".replace("//", "///"))
    assert read_source(ref) == b"data"


@pytest.mark.parametrize("url", ["missing", "missing/*.jpg", "nosuch://bucket", "zip://*::x.zip"])
def test_missing_sources(tmp_path: Path, url: str) -> None:
    with pytest.raises(SourceError):
        list_source(url if "://" in url else str(tmp_path / url))


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no files"):
        list_source(str(tmp_path))


def test_file_that_vanishes_or_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "1.jpg", b"one")
    (ref,) = list_source(str(path)).refs
    path.write_bytes(b"three")
    with pytest.raises(ChangedError):
        read_source(ref)
    path.unlink()
    with pytest.raises(VanishedError):
        read_source(ref)


def test_folder_in_place_of_a_file_is_unreadable(tmp_path: Path) -> None:
    path = write(tmp_path / "1.jpg", b"one")
    (ref,) = list_source(str(path)).refs
    path.unlink()
    path.mkdir()
    with pytest.raises(UnreadableError):
        read_source(ref)


def test_a_file_that_no_archive_holds_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "scan.tif").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # takes no room on the disk
    (ref,) = list_source(str(tmp_path)).refs
    with pytest.raises(TooLargeError, match=r"scan.tif.*beside the archive"):
        read_source(ref)
