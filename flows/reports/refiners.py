"""What an evaluation of refiners leaves behind: a JSON document, and a page with its figures."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from glassplate.codecs.measures import inception
from glassplate.codecs.measures.efficientnet import NETWORK, PATCH, PATCH_STRIDE
from glassplate.flows.reports.contact_sheet import write_sheet
from glassplate.flows.reports.figures import Figure, rate_figure, trade_figure
from glassplate.flows.reports.page import write_page
from glassplate.flows.terminal.output import plain
from glassplate.pipelines.evaluate.machine import machine
from glassplate.pipelines.evaluate.refiners import RefineEvaluation, Row
from glassplate.pipelines.evaluate.variants import PLAIN

FORMAT = 1
METRICS = {
    "psnr": "PSNR-RGB in dB",
    "ms_ssim": "MS-SSIM",
    "ssimulacra2": "SSIMULACRA2",
    "st_lpips": "ST-LPIPS",
    "frechet": f"Fréchet distance, {NETWORK} stage 5",
}
HIGHER_IS_BETTER = ("psnr", "ms_ssim", "ssimulacra2")


def write_refine_evaluation(evaluation: RefineEvaluation, folder: Path) -> list[Path]:
    """Write refine.json, refine.html, refine.webp, which is the contact sheet, and the figures.

    Returns the files. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = folder / "refine.json"
    text = json.dumps(plain(_document(evaluation)), indent=1)
    document.write_text(text + "\n", encoding="utf-8")
    sheet = write_sheet(evaluation, folder / "refine.webp")
    page = _page(evaluation, sheet)
    target, figures = folder / "refine.html", folder / "figures"
    return [document, *write_page("evaluate_refine.html", page, target, figures), sheet]


def _document(evaluation: RefineEvaluation) -> dict[str, Any]:
    exclude = {"source", "weights", "perceptual_weights", "workers"}
    return {
        "format": FORMAT,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "settings": evaluation.config.model_dump(mode="json", exclude=exclude),
        "weights": evaluation.weights,
        "perceptual_weights": _perceptual_weights(evaluation),
        "pictures": [picture.name for picture in evaluation.pictures],
        "swept": [picture.name for picture in evaluation.swept],
        "left_out": evaluation.left_out,
        "patches": evaluation.patches,
        "fid_patches": evaluation.fid_patches,
        "rows": [asdict(row) for row in evaluation.rows],
        "sweep": [asdict(row) for row in evaluation.sweep],
        "speeds": [asdict(speed) for speed in evaluation.speeds],
    }


def _perceptual_weights(evaluation: RefineEvaluation) -> dict[str, str]:
    """sha256 of each file that was given."""
    return {
        file.name: sha256
        for one in evaluation.bench.given
        for file, sha256 in zip(one.measure.files, one.sha256, strict=True)
    }


def _metrics(evaluation: RefineEvaluation) -> dict[str, str]:
    """What was measured, with labels."""
    given = [one.measure for one in evaluation.bench.given]
    return METRICS | {measure.name: measure.label for measure in given}


def _page(evaluation: RefineEvaluation, sheet: Path) -> dict[str, Any]:
    metrics = _metrics(evaluation)
    return {
        "title": Path(evaluation.config.source).name or "pictures",
        "evaluation": evaluation,
        "config": evaluation.config,
        "given": {name: label for name, label in metrics.items() if name not in METRICS},
        "fid": {
            "patch": (inception.PATCH, inception.SHIFT),
            "patches": evaluation.fid_patches,
            "dimensions": inception.DIMENSIONS,
        },
        "perceptual_weights": _perceptual_weights(evaluation),
        "patch": (PATCH, PATCH_STRIDE),
        "tables": [(row, _of_quality(evaluation.rows, row.quality)) for row in _plain(evaluation)],
        "sweeps": [
            (row, _of_quality(evaluation.sweep, row.quality))
            for row in evaluation.sweep
            if row.variant == PLAIN.name
        ],
        "speeds": {speed.variant: speed for speed in evaluation.speeds},
        "figures": [*_rate_figures(evaluation), *_trade_figures(evaluation)],
        "sheet": "data:image/webp;base64," + base64.b64encode(sheet.read_bytes()).decode(),
        "megapixels": sum(picture.megapixels for picture in evaluation.pictures),
        "machine": machine(),
    }


def _plain(evaluation: RefineEvaluation) -> list[Row]:
    return [row for row in evaluation.rows if row.variant == PLAIN.name]


def _of_quality(rows: Iterable[Row], quality: float) -> list[Row]:
    return [row for row in rows if row.quality == quality]


def _rate_figures(evaluation: RefineEvaluation) -> list[Figure]:
    """Each metric over the rate, a curve for each variant."""
    names = dict.fromkeys(row.variant for row in evaluation.rows)
    highest = max(row.bpp or 0 for row in evaluation.rows)
    count = len(evaluation.pictures)
    caption = f"Mean of {count} picture{'s' if count > 1 else ''}. "
    figures = []
    for metric, label in _metrics(evaluation).items():
        curves = {
            name: [
                (row.bpp, getattr(row, metric))
                for row in evaluation.rows
                if row.variant == name and row.bpp is not None and getattr(row, metric) is not None
            ]
            for name in names
        }
        better = "Higher is better." if metric in HIGHER_IS_BETTER else "Lower is better."
        name = f"refine-{metric.replace('_', '-')}"
        figures.append(rate_figure(name, caption + better, label, curves, {}, highest * 1.02))
    return figures


def _trade_figures(evaluation: RefineEvaluation) -> list[Figure]:
    """Distortion against perception at each swept rate: by steps and by strength."""
    figures = []
    metrics = _metrics(evaluation)
    perceptual = [name for name in metrics if name not in HIGHER_IS_BETTER]
    for start in (row for row in evaluation.sweep if row.variant == PLAIN.name):
        rows = _of_quality(evaluation.sweep, start.quality)
        for metric in perceptual:
            if getattr(start, metric) is None:  # FID, where no picture has a patch
                continue
            curves = {
                name: [(row.psnr or 0.0, getattr(row, metric), text) for row, text in curve]
                for name, curve in _curves(start, rows).items()
            }
            figures.append(
                trade_figure(
                    f"trade-{metric.replace('_', '-')}-{start.quality:g}",
                    f"{start.bpp:.3f} bits per pixel, {len(evaluation.swept)} pictures. To the"
                    " right: closer to the original, pixel by pixel; down: likelier to be taken for"
                    " it. Numbers: steps, or strength.",
                    (metrics["psnr"], metrics[metric]),
                    curves,
                )
            )
    return figures


def _curves(start: Row, rows: list[Row]) -> dict[str, list[tuple[Row, str]]]:
    """By name: each sampler by steps, and what was blended, from the plain decode on."""
    curves: dict[str, list[tuple[Row, str]]] = {PLAIN.name: [(start, "")]}
    for row in sorted(rows, key=lambda row: row.steps or 0):
        if row.strength == 1:
            curves.setdefault(row.family, []).append((row, str(row.steps)))
    for row in sorted(rows, key=lambda row: row.strength or 0):
        name = row.variant.partition(" at ")[0]
        if any(one.variant.startswith(f"{name} at ") for one in rows):
            curve = curves.setdefault(f"{name} by strength", [(start, "0")])
            curve.append((row, f"{row.strength:g}"))
    return curves
