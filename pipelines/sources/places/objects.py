"""Object stores and other file systems behind a URL: every object once, whatever its key."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import fsspec
from fsspec import AbstractFileSystem

from glassplate.pipelines.sources.places.folders import glob_root, plain_path
from glassplate.pipelines.sources.places.refs import SourceRef, below, safe_name

_VERSION_KEYS = ("etag", "ETag", "md5Hash", "md5", "CRC", "LastModified", "last_modified", "mtime")


def file_system(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system of a URL and the path in it. A path without '://' is always local.

    Raises ValueError for a protocol that nobody knows, ImportError for one that is not installed.
    """
    if "://" not in url:
        return fsspec.filesystem("file"), plain_path(url)
    fs, path = fsspec.core.url_to_fs(url)
    return fs, plain_path(path) if getattr(fs, "local_file", False) else str(path)


def list_objects(fs: AbstractFileSystem, path: str, leave_out: str) -> list[SourceRef]:
    """Every object below a path, or those that a glob matches, or the one that it names.

    A directory marker, an empty object whose key ends in '/', is none. Raises OSError.
    """
    prefix = _archive_prefix(fs, leave_out)
    if "*" in path and not fs.exists(path):
        found = fs.glob(path, detail=True)
        root = glob_root(path)
    else:
        found = fs.find(path, detail=True)
        root = path if fs.isdir(path) else str(PurePosixPath(path).parent)
    return [
        object_ref(fs, key, info, below(key, root))
        for key, info in found.items()
        if info["type"] == "file"
        and not (key.endswith("/") and not info.get("size"))
        and not (prefix and key.startswith(prefix))
    ]


def object_ref(fs: AbstractFileSystem, path: str, info: dict[str, Any], name: str) -> SourceRef:
    """A reference to an object of which the file system says this."""
    tag = next((info[key] for key in _VERSION_KEYS if info.get(key)), "")
    version = f"{info.get('size')}:{tag}"
    return SourceRef(fs.unstrip_protocol(path), path, safe_name(name), version, info.get("size"))


def _archive_prefix(fs: AbstractFileSystem, leave_out: str) -> str:
    """The archive's path with a final '/', if it lies in the same remote file system."""
    if not leave_out:
        return ""
    archive_fs, path = file_system(leave_out)
    return path.rstrip("/") + "/" if archive_fs == fs else ""
