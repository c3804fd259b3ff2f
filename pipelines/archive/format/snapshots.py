"""An archive's snapshots: numbering, reading, finding the newest."""

from __future__ import annotations

import logging
import re
import secrets
from datetime import datetime, timedelta

from glassplate.pipelines.archive.format.manifest import Snapshot
from glassplate.pipelines.archive.format.places import STAMP, time_of
from glassplate.pipelines.errors import ArchiveError, ManifestError, SnapshotNotFoundError
from glassplate.pipelines.storage.store import Store

logger = logging.getLogger(__name__)

MANIFESTS = "_manifests"


def manifest_path(number: int) -> str:
    """Where the manifest of a snapshot lies."""
    return f"{MANIFESTS}/{number:08d}.json"


def manifest_numbers(store: Store) -> list[int]:
    """Numbers of all manifests that exist, ascending."""
    names = (re.fullmatch(r"(\d{8,})\.json", name) for name in store.list(MANIFESTS))
    return sorted(int(match[1]) for match in names if match)


def read_snapshot(store: Store, number: int) -> Snapshot:
    """One snapshot by number. Raises ManifestError, FileNotFoundError."""
    path = manifest_path(number)
    snapshot = Snapshot.from_bytes(store.read(path), subject=path)
    if snapshot.number != number:
        raise ManifestError(f"is that of snapshot {snapshot.number}", subject=path)
    return snapshot


def new_run_id(base: Snapshot | None, now: datetime) -> str:
    """A name for the next run: <UTC yyyymmddThhmmssZ>-<6 hex>.

    Ids sort in the order of the commits, whatever the clock says: a run follows its base.
    """
    token = secrets.token_hex(3)
    run_id = f"{now:{STAMP}}-{token}"
    if base and run_id <= base.run.run_id:
        run_id = f"{time_of(base.run.run_id) + timedelta(seconds=1):{STAMP}}-{token}"
    return run_id


def current_snapshot(store: Store) -> Snapshot | None:
    """The newest valid snapshot; None in an empty archive.

    Damaged manifests are passed over with a warning. Raises ArchiveError if there are only
    damaged ones, or a newer format.
    """
    try:
        numbers = manifest_numbers(store)
    except NotADirectoryError:
        raise ArchiveError(
            "is a file, not an archive's folder", "Choose an empty or new folder.", store.url
        ) from None
    newest: ManifestError | None = None
    for number in reversed(numbers):
        try:
            return read_snapshot(store, number)
        except ManifestError as error:
            logger.warning("%s; falling back to the snapshot before", error)
            newest = newest or error
        except FileNotFoundError:
            if manifest_numbers(store) == numbers:
                raise
            return current_snapshot(store)  # it was forgotten just now, so there is a newer one
    if newest:
        raise ArchiveError(
            f"every manifest is damaged; the newest: {newest}", "Restore _manifests.", store.url
        )
    return None


def check_not_forgotten(store: Store, snapshot: Snapshot) -> None:
    """Raises ArchiveError if a snapshot has expired since it was read, and its files with it."""
    if not store.exists(manifest_path(snapshot.number)):
        raise ArchiveError(
            f"snapshot {snapshot.number} was forgotten meanwhile",
            "Try again: that takes the newest.",
            store.url,
        )


def not_kept(store: Store, number: int) -> SnapshotNotFoundError:
    """The error for a snapshot that is not there: it names those that are."""
    numbers = manifest_numbers(store)
    there = ", ".join(map(str, numbers)) or "none"
    expired = "" if number > max(numbers, default=0) else "; it has expired"
    return SnapshotNotFoundError(
        f"no snapshot {number}{expired}", f"There are: {there}.", store.url
    )
