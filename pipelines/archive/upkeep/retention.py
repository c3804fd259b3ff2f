"""Forgetting old snapshots, and the files that only they name.

What the newest manifests name is never touched, and where any manifest is damaged nothing is: it
may name anything. Old manifests are moved aside first and deleted last, so that a manifest that
readers see is always whole, and an expiry that is interrupted is finished by the next one.

    _manifests/00000007.json -> _manifests/00000007.json.expired -> files -> gone
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from glassplate.pipelines.archive.format.manifest import Snapshot
from glassplate.pipelines.archive.format.snapshots import (
    MANIFESTS,
    manifest_numbers,
    manifest_path,
    read_snapshot,
)
from glassplate.pipelines.errors import ManifestError
from glassplate.pipelines.storage.store import Store

logger = logging.getLogger(__name__)

_EXPIRED = ".expired"


@dataclass(frozen=True)
class Expired:
    """How many snapshots were forgotten; how many files, of how many bytes, only they named."""

    snapshots: int = 0
    files: int = 0
    bytes: int = 0


def expire_snapshots(store: Store, keep: int) -> Expired:
    """Delete all but the newest `keep` (1 or more) snapshots, and every file that only those named.

    A reader that has one of them open will miss its files. Raises OSError; what could not be
    deleted is then left to the next expiry.
    """
    numbers = manifest_numbers(store)
    try:
        kept = _files(read_snapshot(store, number) for number in numbers[-keep:])
        expired = _files(read_snapshot(store, number) for number in numbers[:-keep])
        expired |= _files(Snapshot.from_bytes(store.read(path), path) for path in _aside(store))
    except ManifestError as error:
        logger.warning("%s; no snapshot is forgotten while a manifest is damaged", error)
        return Expired()
    for path in map(manifest_path, numbers[:-keep]):
        store.link(path, path + _EXPIRED)
        store.delete(path)
    aside = _aside(store)
    doomed = {path: size for path, size in expired.items() if path not in kept}
    folders = {_folder(path) for path in doomed} - {_folder(path) for path in kept}
    single = [path for path in doomed if _folder(path) not in folders]
    for path in (*folders, *single, *aside):
        store.delete(path)
    return Expired(len(aside), len(doomed), sum(doomed.values()))


def _aside(store: Store) -> list[str]:
    """Manifests that are being forgotten."""
    return [f"{MANIFESTS}/{name}" for name in store.list(MANIFESTS) if name.endswith(_EXPIRED)]


def _files(snapshots: Iterable[Snapshot]) -> dict[str, int]:
    """Path -> bytes of every file that the snapshots name."""
    return {file.path: file.bytes for snapshot in snapshots for file in snapshot.files()}


def _folder(path: str) -> str:
    return path.rsplit("/", 1)[0]
