"""What kind of picture some bytes are, from their first bytes; which files claim to be pictures."""

from __future__ import annotations

import re
import struct
from pathlib import PurePosixPath

from PIL import Image

from glassplate.codecs.pillow import FORMATS

DECODED = FORMATS
"""Formats that are decoded, by Pillow's names. Pictures of other known formats are kept."""

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"BM", "BMP"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JXL"),
    (b"8BPS", "PSD"),
    (b"v/1\x01", "EXR"),
    (b"#?RADIANCE", "HDR"),
    (b"FUJIFILMCCD-RAW", "RAF"),
    (b"IIRO", "ORF"),
    (b"IIRS", "ORF"),
    (b"IIU\x00", "RW2"),
    (b"II\xbc\x01", "JPEGXR"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"icns", "ICNS"),
    (b"SIMPLE  =", "FITS"),
    (b"gimp xcf", "XCF"),
    (b"AT&TFORM", "DJVU"),
    (b"\x8aMNG", "MNG"),
)
_BRANDS = {
    "AVIF": {b"avif", b"avis"},
    "HEIF": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"},
    "CR3": {b"crx "},
}
_NETPBM_HEADER = 1 << 16
_WEAK_MAGIC = {".jxl": (b"\xff\x0a", "JXL"), ".ico": (b"\x00\x00\x01\x00", "ICO")}
_ANY_BYTES = {".tga": "TGA", ".pcx": "PCX", ".sgi": "SGI", ".rgb": "SGI", ".xbm": "XBM"}
_RAW_SUFFIXES = {".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"}
_OTHER_SUFFIXES = {".jxl", ".heic", ".heif", ".hif", ".exr", ".hdr", ".xcf", ".djvu"}
_NOT_PICTURES = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "PDF", "WMF"}


def sniff(data: bytes, name: str) -> str | None:
    """The format of a picture (Pillow's name where it has one), or None if it is no picture."""
    for magic, label in _MAGIC:
        if data.startswith(magic):
            return label
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        brands = {data[8:12]}
        return next((label for label, known in _BRANDS.items() if brands & known), None)
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "PPM"
    suffix = PurePosixPath(name).suffix.lower()
    magic, label = _WEAK_MAGIC.get(suffix, (b"", ""))
    if label and data.startswith(magic):
        return label
    return _ANY_BYTES.get(suffix) if data else None


def claims_to_be_a_picture(name: str) -> bool:
    """Whether the file name has the extension of a picture format."""
    suffix = PurePosixPath(name).suffix.lower()
    extensions = Image.registered_extensions()
    known = suffix in extensions and extensions[suffix] not in _NOT_PICTURES
    return known or suffix in _RAW_SUFFIXES | _OTHER_SUFFIXES


def deeper_than_8_bit(data: bytes, label: str) -> bool:
    """Whether samples have more than 8 bits, in the formats that Pillow narrows in silence."""
    if label == "PNG":
        return data[24:25] == b"\x10"
    if label == "JPEG2000":
        start = data.find(b"\xff\x4f\xff\x51")
        components = data[start + 42 : start + 42 + 3 * data[start + 41]]
        return start >= 0 and any(depth & 0x7F != 7 for depth in components[::3])
    if label == "AVIF":
        start = data.find(b"av1C")
        return start >= 0 and bool(data[start + 6] & 0x40)
    if label == "PPM":
        header = re.sub(rb"#[^\r\n]*", b" ", data[:_NETPBM_HEADER]).split(None, 4)
        return data[:2] not in (b"P1", b"P4") and header[3:4] != [b"255"]
    return False


def first_directory_is_missing(data: bytes) -> bool:
    """Whether a TIFF file ends before its first directory."""
    order = "<" if data[:2] == b"II" else ">"
    if len(data) < 8:
        return True
    return bool(struct.unpack_from(order + "I", data, 4)[0] + 2 > len(data))
