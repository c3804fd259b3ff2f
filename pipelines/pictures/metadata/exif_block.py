"""An EXIF block in place: its tags are found and changed, and no other byte is touched."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

PREFIX = b"Exif\x00\x00"
ORIENTATION, EXIF_DIRECTORY = 0x0112, 0x8769
WIDTH, HEIGHT = 0xA002, 0xA003
THUMBNAIL_START, THUMBNAIL_SIZE = 0x0201, 0x0202
RESOLUTION_ACROSS, RESOLUTION_DOWN, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
_RATIONAL = 5
_FORMATS = {3: "H", 4: "I"}
"""Codes of single numbers: SHORT and LONG."""


@dataclass
class ExifBlock:
    """A block that can be changed. start: where its offsets count from."""

    data: bytearray
    start: int
    order: str

    @classmethod
    def parse(cls, exif: bytes) -> ExifBlock | None:
        """None for what is no EXIF."""
        start = len(PREFIX) if exif.startswith(PREFIX) else 0
        order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
        return cls(bytearray(exif), start, order) if order and len(exif) >= start + 8 else None

    @property
    def first(self) -> int:
        """Offset of the first directory."""
        return self.number(self.start + 4)

    @property
    def thumbnail_directory(self) -> int:
        """Offset of the second directory, 0 if there is none."""
        link = self._link(self.first)
        return self.number(link) if link else 0

    def unlink_thumbnail(self) -> None:
        """Make the first directory the only one."""
        if link := self._link(self.first):
            struct.pack_into(self.order + "I", self.data, link, 0)

    def number(self, position: int, form: str = "I") -> int:
        """A number at a position in the data, 0 behind its end."""
        if position + struct.calcsize(form) > len(self.data):
            return 0
        return int(struct.unpack_from(self.order + form, self.data, position)[0])

    def find(self, directory: int, tag: int) -> tuple[int, str] | None:
        """Where the single number of a tag stands, and its form; None: nowhere."""
        for entry in self._entries(directory):
            found, kind, values = struct.unpack_from(self.order + "HHI", self.data, entry)
            if found == tag and kind in _FORMATS and values == 1:
                return entry + 8, _FORMATS[kind]
        return None

    def get(self, directory: int, tag: int) -> int | None:
        """The single number of a tag."""
        place = self.find(directory, tag)
        return self.number(*place) if place else None

    def rational(self, directory: int, tag: int) -> float | None:
        """The single fraction of a tag."""
        for entry in self._entries(directory):
            found, kind, values = struct.unpack_from(self.order + "HHI", self.data, entry)
            if (found, kind, values) == (tag, _RATIONAL, 1):
                place = self.start + self.number(entry + 8)
                return self.number(place) / (self.number(place + 4) or 1)
        return None

    def remove(self, directory: int, tag: int) -> None:
        """Take a tag out of its directory, whose other entries move up."""
        begin = self.start + directory
        count = self.number(begin, "H")
        end = begin + 2 + 12 * count + 4  # with the link to the next directory
        for entry in self._entries(directory):
            if self.number(entry, "H") == tag and end <= len(self.data):
                self.data[entry:end] = self.data[entry + 12 : end] + bytes(12)
                struct.pack_into(self.order + "H", self.data, begin, count - 1)
                return

    def set(self, directory: int, tag: int, value: int) -> None:
        """Change a single number, if it is there."""
        if place := self.find(directory, tag):
            struct.pack_into(self.order + place[1], self.data, place[0], value)

    def _entries(self, directory: int) -> Iterator[int]:
        begin = self.start + directory
        for entry in range(begin + 2, begin + 2 + 12 * self.number(begin, "H"), 12):
            if entry + 12 > len(self.data):
                return
            yield entry

    def _link(self, directory: int) -> int | None:
        """Position of the offset of the next directory."""
        begin = self.start + directory
        position = begin + 2 + 12 * self.number(begin, "H")
        return position if position + 4 <= len(self.data) and directory else None
