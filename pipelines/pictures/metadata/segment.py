"""A piece of metadata in its file's own words."""

from __future__ import annotations

from typing import TypedDict


class Segment(TypedDict):
    """A piece of metadata in its file's own words, without markers, lengths and checksums.

    kind: "APP0" to "APP15", "COM", "trailer" (what follows the picture) of a JPEG file; the type
    of a PNG chunk; "comment" of a GIF file.
    """

    kind: str
    data: bytes
