"""JPEG 2000: boxes of a JP2 file, comments of a codestream."""

from __future__ import annotations

from collections.abc import Iterator

from glassplate.pipelines.pictures.metadata.boxes import Box, boxes, end_of_boxes
from glassplate.pipelines.pictures.metadata.facts import Facts, Loss, number
from glassplate.pipelines.pictures.metadata.segment import Segment

_CODESTREAM, _END_OF_CODESTREAM = b"\xff\x4f\xff\x51", b"\xff\xd9"
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_CODING = (
    b"jP  ",
    b"ftyp",
    b"jp2h",
    b"jp2c",
    b"ihdr",
    b"bpcc",
    b"free",
    b"rreq",
    b"res ",
    b"cmap",
    b"cdef",
)
_MAIN_HEADER = 1 << 20
"""Bytes of a codestream in which its main header is looked for."""

_ENUMERATED, _ICC_METHODS = 1, (2, 3)
_GREY = 17
_HELD_SPACES = (16, _GREY, 18)
"""sRGB, grey, sYCC."""
_PLAIN_MAP = b"\0\0\1\0\0\0\1\1\0\0\1\2"
_COMMENT, _START_OF_TILE, _TEXT = 0x64, 0x90, 1
_OPACITY, _WHOLE_PICTURE = 1, 0


def read_jpeg2000(data: bytes) -> Facts:
    """Metadata of a JP2 file or a codestream; any bytes can be read."""
    start = data.find(_CODESTREAM)
    stream = data[start : start + _MAIN_HEADER] if start >= 0 else b""
    top = list(boxes(data)) if start else []
    header = [box for outer in top if outer.kind == b"jp2h" for box in boxes(outer.data)]
    segments = [Segment(kind="comment", data=text) for text in _comments(stream)]
    losses = list(_of_channels(stream, header))
    icc = xmp = None
    for box in [*top, *header]:
        if box.kind == b"uuid" and box.data.startswith(_XMP) and not xmp:
            xmp = box.data[16:]
        elif box.kind == b"colr" and not icc and number(box.data, 0, 1) in _ICC_METHODS:
            icc = box.data[3:]
        elif box.kind == b"res ":
            segments += _resolution(box)
        elif loss := _loss_of(box):
            losses.append(loss)
    if start >= 0 and _end(data, start) < len(data):
        losses.append(Loss("trailer", "bytes behind the picture"))
    if sum(box.kind == b"jp2c" for box in top) > 1:
        losses.append(Loss("multi-picture", "further pictures behind the first one"))
    return Facts(icc, None, xmp, tuple(segments), tuple(losses))


def _end(data: bytes, codestream: int) -> int:
    """Where the file ends by what it says: behind its last box, or its codestream."""
    if codestream:
        return end_of_boxes(data)
    marker = data.rfind(_END_OF_CODESTREAM)
    return marker + len(_END_OF_CODESTREAM) if marker >= 0 else len(data)


def _of_channels(stream: bytes, header: list[Box]) -> Iterator[Loss]:
    """What is said of channels as a whole; `header`: the boxes of a JP2's header."""
    kinds = {box.kind for box in header}
    channels = number(stream, 40, 2)
    if any(depth & 0x80 for depth in stream[42 : 42 + 3 * channels : 3]):
        yield Loss("signed", "signed samples")
    if channels in (2, 4) and not kinds & {b"cdef", b"pclr"}:
        yield Loss("alpha", "a channel of unknown meaning")
    if b"pclr" in kinds and (
        channels != 1
        or b"cmap" not in kinds
        or any(box.kind == b"colr" and _enumerated(box) == _GREY for box in header)
    ):
        yield Loss("palette", "a palette for other than one channel of colours")


def _enumerated(colour: Box) -> int | None:
    """The number of a colour space; None: it is described in another way."""
    data = colour.data
    return number(data, 3, 4) if number(data, 0, 1) == _ENUMERATED else None


def _loss_of(box: Box) -> Loss | None:
    kind, data = box
    if kind == b"colr":
        held = _enumerated(box) in _HELD_SPACES or number(data, 0, 1) in _ICC_METHODS
        return None if held else Loss("colour-space", "another colour space than sRGB or grey")
    if kind == b"pclr":
        return _of_palette(data)
    if kind == b"cmap" and data != _PLAIN_MAP:
        return Loss("palette", "the columns of a palette in another order")
    if kind == b"cdef" and not _is_plain(data):
        return Loss("alpha", "channels in another order or role")
    return None if kind in _CODING else Loss("metadata", f"a box of kind {box.name}")


def _of_palette(data: bytes) -> Loss | None:
    if data[2:6] != b"\3\7\7\7":
        return Loss("palette-alpha", "a palette of other than 8-bit RGB")
    colours = [data[start : start + 3] for start in range(6, 6 + 3 * number(data, 0, 2), 3)]
    if len(set(colours)) < len(colours):  # Pillow 12.3 merges equal ones and shifts the rest
        return Loss("palette", "a palette that has a colour twice")
    return None


def _is_plain(definition: bytes) -> bool:
    """Whether colours stand in order, with straight alpha behind them or none."""
    count = number(definition, 0, 2)
    entries = [
        tuple(number(definition, start + 2 * part, 2) for part in range(3))
        for start in range(2, 2 + 6 * min(count, 4), 6)
    ]
    colours = count - 1 if count in (2, 4) else count
    wanted = [(i, 0, i + 1) for i in range(colours)]
    wanted += [(colours, _OPACITY, _WHOLE_PICTURE)] if colours < count else []
    return sorted(entries) == wanted


def _resolution(box: Box) -> Iterator[Segment]:
    """As PNG's chunk: pixels for each metre. That of capture, which is first, counts."""
    for inner in boxes(box.data):
        values = [number(inner.data, at, 2) for at in (0, 2, 4, 6)]
        down, across = (
            round(values[i] / values[i + 1] * 10.0 ** min(_signed(inner.data, 8 + i // 2), 9))
            if values[i + 1]
            else 0
            for i in (0, 2)
        )
        if 0 < across < 1 << 31 and 0 < down < 1 << 31:
            data = across.to_bytes(4, "big") + down.to_bytes(4, "big") + b"\1"
            yield Segment(kind="pHYs", data=data)
            return


def _signed(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 1], "big", signed=True)


def _comments(stream: bytes) -> Iterator[bytes]:
    """Texts in the main header of a codestream."""
    position = 2
    while stream[position : position + 1] == b"\xff":
        marker, size = number(stream, position + 1, 1), number(stream, position + 2, 2)
        if marker == _START_OF_TILE or size < 2:
            return
        if marker == _COMMENT and number(stream, position + 4, 2) == _TEXT:
            yield stream[position + 6 : position + 2 + size]
        position += 2 + size
