"""What is in a zip or tar file: every member that is a file, odd ones with the reason.

Links inside of it are followed; nothing is ever unpacked to a disk.
"""

from __future__ import annotations

import posixpath
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, TypeVar

_MOST_LINKS = 40
_LONGEST_LINK = 4096

_PIECES = {zipfile.ZIP_STORED: 1 << 20, zipfile.ZIP_DEFLATED: 1 << 20, zipfile.ZIP_LZMA: 1 << 12}
_SMALL_PIECE = 1 << 5
"""Bytes that are read of a zip file's member at a time. But for the first two methods zipfile never
tells the decompressor where to stop: so many compressed bytes are inflated, whatever comes out; 45
of bzip2 may be a block, 46 MB when all is one colour."""

Entry = TypeVar("Entry", zipfile.ZipInfo, tarfile.TarInfo)


@dataclass(frozen=True)
class Member:
    """One file of a zip or tar file.

    key: its name; the second of one name has '#2' behind it, the third '#3'.
    tag: changes with the content.
    reason: why there is nothing to read; such a member is skipped.
    """

    key: str
    size: int = 0
    tag: str = ""
    reason: str = ""
    read: Callable[[], bytes] = bytes


@dataclass
class Members:
    """The files by their keys, in their order. damage: what cuts the list short."""

    found: dict[str, Member] = field(default_factory=dict)
    damage: Exception | None = None

    def add(self, name: str, **about: object) -> None:
        """Take down a file under a key of its own."""
        key, count = name, 1
        while key in self.found:
            count += 1
            key = f"{name}#{count}"
        self.found[key] = Member(key, **about)  # type: ignore[arg-type]


def members_of(kind: str, file: IO[bytes], state: str = "") -> Members:
    """The files in an open zip or tar file, which has to stay open for them to be read.

    state: Changes when the file does: the tag of what says neither its time nor its checksum.

    Raises zipfile.BadZipFile, tarfile.TarError, OSError.
    """
    if kind == "zip":
        return _in_zip(zipfile.ZipFile(file))
    return _in_tar(tarfile.TarFile(fileobj=file), state)


def _in_zip(packed: zipfile.ZipFile) -> Members:
    members = Members()
    entries = packed.infolist()
    by_name = {_normal(entry.filename): entry for entry in entries}

    def target_of(entry: zipfile.ZipInfo) -> str | None:
        if not stat.S_ISLNK(_mode(entry)):
            return None
        with packed.open(entry) as file:
            return file.read(_LONGEST_LINK).decode("utf-8", "surrogateescape")

    for entry in entries:
        name = entry.filename.lstrip("/")
        found = _followed(entry, by_name, target_of, lambda one: one.filename)
        mode = _mode(found) if found else 0
        if entry.is_dir():
            continue
        if found is None:
            members.add(name, reason="dangling-link")
        elif found.is_dir() or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
            members.add(name, reason="not-a-regular-file")
        else:
            members.add(
                name,
                size=found.file_size,
                tag=f"{found.file_size}:{found.CRC or ''}",
                read=_zip_reader(packed, found),
            )
    return members


def _in_tar(packed: tarfile.TarFile, state: str) -> Members:
    members = Members()
    entries: list[tarfile.TarInfo] = []
    try:
        for entry in packed:
            entries.append(entry)
        members.damage = _what_ends(packed)
    except tarfile.TarError as error:
        members.damage = error
    if members.damage and not entries:
        raise members.damage
    by_name = {_normal(entry.name): entry for entry in entries}

    def target_of(entry: tarfile.TarInfo) -> str | None:
        if entry.islnk():
            return "/" + entry.linkname
        return entry.linkname if entry.issym() else None

    for entry in entries:
        name = re.sub("/+", "/", entry.name.rstrip("/"))
        found = _followed(entry, by_name, target_of, lambda one: one.name)
        if entry.isdir():
            continue
        if found is None:
            members.add(name, reason="dangling-link")
        elif not found.isfile():
            members.add(name, reason="not-a-regular-file")
        else:
            members.add(
                name,
                size=found.size,
                tag=f"{found.size}:{found.mtime or state}",
                read=_tar_reader(packed, found),
            )
    return members


def _what_ends(packed: tarfile.TarFile) -> tarfile.TarError | None:
    """Why a list of members ended, where it was not the end: tarfile stops there in silence."""
    file = packed.fileobj
    assert file
    file.seek(packed.offset)
    if not any(file.read(tarfile.BLOCKSIZE)):
        return None
    return tarfile.ReadError(f"is damaged at byte {packed.offset}: what follows cannot be listed")


def _followed(
    entry: Entry,
    by_name: dict[str, Entry],
    target_of: Callable[[Entry], str | None],
    name_of: Callable[[Entry], str],
) -> Entry | None:
    """The entry at the end of a chain of links; None if there is none."""
    found: Entry | None = entry
    for _ in range(_MOST_LINKS):
        if found is None or (target := target_of(found)) is None:
            return found
        folder = posixpath.dirname(_normal(name_of(found)))
        found = by_name.get(_normal(posixpath.join(folder, target)))
    return None


def _normal(name: str) -> str:
    return posixpath.normpath(name).lstrip("/")


def _mode(entry: zipfile.ZipInfo) -> int:
    return entry.external_attr >> 16 if entry.create_system == 3 else 0


def _zip_reader(packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        piece = _PIECES.get(entry.compress_type, _SMALL_PIECE)
        data = bytearray()
        with packed.open(entry) as file:
            assert isinstance(file, zipfile.ZipExtFile)  # as it is, if only to be read
            file.MIN_READ_SIZE = min(piece, file.MIN_READ_SIZE)
            while more := file.read(piece):  # all at once, it inflates beyond what was declared
                data += more
        return bytes(data)

    return read


def _tar_reader(packed: tarfile.TarFile, entry: tarfile.TarInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        file = packed.extractfile(entry)
        assert file
        with file:
            return file.read()

    return read
