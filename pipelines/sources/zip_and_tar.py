"""Files inside of one zip or tar file, read where they lie.

    photos.zip, s3://bucket/photos.tar      everything in it
    zip://2024/*.jpg::photos.zip            some of it, as fsspec chains URLs

Compressed tar files are refused: to find a file in one, all before it has to be unpacked again.
"""

from __future__ import annotations

import re
import tarfile
import threading
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path

import fsspec
from fsspec import AbstractFileSystem

PACKED_ERRORS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, RuntimeError, EOFError)
"""What reading raises on damaged and encrypted files, and on unknown compression."""

_SUFFIXES = (".zip", ".tar")
_COMPRESSED = re.compile(r"\.(tgz|tbz2?|txz|tar\.\w+)$", re.IGNORECASE)


def is_packed(path: str) -> bool:
    """Whether a file's name says that it is a zip or tar file. Raises ValueError: compressed."""
    if _COMPRESSED.search(path):
        raise ValueError("a compressed tar file cannot be read in place; unpack it, or use zip")
    return path.lower().endswith(_SUFFIXES)


def packed_url(url: str) -> str:
    """The chained URL of everything in a zip or tar file."""
    return f"{url[-3:].lower()}://::{url}"


def split_packed(url: str) -> tuple[str, str] | None:
    """'zip://inside::outside' -> ('zip://inside', 'outside'); None if the URL is not chained.

    A local path outside becomes absolute. Raises ValueError for other chains.
    """
    if "::" not in url:
        return None
    inside, *outside = url.split("::")
    if len(outside) != 1 or not inside.startswith(("zip://", "tar://")):
        raise ValueError("of chained URLs, only zip://...::URL and tar://...::URL are supported")
    is_packed(outside[0])
    if "://" in outside[0]:
        return inside, outside[0]
    return inside, f"file://{Path(outside[0]).absolute()}"


def packed_files(inside: str, outside: str) -> AbstractFileSystem:
    """What is in a zip or tar file. Raises OSError, `PACKED_ERRORS`."""
    fs, path = fsspec.core.url_to_fs(outside)
    return _packed_files(inside[:3], outside, fs.ukey(path), threading.get_ident())


@lru_cache(maxsize=8)
def _packed_files(kind: str, outside: str, state: str, thread: int) -> AbstractFileSystem:
    """The directory is read once, by each thread: their readers share a file position.

    state: changes when the file does.
    """
    return fsspec.filesystem(kind, fo=outside)
