"""Where the time goes: `python -m tests.benchmarks.time_split`.

`encode` and `decode`: `hyperprior` alone, on pictures that are in memory. `worker`: what one worker
of `glassplate compress` does to files, entropy coding on its own. Each part's time is its own: what
it calls that is a part itself is taken off; the rest is `other`. Shares are of all parts together,
which is more than the whole where they run beside each other in threads.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from glassplate.codecs import Pixels, Target, get_codec
from glassplate.codecs.hyperprior import codec as hyperprior
from glassplate.codecs.hyperprior import latents, runtime
from glassplate.codecs.hyperprior.network import folded, means
from glassplate.codecs.hyperprior.parsing import integer_net as parsing
from glassplate.codecs.hyperprior.parsing import tile_coder
from glassplate.pipelines.compress import encode, tiers
from glassplate.pipelines.compress import latents as latents_of_run
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.planning import plan_run
from tests.benchmarks.machine import write_result
from tests.benchmarks.photographs import own_photographs

ENTROPY = {
    "scale net": [
        (parsing.IntegerScaleNet, "begin"),
        (parsing.ScaleState, "indices"),
        (parsing.ScaleState, "reveal"),
    ],
    "range coder": [(tile_coder.EntropyCoder, "encode"), (tile_coder.EntropyCoder, "decode")],
}
CODEC = {
    "transforms": [(runtime.Runtime, "analyse"), (runtime.Runtime, "synthesise")],
    "hyperprior and means": [
        (folded.FoldedHyperAnalysis, "__call__"),
        (means.FoldedMeans, "begin"),
        (means.MeanState, "mean"),
        (means.MeanState, "reveal"),
    ],
    "quantiser": [(latents.Quantizer, "__call__")],
    **ENTROPY,
}
WORKER = {
    "read": [(encode, "read_source")],
    "source decode": [(encode, "ingest")],
    "encode": [(hyperprior.HyperpriorCodec, "encode")],
    "verify by decoding": [(hyperprior.HyperpriorCodec, "decode")],
    "PSNR and MS-SSIM": [(tiers, "psnr"), (tiers, "ms_ssim")],
    "embedding": [(latents_of_run, "embedding")],
    **ENTROPY,
}
Parts = dict[str, list[tuple[Any, str]]]


class Stopwatch:
    """Seconds that functions take, less those of others that they call; by part."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._callers = threading.local()

    def timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        """The function, whose time is from now on the part's."""

        @functools.wraps(function)
        def wrapper(*args: Any, **named: Any) -> Any:
            callers = self._callers.__dict__.setdefault("inner", [])
            callers.append(0.0)
            started = time.perf_counter()
            try:
                return function(*args, **named)
            finally:
                whole = time.perf_counter() - started
                self.seconds[part] += whole - callers.pop()
                if callers:
                    callers[-1] += whole

        return wrapper


@contextmanager
def watching(parts: Parts) -> Iterator[Stopwatch]:
    """A stopwatch on the parts for as long as the context lasts."""
    stopwatch = Stopwatch()
    with ExitStack() as stack:
        for part, functions in parts.items():
            for owner, name in functions:
                function = getattr(owner, name)
                stack.callback(setattr, owner, name, function)
                setattr(owner, name, stopwatch.timed(function, part))
        yield stopwatch


def split(parts: Parts, megapixels: float, repeat: int, work: Callable[[], object]) -> Any:
    """The fastest of some repetitions: MP/s, and the parts' shares in percent."""
    work()  # libraries loaded, kernels chosen, caches filled
    runs = []
    for _ in range(repeat):
        with watching(parts) as stopwatch:
            started = time.perf_counter()
            work()
            runs.append((time.perf_counter() - started, stopwatch.seconds))
    whole, seconds = min(runs, key=lambda run: run[0])
    seconds["other"] = max(0.0, whole - seconds.total())
    return {
        "seconds": round(whole, 3),
        "megapixels_per_second": round(megapixels / whole, 2),
        "percent": {part: round(100 * s / seconds.total(), 1) for part, s in seconds.items()},
    }


def split_codec(images: Sequence[Pixels], megapixels: float, repeat: int) -> dict[str, Any]:
    codec = get_codec("hyperprior", device="cpu")
    streams = [encoded.bitstream for encoded in codec.encode(images, Target())]
    return {
        "encode": split(CODEC, megapixels, repeat, lambda: codec.encode(images, Target())),
        "decode": split(CODEC, megapixels, repeat, lambda: codec.decode(streams)),
    }


def split_worker(images: Sequence[Pixels], megapixels: float, repeat: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        for number, image in enumerate(images):
            Image.fromarray(image).save(f"{folder}/{number}.jpg", quality=95)
        config = CompressConfig(source=folder, archive=f"{folder}/archive", device="cpu")
        refs = [ref for shard in plan_run(config).shards for ref in shard.refs]
        codecs = tiers.Tiers(config)
        return split(WORKER, megapixels, repeat, lambda: encode.encode_refs(refs, config, codecs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="PNG files; default: scikit-image's")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    paths = sorted(options.photos.glob("*.png")) if options.photos else own_photographs()
    images = [np.array(Image.open(path).convert("RGB")) for path in paths]
    megapixels = sum(image.shape[0] * image.shape[1] for image in images) / 1e6
    result: dict[str, Any] = {"pictures": len(images), "megapixels": round(megapixels, 2)}
    for threads in options.threads:
        torch.set_num_threads(threads)
        codec = split_codec(images, megapixels, options.repeat)
        worker = split_worker(images, megapixels, options.repeat)
        result[f"threads {threads}"] = codec | {"worker": worker}
    write_result("time_split", result)


if __name__ == "__main__":
    main()
