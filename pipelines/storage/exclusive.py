"""Is the creation of a file that must not exist decided by the store, or looked up and hoped for?

Commits rest on it: of two writers one has to lose. Many of fsspec's file systems look whether a
file is there and then write it (ftp, sftp, webhdfs, and all that do not say otherwise), so that two
writers who do that at the same time both win, and one run's pictures are gone.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractFileSystem

from glassplate.pipelines.errors import ArchiveError, StorageError
from glassplate.pipelines.storage.store import Store

ROUNDS = 5


def refuse_lookers(store: Store) -> None:
    """Raises ArchiveError for a file system whose own code looks first and writes then."""
    looks = getattr(store.filesystem.pipe_file, "__func__", None) is AbstractFileSystem.pipe_file
    if looks and not store.is_local:
        raise _no_conditional_writes(store)


def race_writers(store: Store) -> None:
    """Let two writers race for a file, a few times.

    Raises ArchiveError if both win any of the races, StorageError if nothing can be written.
    """
    if store.is_local or isinstance(store.filesystem, MemoryFileSystem):
        return  # hard links and O_EXCL, which the kernel decides; one process, for tests
    if not all(_has_one_winner(store) for _ in range(ROUNDS)):
        raise _no_conditional_writes(store)


def _no_conditional_writes(store: Store) -> ArchiveError:
    return ArchiveError(
        "the store has no conditional writes: two runs could replace each other's work",
        "Choose a local disk, or a store that honours If-None-Match, as S3, GCS, Azure, R2 and"
        " newer MinIO do.",
        store.url,
    )


def _has_one_winner(store: Store) -> bool:
    """Whether at most one of two writers creates a file."""
    path, start = f".race-{uuid.uuid4().hex}", Barrier(2)

    def write(writer: Store) -> bool | StorageError:
        start.wait()
        try:
            writer.create_exclusive(path, uuid.uuid4().bytes)
        except FileExistsError:
            return False
        except StorageError as error:  # a conflict, in words of the store's own
            return error
        return True

    try:
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(write, [store.apart(), store.apart()]))
    finally:
        store.delete(path)
    errors = [result for result in results if isinstance(result, StorageError)]
    if errors and True not in results:
        raise errors[0]
    return results.count(True) < 2
