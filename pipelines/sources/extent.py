"""What a listing of a source covers, and whether a source that it lacks is still there."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from glassplate.pipelines.sources.packed.tables import LIST_SUFFIXES
from glassplate.pipelines.sources.packed.zip_and_tar import (
    PACKED_ERRORS,
    is_packed,
    lacks,
    packed_url,
    split_packed,
)
from glassplate.pipelines.sources.places.folders import glob_root
from glassplate.pipelines.sources.places.objects import file_system
from glassplate.pipelines.sources.places.refs import as_on_disk, printable
from glassplate.pipelines.sources.places.web import is_web
from glassplate.pipelines.storage.errors import file_errors

logger = logging.getLogger(__name__)

_CHECKS_AT_ONCE = 16


@dataclass(frozen=True)
class Extent:
    """All URIs with this beginning and end are those of one source."""

    prefix: str
    suffix: str = ""


def extent_of(url: str) -> Extent | None:
    """What a source covers: a folder or a glob all below its root; a list or a web page nothing."""
    if packed := split_packed(url) if "://" in url else None:
        inside, outside = packed
        return Extent(inside[: len("zip://")], f"::{outside}")
    if is_web(url):
        return None
    fs, path = file_system(url)
    if getattr(fs, "local_file", False):
        return _local_extent(Path(path))
    if is_packed(path) and fs.isfile(path):
        return extent_of(packed_url(url))
    if path.lower().endswith(LIST_SUFFIXES):
        return None
    if "*" in path and not fs.exists(path):
        path = glob_root(path)
    elif not fs.isdir(path):
        return None
    return Extent(fs.unstrip_protocol(path).rstrip("/") + "/")


def _local_extent(path: Path) -> Extent | None:
    if path.is_file():
        if path.suffix.lower() in LIST_SUFFIXES or not is_packed(path.name):
            return None
        return extent_of(packed_url(f"file://{path}"))
    root = str(path) if path.is_dir() else glob_root(str(path))
    return Extent(f"file://{printable(root.rstrip('/'))}/")


def are_gone(uris: Sequence[str]) -> list[bool]:
    """Whether each source is certainly not there any more; in doubt it is."""
    if all(uri.startswith("file://") for uri in uris):
        return list(map(_is_gone, uris))
    with ThreadPoolExecutor(_CHECKS_AT_ONCE) as pool:
        return list(pool.map(_is_gone, uris))


def _is_gone(uri: str) -> bool:
    if uri.startswith("file://"):
        path = uri.removeprefix("file://")
        return _is_missing(path) and _is_missing(as_on_disk(path))
    if is_web(uri):
        return False  # servers answer anything at all to questions about what they do not have
    try:
        if uri.startswith(("zip://", "tar://")):
            return lacks(uri)
        fs, path = file_system(uri)
        fs.info(path)
    except FileNotFoundError:
        return True
    except file_errors(ValueError, ImportError, *PACKED_ERRORS) as error:
        logger.debug("%s: whether it is there is not known (%s)", uri, error)
    return False


def _is_missing(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False
