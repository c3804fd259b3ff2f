"""An archive's identity and its snapshots: creating, recognising, numbering, reading."""

from __future__ import annotations

import json
import logging
import re
import secrets
import uuid
from datetime import UTC, datetime, timedelta

from glassplate.pipelines.archive.format.manifest import FORMAT_VERSION, Snapshot
from glassplate.pipelines.errors import ArchiveError, ManifestError
from glassplate.pipelines.storage.store import Store

logger = logging.getLogger(__name__)

IDENTITY = "archive.json"
MANIFESTS = "_manifests"
_STAMP = "%Y%m%dT%H%M%SZ"


def create_archive(store: Store) -> None:
    """Make an empty archive; one that is there already is opened.

    Raises ArchiveError if the place holds something else.
    """
    identity = {
        "format": "glassplate-archive",
        "version": FORMAT_VERSION,
        "id": str(uuid.uuid4()),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    names = [name for name in store.list("") if not name.startswith(".")]
    if IDENTITY in names:
        check_archive(store)
        return
    if names:
        raise ArchiveError(
            f"the folder is not empty and not an archive (it holds {names[0]!r})",
            "Choose an empty or new folder.",
            store.url,
        )
    document = json.dumps(identity, indent=1).encode()
    try:
        store.create_exclusive(IDENTITY, document)
    except FileExistsError:
        check_archive(store)
    else:
        _check_conditional_writes(store, document)


def _check_conditional_writes(store: Store, document: bytes) -> None:
    """Raises ArchiveError if a file that was just created exclusively can be so again."""
    try:
        store.create_exclusive(IDENTITY, document)
    except FileExistsError:
        return
    store.delete(IDENTITY)
    raise ArchiveError(
        "the store has no conditional writes: two runs could replace each other's work",
        "Choose one that honours If-None-Match, as S3, GCS, Azure, R2 and newer MinIO do.",
        store.url,
    )


def check_archive(store: Store) -> None:
    """Raises ArchiveError unless the store holds an archive of a format that we know."""
    fix = "Give the folder that holds archive.json, or make one with `glassplate compress`."
    try:
        identity = json.loads(store.read(IDENTITY))
        version = identity["version"] if identity["format"] == "glassplate-archive" else None
    except FileNotFoundError:
        raise ArchiveError("not an archive (no archive.json)", fix, store.url) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ArchiveError("archive.json cannot be read", fix, store.url) from error
    if version != FORMAT_VERSION:
        raise ArchiveError(
            f"archive format {version} is not known", "Read it with a newer Glassplate.", store.url
        )


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
    return Snapshot.from_bytes(store.read(path), subject=path)


def new_run_id(base: Snapshot | None, now: datetime) -> str:
    """A name for the next run: <UTC yyyymmddThhmmssZ>-<6 hex>.

    Ids sort in the order of the commits, whatever the clock says: a run follows its base.
    """
    token = secrets.token_hex(3)
    run_id = f"{now:{_STAMP}}-{token}"
    if base and run_id <= base.run.run_id:
        last = datetime.strptime(base.run.run_id.split("-")[0], _STAMP)
        run_id = f"{last + timedelta(seconds=1):{_STAMP}}-{token}"
    return run_id


def current_snapshot(store: Store) -> Snapshot | None:
    """The newest valid snapshot; None in an empty archive.

    Damaged manifests are passed over with a warning. Raises ArchiveError if there are only
    damaged ones, or a newer format.
    """
    numbers = manifest_numbers(store)
    for number in reversed(numbers):
        try:
            return read_snapshot(store, number)
        except ManifestError as error:
            logger.warning("%s; falling back to the snapshot before", error)
        except FileNotFoundError:
            if manifest_numbers(store) == numbers:
                raise
            return current_snapshot(store)  # it was forgotten just now, so there is a newer one
    if numbers:
        raise ArchiveError("every manifest is damaged", "Restore _manifests.", store.url)
    return None


def check_not_forgotten(store: Store, snapshot: Snapshot) -> None:
    """Raises ArchiveError if a snapshot has expired since it was read, and its files with it."""
    if not store.exists(manifest_path(snapshot.number)):
        raise ArchiveError(
            f"snapshot {snapshot.number} was forgotten meanwhile",
            "Try again: that takes the newest.",
            store.url,
        )
