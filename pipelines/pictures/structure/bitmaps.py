"""Simple formats whose header says how many bytes follow: BMP, Netpbm, PFM, PAM, QOI, PSD, ICO."""

from __future__ import annotations

import re

from glassplate.pipelines.pictures.structure.found import BrokenError, Found, Size, number, part

_BMP_OLD_HEADER, _BMP_BIT_FIELDS, _BMP_PLAIN = 12, (3, 6), 0
_BMP_COMMON_BITS = (1, 4, 8, 24)
_BMP_RLE = (1, 2)
_HEADER_BYTES = 1 << 16
_COMMENT = re.compile(rb"#[^\r\n]*")
_TOKEN = rb"(?:\s|#[^\r\n]*[\r\n])+"
_PAM_FIELD = re.compile(rb"(WIDTH|HEIGHT|DEPTH|MAXVAL)\s+(\d{1,9})")
_PIXELS = "its pixels"
_QOI_HEADER, _QOI_END = 14, b"\0" * 7 + b"\1"
_MAX_MAXVAL = (1 << 16) - 1


def walk_bmp(data: bytes, found: Found) -> None:
    """Compare a BMP's header with the bytes that are there. Raises BrokenError."""
    offset, header = number(data, 10, 4, "little"), number(data, 14, 4, "little")
    if header == _BMP_OLD_HEADER:
        width, height = number(data, 18, 2, "little"), number(data, 20, 2, "little")
        bits, compression = number(data, 24, 2, "little"), _BMP_PLAIN
    else:
        width, height = (
            abs(int.from_bytes(part(data, at, 4), "little", signed=True)) for at in (18, 22)
        )
        bits, compression = number(data, 28, 2, "little"), number(data, 30, 4, "little")
    found.sizes.append(Size(width, height))
    if compression in _BMP_BIT_FIELDS or bits in (16, 32):
        found.unusual = "bit fields"
    elif compression != _BMP_PLAIN and compression not in _BMP_RLE:
        found.unusual = f"compression {compression}"
    elif bits not in _BMP_COMMON_BITS:
        found.unusual = f"{bits} bits a pixel"
    if compression == _BMP_PLAIN or compression in _BMP_BIT_FIELDS:
        row = (width * bits + 31) // 32 * 4
        part(data, offset, row * height, _PIXELS)
    elif number(data, 2, 4, "little") > len(data):
        raise BrokenError(f"ends in the middle of {_PIXELS}")


def walk_netpbm(data: bytes, found: Found) -> None:
    """Compare the header of a PBM, PGM or PPM with the bytes that are there. Raises BrokenError."""
    kind = int(data[1:2])
    numbers = 2 if kind in (1, 4) else 3
    match = re.match(rb"P\d" + (_TOKEN + rb"(\d{1,9})") * numbers + rb"\s", data[:_HEADER_BYTES])
    if not match:
        raise BrokenError("has a header that does not say its size")
    width, height, *rest = (int(value) for value in match.groups())
    found.sizes.append(Size(width, height))
    maxval = rest[0] if rest else 1
    if not 1 <= maxval <= _MAX_MAXVAL:
        raise BrokenError(f"says that its largest sample is {maxval}")
    samples = width * height * (3 if kind in (3, 6) else 1)
    if kind == 4:
        part(data, match.end(), -(-width // 8) * height, _PIXELS)
    elif kind in (5, 6):
        part(data, match.end(), samples * (1 if maxval < 256 else 2), _PIXELS)
    elif kind in (2, 3) and len(_COMMENT.sub(b"", data[match.end() :]).split()) < samples:
        raise BrokenError(f"ends in the middle of {_PIXELS}")


def walk_pfm(data: bytes, found: Found) -> None:
    """Compare a PFM's header with the bytes that are there. Raises BrokenError."""
    match = re.match(rb"P([Ff4])\s+(\d{1,9})\s+(\d{1,9})\s+[-+.\deE]+\s", data[:_HEADER_BYTES])
    if not match:
        raise BrokenError("has a header that does not say its size")
    width, height = int(match[2]), int(match[3])
    found.sizes.append(Size(width, height))
    channels = {b"F": 3, b"f": 1, b"4": 4}[match[1]]
    part(data, match.end(), 4 * channels * width * height, _PIXELS)


def walk_pam(data: bytes, found: Found) -> None:
    """Compare a PAM's header with the bytes that are there. Raises BrokenError."""
    header, end, _ = data[:_HEADER_BYTES].partition(b"ENDHDR\n")
    fields = {name: int(value) for name, value in _PAM_FIELD.findall(_COMMENT.sub(b"", header))}
    if not end or len(fields) != 4:
        raise BrokenError("has a header that does not say its size")
    width, height, depth = (fields[name] for name in (b"WIDTH", b"HEIGHT", b"DEPTH"))
    found.sizes.append(Size(width, height))
    sample = 1 if fields[b"MAXVAL"] < 256 else 2
    part(data, len(header) + len(end), width * height * depth * sample, _PIXELS)


def walk_qoi(data: bytes, found: Found) -> None:
    """Look for a QOI's size and end. Raises BrokenError."""
    found.sizes.append(Size(number(data, 4, 4), number(data, 8, 4)))
    if len(data) < _QOI_HEADER or not data.endswith(_QOI_END):
        raise BrokenError(f"ends in the middle of {_PIXELS}")


def walk_psd(data: bytes, found: Found) -> None:
    """Walk through the sections of a PSD or PSB. Raises BrokenError."""
    is_large = number(data, 4, 2) == 2
    channels, height, width, depth = (
        number(data, at, size) for at, size in ((12, 2), (14, 4), (18, 4), (22, 2))
    )
    found.sizes.append(Size(width, height))
    position = 26
    for size in (4, 4, 8 if is_large else 4):
        length = number(data, position, size, what="a section")
        part(data, position + size, length, "a section")
        position += size + length
    if number(data, position, 2, what=_PIXELS) == 0:
        part(data, position + 2, channels * height * -(-width * depth // 8), _PIXELS)


def walk_ico(data: bytes, found: Found) -> None:
    """Look whether all pictures of an ICO are there. Raises BrokenError."""
    for entry in range(6, 6 + 16 * number(data, 4, 2, "little"), 16):
        sides = (number(data, at, 1) or 256 for at in (entry, entry + 1))
        found.sizes.append(Size(*sides))
        length, place = (number(data, at, 4, "little") for at in (entry + 8, entry + 12))
        part(data, place, length, "one of its pictures")
