"""The bytes of one source file, wherever it lies."""

from __future__ import annotations

import fsspec
import pyarrow as pa

from glassplate.codecs.errors import ChangedError, TooLargeError, UnreadableError, VanishedError
from glassplate.pipelines.errors import StorageError
from glassplate.pipelines.sources.packed.parquet import SCHEME, read_image
from glassplate.pipelines.sources.packed.zip_and_tar import PACKED_ERRORS, read_packed
from glassplate.pipelines.sources.places.folders import local_ref
from glassplate.pipelines.sources.places.refs import SourceRef, cause_of
from glassplate.pipelines.sources.places.web import fetch, is_web
from glassplate.pipelines.storage.errors import file_errors

READ_ATTEMPTS = 3
_ERRORS = (*PACKED_ERRORS, pa.ArrowException)
MAX_FILE_BYTES = (1 << 31) - (1 << 20)
"""A value of a Parquet column has less than 2 GiB; a little is left for what goes around it."""

_GONE = "If it comes back, the next run takes it."


def read_source(ref: SourceRef, *, hurried: bool = False) -> bytes:
    """The bytes of a source file, as they were listed; transient errors are tried again.

    hurried: A web server that keeps silent is not waited for long; somebody will ask it again.

    Raises VanishedError, UnreadableError, ChangedError, TooLargeError, which are about this file;
    StorageError if an object store cannot be reached, which is not.
    """
    _check_size(ref, ref.size or 0)
    data = fetch(ref.uri, hurried=hurried) if is_web(ref.uri) else _read_listed(ref)
    _check_size(ref, len(data))
    return data


def _check_size(ref: SourceRef, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise TooLargeError(
            f"has {size} bytes, an archive holds files of up to {MAX_FILE_BYTES}",
            "Keep it beside the archive.",
            ref.uri,
        )


def _read_listed(ref: SourceRef) -> bytes:
    for attempt in range(1, READ_ATTEMPTS + 1):
        try:
            data = _read(ref)
            break
        except FileNotFoundError as error:
            raise VanishedError("was listed and is gone", _GONE, ref.uri) from error
        except file_errors(*_ERRORS) as error:
            if _is_remote(ref) and not isinstance(error, (PermissionError, *_ERRORS)):
                fix = "Is it within reach? Run again: finished shards are kept."
                raise StorageError(cause_of(error), fix, ref.uri) from error
            if attempt == READ_ATTEMPTS or isinstance(error, PermissionError):
                fix = "Check its permissions; the next run tries it again."
                raise UnreadableError(cause_of(error), fix, ref.uri) from error
    if _has_changed(ref, data):
        raise ChangedError("changed while the run went on", "Run again.", ref.uri)
    return data


def _read(ref: SourceRef) -> bytes:
    if ref.uri.startswith(SCHEME):
        return read_image(ref)
    if _is_packed(ref):
        return read_packed(ref)
    fs = fsspec.filesystem(ref.uri.split("://", 1)[0])
    if _is_remote(ref):  # in one request, which also reads a key that others start with
        return bytes(fs.cat_file(ref.path))
    with fs.open(ref.path, "rb") as file:
        return bytes(file.read())


def _is_packed(ref: SourceRef) -> bool:
    return ref.uri.startswith(("zip://", "tar://", SCHEME))


def _is_remote(ref: SourceRef) -> bool:
    """In an object store, whose client tries again by itself what may be worth it."""
    place = ref.uri.rpartition("::")[2]
    return "://" in place and not place.startswith("file://")


def _has_changed(ref: SourceRef, data: bytes) -> bool:
    if ref.size is not None and len(data) != ref.size:
        return True
    if _is_remote(ref) or _is_packed(ref):
        return False
    try:
        return local_ref(ref.path, ref.name).version != ref.file_version
    except FileNotFoundError as error:
        raise VanishedError("vanished while it was read", _GONE, ref.uri) from error
