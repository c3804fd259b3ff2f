"""What a file says of its picture beside the pixels, and what has no place beside pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from glassplate.pipelines.pictures.metadata.segment import Segment

_OF_PIXELS = ("16-bit", "alpha", "palette", "palette-alpha", "signed")


class Loss(NamedTuple):
    """A fact that pixels, metadata blocks and segments would lose.

    reason: The word that the catalogue gives for keeping the file. what: The same for a reader, as
    a noun phrase.
    """

    reason: str
    what: str


@dataclass(frozen=True)
class Facts:
    """The metadata of one file.

    icc_profile, exif, xmp: The blocks as they are, the last two upright after `upright`.
    segments: Everything else that can be given back.
    losses: What cannot. A file with any has to be kept as it is.
    orientation: Orientation of the source, 1-8.
    """

    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    segments: tuple[Segment, ...] = ()
    losses: tuple[Loss, ...] = ()
    orientation: int = 1

    def keep_reason(self, *, whole: bool = True) -> str | None:
        """Why the file has to be kept; None: it has not.

        whole: Also for facts beside the pixels.
        """
        reasons = [loss.reason for loss in self.losses if whole or loss.reason in _OF_PIXELS]
        return reasons[0] if reasons else None


def number(data: bytes, start: int, size: int, order: Literal["big", "little"] = "big") -> int:
    """An unsigned number; bytes behind the end are left out, so that any bytes can be read."""
    return int.from_bytes(data[start : start + size], order)


def is_filling(data: bytes) -> bool:
    """Whether bytes behind a picture say nothing: there are none, or zeros and line ends only."""
    return not data.strip(b"\0\r\n")
