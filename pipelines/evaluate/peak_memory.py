"""Peak memory of a codec, measured in a process that does nothing else."""

from __future__ import annotations

import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from glassplate.codecs import Target
from glassplate.pipelines.codec_choice import build_choice
from glassplate.pipelines.evaluate.measure import Setting, Subject, load_pixels


@dataclass(frozen=True)
class PeakMemory:
    """Bytes of main memory of a process that encodes and decodes one picture.

    idle: with libraries, codec, weights and the picture loaded. peak: the most it ever had.
    """

    idle: int
    peak: int


def peak_memory(setting: Setting, picture: Subject) -> PeakMemory:
    """Encode and decode a picture at the codec's default quality in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, setting, picture).result()


def _run(setting: Setting, picture: Subject) -> PeakMemory:
    codec = build_choice(setting.choice, setting.device, setting.plugins)
    pixels = load_pixels(picture.ref, setting.max_pixels)
    idle = _status("VmRSS")
    (encoded,) = codec.encode([pixels], Target())
    codec.decode([encoded.bitstream])
    return PeakMemory(idle, _status("VmHWM"))


def _status(field: str) -> int:
    """Bytes. Not getrusage: its maximum is inherited from the process that started this one."""
    text = Path("/proc/self/status").read_text()
    match = re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else 0
