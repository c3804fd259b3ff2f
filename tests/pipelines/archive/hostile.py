"""Archives as a stranger might hand them over: sound checksums around what nobody should say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from glassplate.pipelines.archive.format.snapshots import manifest_path
from glassplate.pipelines.storage.store import Store

Change = Callable[[dict[str, Any]], None]


def rewrite_manifest(store: Store, number: int, change: Change) -> None:
    """Change what a manifest says, and mend its checksum."""
    path = manifest_path(number)
    snapshot = json.loads(store.read(path))["snapshot"]
    change(snapshot)
    write_manifest(store, path, json.dumps(snapshot, sort_keys=True, separators=(",", ":")))


def write_manifest(store: Store, path: str, snapshot: str) -> None:
    """A manifest with a sound checksum around any text."""
    checksum = hashlib.sha256(snapshot.encode()).hexdigest()
    store.write(path, f'{{"checksum":"{checksum}","snapshot":{snapshot}}}'.encode())


def put(*place: str | int, value: Any) -> Change:
    """Sets one value, at a path of keys and positions."""

    def change(snapshot: dict[str, Any]) -> None:
        inner: Any = snapshot
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value

    return change


def remove(*place: str | int) -> Change:
    """Takes one value out."""

    def change(snapshot: dict[str, Any]) -> None:
        inner: Any = snapshot
        for key in place[:-1]:
            inner = inner[key]
        del inner[place[-1]]

    return change
