"""A reference to one source file, and how it is named."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from glassplate.codecs.errors import UnreadableError, VanishedError

NO_VERSION = "None:"
"""Version of a file whose server says neither size nor time nor tag: every run reads it."""


class Outcome(NamedTuple):
    """How an input ended that has no picture in the archive.

    status: 'skipped' or 'failed'. why: the reason or the error's code. message: '' for none.
    """

    status: Literal["skipped", "failed"]
    why: str
    message: str = ""


@dataclass(frozen=True)
class SourceRef:
    """A reference to one source file: what crosses the pipeline instead of pixels.

    uri: full fsspec URL, printable (bytes that are not UTF-8 are percent-escaped).
    path: what the file system opens.
    name: path below the source's root, with '/', never absolute, never with '..'.
    version: changes when the file does: '<size>:<mtime ns>', or '<size>:<etag>'.
    outcome: of what is known before reading: not a regular file, an unreadable directory.
    fields: JSON object of what a list or a sidecar says of the picture: captions, labels, ids.
    """

    uri: str
    path: str
    name: str
    version: str
    size: int | None = None
    outcome: Outcome | None = None
    fields: str | None = None

    @property
    def source(self) -> tuple[str, str, str, str | None]:
        """What is of the source and not of its picture: URI, name, version, fields."""
        return self.uri, self.name, self.version, self.fields

    @property
    def file_version(self) -> str:
        """The version without that of the fields."""
        return self.version.rpartition(":")[0] if self.fields else self.version

    def with_fields(self, values: Mapping[str, Any]) -> SourceRef:
        """The same with what a list or a sidecar says of it; a change of that is one of version."""
        fields = as_fields(values)
        if fields is None:
            return self
        digest = hashlib.sha256(fields.encode()).hexdigest()[:8]
        return replace(self, version=f"{self.version}:{digest}", fields=fields)


def as_fields(values: Mapping[str, Any]) -> str | None:
    """JSON of what is neither null, nor empty, nor not a number; None if nothing is left."""
    some = {name: value for name, value in values.items() if value not in (None, "")}
    text = json.dumps(some, ensure_ascii=False, default=str, sort_keys=True) if some else None
    if text and ("NaN" in text or "Infinity" in text):  # not JSON, though json writes it
        some = json.loads(text, parse_constant=lambda _: None)
        text = json.dumps({name: value for name, value in some.items() if value is not None})
    return printable(text) if text else None


def skipped_ref(
    uri: str, path: str, name: str, reason: str = "not-a-regular-file", version: str = ""
) -> SourceRef:
    """A reference to what is known to be no file with a picture; it is never opened."""
    return SourceRef(
        printable(uri), path, printable(name), version, None, Outcome("skipped", reason)
    )


def failed_ref(uri: str, path: str, name: str, error: Exception) -> SourceRef:
    """A `failed` reference: a folder that cannot be read, a link or URL that leads nowhere."""
    gone = isinstance(error, FileNotFoundError | VanishedError)
    code = VanishedError.code if gone else UnreadableError.code
    uri = printable(uri)
    outcome = Outcome("failed", code, f"{uri}: {cause_of(error)}")
    return SourceRef(uri, path, printable(name), "", None, outcome)


def below(path: str, root: str) -> str:
    """The name of a path below a source's root."""
    root = root.rstrip("/") + "/"
    return path.removeprefix(root) if path.startswith(root) else safe_name(path)


def safe_name(entry: str) -> str:
    """A relative name without '..' for any path or URL."""
    parts: Iterable[str] = entry.split("://", 1)[-1].split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "_"


def printable(text: str) -> str:
    """Bytes that are not UTF-8 (surrogates, in Python's reading) percent-escaped."""
    return re.sub("[\udc80-\udcff]", lambda match: f"%{ord(match[0]) - 0xDC00:02X}", text)


def as_on_disk(text: str) -> str:
    """The inverse of `printable`; a name that has such escapes of its own changes, too."""
    return re.sub("%([89A-F][0-9A-F])", lambda match: chr(0xDC00 + int(match[1], 16)), text)


def cause_of(error: Exception) -> str:
    """What an error says, as one clause without a final stop."""
    cause = getattr(error, "cause", None) or getattr(error, "strerror", None) or str(error)
    words = str(cause or type(error).__name__).rstrip(".")
    return words if isinstance(error, UnreadableError | VanishedError) else words.lower()
