#!/usr/bin/env bash
# Pillow 12.3.0 drops the thumbnail of an EXIF block when it writes AVIF, if the block tells an
# orientation, even the plain one.
#
# Guess before the run: bytes that are given as exif= are written as they are, as for JPEG, PNG, WebP.
# Seen: for AVIF the orientation goes into a property of the file, for which the block is parsed and
# written anew, without its second directory and the thumbnail in it. Without an orientation tag the
# block is written as it is.
# What follows for an archive: take the orientation out of the block before Pillow does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pillow==12.3.0
venv/bin/python - <<'PY'
import io
import struct

import PIL
from PIL import Image

small = io.BytesIO()
Image.new("RGB", (16, 8), (200, 30, 30)).save(small, "JPEG")
thumbnail = small.getvalue()


def block(tag: int, value: int) -> bytes:
    """TIFF 6.0 and EXIF: one tag in the first directory, a JPEG thumbnail in the second."""
    first = struct.pack(">H", 1) + struct.pack(">HHIHH", tag, 3, 1, value, 0)
    second = 8 + len(first) + 4
    place = second + 2 + 24 + 4
    links = struct.pack(">HHII", 0x0201, 4, 1, place)
    links += struct.pack(">HHII", 0x0202, 4, 1, len(thumbnail))
    head = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + first + struct.pack(">I", second)
    return head + struct.pack(">H", 2) + links + bytes(4) + thumbnail


print("Pillow", PIL.__version__)
for name, exif in (("orientation 1", block(274, 1)), ("no orientation", block(296, 2))):
    kept = {}
    for kind in ("JPEG", "PNG", "WEBP", "AVIF"):
        file = io.BytesIO()
        Image.new("RGB", (64, 64)).save(file, kind, exif=exif)
        kept[kind] = thumbnail in file.getvalue()
    print(f"{name}: thumbnail written:", kept)
    assert kept["JPEG"] and kept["PNG"] and kept["WEBP"]
    assert kept["AVIF"] == (name == "no orientation"), "Pillow has changed"
PY
