"""JPEG: APPn and COM segments, and what follows the picture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from glassplate.pipelines.pictures.metadata.facts import Facts, Loss, is_filling, number
from glassplate.pipelines.pictures.metadata.segment import Segment

_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_ICC, _MPF, _ADOBE, _JFIF = b"ICC_PROFILE\0", b"MPF\0", b"Adobe", b"JFIF\0"
_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
_ADOBE_GAIN_MAP = (b"hdrgm:Version", b"ns.apple.com/HDRGainMap")
_BOX, _UNIVERSAL_BOX = b"JP", b"jumb"
_START_OF_SCAN, _END_OF_IMAGE, _COMMENT = 0xDA, 0xD9, 0xFE
_AFTER_SCAN = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_FILM = b"ftyp"
_PICTURE = b"\xff\xd8\xff"
_JFXX, _PHOTOSHOP, _RESOURCE = b"JFXX\0", b"Photoshop 3.0\0", b"8BIM"
_PHOTOSHOP_THUMBNAILS = (1033, 1036)


class _Icc(NamedTuple):
    place: int
    of: int
    data: bytes


def read_jpeg(data: bytes) -> Facts:
    """Metadata of a JPEG file; any bytes can be read."""
    exif, xmp, profile = b"", None, []
    segments: list[Segment] = []
    losses: list[Loss] = []
    for kind, payload in _segments(data):
        if kind == "APP1" and payload.startswith(_EXIF):
            exif += payload[len(_EXIF) :] if exif else payload  # a later one goes on
        elif kind == "APP1" and payload.startswith(_XMP) and xmp is None:
            xmp = payload[len(_XMP) :]
        elif kind == "APP2" and payload.startswith(_ICC):
            profile.append(_Icc(number(payload, 12, 1), number(payload, 13, 1), payload[14:]))
        elif loss := _loss_of(kind, payload):
            losses.append(loss)
        elif not _is_coding(kind, payload):
            segments.append(Segment(kind=kind, data=payload))
    if xmp and any(word in xmp for word in _ADOBE_GAIN_MAP):
        losses.append(Loss("multi-picture", "a gain map"))
    icc = _joined(profile)
    if profile and icc is None:
        losses.append(Loss("colour-space", "a colour profile whose pieces do not fit together"))
    return Facts(icc, exif or None, xmp, tuple(segments), tuple(losses))


def without_thumbnails(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Those of a picture that was turned: small pictures in them would lie on their side."""
    upright = []
    for segment in segments:
        kind, data = segment["kind"], segment["data"]
        if kind == "APP0" and data.startswith(_JFXX):
            continue
        if kind == "APP0" and data.startswith(_JFIF):
            data = data[:12] + b"\0\0"
        if kind == "APP13" and data.startswith(_PHOTOSHOP):
            data = _PHOTOSHOP + _resources_without_thumbnail(data[len(_PHOTOSHOP) :])
        upright.append(Segment(kind=kind, data=data))
    return tuple(upright)


def _resources_without_thumbnail(data: bytes) -> bytes:
    """Photoshop's resources as they are, but for that one; also where they are cut."""
    kept, position = [], 0
    while data[position : position + 4] == _RESOURCE:
        name = (number(data, position + 6, 1) + 2) // 2 * 2  # with its length, even
        size = number(data, position + 6 + name, 4)
        end = position + 10 + name + size + size % 2
        if number(data, position + 4, 2) not in _PHOTOSHOP_THUMBNAILS or end > len(data) + 1:
            kept.append(data[position:end])
        position = end
    return b"".join([*kept, data[position:]])


def _segments(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(kind, payload) of APPn and COM segments, then of the trailer."""
    position = 2
    while data[position : position + 1] == b"\xff" and position + 4 <= len(data):
        marker = data[position + 1]
        if marker == 0xFF:  # filling
            position += 1
            continue
        if marker == _END_OF_IMAGE:
            break
        end = position + 2 + number(data, position + 2, 2)
        if marker == _COMMENT or 0xE0 <= marker <= 0xEF:
            kind = "COM" if marker == _COMMENT else f"APP{marker - 0xE0}"
            yield kind, data[position + 4 : end]
        if marker == _START_OF_SCAN:
            found = _AFTER_SCAN.search(data, end)
            end = found.start() if found else len(data)
        position = end
    if not is_filling(trailer := data[position + 2 :]):
        yield "trailer", trailer


def _loss_of(kind: str, payload: bytes) -> Loss | None:
    """Loss of what describes the bytes of this very file, or further pictures."""
    if kind == "APP2" and payload.startswith(_MPF):
        return Loss("multi-picture", "an index of further pictures (MPF)")
    if kind == "APP2" and payload.startswith(_ISO_GAIN_MAP):
        return Loss("multi-picture", "a gain map")
    if kind == "trailer" and _PICTURE in payload and payload[4:8] != _FILM:
        return Loss("multi-picture", "further pictures behind the first one")
    if kind == "APP11" and payload.startswith(_BOX) and payload[12:16] != _UNIVERSAL_BOX:
        return Loss("16-bit", "an extension of the range of values (JPEG XT)")
    return None


def _is_coding(kind: str, payload: bytes) -> bool:
    """Whether a segment says only how the pixels are coded, or nothing."""
    if kind == "APP0" and payload.startswith(_JFIF):
        across, down = payload[8:10], payload[10:12]
        return payload[7:8] == b"\0" and across == down and payload[12:14] in (b"\0\0", b"")
    return kind == "APP14" and payload.startswith(_ADOBE)


def _joined(pieces: list[_Icc]) -> bytes | None:
    """The profile: numbered from 1 as it should be, or else of the length that it gives itself."""
    pieces = sorted(pieces, key=lambda piece: piece.place)
    joined = b"".join(piece.data for piece in pieces)
    numbers = [piece.place for piece in pieces]
    sound = numbers == list(range(1, pieces[0].of + 1)) if pieces else False
    return joined if joined and (sound or number(joined, 0, 4) == len(joined)) else None
