"""What kind of picture some bytes are, from their first bytes; which files claim to be pictures."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from PIL import Image

from glassplate.codecs.container.declared import jxl_size
from glassplate.codecs.errors import BitstreamError
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
    (b"P7\n", "PAM"),
    (b"BLP1", "BLP"),
    (b"BLP2", "BLP"),
    (b"DanM", "MSP"),
    (b"LinS", "MSP"),
    (b"Image type: ", "IM"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
)
_BRANDS = {
    "AVIF": {b"avif", b"avis"},
    "HEIF": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"},
    "CR3": {b"crx "},
}
_NETPBM_HEADER = 1 << 16
_JXL = b"\xff\x0a"
_NETPBM = re.compile(rb"P[1-6](?:\s|#[^\r\n]*[\r\n])+\d")
_EPS = re.compile(rb"%!PS-Adobe-\d\.\d EPSF")
_PFM = re.compile(rb"P[Ff4]\s+\d+\s+\d+\s+[-+]?[\d.]")
_NETPBM_SUFFIXES = {".pbm", ".pgm", ".ppm", ".pnm"}
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
_WEAK_MAGIC = {
    ".bmp": (re.compile(rb"BM"), "BMP"),
    ".ico": (re.compile(rb"\x00\x00\x01\x00"), "ICO"),
    ".pcx": (re.compile(rb"\x0a[\x00\x02-\x05]"), "PCX"),
    ".rgb": (re.compile(rb"\x01\xda"), "SGI"),
    ".sgi": (re.compile(rb"\x01\xda"), "SGI"),
    ".tga": (re.compile(rb".[\x00\x01][\x01-\x03\x09-\x0b\x20\x21]", re.DOTALL), "TGA"),
    ".xbm": (re.compile(rb"\s*(?:/\*.*?\*/\s*)?#define", re.DOTALL), "XBM"),
}
"""Beginnings that prove little, and count where the name agrees."""
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
        end = int.from_bytes(data[:4], "big")
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, min(end, 512), 4))}
        return next((label for label, known in _BRANDS.items() if brands & known), None)
    suffix = PurePosixPath(name).suffix.lower()
    if _is_bmp(data):
        return "BMP"
    if _NETPBM.match(data) or (suffix in _NETPBM_SUFFIXES and _is_netpbm(data)):
        return "PPM"
    if _PFM.match(data):
        return "PFM"
    if _EPS.match(data):
        return "EPS"
    if data.startswith(_JXL) and (suffix == ".jxl" or _is_jxl(data)):
        return "JXL"
    pattern, weak_label = _WEAK_MAGIC.get(suffix, (None, ""))
    return weak_label if pattern and pattern.match(data) else None


def _is_bmp(data: bytes) -> bool:
    """Two letters prove nothing; the header that follows has one of a few sizes."""
    header = int.from_bytes(data[14:18], "little")
    return data.startswith(b"BM") and header in _BMP_HEADERS


def _is_netpbm(data: bytes) -> bool:
    return data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace()


def _is_jxl(data: bytes) -> bool:
    try:
        jxl_size(data)
    except BitstreamError:
        return False
    return True


def claims_to_be_a_picture(name: str) -> bool:
    """Whether the file name has the extension of a picture format."""
    suffix = PurePosixPath(name).suffix.lower()
    extensions = Image.registered_extensions()
    known = suffix in extensions and extensions[suffix] not in _NOT_PICTURES
    return known or suffix in _RAW_SUFFIXES | _OTHER_SUFFIXES


def most_of_a_sample(data: bytes, label: str) -> int:
    """The largest value that samples can have, in the formats that Pillow scales in silence."""
    if label == "PNG":
        return 65535 if data[24:25] == b"\x10" else 255
    if label == "JPEG2000":
        start = data.find(b"\xff\x4f\xff\x51")
        components = data[start + 42 : start + 42 + 3 * data[start + 41]]
        depths = [(depth & 0x7F) + 1 for depth in components[::3]] if start >= 0 else []
        return (1 << max((depth for depth in depths if depth != 8), default=8)) - 1
    if label == "AVIF":
        start = data.find(b"av1C")
        deep = start >= 0 and data[start + 6] & 0x40
        return (4095 if data[start + 6] & 0x20 else 1023) if deep else 255
    if label == "PPM":
        header = re.sub(rb"#[^\r\n]*", b" ", data[:_NETPBM_HEADER]).split(None, 4)
        said = header[3] if len(header) > 3 and data[:2] not in (b"P1", b"P4") else b"255"
        return int(said) if said.isdigit() else 65535
    return 255
