#!/usr/bin/env bash
# OpenJPH (imagecodecs 2026.3.6) wraps overshoot around: lossy high-throughput JPEG 2000 turns white black.
#
# Guess before the run: a decoder clips samples that quantisation pushed beyond the range, as OpenJPEG does.
# Seen: at a sharp edge between black and white some samples come back at the other end of the range.
# The same codestream decoded by OpenJPEG has no such sample.
# What follows for an archive: decode what was encoded, measure it, and choose the decoder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check imagecodecs==2026.3.6 numpy==2.4.6
venv/bin/python - <<'PY'
import imagecodecs
import numpy as np

picture = np.zeros((128, 128), np.uint8)
picture[:, 64:] = 255
picture[40:80, 30:50] = 255
flips = {}
for step in (0.002, 0.01, 0.05):
    stream = imagecodecs.htj2k_encode(picture, level=step, reversible=False)
    for name, decode in (("OpenJPH", imagecodecs.htj2k_decode), ("OpenJPEG", imagecodecs.jpeg2k_decode)):
        back = np.asarray(decode(stream)).astype(int)
        flips[name] = max(flips.get(name, 0), int((np.abs(back - picture) > 200).sum()))
print("samples at the other end of the range:", flips)
assert flips["OpenJPH"] > 0
assert flips["OpenJPEG"] == 0
PY
