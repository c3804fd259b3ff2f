#!/usr/bin/env bash
# libjxl (imagecodecs 2026.3.6) refuses to transcode a progressive 4:2:0 JPEG with restart markers by rows.
#
# Guess before the run: any baseline or progressive JPEG that libjpeg-turbo writes can be transcoded.
# Seen: of 4:4:4 and 4:2:0, baseline and progressive, with and without restart markers, it is exactly
# progressive 4:2:0 with restart markers of whole rows that is refused.
# What follows for an archive: a lossless transcode needs a fallback, even for ordinary files.
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

noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
picture = Image.fromarray(noise).resize((200, 150), Image.Resampling.BICUBIC)
refused = set()
for subsampling in ("4:4:4", "4:2:0"):
    for progressive in (False, True):
        for rows in (0, 1):
            file = io.BytesIO()
            picture.save(
                file, "JPEG", subsampling=subsampling, progressive=progressive, restart_marker_rows=rows
            )
            try:
                stream = imagecodecs.jpegxl_encode_jpeg(file.getvalue())
                assert imagecodecs.jpegxl_decode_jpeg(stream) == file.getvalue()
            except RuntimeError as error:
                refused.add((subsampling, progressive, rows))
                print("refused:", subsampling, "progressive" if progressive else "baseline", rows, error)
assert refused == {("4:2:0", True, 1)}, refused
PY
