"""Odd members of zip and tar files: each is a row, none stops the others."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from glassplate.codecs.errors import UnreadableError
from glassplate.pipelines.errors import SourceError
from glassplate.pipelines.sources.listing import list_source
from glassplate.pipelines.sources.places.refs import SourceRef
from glassplate.pipelines.sources.reading import read_source


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mtime = kind, link, 1_700_000_000
    return info


def write_tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w") as packed:
        for info, data in members:
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return path


def outcomes(path: Path) -> dict[str, str | bytes]:
    """Name -> the bytes, or why there are none."""

    def what(ref: SourceRef) -> str | bytes:
        try:
            return ref.outcome[1] if ref.outcome else read_source(ref)
        except UnreadableError as error:
            return error.code

    refs = list_source(str(path)).refs
    assert len({ref.uri for ref in refs}) == len(refs)
    return {ref.name: what(ref) for ref in refs}


def test_odd_members_of_a_tar_file(tmp_path: Path) -> None:
    path = write_tar(
        tmp_path / "odd.tar",
        [
            (member("d", tarfile.DIRTYPE), b""),
            (member("d/a.jpg"), b"first"),
            (member("hard.jpg", tarfile.LNKTYPE, "d/a.jpg"), b""),
            (member("d/soft.jpg", tarfile.SYMTYPE, "../hard.jpg"), b""),
            (member("d/a.jpg"), b"second one"),
            (member("fifo.jpg", tarfile.FIFOTYPE), b""),
            (member("tty", tarfile.CHRTYPE), b""),
            (member("disk", tarfile.BLKTYPE), b""),
            (member("gone.jpg", tarfile.SYMTYPE, "nowhere.jpg"), b""),
            (member("out.jpg", tarfile.SYMTYPE, "../../etc/hostname"), b""),
            (member("round.jpg", tarfile.SYMTYPE, "round.jpg"), b""),
            (member("folder", tarfile.SYMTYPE, "d"), b""),
            (member("z#2"), b"z"),
        ],
    )
    assert outcomes(path) == {
        "d/a.jpg": b"first",
        "d/a.jpg#2": b"second one",
        "hard.jpg": b"second one",
        "d/soft.jpg": b"second one",
        "fifo.jpg": "not-a-regular-file",
        "tty": "not-a-regular-file",
        "disk": "not-a-regular-file",
        "folder": "not-a-regular-file",
        "gone.jpg": "dangling-link",
        "out.jpg": "dangling-link",
        "round.jpg": "dangling-link",
        "z#2": b"z",
    }


def versions(path: Path) -> dict[str, str]:
    return {ref.name: ref.version for ref in list_source(str(path)).refs}


@pytest.mark.parametrize("mtime", [0, 1_700_000_000])
def test_a_tar_member_of_the_same_size_is_seen_to_change(tmp_path: Path, mtime: int) -> None:
    """Tars that are made to be reproducible have no times; a link's own time says nothing."""
    path = tmp_path / "a.tar"

    def listed(data: bytes, time: int) -> dict[str, str]:
        target, link = member("a.bmp"), member("link.bmp", tarfile.SYMTYPE, "a.bmp")
        target.mtime, link.mtime = time, 5
        return versions(write_tar(path, [(target, data), (link, b"")]))

    before, after = listed(b"first", mtime), listed(b"other", mtime and mtime + 1)
    assert before["a.bmp"] != after["a.bmp"]
    assert before["link.bmp"] != after["link.bmp"]
    assert versions(path) == after


def test_odd_members_of_a_zip_file(tmp_path: Path) -> None:
    def entry(name: str, kind: int) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, (kind | 0o644) << 16
        return info

    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("d/", b"")
        packed.writestr("d/a.jpg", b"first")
        with pytest.warns(UserWarning, match="Duplicate name"):
            packed.writestr("d/a.jpg", b"second")
        packed.writestr(entry("soft.jpg", stat.S_IFLNK), b"d/a.jpg")
        packed.writestr(entry("gone.jpg", stat.S_IFLNK), b"nowhere")
        packed.writestr(entry("fifo.jpg", stat.S_IFIFO), b"")
    assert outcomes(path) == {
        "d/a.jpg": b"first",
        "d/a.jpg#2": b"second",
        "soft.jpg": b"second",
        "gone.jpg": "dangling-link",
        "fifo.jpg": "not-a-regular-file",
    }


def test_what_lies_behind_damage_is_told_of(tmp_path: Path) -> None:
    pictures = [(member(f"{i}.jpg"), bytes([i]) * 1000) for i in range(4)]
    data = bytearray(write_tar(tmp_path / "whole.tar", pictures).read_bytes())
    cut = tmp_path / "cut.tar"
    cut.write_bytes(data[: 3 * 1536 + 700])
    data[2 * 1536 : 2 * 1536 + 100] = b"\xaa" * 100  # a header
    broken = tmp_path / "broken.tar"
    broken.write_bytes(data)
    for path, sound in ((broken, 2), (cut, 3)):
        found = outcomes(path)
        assert [found.pop(f"{i}.jpg") for i in range(sound)] == [p[1] for p in pictures[:sound]]
        assert "unreadable" in found.values()
        assert len(list_source(str(path)).problems) == 1
    (tmp_path / "none.tar").write_bytes(b"\xaa" * 3000)
    with pytest.raises(SourceError):
        list_source(str(tmp_path / "none.tar"))
