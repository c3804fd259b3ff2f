"""Paths for names from data. An archive may come from a stranger, so no name is trusted.

What stays of a name is the same on every system: a relative path whose parts mean only themselves,
are not too long, and differ from all others also where case and accents' coding make no difference.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from pathlib import PurePosixPath

_MAX_PART_BYTES = 200
_MAX_PATH_BYTES = 1000  # of all parts together; object stores take 1024
_MAX_SUFFIX = 16
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.I)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\\\\\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls, backslashes, line ends, and what turns the direction of text around."""
_WINDOWS = re.compile('[<>:"|?*]')


class Names:
    """Gives each picture a path of its own below one folder; files are no folders of others.

    is_file: Whether there is something else than a folder already, under a relative path.
    is_taken: Whether there is anything.
    reserved: First part of paths that are not given away.
    """

    def __init__(
        self,
        is_file: Callable[[str], bool] = lambda path: False,
        is_taken: Callable[[str], bool] = lambda path: False,
        reserved: str | None = None,
    ) -> None:
        self._is_file, self._is_taken = is_file, is_taken
        self._files: set[str] = set()
        self._folders: set[str] = {_folded(reserved)} if reserved else set()
        self._reserved = set(self._folders)
        self._given: dict[str, str] = {}
        self._numbers: dict[str, int] = defaultdict(int)

    def take(self, name: str, suffix: str) -> str:
        """A relative path with this suffix; a second one of a name gets -1, -2, ..."""
        *folders, stem = safe_name(name).split("/")
        folder = ""
        for part in folders:
            folder = self._folder(folder + part) + "/"
        path = self._free(folder + stem, suffix, self._may_be_file)
        self._files.add(_folded(path))
        return path

    def _folder(self, path: str) -> str:
        if path not in self._given:
            self._given[path] = self._free(path, "", self._may_be_folder)
            self._folders.add(_folded(self._given[path]))
        return self._given[path]

    def _free(self, stem: str, suffix: str, may_be: Callable[[str], bool]) -> str:
        if may_be(stem + suffix):
            return stem + suffix
        while True:
            self._numbers[stem + suffix] += 1
            path = f"{stem}-{self._numbers[stem + suffix]}{suffix}"
            if may_be(path):
                return path

    def _may_be_folder(self, path: str) -> bool:
        folded = _folded(path)
        taken = folded in self._files or folded in self._reserved
        return not taken and not self._is_file(path)

    def _may_be_file(self, path: str) -> bool:
        folded = _folded(path)
        taken = folded in self._files or folded in self._folders
        return not taken and not self._is_taken(path)


def safe_name(name: str) -> str:
    """A relative path without suffix for a name from data, that leads out of no folder.

    Parent references, drive letters, backslashes, controls and names of devices are taken out;
    where the parts together are too long, a hash takes the folders' place.
    """
    *folders, last = name.split("/")
    stem = _part(_part(last).removesuffix(suffix_of(last))) or "picture"
    if not suffix_of(last) and PurePosixPath(stem).suffix:  # too long for a suffix: it is none
        stem = stem.replace(".", "_")
    parts = [*filter(None, map(_part, folders)), stem]
    if len("/".join(parts).encode()) > _MAX_PATH_BYTES:
        parts = [hashlib.sha256("/".join(parts[:-1]).encode()).hexdigest()[:16], stem]
    return "/".join(parts)


def suffix_of(name: str) -> str:
    """Extension of a source's name; '' for none, or for what is too long to be one."""
    suffix = PurePosixPath(_cleaned(name.rpartition("/")[2])).suffix
    return suffix if len(suffix) <= _MAX_SUFFIX else ""


def own_suffix(name: str, format_name: str | None, *, bit_exact: bool) -> str:
    """Extension of a picture's own format: as its source's, or as usual where that is of
    another format; '.png' for what we do not write pictures of any kind as.

    format_name: Pillow's name of the source's format.
    """
    if bit_exact:
        return suffix_of(name)
    usual = _WRITTEN.get(format_name or "", (".png",))
    return suffix_of(name) if suffix_of(name).lower() in usual else usual[0]


_WRITTEN = {
    "AVIF": (".avif",),
    "BMP": (".bmp", ".dib"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "JPEG2000": (".jp2", ".j2k", ".jpc", ".j2c", ".jpx", ".jpf"),
    "MPO": (".jpg", ".jpeg"),
    "PNG": (".png", ".apng"),
    "PPM": (".ppm", ".pnm"),
    "TGA": (".tga",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
"""Formats that hold every picture with 8 bits a channel, and the suffixes of their files."""


def is_safe(path: str) -> bool:
    """Whether a relative path with suffix may be written: it could have been given by `Names`."""
    parts = path.split("/")
    return all(part == _cleaned(part) and part for part in parts)


def is_below(path: str, folder: str) -> bool:
    """Whether a path is that of a folder, or leads into it, on any file system."""
    return _folded(path.partition("/")[0]) == _folded(folder)


def _part(part: str) -> str:
    """A path component that means only itself and is not too long; '' for '.', '..' and so on."""
    cut = _cleaned(part).encode()[:_MAX_PART_BYTES].decode("utf-8", "ignore")
    return _cleaned(cut)


def _cleaned(part: str, *, windows: bool = os.name == "nt") -> str:
    part = _CONTROL.sub("_", part).rstrip(". ")
    part = re.sub(r"^([A-Za-z]):", r"\1_", part)
    if windows:
        part = _WINDOWS.sub("_", part)
    return f"_{part}" if _DEVICES.match(part) else part


def _folded(path: str) -> str:
    """Equal for paths that some file system takes for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
