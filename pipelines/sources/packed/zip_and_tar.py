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
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import fsspec
from fsspec.utils import glob_translate

from glassplate.pipelines.sources.packed.members import Member, Members, members_of
from glassplate.pipelines.sources.packed.sidecars import exported, sidecars
from glassplate.pipelines.sources.places.folders import WILDCARD, glob_root, plain_url
from glassplate.pipelines.sources.places.refs import (
    SourceRef,
    as_on_disk,
    below,
    failed_ref,
    printable,
    safe_name,
    skipped_ref,
)

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

    A local path outside becomes absolute and plain. Raises ValueError for other chains.
    """
    if "::" not in url:
        return None
    inside, *outside = url.split("::")
    if len(outside) != 1 or not inside.startswith(("zip://", "tar://")):
        raise ValueError("of chained URLs, only zip://...::URL and tar://...::URL are supported")
    is_packed(outside[0])
    return inside, plain_url(outside[0])


def list_packed(inside: str, outside: str) -> list[SourceRef]:
    """What a chained URL means: one file, a folder, a glob, or everything.

    Raises OSError, `PACKED_ERRORS`; FileNotFoundError if nothing is there.
    """
    kind, wanted = inside[:3], inside[len("zip://") :].strip("/")
    packed = _opened(kind, outside)
    described, used = sidecars(packed.found.values())
    keys, root = _chosen(wanted, [key for key in packed.found if key not in used])
    if not keys and wanted:
        raise FileNotFoundError(f"{wanted} is not in it")
    refs = [
        _ref(kind, outside, packed.found[key], below(key, root), described.get(key, {}))
        for key in keys
    ]
    if packed.damage:
        refs.append(failed_ref(outside, outside, safe_name(outside), packed.damage))
    return refs


def read_packed(ref: SourceRef) -> bytes:
    """The bytes of a listed file. Raises FileNotFoundError, OSError, `PACKED_ERRORS`."""
    inside, _, outside = ref.uri.rpartition("::")  # only what is inside may have any name
    packed = _opened(inside[:3], outside)
    if ref.path not in packed.found:
        raise FileNotFoundError(ref.path)
    return packed.found[ref.path].read()


def lacks(uri: str) -> bool:
    """Whether a zip or tar file is certainly without a file that was listed as this URI.

    Raises FileNotFoundError if it is gone itself; OSError, `PACKED_ERRORS`.
    """
    inside, _, outside = uri.rpartition("::")
    kind, key = inside[:3], inside[len("zip://") :]
    packed = _opened(kind, outside)
    return packed.damage is None and packed.found.keys().isdisjoint((key, as_on_disk(key)))


def _chosen(wanted: str, keys: Collection[str]) -> tuple[list[str], str]:
    """The keys that are meant, and the folder that their names start below."""
    if not wanted:
        return list(keys), ""
    if wanted in keys:
        return [wanted], str(PurePosixPath(wanted).parent)
    if inside := [key for key in keys if key.startswith(f"{wanted}/")]:
        return inside, wanted
    if not WILDCARD.search(wanted):
        return [], ""
    matches = re.compile(glob_translate(wanted)).fullmatch
    return [key for key in keys if matches(key)], glob_root(wanted)


def _ref(kind: str, outside: str, member: Member, name: str, said: Mapping[str, Any]) -> SourceRef:
    uri = f"{kind}://{member.key}::{outside}"
    known, fields = exported(said)
    name = safe_name(known) if known else name
    if member.reason:
        return skipped_ref(uri, member.key, name, member.reason)
    ref = SourceRef(printable(uri), member.key, printable(name), member.tag, member.size)
    return ref.with_fields(fields)


def _opened(kind: str, outside: str) -> Members:
    fs, path = fsspec.core.url_to_fs(outside)
    return _members(kind, outside, fs.ukey(path), threading.get_ident())


@lru_cache(maxsize=8)
def _members(kind: str, outside: str, state: str, thread: int) -> Members:
    """The directory is read once, by each thread: their readers share a file position.

    state: changes when the file does.
    """
    try:
        return members_of(kind, fsspec.open(outside, "rb").open(), state)
    except ValueError as error:
        if not outside.startswith(("http://", "https://")):
            raise
        cause = "its server sends whole files only; download it, then compress the file"
        raise ValueError(cause) from error
