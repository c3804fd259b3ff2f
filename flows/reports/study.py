"""A study of autoencoders as a table and figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from glassplate.codecs.autoencoder.training.study import Result
from glassplate.flows.reports.figures import Figure, quantisation_figure, rate_figure

_TABLE = """# Autoencoders compared

Means over {pictures}, which no run has seen; `bpp` are real streams, container included.
`continuous`: without quantisation, latents as float16. `JPEG`: at no more bits for each picture,
over the share of the pictures for which JPEG can be so small.

{head}
{rows}

![PSNR over bits per pixel](rate.png)

![PSNR with quantisation and, dotted, without](quantisation.png)
"""


_COLUMNS = (
    *("built with", "bits", "steps", "bpp", "PSNR", "bpp before coding"),
    *("PSNR, continuous", "bpp, continuous", "JPEG", "of the pictures"),
)


def write_study(results: Sequence[Result], folder: Path, pictures: str) -> list[Path]:
    """Write study.json, study.md and the figures; returns the files."""
    data, table = folder / "study.json", folder / "study.md"
    data.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    rows = "\n".join(_row(result) for result in results)
    head = f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}"
    table.write_text(_TABLE.format(head=head, rows=rows, pictures=pictures))
    figures = (_rate(results), _quantisation(results))
    return [data, table, *(figure.write_png(folder) for figure in figures)]


def _rate(results: Sequence[Result]) -> Figure:
    curves: dict[str, list[tuple[float, float]]] = {}
    for result in results:
        curves.setdefault(result.arm, []).append((result.bpp, result.psnr))
    jpeg = sorted((r.bpp, r.jpeg_psnr) for r in results if r.jpeg_psnr and r.jpeg_reached == 1)
    curves = {arm: sorted(curve) for arm, curve in curves.items()} | {"jpeg": jpeg}
    highest = 1.05 * max(result.bpp for result in results)
    return rate_figure("rate", "PSNR over real bits per pixel.", "PSNR dB", curves, {}, highest)


def _quantisation(results: Sequence[Result]) -> Figure:
    curves: dict[str, list[tuple[int, float, float]]] = {}
    for result in sorted(results, key=lambda result: result.bits):
        measured = (result.bits, result.psnr, result.continuous_psnr)
        curves.setdefault(result.arm, []).append(measured)
    caption = "PSNR with quantisation and, dotted, without."
    return quantisation_figure("quantisation", caption, curves)


def _row(result: Result) -> str:
    jpeg = "-" if result.jpeg_psnr is None else f"{result.jpeg_psnr:.2f}"
    return (
        f"| {result.arm} | {result.bits} | {result.steps:,} | {result.bpp:.3f} | {result.psnr:.2f} "
        f"| {result.raw_bpp:.3f} | {result.continuous_psnr:.2f} | {result.continuous_bpp:.1f} "
        f"| {jpeg} | {result.jpeg_reached:.0%} |"
    )
