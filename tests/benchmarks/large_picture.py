"""Memory of one large picture through a codec: `python -m tests.benchmarks.large_picture`.

The peak resident memory of a process that encodes, and of one that decodes, a photograph repeated
(and mirrored, so that it has no edges of its own) to so many megapixels. What the process takes
before the picture is there, torch and the weights, is told apart.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile

from tests.benchmarks.machine import write_result

CHILD = """
import json, pathlib, resource, sys, time
import numpy as np
from skimage import data
from glassplate.codecs import Target, get_codec

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

name, what, side, path = sys.argv[1], sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4])
codec = get_codec(name, device="cpu")
small = data.astronaut()[:128, :128]
codec.decode([codec.encode([small], Target())[0].bitstream])
before = peak()
if what == "encode":
    photo = data.astronaut()
    block = np.vstack([np.hstack([p, p[:, ::-1]]) for p in (photo, photo[::-1])])
    picture = np.empty((side, side, 3), np.uint8)
    for top in range(0, side, len(block)):
        for left in range(0, side, len(block)):
            part = picture[top : top + len(block), left : left + len(block)]
            part[:] = block[: part.shape[0], : part.shape[1]]
    started = time.perf_counter()
    stream = codec.encode([picture], Target())[0].bitstream
    seconds = time.perf_counter() - started
    path.write_bytes(stream)
else:
    stream = path.read_bytes()
    started = time.perf_counter()
    codec.decode([stream])
    seconds = time.perf_counter() - started
row = {"base_mib": before, "picture_mib": side * side * 3 / 2**20, "peak_mib": peak()}
row |= {"stream_mib": len(stream) / 2**20, "seconds": seconds}
print(json.dumps({key: round(value, 1) for key, value in row.items()}))
"""


def measure(codec: str, what: str, side: int, path: str) -> dict[str, float]:
    command = [sys.executable, "-c", CHILD, codec, what, str(side), path]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", default="hyperprior")
    parser.add_argument("--sides", type=int, nargs="+", default=[2000, 5000, 10000])
    options = parser.parse_args()
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        for side in options.sides:
            for what in ("encode", "decode"):
                row = measure(options.codec, what, side, f"{folder}/stream")
                result[f"{what} {side * side / 1e6:g} megapixels"] = row
    write_result("large_picture", {"codec": options.codec, "pictures": result})


if __name__ == "__main__":
    main()
