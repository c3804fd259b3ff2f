"""What no snapshot names: folders of runs that never committed, and staging that is done with."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from glob import glob
from pathlib import Path

from glassplate.pipelines.archive.format.manifest import Snapshot
from glassplate.pipelines.archive.format.places import RUN_ID, run_of
from glassplate.pipelines.archive.format.runs import RUN_FOLDERS, runs_of
from glassplate.pipelines.archive.format.snapshots import manifest_numbers, read_snapshot
from glassplate.pipelines.archive.format.staging import STAGING, StagedShard
from glassplate.pipelines.errors import ArchiveError, ManifestError, OutsideError
from glassplate.pipelines.storage.store import Store

logger = logging.getLogger(__name__)

STAGING_LIFETIME = timedelta(days=7)
TEMPORARY_LIFETIME = 3600.0
"""Seconds. A shard is written in minutes; one that takes longer has its own folder, in staging."""

_TEMPORARIES = [
    f"{folder}.{'[0-9a-f]' * 32}.tmp" for folder in ("", "_manifests/", "models/*/", "*/run=*/")
]


def orphans(store: Store, base: Snapshot | None, run_id: str) -> list[str]:
    """Folders of runs that published and never committed.

    Listed before the commit, deleted after it: by then a run that published earlier can no
    longer commit, its base is outdated. A damaged manifest may name any of them, so it keeps all.
    Folders of other names are none of ours.
    """
    known = runs_of(base) | {run_id} if base else {run_id}
    found = [
        f"{folder}/{name}"
        for folder in RUN_FOLDERS
        for name in store.list(folder)
        if re.fullmatch(f"run={RUN_ID}", name) and name.removeprefix("run=") not in known
    ]
    if not found:
        return []
    try:
        for number in manifest_numbers(store):
            known |= runs_of(read_snapshot(store, number))
    except (ManifestError, FileNotFoundError) as error:  # damaged, or expiring just now
        logger.warning("%s; folders of unfinished runs are kept", error)
        return []
    return [path for path in found if run_of(path) not in known]


def sweep_the_past(store: Store, current: Snapshot | None) -> None:
    """Delete what killed runs left: for when there is nothing to commit, which sweeps as well.

    A run whose id sorts before that of the newest snapshot can no longer commit.
    """
    if current is None:
        return
    past = orphans(store, current, current.run.run_id)
    dead = [path for path in past if run_of(path) < current.run.run_id]
    sweep(store, [*dead, *temporaries(store)])


def temporaries(store: Store) -> list[str]:
    """Half-written files on a local disk, whose writers must have died."""
    if not store.is_local:
        return []
    root, horizon = Path(store.root), time.time() - TEMPORARY_LIFETIME
    found = (path for pattern in _TEMPORARIES for path in glob(pattern, root_dir=root))  # noqa: PTH207 (pathlib's fails where folders go)
    return [path for path in found if _written(root / path) < horizon]


def _written(file: Path) -> float:
    """When a file was last written; in the future, if that is unknown."""
    try:
        return file.lstat().st_mtime
    except OSError:
        return math.inf


def stale(store: Store, staged: Sequence[StagedShard]) -> list[str]:
    """Staging folders that are done with: this run's, and those that nobody came back for.

    The plans of other runs (`run=<run id>`) are among them: either they died, or they can no longer
    commit.
    """
    mine = {one.key for one in staged}
    horizon = datetime.now(UTC) - STAGING_LIFETIME
    return [
        f"{STAGING}/{key}"
        for key in store.list(STAGING)
        if key in mine or key.startswith("run=") or _last_write(store, f"{STAGING}/{key}") < horizon
    ]


def _last_write(store: Store, folder: str) -> datetime:
    """When anything in a folder was last written; now, if that is just changing."""
    try:
        times = [store.modified(f"{folder}/{name}") for name in store.list(folder)]
    except (FileNotFoundError, OutsideError):
        times = []
    return max(times, default=datetime.now(UTC))


def sweep(store: Store, folders: Sequence[str]) -> None:
    """Delete what no snapshot names. The run is committed: trouble here is only waste."""
    for folder in folders:
        try:
            store.delete(folder)
        except (OSError, ArchiveError) as error:
            logger.warning("%s: could not be deleted: %s", folder, error)
