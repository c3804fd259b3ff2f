#!/usr/bin/env bash
# Pillow 12.3.0 decodes a JPEG 2000 picture to other colours if its palette has a colour twice.
#
# Guess before the run: a palette is a list, and index i means its i-th entry, whatever the entries.
# Seen: Pillow reads the entries through a table that gives equal colours one index, so that every
# entry behind the second of a pair moves up by one. OpenJPEG, by imagecodecs, gives the right colours.
# No error, no warning; with a palette of distinct colours both agree.
# What follows for an archive: look at the palette before trusting pixels that were made with it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    pillow==12.3.0 imagecodecs==2026.3.6 numpy==2.4.6
venv/bin/python - <<'PY'
import io
import struct

import imagecodecs
import numpy as np
import PIL
from PIL import Image

indices = np.tile(np.arange(8, dtype=np.uint8), (32, 4))
buffer = io.BytesIO()
Image.fromarray(indices).save(buffer, "JPEG2000")
plain = buffer.getvalue()


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def with_palette(colours: list[tuple[int, int, int]]) -> bytes:
    """ISO/IEC 15444-1, I.5.3.4 and I.5.3.5: a palette, and which channel each column makes."""
    entries = b"".join(bytes(colour) for colour in colours)
    header = box(b"ihdr", struct.pack(">IIHBBBB", 32, 32, 1, 7, 7, 0, 0))
    header += box(b"colr", b"\1\0\0" + struct.pack(">I", 16))
    header += box(b"pclr", struct.pack(">HB", len(colours), 3) + b"\7\7\7" + entries)
    header += box(b"cmap", b"\0\0\1\0\0\0\1\1\0\0\1\2")
    start = plain.index(b"jp2h") - 4
    end = start + struct.unpack(">I", plain[start : start + 4])[0]
    return plain[:start] + box(b"jp2h", header) + plain[end:]


print("Pillow", PIL.__version__)
distinct = [(30 * i, 255 - 30 * i, 7 * i) for i in range(8)]
twice = [distinct[0], distinct[0], *distinct[2:]]
for name, colours in (("distinct colours", distinct), ("one colour twice", twice)):
    data = with_palette(colours)
    right = np.array(colours, np.uint8)[indices]
    by_openjpeg = imagecodecs.jpeg2k_decode(data)
    by_pillow = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    wrong = float((by_pillow != right).any(axis=2).mean())
    print(f"{name}: {wrong:.0%} of Pillow's pixels are wrong, OpenJPEG's are right")
    assert np.array_equal(by_openjpeg, right)
    assert (wrong > 0.5) == (name == "one colour twice"), "Pillow has changed"
PY
