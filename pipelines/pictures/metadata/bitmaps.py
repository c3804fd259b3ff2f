"""BMP and Netpbm: what their headers say beside the size."""

from __future__ import annotations

import re

from glassplate.pipelines.pictures.metadata.colour import are_srgb_points
from glassplate.pipelines.pictures.metadata.facts import Facts, Loss, is_filling, number
from glassplate.pipelines.pictures.metadata.segment import Segment

_V4, _V5 = 108, 124
_CALIBRATED = b"\0\0\0\0"
_EMBEDDED, _LINKED = b"DEBM", b"KNIL"
_NETPBM_TOKEN = re.compile(rb"[ \t\r\n\v\f]*(?:#([^\r\n]*)[\r\n]?|([0-9]+))")
_CHANNELS = {b"P5": 1, b"P6": 3}


def read_bmp(data: bytes) -> Facts:
    """Metadata of a BMP file; any bytes can be read."""
    header = number(data, 14, 4, "little")
    segments, losses, icc = [], [], None
    if header >= 40 and (across := number(data, 38, 4, "little")):
        down = number(data, 42, 4, "little")
        per_metre = across.to_bytes(4, "big") + down.to_bytes(4, "big") + b"\1"
        segments.append(Segment(kind="pHYs", data=per_metre))
    space = data[70:74] if header >= _V4 else b"BGRs"
    if header >= _V5 and space == _EMBEDDED:
        start, size = number(data, 126, 4, "little"), number(data, 130, 4, "little")
        icc = data[14 + start : 14 + start + size] or None
    elif space in (_LINKED, _EMBEDDED):
        losses.append(Loss("colour-space", "a colour profile in another file"))
    elif space == _CALIBRATED and not _is_srgb(data):
        losses.append(Loss("colour-space", "primaries or a gamma of its own"))
    end = _end_of_bmp(data)
    if icc:
        end = max(end, 14 + start + size)
    if end and not is_filling(data[end:]):
        losses.append(Loss("trailer", "bytes behind the picture"))
    return Facts(icc, None, None, tuple(segments), tuple(losses))


def read_netpbm(data: bytes) -> Facts:
    """Comments of a PBM, PGM or PPM file; any bytes can be read."""
    comments: list[Segment] = []
    values: list[int] = []
    position = 2
    wanted = 2 if data[:2] in (b"P1", b"P4") else 3
    while len(values) < wanted and (found := _NETPBM_TOKEN.match(data, position)):
        position = found.end()
        if found[2] is None:
            comments.append(Segment(kind="comment", data=found[1].strip()))
        else:
            values.append(int(found[2][:10]))
    losses = []
    if data[:2] in _CHANNELS and len(values) == 3:
        size = values[0] * values[1] * _CHANNELS[data[:2]] * (2 if values[2] > 255 else 1)
        rest = data[position + 1 + size :]
        if not is_filling(rest):
            further = rest.lstrip()[:1] == b"P"
            losses.append(
                Loss("multi-picture", "further pictures behind the first one")
                if further
                else Loss("trailer", "bytes behind the picture")
            )
    return Facts(segments=tuple(comments), losses=tuple(losses))


def _is_srgb(data: bytes) -> bool:
    """Whether the end points and gammas of a V4 header are sRGB's, or none."""
    points = [number(data, start, 4, "little") for start in range(74, 110, 4)]
    gammas = [number(data, start, 4, "little") for start in range(110, 122, 4)]
    if not any(points):
        return not any(gammas)
    sums = [sum(points[i : i + 3]) or 1 for i in (0, 3, 6)]
    xy = [100_000 * points[3 * i + j] / sums[i] for i in range(3) for j in range(2)]
    near = all(abs(gamma / 65536 - 2.2) < 0.05 for gamma in gammas if gamma)
    return near and are_srgb_points((31270, 32900, *xy))


def _end_of_bmp(data: bytes) -> int:
    """Where uncompressed pixels end; 0: they are compressed, or not to be told."""
    start, header = number(data, 10, 4, "little"), number(data, 14, 4, "little")
    if header < 40 or number(data, 30, 4, "little") not in (0, 3, 6):
        return 0
    width, height = number(data, 18, 4, "little"), number(data, 22, 4, "little")
    height = min(height, 2**32 - height)  # negative: from the top
    row = (width * number(data, 28, 2, "little") + 31) // 32 * 4
    return start + row * height
