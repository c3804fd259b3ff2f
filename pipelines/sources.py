"""What there is to compress: a directory, a glob, a file, or a Parquet/CSV list of URLs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceRef:
    """A reference to one source file: what crosses the pipeline instead of pixels.

    uri: full fsspec URL, printable (bytes that are not UTF-8 are percent-escaped).
    path: what the file system opens.
    name: path below the source's root, with '/', never absolute, never with '..'.
    version: changes when the file does: '<size>:<mtime ns>', or '<size>:<etag>'.
    outcome: for what is known before reading, (status, code or reason, message):
        a duplicate, not a regular file, an unreadable directory.
    """

    uri: str
    path: str
    name: str
    version: str
    size: int | None = None
    outcome: tuple[str, str, str] | None = None
