"""Where an archive lies: a thin layer over fsspec with the few guarantees that commits need.

A local write is complete and on disk (fsynced, then renamed) or not there at all; object stores
give the same by themselves. `create_exclusive` is the one operation that decides between writers.
Trouble with a local disk is an OSError, as everywhere; a full one, and trouble with an object
store, is a StorageError.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from glassplate.pipelines.errors import OutsideError, StorageError
from glassplate.pipelines.storage.errors import storage_errors

_CHUNK = 1 << 20
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_OUTSIDE = "Nothing outside is touched. Where does this folder come from?"


class Store:
    """Files below one root, named by relative paths with '/'. Can be pickled to workers.

    Missing files raise FileNotFoundError; other trouble is an OSError here, a StorageError in an
    object store and where a disk is full.
    """

    def __init__(self, url: str, **storage_options: Any) -> None:
        if "://" in url:
            with storage_errors(url):
                filesystem, root = fsspec.core.url_to_fs(url, **storage_options)
        else:  # a plain path, whatever characters are in it
            filesystem, root = LocalFileSystem(), str(Path(url).absolute())
        self.filesystem: Any = filesystem
        self.root: str = root.rstrip("/")
        self.url = url
        self._options = storage_options
        self.is_local = isinstance(filesystem, LocalFileSystem)
        self._real_root = os.path.realpath(self.root or "/") if self.is_local else self.root

    def path(self, path: str) -> str:
        """What the file system calls a relative path.

        Raises OutsideError for a path that leads out of the root, by its parts or by a link: an
        archive, and a plan of work, may come from a stranger.
        """
        full = f"{self.root}/{path}"
        if path and not {"", ".", ".."}.isdisjoint(path.split("/")):
            raise OutsideError("is no path below the folder", _OUTSIDE, full)
        if self.is_local and not _is_below(os.path.realpath(full), self._real_root):
            raise OutsideError("is a link that leads out of the folder", _OUTSIDE, full)
        return full

    def read(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        """A file's bytes, or a range of them."""
        with self._trouble(path):
            data: bytes = self.filesystem.cat_file(self.path(path), start=start, end=end)
        return data

    def open(self, path: str) -> IO[bytes]:
        """A file for random access, without read-ahead: Parquet asks for exact ranges."""
        if not self.is_local:
            return cast(IO[bytes], _RemoteFile(self, path))
        handle: IO[bytes] = self.filesystem.open(self.path(path), "rb", cache_type="none")
        return handle

    def write(self, path: str, data: bytes) -> None:
        """Write or replace a whole file."""
        with self.create(path) as sink:
            sink.write(data)

    @contextlib.contextmanager
    def create(self, path: str) -> Iterator[IO[bytes]]:
        """Write a file piece by piece; it appears when the block ends well."""
        if not self.is_local:
            with self._trouble(path), self.filesystem.open(self.path(path), "wb") as sink:
                yield sink
            return
        with room_for(self.path(path)), self._temporary(path) as (sink, temporary):
            yield sink
            _flush(sink)
            temporary.replace(self.path(path))
        _sync_folder(Path(self.path(path)).parent)

    def create_exclusive(self, path: str, data: bytes) -> None:
        """Create a file that must not exist. Raises FileExistsError; never replaces."""
        if not self.is_local:
            self._create_remote(path, data)
            return
        target = Path(self.path(path))
        with room_for(self.path(path)), self._temporary(path) as (sink, temporary):
            sink.write(data)
            _flush(sink)
            try:
                os.link(temporary, target)
            except FileExistsError:
                raise
            except OSError:  # no hard links here (FAT, some network mounts)
                with target.open("xb") as fallback:
                    fallback.write(data)
                    _flush(fallback)
        _sync_folder(target.parent)

    def link(self, source: str, target: str) -> None:
        """Give a file a second name: a hard link where there are any, else a copy.

        A target that exists is left as it is: published names are content hashes.
        """
        if not self.is_local:
            with self._trouble(source):
                self.filesystem.cp_file(self.path(source), self.path(target))
            return
        place = Path(self.path(target))
        _make_folder(place.parent)
        try:
            os.link(self.path(source), place)
        except FileExistsError:
            return
        except OSError:
            with self.create(target) as sink, self.open(source) as origin:
                shutil.copyfileobj(origin, sink, _CHUNK)
        _sync_folder(place.parent)

    def delete(self, path: str) -> None:
        """Delete a file or a folder with all in it; what is not there is fine."""
        with self._trouble(path), contextlib.suppress(FileNotFoundError):
            self.filesystem.rm(self.path(path), recursive=True)

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        self.filesystem.invalidate_cache()
        with self._trouble(path):
            return bool(self.filesystem.exists(self.path(path)))

    def size(self, path: str) -> int:
        """Bytes of a file."""
        with self._trouble(path):
            return int(self.filesystem.size(self.path(path)))

    def modified(self, path: str) -> datetime:
        """When a file was last written, UTC."""
        with self._trouble(path):
            time: datetime = self.filesystem.modified(self.path(path))
        return time if time.tzinfo else time.replace(tzinfo=UTC)

    def list(self, prefix: str) -> list[str]:
        """Names of the entries right inside a folder, sorted; empty if there is no folder."""
        self.filesystem.invalidate_cache()
        try:
            with self._trouble(prefix):
                found = self.filesystem.ls(self.path(prefix), detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(name).rstrip("/").rsplit("/", 1)[-1] for name in found)

    def total_size(self) -> int:
        """Bytes of all files below the root together."""
        self.filesystem.invalidate_cache()
        with self._trouble(""):
            found = self.filesystem.find(self.path(""), detail=True)
        return sum(int(info["size"] or 0) for info in found.values())

    def digest(self, path: str) -> tuple[int, str]:
        """Size and sha256 (hex) of a file, read in pieces."""
        digest, size = hashlib.sha256(), 0
        with self.open(path) as source:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
        return size, digest.hexdigest()

    def apart(self) -> Store:
        """The same place through a client of its own, as another process would have."""
        if self.is_local:
            return self
        return Store(self.url, **self._options, skip_instance_cache=True)

    def _trouble(self, path: str) -> contextlib.AbstractContextManager[None]:
        """Types the errors of an object store."""
        return contextlib.nullcontext() if self.is_local else storage_errors(self.path(path))

    def _create_remote(self, path: str, data: bytes) -> None:
        """A conditional write. Stores that refuse one in words of their own: see if it is there."""
        try:
            with self._trouble(path):
                self.filesystem.pipe_file(self.path(path), data, mode="create")
        except StorageError as error:
            if self.exists(path):
                raise FileExistsError(self.path(path)) from error
            raise

    @contextlib.contextmanager
    def _temporary(self, path: str) -> Iterator[tuple[IO[bytes], Path]]:
        """A hidden file in the target's folder, gone when the block ends."""
        target = Path(self.path(path))
        _make_folder(target.parent)
        temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            with temporary.open("xb") as sink:
                yield sink, temporary
        finally:
            temporary.unlink(missing_ok=True)


class _RemoteFile(io.RawIOBase):
    """A file in an object store, for random access: each read is one request for a range."""

    def __init__(self, store: Store, path: str) -> None:
        self._store = store
        self._path = path
        self._size = store.size(path)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = (0, self._position, self._size)[whence] + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        start, end = self._position, self._size
        if size is not None and size >= 0:
            end = min(end, start + size)
        if start >= end:
            return b""
        data = self._store.read(self._path, start, end)
        self._position += len(data)
        return data


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


@contextlib.contextmanager
def room_for(path: str) -> Iterator[None]:
    """A full disk is a StorageError that names the file."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        fix = "Make room, then run again: what is finished is kept."
        raise StorageError(f"cannot be written: {error.strerror}", fix, path) from error


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that all of them survive a power cut."""
    if folder.is_dir():
        return
    new = [folder, *(parent for parent in folder.parents if not parent.exists())]
    folder.mkdir(parents=True, exist_ok=True)
    for one in reversed(new):
        _sync_folder(one.parent)


def _flush(sink: IO[bytes]) -> None:
    sink.flush()
    os.fsync(sink.fileno())


def _sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
