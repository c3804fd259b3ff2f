"""Model cards: what a weight file is, what it was trained on, how good it is, its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glassplate.codecs.training.config import TrainConfig

_CARD = """# {name}

- Weight file: `{name}.safetensors`, sha256 `{sha256}`
- Parameters: {parameters:,}
- Trained by: `glassplate train {kind} --size {size}{options}{start}`
- Pictures: {pictures} crops from {source}; {licence}
- Training: {steps:,} steps in {minutes:.0f} minutes on {device}, batches of {batch} x {crop}x{crop}
- For: photographs, 8-bit RGB or grey. Not for: scans of text, masks, anything that has to be exact
  (keep those bit-exact)

Held-out crops from the same source, rates estimated, at qualities from 0 to 100:

| bits per pixel | PSNR dB |
|---|---|
{rows}

Measured on standard pictures in real bytes: `tests/benchmarks/results`.
"""


def run_facts(config: TrainConfig, last: dict[str, Any]) -> dict[str, Any]:
    """What each card says of a run: on which pictures, how long, where.

    last: The last validation record.
    """
    return {
        "pictures": last["pictures"],
        "source": config.source.rstrip("/").rpartition("/")[2],
        "licence": config.licence or "licence not stated",
        "steps": last["step"],
        "minutes": last["minutes"],
        "device": last["device"],
        "batch": config.batch,
        "crop": config.crop,
    }


def model_card(
    name: str,
    sha256: str,
    parameters: int,
    config: TrainConfig,
    records: list[dict[str, Any]],
    options: str = "",
) -> str:
    """Markdown for a weight file.

    Args:
        name: File name without its suffix.
        sha256: Digest of the file.
        parameters: Their number.
        config: Options of the run.
        records: Validation records of the run, oldest first.
        options: Options that only this kind has, as on the command line.
    """
    last = records[-1]
    return _CARD.format(
        name=name,
        sha256=sha256,
        parameters=parameters,
        kind=config.kind,
        size=config.size,
        options=options,
        start=f" --start {Path(config.start).name}" if config.start else "",
        **run_facts(config, last),
        rows="\n".join(f"| {bpp:.3f} | {db:.2f} |" for bpp, db in last["points"]),
    )
