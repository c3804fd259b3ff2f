"""What there is to compress: a directory, a glob, a file, a zip or tar, or a list of URLs."""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from fsspec import AbstractFileSystem
from fsspec.utils import glob_translate

from glassplate.codecs.errors import ChangedError, UnreadableError, VanishedError
from glassplate.pipelines.errors import SourceError, StorageError
from glassplate.pipelines.sources.zip_and_tar import (
    PACKED_ERRORS,
    is_packed,
    packed_files,
    packed_url,
    split_packed,
)
from glassplate.pipelines.storage.errors import file_errors

LIST_SUFFIXES = (".parquet", ".csv")
LIST_COLUMNS = ("url", "uri", "path")
READ_ATTEMPTS = 3
_VERSION_KEYS = ("etag", "ETag", "md5Hash", "md5", "CRC", "LastModified", "last_modified", "mtime")
_REMOTE_STATS = 16
_GONE = "If it comes back, the next run takes it."

Outcome = tuple[str, str, str]


@dataclass(frozen=True)
class SourceRef:
    """A reference to one source file: what crosses the pipeline instead of pixels.

    uri: full fsspec URL, printable (bytes that are not UTF-8 are percent-escaped).
    path: what the file system opens.
    name: path below the source's root, with '/', never absolute, never with '..'.
    version: changes when the file does: '<size>:<mtime ns>', or '<size>:<etag>'.
    outcome: for what is known before reading, (status, code or reason, message):
        a duplicate, not a regular file, an unreadable directory.
    """

    uri: str
    path: str
    name: str
    version: str
    size: int | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Listing:
    """Every file of a source, sorted by name."""

    refs: tuple[SourceRef, ...]

    @property
    def problems(self) -> tuple[SourceRef, ...]:
        """What could not be listed (unreadable folders, dangling links); each is also in refs."""
        return tuple(ref for ref in self.refs if ref.outcome and ref.outcome[0] == "failed")


def list_source(url: str, leave_out: str = "") -> Listing:
    """List every file of a directory (recursively), a glob, a file, or a list of URLs.

    `leave_out` is the archive, in case that it lies inside the source. Nothing is opened.
    Raises SourceError if there is nothing to list.
    """
    try:
        refs = _list(url, leave_out)
    except file_errors(ValueError, ImportError, pa.ArrowException, *PACKED_ERRORS) as error:
        raise SourceError(
            str(error).rstrip("."), "Give a directory, glob, file or list.", url
        ) from error
    if not refs:
        raise SourceError("there are no files", "Is it the right place?", url)
    return Listing(tuple(sorted(refs, key=lambda ref: (ref.name, ref.uri))))


