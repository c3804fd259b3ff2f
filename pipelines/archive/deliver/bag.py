"""Pictures as a BagIt bag (RFC 8493), which archives exchange: payload, checksums, where from.

    bagit.txt, bag-info.txt, manifest-sha256.txt, tagmanifest-sha256.txt
    data/<name>...                    the pictures
    .glassplate/extracted.jsonl       which file is which picture, original or decoded

A bag that is not finished does not validate: its manifest is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import bagit

from glassplate.codecs.errors import ConfigError
from glassplate.pipelines.archive.deliver.journal import FOLDER, Entry, Journal
from glassplate.pipelines.archive.format.identity import Identity
from glassplate.pipelines.archive.read.reader import Archive

_PAYLOAD = "data"


def begin_bag(root: Path) -> Path:
    """The folder for a bag's pictures; the bag is made if need be.

    root: A folder that is empty, not there yet, or a bag that was begun here.

    Raises ConfigError for anything else; OSError.
    """
    payload = root / _PAYLOAD
    if (root / "bagit.txt").is_file():
        if not (root / FOLDER).is_dir() and any(payload.iterdir()):
            raise ConfigError("is a bag of another tool", "Choose an empty folder.", str(root))
    elif root.is_dir() and any(root.iterdir()):
        raise ConfigError("is not empty, and no bag", "Choose an empty folder.", str(root))
    else:
        root.mkdir(parents=True, exist_ok=True)
        bagit.make_bag(str(root), checksums=["sha256"])
    return payload


def check_payload(payload: Path, journal: Journal) -> None:
    """Raises ConfigError for a file in a bag that is not as it was put there: none is made good by
    a new checksum."""
    noted = {entry.file: entry for entry in journal.entries()}
    for path in sorted(payload.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        entry = noted.get(path.relative_to(payload).as_posix())
        if entry is None or not journal.is_whole(entry):
            cause = "was put there, or changed, by something else"
            raise ConfigError(cause, "Choose an empty folder for the bag.", str(path))


def finish_bag(root: Path, archive: Archive, where: str | None, entries: Sequence[Entry]) -> None:
    """Write checksums, and say where the pictures come from. entries: Those of the files there."""
    try:
        _describe(bagit.Bag(str(root)), archive, where, entries).save(manifests=True)
    except bagit.BagError as error:
        raise ConfigError(f"cannot be made a bag: {error}", "", str(root)) from error


def _describe(
    bag: bagit.Bag, archive: Archive, where: str | None, entries: Sequence[Entry]
) -> bagit.Bag:
    """The bag with its bag-info.txt filled in."""
    snapshot = archive.manifest
    originals = sum(entry.is_original for entry in entries)
    identity = Identity.read(archive.store).id or "unknown"
    bag.info.update(
        {
            "Bagging-Date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "External-Identifier": f"urn:uuid:{identity}",
            "External-Description": f"Pictures out of a Glassplate archive: {originals} are the "
            f"files that were put in, {len(entries) - originals} were decoded",
            "Glassplate-Archive": identity,
            "Glassplate-Snapshot": str(snapshot.number),
            "Glassplate-Run": snapshot.run.run_id,
            "Glassplate-Query": " ".join((where or "everything").split()),
            "Glassplate-Originals": str(originals),
            "Glassplate-Decoded": str(len(entries) - originals),
        }
    )
    return bag
