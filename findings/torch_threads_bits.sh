#!/usr/bin/env bash
# torch 2.13.0: a 1x1 convolution on a CPU has other last bits with two threads than with one.
#
# Guess before the run: each output is a sum over channels by one thread, so threads cannot matter.
# Seen: outputs differ in their last bits, with bias and without.
# What follows for a codec: nothing that is parsed may depend on floats.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'PY'
import torch

torch.manual_seed(0)
differ = {}
for bias in (False, True):
    for size in (17, 33, 64, 96, 130):
        layer = torch.nn.Conv2d(192, 192, 1, bias=bias).eval()
        x = torch.randn(1, 192, size, size)
        with torch.inference_mode():
            torch.set_num_threads(1)
            one = layer(x)
            torch.set_num_threads(2)
            two = layer(x)
        differ[bias] = differ.get(bias, 0) + int((one != two).sum())
print("outputs that differ, by bias:", differ)
assert differ[True] > 0
PY
