"""What the pipeline costs over a bare loop: `python -m tests.benchmarks.pipeline_efficiency`.

Images a second of `glassplate compress --workers 2`, divided by those of two processes in a
`multiprocessing.Pool` that do the same to each picture with the same codec: read, decode, encode,
decode again, PSNR, MS-SSIM, embedding; and, for comparison, by a loop that only reads, decodes and
encodes. Both start in a fresh Python, and imports are in the time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from glassplate.pipelines.archive.read.reader import open_archive
from tests.benchmarks.machine import write_result
from tests.benchmarks.photographs import write_photographs

WORKERS = 2

COMPRESS = """
import sys
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress
source, archive, codec, workers = sys.argv[1:]
config = CompressConfig(source=source, archive=archive, codec=codec, workers=int(workers))
assert compress(config).ledger.failed == 0
"""

LOOP = """
import io, multiprocessing, sys
from pathlib import Path
import numpy as np, torch
from PIL import Image
from glassplate.codecs import Target, get_codec
from glassplate.codecs.embedding import embedding
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.measures.structure import ms_ssim

source, codec_name, workers, whole = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
codec = get_codec(codec_name)

def work(path):
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        pixels = np.array(image)
    (encoded,) = codec.encode([pixels], Target())
    if whole == "whole":
        (decoded,) = codec.decode([encoded.bitstream])
        psnr(pixels, decoded), ms_ssim(pixels, decoded), embedding(pixels)
    return len(encoded.bitstream)

if __name__ == "__main__":
    torch.set_num_threads(1)
    with multiprocessing.Pool(workers, torch.set_num_threads, (1,)) as pool:
        assert sum(pool.imap_unordered(work, sorted(Path(source).iterdir()), chunksize=8))
"""


def timed(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--photos", type=Path, help="cut the photographs from these pictures")
    parser.add_argument("--codec", default="jxl")
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        source, loop = f"{folder}/source", Path(folder) / "loop.py"
        size = write_photographs(Path(source), options.images, options.photos)
        loop.write_text(LOOP)
        for number in range(options.repeat):
            archive = f"{folder}/archive-{number}"
            runs.append(
                {
                    "glassplate": timed(
                        "-c", COMPRESS, source, archive, options.codec, str(WORKERS)
                    ),
                    "same_work": timed(str(loop), source, options.codec, str(WORKERS), "whole"),
                    "encode_only": timed(str(loop), source, options.codec, str(WORKERS), "encode"),
                }
            )
            assert open_archive(archive).images().count_rows() == options.images
    best = {name: min(run[name] for run in runs) for name in runs[0]}
    write_result(
        "pipeline_efficiency",
        {
            "codec": options.codec,
            "images": options.images,
            "source_megabytes": round(size / 1e6, 1),
            "images_per_second": {name: round(options.images / s, 1) for name, s in best.items()},
            "efficiency": round(best["same_work"] / best["glassplate"], 3),
            "efficiency_against_encode_only": round(best["encode_only"] / best["glassplate"], 3),
            "seconds": [{name: round(s, 1) for name, s in run.items()} for run in runs],
        },
    )


if __name__ == "__main__":
    main()