def file_system(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system of a URL and the path in it. A path without '://' is always local."""
    if "://" not in url:
        return fsspec.filesystem("file"), str(Path(url).absolute())
    if packed := split_packed(url):
        fs = packed_files(*packed)
        return fs, str(fs._strip_protocol(packed[0]))
    fs, path = fsspec.core.url_to_fs(url)
    return fs, str(path)


def read_source(ref: SourceRef) -> bytes:
    """The bytes of a source file, as they were listed; transient errors are tried again.

    Raises VanishedError, UnreadableError, ChangedError, which are about this file; StorageError if
    an object store cannot be reached, which is not.
    """
    for attempt in range(1, READ_ATTEMPTS + 1):
        try:
            fs = _file_system_of(ref)
            with fs.open(ref.path, "rb") as file:
                data = bytes(file.read())
            break
        except FileNotFoundError as error:
            raise VanishedError("was listed and is gone", _GONE, ref.uri) from error
        except file_errors(*PACKED_ERRORS) as error:
            if _is_remote(ref) and not isinstance(error, (PermissionError, *PACKED_ERRORS)):
                fix = "Is it within reach? Run again: finished shards are kept."
                raise StorageError(_cause(error), fix, ref.uri) from error
            if attempt == READ_ATTEMPTS or isinstance(error, PermissionError):
                fix = "Check its permissions, then run again with --retry-failed."
                raise UnreadableError(_cause(error), fix, ref.uri) from error
    if _has_changed(fs, ref, data):
        raise ChangedError("changed while the run went on", "Run again.", ref.uri)
    return data


def _file_system_of(ref: SourceRef) -> AbstractFileSystem:
    if ref.uri.startswith(("zip://", "tar://")):
        inside, _, outside = ref.uri.rpartition("::")  # only what is inside may have any name
        return packed_files(inside, outside)
    return fsspec.filesystem(ref.uri.split("://", 1)[0])


def _is_remote(ref: SourceRef) -> bool:
    """In an object store, whose client tries again by itself what may be worth it."""
    place = ref.uri.rpartition("::")[2]
    return "://" in place and not place.startswith("file://")


def _has_changed(fs: AbstractFileSystem, ref: SourceRef, data: bytes) -> bool:
    if ref.size is not None and len(data) != ref.size:
        return True
    if not getattr(fs, "local_file", False):
        return False
    try:
        return _local_ref(ref.path, ref.name).version != ref.version
    except FileNotFoundError as error:
        raise VanishedError("vanished while it was read", _GONE, ref.uri) from error


def _list(url: str, leave_out: str) -> list[SourceRef]:
    fs, path = file_system(url)
    if getattr(fs, "local_file", False):
        return _list_local(Path(path), leave_out)
    if "::" not in url and is_packed(path) and fs.isfile(path):
        return _list(packed_url(url), leave_out)
    if path.lower().endswith(LIST_SUFFIXES):
        return _list_table(fs, path)
    prefix = _archive_prefix(fs, leave_out)
    if "*" in path and not fs.exists(path):
        found = fs.glob(path, detail=True)
        root = _glob_root(path)
    else:
        found = fs.find(path, detail=True)
        root = path if fs.isdir(path) else str(PurePosixPath(path).parent)
    return [
        _remote_ref(fs, name, info, _below(name, root), _outside(url))
        for name, info in found.items()
        if info["type"] == "file" and not (prefix and name.startswith(prefix))
    ]


def _list_local(path: Path, leave_out: str) -> list[SourceRef]:
    if path.is_dir():
        return list(_walk(path, leave_out))
    if path.exists() and path.suffix.lower() in LIST_SUFFIXES:
        return _list_table(fsspec.filesystem("file"), str(path))
    if path.exists() and is_packed(path.name):
        return _list(packed_url(f"file://{path}"), leave_out)
    if path.exists() or path.is_symlink():
        return [_local_ref(str(path), path.name)]
    root = Path(_glob_root(str(path)))
    if root == path or not root.is_dir():
        raise FileNotFoundError("no such file or directory")
    pattern = str(path.relative_to(root))
    depth = None if "**" in pattern else pattern.count("/")
    matches = re.compile(glob_translate(pattern)).fullmatch
    return [ref for ref in _walk(root, leave_out, depth) if matches(ref.name)]


def _walk(root: Path, leave_out: str, depth: int | None = None) -> Iterator[SourceRef]:
    """Every file below a local folder. A folder is listed once, linked folders last.

    Linked folders come last so that files are listed under their real names; loops end because
    no folder is listed twice.
    """
    seen = {_identity(file_system(leave_out)[1])} if leave_out else set()
    real, linked = deque([(str(root), 0)]), deque[tuple[str, int]]()
    while real or linked:
        folder, level = (real or linked).popleft()
        try:
            identity = _identity(folder)
            if identity in seen:
                continue
            seen.add(identity)
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            yield _problem(folder, str(root), error)
            continue
        for entry in entries:
            if not _is_folder(entry):
                yield _local_ref_or_problem(entry.path, str(root))
            elif depth is None or level < depth:
                (linked if entry.is_symlink() else real).append((entry.path, level + 1))


def _identity(path: str) -> tuple[int, int] | None:
    """What tells a folder from all others on this machine, whatever its names; None: missing."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link into a folder that may not be entered
        return False


def _local_ref_or_problem(path: str, root: str) -> SourceRef:
    try:
        return _local_ref(path, _below(path, root))
    except OSError as error:
        return _problem(path, root, error)


def _local_ref(path: str, name: str) -> SourceRef:
    status = os.stat(path)  # noqa: PTH116 (three times as fast, and called for every file)
    version = f"{status.st_size}:{status.st_mtime_ns}"
    ref = SourceRef(f"file://{_printable(path)}", path, _printable(name), version, status.st_size)
    return ref if stat.S_ISREG(status.st_mode) else _not_regular(ref)


def _not_regular(ref: SourceRef) -> SourceRef:
    outcome = ("skipped", "not-a-regular-file", "")
    return SourceRef(ref.uri, ref.path, ref.name, ref.version, None, outcome)


def _problem(path: str, root: str, error: OSError) -> SourceRef:
    """A `failed` reference: for a folder that cannot be read, a link that leads nowhere."""
    return _failed(f"file://{path}", path, _below(path, root), error)


def _failed(uri: str, path: str, name: str, error: OSError) -> SourceRef:
    gone = isinstance(error, FileNotFoundError)
    code = VanishedError.code if gone else UnreadableError.code
    uri = _printable(uri)
    outcome = ("failed", code, f"{uri}: {_cause(error)}")
    return SourceRef(uri, path, _printable(name), "", None, outcome)


def _remote_ref(
    fs: AbstractFileSystem, path: str, info: dict[str, Any], name: str, outside: str = ""
) -> SourceRef:
    tag = next((info[key] for key in _VERSION_KEYS if info.get(key)), "")
    uri = fs.unstrip_protocol(path) + outside
    return SourceRef(uri, path, name, f"{info.get('size')}:{tag}", info.get("size"))


def _outside(url: str) -> str:
    """What the URLs of the files in a zip or tar file end with."""
    packed = split_packed(url) if "://" in url else None
    return f"::{packed[1]}" if packed else ""


def _list_table(fs: AbstractFileSystem, path: str) -> list[SourceRef]:
    """The files that a Parquet or CSV table names, relative ones below the table's folder."""
    with fs.open(path, "rb") as file:
        is_csv = path.lower().endswith(".csv")
        table = pyarrow.csv.read_csv(file) if is_csv else pyarrow.parquet.read_table(file)
    strings = [f.name for f in table.schema if pa.types.is_string(f.type)]
    column = next((name for name in LIST_COLUMNS if name in strings), strings[0] if strings else "")
    if not column:
        raise ValueError("the list has no column of strings")
    folder = str(PurePosixPath(path).parent)
    entries = dict.fromkeys(entry for entry in table[column].to_pylist() if entry)
    with ThreadPoolExecutor(_REMOTE_STATS) as pool:
        refs = pool.map(lambda entry: _entry_ref(fs, folder, entry), entries)
        return list({ref.uri: ref for ref in refs}.values())


def _entry_ref(fs: AbstractFileSystem, folder: str, entry: str) -> SourceRef:
    if "://" in entry:
        fs, path = file_system(entry)
    else:
        path = entry if entry.startswith("/") else f"{folder}/{entry}"
    name = _safe_name(entry)
    try:
        if getattr(fs, "local_file", False):
            return _local_ref(path, name)
        info = fs.info(path)
        ref = _remote_ref(fs, path, info, name, _outside(entry))
        return ref if info["type"] == "file" else _not_regular(ref)
    except OSError as error:
        return _failed(fs.unstrip_protocol(path), path, name, error)


def _glob_root(path: str) -> str:
    """The folder above the first wildcard; the path itself if there is none."""
    parts = PurePosixPath(path).parts
    fixed = next((i for i, part in enumerate(parts) if re.search(r"[*?\[]", part)), len(parts))
    return str(PurePosixPath(*parts[:fixed]))


def _archive_prefix(fs: AbstractFileSystem, leave_out: str) -> str:
    """The archive's path with a final '/', if it lies in the same remote file system."""
    if not leave_out:
        return ""
    archive_fs, path = file_system(leave_out)
    return path.rstrip("/") + "/" if archive_fs == fs else ""


def _below(path: str, root: str) -> str:
    root = root.rstrip("/") + "/"
    return path.removeprefix(root) if path.startswith(root) else _safe_name(path)


def _safe_name(entry: str) -> str:
    parts: Iterable[str] = entry.split("://", 1)[-1].split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "_"


def _printable(text: str) -> str:
    """Bytes that are not UTF-8 (surrogates, in Python's reading) percent-escaped."""
    return re.sub("[\udc80-\udcff]", lambda match: f"%{ord(match[0]) - 0xDC00:02X}", text)


def _cause(error: Exception) -> str:
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(words).rstrip(".").lower()
