"""What a training run leaves for people: a page with its losses, and samples over time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from glassplate.codecs.training.adversarial import Collapse
from glassplate.codecs.training.loop import LOSSES, METRICS, read_metrics
from glassplate.codecs.training.sheet import COLUMNS
from glassplate.flows.reports.figures import (
    Figure,
    loss_figure,
    samples_figure,
    validation_figure,
)
from glassplate.flows.reports.page import write_page
from glassplate.flows.reports.pictures import data_url
from glassplate.flows.terminal.wording import measures, validation_row

if TYPE_CHECKING:
    from glassplate.codecs.training.config import TrainConfig

PAGE = "training.html"
FIGURES = "figures"
ROWS = 8
"""Validations whose samples are shown, evenly spread, the first and the last among them."""


def write_training_report(config: TrainConfig) -> list[Path]:
    """Write training.html, and its figures as PNG, into the folder of a run; returns the files.

    Needs at least one validation record. Raises OSError.
    """
    records = read_metrics(config.out / METRICS)
    last = records[-1]
    rows = [validation_row(record) for record in records]
    page: dict[str, Any] = {
        "title": f"{config.kind} {config.size}",
        "config": config,
        "last": last,
        "collapse": [str(Collapse(**one)) for one in last.get("collapse", [])],
        "columns": list(rows[-1]),
        "rows": rows,
        "figures": _figures(config.out, records),
        "sheet": _sheet(config.out / last["samples"]) if "samples" in last else None,
    }
    return write_page("training.html", page, config.out / PAGE, config.out / FIGURES)


def _figures(folder: Path, records: list[dict[str, Any]]) -> list[Figure]:
    figures = []
    if (folder / LOSSES).exists():
        figures.append(loss_figure(_curves(read_metrics(folder / LOSSES))))
    if validated := _validated(records):
        figures.append(validation_figure(validated))
    shown = [record for record in records if "samples" in record]
    if shown:
        chosen = np.unique(np.linspace(0, len(shown) - 1, ROWS).round().astype(int))
        figures.append(samples_figure([_strip(folder, shown[place]) for place in chosen]))
    return figures


def _validated(records: list[dict[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """Step and value, by the name of the measure, of those that were measured twice."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for record in records:
        for name, value in measures(record).items():
            if isinstance(value, int | float) and math.isfinite(value):
                curves.setdefault(name.replace("_", " "), []).append((record["step"], value))
    return {name: curve for name, curve in curves.items() if len(curve) > 1}


def _curves(lines: list[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """Minutes and loss, by the name of the loss."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        for name in line.keys() - {"step", "minutes"}:
            curves.setdefault(name, []).append((line["minutes"], line[name]))
    return {name: sorted(curves[name]) for name in sorted(curves)}


def _strip(folder: Path, record: dict[str, Any]) -> tuple[str, npt.NDArray[np.uint8]]:
    """When it was, and the first row of the sheet."""
    with Image.open(folder / record["samples"]) as sheet:
        strip = np.asarray(sheet)[: sheet.width // COLUMNS]
    return f"step {record['step']:,}", strip


def _sheet(path: Path) -> str:
    with Image.open(path) as image:
        return data_url(image, max(image.size), lossless=True)
