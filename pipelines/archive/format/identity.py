"""What a folder says that it is: archive.json, created once with the archive.

    {"format": "glassplate-archive", "version": 1, "id": ..., "created": ..., "checksum": ...}

The checksum is the sha256 of the other fields as JSON with sorted keys and without white space.
Archives from before there was one lack it.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from glassplate.pipelines.archive.format.manifest import FORMAT_VERSION
from glassplate.pipelines.errors import ArchiveError
from glassplate.pipelines.storage.exclusive import race_writers, refuse_lookers
from glassplate.pipelines.storage.store import Store

IDENTITY = "archive.json"
_FORMAT = "glassplate-archive"
_FIX = "Give the folder that holds archive.json, or make one with `glassplate compress`."


class Identity(BaseModel):
    """archive.json. id: A UUID. created: ISO 8601, UTC."""

    model_config = ConfigDict(frozen=True, extra="allow")

    format: str
    version: int
    id: str = ""
    created: str = ""
    checksum: str | None = None

    @classmethod
    def new(cls) -> Self:
        """Identity of an archive made now."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        identity = cls(format=_FORMAT, version=FORMAT_VERSION, id=str(uuid.uuid4()), created=now)
        return identity.model_copy(update={"checksum": identity.sum()})

    @classmethod
    def read(cls, store: Store) -> Self:
        """Identity of an archive. Raises ArchiveError if there is none that can be read."""
        try:
            return cls.model_validate_json(store.read(IDENTITY))
        except FileNotFoundError:
            raise ArchiveError("not an archive (no archive.json)", _FIX, store.url) from None
        except NotADirectoryError:
            raise ArchiveError("is a file, not an archive's folder", _FIX, store.url) from None
        except ValidationError as error:
            raise ArchiveError("archive.json cannot be read", _FIX, store.url) from error

    def sum(self) -> str:
        """sha256 (hex) of all fields but the checksum."""
        fields = self.model_dump(mode="json", exclude={"checksum"})
        return hashlib.sha256(
            json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
        ).hexdigest()

    @property
    def is_sound(self) -> bool:
        """Whether the checksum holds, if there is one."""
        return self.checksum in (None, self.sum())


def create_archive(store: Store) -> None:
    """Make an empty archive; one that is there already is opened.

    Raises ArchiveError if the place holds something else, or two writers could commit at once.
    """
    refuse_lookers(store)
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
    race_writers(store)
    try:
        store.create_exclusive(IDENTITY, Identity.new().model_dump_json(indent=1).encode())
    except FileExistsError:
        check_archive(store)


def check_archive(store: Store) -> None:
    """Raises ArchiveError unless the store holds an archive of a format that we know."""
    identity = Identity.read(store)
    if identity.format != _FORMAT:
        raise ArchiveError(f"not an archive, but a {identity.format!r}", _FIX, store.url)
    if identity.version != FORMAT_VERSION:
        raise ArchiveError(
            f"archive format {identity.version} is not known",
            "Read it with a newer Glassplate.",
            store.url,
        )
