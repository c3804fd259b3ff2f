#!/usr/bin/env bash
# libjxl (imagecodecs 2026.3.6) decodes a losslessly transcoded JPEG to other pixels than libjpeg-turbo.
#
# Guess before the run: the very file comes back, so that its picture is the same within a level or two.
# Seen: the file does come back byte for byte, but the pixels of the JPEG XL stream differ by tens of levels
# in saturated 4:2:0 pictures of low quality: chroma is upsampled and clipped in other ways.
# What follows for an archive: show a transcoded JPEG by putting the file together again, and decode that.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check imagecodecs==2026.3.6 pillow==12.3.0 numpy==2.4.6
venv/bin/python - <<'PY'
import io

import imagecodecs
import numpy as np
from PIL import Image

noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
picture = Image.fromarray(noise).resize((480, 320), Image.Resampling.NEAREST)
worst = {}
for subsampling in ("4:4:4", "4:2:0"):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=30, subsampling=subsampling)
    stream = imagecodecs.jpegxl_encode_jpeg(file.getvalue())
    assert imagecodecs.jpegxl_decode_jpeg(stream) == file.getvalue()
    there = np.asarray(imagecodecs.jpegxl_decode(stream)).astype(int)
    here = np.asarray(Image.open(file)).astype(int)
    worst[subsampling] = int(np.abs(there - here).max())
print("largest difference of a level:", worst)
assert worst["4:2:0"] > 20
PY
