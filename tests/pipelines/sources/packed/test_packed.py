"""A zip or tar file as a source: its pictures are archived, and it stays packed."""

from __future__ import annotations

import io
import struct
import tarfile
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import odd_inputs
import pytest

from glassplate.codecs.errors import UnreadableError, VanishedError
from glassplate.pipelines import open_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress
from glassplate.pipelines.errors import SourceError
from glassplate.pipelines.sources.listing import list_source
from glassplate.pipelines.sources.reading import read_source

MEMBERS = {"a.jpg": b"first", "2024/grün b.jpg": b"second" * 99, "2024/x::y.jpg": b"third"}


def pack(path: Path, members: dict[str, bytes]) -> str:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, data in members.items():
                packed.writestr(name, data)
    else:
        with tarfile.open(path, "w") as packed:
            for name, data in members.items():
                member = tarfile.TarInfo(name)
                member.size, member.mtime = len(data), 1_700_000_000
                packed.addfile(member, io.BytesIO(data))
    return str(path)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_everything_in_it_is_listed_and_read(tmp_path: Path, kind: str) -> None:
    path = pack(tmp_path / f"photos.{kind}", MEMBERS)
    refs = list_source(path).refs
    assert [ref.name for ref in refs] == sorted(MEMBERS)
    assert {ref.name: ref.uri for ref in refs}["a.jpg"] == f"{kind}://a.jpg::file://{path}"
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read_source, [*refs] * 20))
    assert found == [MEMBERS[ref.name] for ref in refs] * 20


def test_a_part_of_it_and_one_far_away(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.zip", MEMBERS)
    (ref,) = list_source(f"zip://2024/*b.jpg::{path}").refs
    assert (ref.name, read_source(ref)) == ("grün b.jpg", MEMBERS["2024/grün b.jpg"])
    assert [ref.name for ref in list_source(f"zip://2024::file://{path}").refs] == [
        "grün b.jpg", "x::y.jpg",
    ]  # fmt: skip
    fsspec.filesystem("memory").pipe("/far/photos.zip", Path(path).read_bytes())
    refs = list_source("memory://far/photos.zip").refs
    assert [read_source(ref) for ref in refs] == [MEMBERS[ref.name] for ref in refs]


def test_only_what_changed_in_it_is_new(tmp_path: Path) -> None:
    path = pack(tmp_path / "photos.zip", MEMBERS)
    before = {ref.name: ref.version for ref in list_source(path).refs}
    pack(tmp_path / "photos.zip", {**MEMBERS, "a.jpg": b"other", "new.jpg": b"new"})
    after = {ref.name: ref.version for ref in list_source(path).refs}
    assert {name for name in after if after[name] != before.get(name)} == {"a.jpg", "new.jpg"}
    gone = next(ref for ref in list_source(path).refs if ref.name == "new.jpg")
    pack(tmp_path / "photos.zip", MEMBERS)
    with pytest.raises(VanishedError):
        read_source(gone)


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("photos.tar.gz", "compressed tar"),
        ("photos.tgz", "compressed tar"),
        ("simplecache::s3://bucket/photos", "of chained URLs, only zip"),
        ("zip://a::tar://b::c.tar", "of chained URLs, only zip"),
        ("broken.zip", "not a zip file"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, cause: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if "://" not in url:
        Path(url).write_bytes(b"x" * 99)
    with pytest.raises(SourceError, match=cause):
        list_source(url)


def test_a_damaged_file_in_it_costs_its_own_row(tmp_path: Path) -> None:
    photo = odd_inputs.save(odd_inputs.photo(160, 120), "BMP")
    other = odd_inputs.save(odd_inputs.photo(160, 120, left=90), "BMP")
    path = pack(tmp_path / "photos.zip", {"a.bmp": photo, "b.bmp": other, "../../up.bmp": photo})
    data = bytearray(Path(path).read_bytes())
    data[data.index(b"a.bmp") + 500] ^= 0x55  # in its compressed bytes
    Path(path).write_bytes(data)
    (bad,) = [ref for ref in list_source(path).refs if ref.name == "a.bmp"]
    with pytest.raises(UnreadableError):
        read_source(bad)
    config = CompressConfig(source=path, archive=str(tmp_path / "archive"), codec="jpeg")
    assert compress(config).ledger.encoded == 2
    archive = open_archive(config.archive)
    assert archive.find("a.bmp").error_code == "unreadable"
    assert archive.get(f"zip://b.bmp::file://{path}").size == (160, 120)
    assert archive.find("up.bmp").status == "encoded"
    again = compress(config).ledger  # it could be a bad moment: what cannot be read is tried again
    assert (again.unchanged, again.failed) == (2, 1)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_is_never_inflated_beyond_its_declared_size(tmp_path: Path, method: int) -> None:
    """A directory that declares 1000 bytes of what inflates to 256 MB."""
    path = tmp_path / "lying.zip"
    size = 256 << 20
    with zipfile.ZipFile(path, "w", method) as packed:
        packed.writestr("a.bin", bytes(size))
    honest, lie = struct.pack("<L", size), struct.pack("<L", 1000)
    path.write_bytes(path.read_bytes().replace(honest, lie))
    (ref,) = list_source(str(path)).refs
    assert ref.size == 1000
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableError):
            read_source(ref)
        assert tracemalloc.get_traced_memory()[1] < size // 2
    finally:
        tracemalloc.stop()
