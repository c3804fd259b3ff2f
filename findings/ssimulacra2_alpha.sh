#!/usr/bin/env bash
# ssimulacra2 0.3.0: the function that is there for alpha never sees it, and a picture that is turned
# has another value.
#
# Guess before the run: compute_ssimulacra2_with_alpha blends both pictures over a dark and a light
# ground and returns the worse value, as its docstring and libjxl's tool say; and turning both pictures
# by 90 degrees changes nothing.
# Seen: both files are converted to RGB before alpha is looked for, so the two grounds give the same
# value, and a picture whose alpha was wiped out altogether is "100, mathematically lossless". Above and
# below a picture is mirrored, left and right of it is zero, so small pictures move by points when turned.
# What follows: composite on both grounds oneself, and compare values of pictures that lie the same way.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ssimulacra2==0.3.0 numpy==2.4.6 pillow==12.3.0 scipy==1.17.1
venv/bin/python - <<'PY'
import numpy as np
from PIL import Image
from ssimulacra2 import compute_ssimulacra2, compute_ssimulacra2_with_alpha

rng = np.random.default_rng(0)
y, x = np.mgrid[:64, :96]
colours = (128 + 60 * np.sin(x / 7)[..., None] + 40 * np.cos(y / 5)[..., None]) * np.ones(3)
colours = (colours + rng.normal(0, 5, colours.shape)).clip(0, 255).astype(np.uint8)


def save(name, alpha):
    Image.fromarray(np.dstack([colours, alpha])).save(name)


save("opaque.png", np.full((64, 96), 255, np.uint8))
save("clear.png", np.zeros((64, 96), np.uint8))
value = compute_ssimulacra2_with_alpha("opaque.png", "clear.png")
print("opaque against wholly transparent:", value)
assert value == 100, "alpha counts now"

Image.fromarray(colours).save("a.png")
Image.fromarray(colours).save("b.jpg", quality=40)
Image.fromarray(np.asarray(Image.open("b.jpg"))).save("b.png")
for name in "ab":
    Image.open(f"{name}.png").transpose(Image.Transpose.ROTATE_90).save(f"{name}-turned.png")
upright = compute_ssimulacra2("a.png", "b.png")
turned = compute_ssimulacra2("a-turned.png", "b-turned.png")
print(f"upright {upright:.2f}, both turned {turned:.2f}")
assert abs(upright - turned) > 0.5, "edges are treated alike now"
PY
