"""What an evaluation leaves behind: a JSON document, and a page with curves, tables and crops."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from glassplate.codecs import Pixels
from glassplate.flows.reports.figures import Figure, rate_figure
from glassplate.flows.reports.page import write_page
from glassplate.flows.reports.pictures import data_url
from glassplate.flows.terminal.output import plain
from glassplate.pipelines.evaluate.bd_rate import Curve, rising
from glassplate.pipelines.evaluate.codec_curves import Evaluation, Measured
from glassplate.pipelines.evaluate.crops import Crop, compared_crops
from glassplate.pipelines.evaluate.machine import machine
from glassplate.pipelines.evaluate.measure import PSNR_CAP
from glassplate.pipelines.evaluate.summary import METRICS, Summary, metric_curve

FORMAT = 1


@dataclass(frozen=True)
class ShownCrop:
    """One codec's version of a part of a picture: a data URL; None if it cannot go so low."""

    choice: str
    picture: str | None
    bpp: float | None = None
    psnr: float | None = None


def write_evaluation(
    evaluation: Evaluation, summary: Summary, published: Mapping[str, Curve], folder: Path
) -> list[Path]:
    """Write evaluation.json, evaluation.html and the figures. Returns the files. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    document = folder / "evaluation.json"
    text = json.dumps(plain(_document(evaluation, summary, published)), indent=1)
    document.write_text(text + "\n", encoding="utf-8")
    page = _page(evaluation, summary, published)
    return [
        document,
        *write_page("evaluate.html", page, folder / "evaluation.html", folder / "figures"),
    ]


def _document(
    evaluation: Evaluation, summary: Summary, published: Mapping[str, Curve]
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "settings": evaluation.config.model_dump(mode="json", exclude={"source"}),
        "pictures": [
            {"name": one.name, "width": one.width, "height": one.height}
            for one in evaluation.pictures
        ],
        "left_out": evaluation.left_out,
        "codecs": [asdict(codec) for codec in evaluation.codecs],
        "summary": asdict(summary),
        "published": published,
    }


def _page(
    evaluation: Evaluation, summary: Summary, published: Mapping[str, Curve]
) -> dict[str, Any]:
    return {
        "title": Path(evaluation.config.source).name or "pictures",
        "evaluation": evaluation,
        "config": evaluation.config,
        "summary": summary,
        "metrics": METRICS,
        "psnr_cap": PSNR_CAP,
        "megapixels": sum(picture.megapixels for picture in evaluation.pictures),
        "encodings": sum(len(codec.points) for codec in evaluation.codecs),
        "machine": machine(),
        "published": _published_rows(summary, published),
        "codecs": {codec.choice: codec for codec in evaluation.codecs},
        "labels": _labels(evaluation.config.codecs),
        "settings": [(codec, _settings(codec)) for codec in evaluation.codecs],
        "figures": _figures(evaluation, summary, published),
        "crops": _crops(evaluation, summary),
    }


def _labels(choices: Iterable[str]) -> dict[str, str]:
    """Names to show: paths of weights are cut to two parts, unless that confuses them."""
    full = {choice: choice for choice in choices}
    short = {choice: re.sub(r"=[^+]*/([^/+]+/[^/+]+)", r"=\1", choice) for choice in full}
    return short if len(set(short.values())) == len(short) else full


def _published_rows(summary: Summary, published: Mapping[str, Curve]) -> list[str]:
    """Names of the published curves that overlap, those first that the subject is furthest from."""
    rates = summary.published[summary.subject]
    overlapping = [name for name in published if rates[name]]
    return sorted(overlapping, key=lambda name: -rates[name].percent)  # type: ignore[union-attr]


def _settings(codec: Measured) -> str:
    parts = [f"{name} {value}" for name, value in codec.spec.params.items()]
    if codec.spec.weights_sha256:
        parts.append(f"weights {codec.spec.weights_sha256[:12]}")
    return ", ".join(parts)


def _figures(
    evaluation: Evaluation, summary: Summary, published: Mapping[str, Curve]
) -> list[Figure]:
    figures = []
    labels = _labels(evaluation.config.codecs)
    count = len(evaluation.pictures)
    in_front_first = sorted(evaluation.codecs, key=lambda codec: codec.choice != summary.subject)
    for metric in summary.matrices:
        others = {name: rising(curve) for name, curve in published.items()}
        caption = f"Mean of {count} picture{'s' if count > 1 else ''} at each setting. "
        if others and metric == "psnr":
            caption += f"Grey: {len(others)} published curves, as given."
        figures.append(
            rate_figure(
                f"rd-{metric.replace('_', '-')}",
                caption,
                METRICS[metric],
                {labels[codec.choice]: metric_curve(codec, metric) for codec in in_front_first},
                others if metric == "psnr" else {},
                evaluation.config.bpp_range[1] * 1.02,
            )
        )
    return figures


def _crops(evaluation: Evaluation, summary: Summary) -> list[tuple[str, list[ShownCrop]]]:
    return [
        (picture, [_shown(crop) for crop in crops])
        for picture, crops in compared_crops(evaluation, summary)
    ]


def _shown(crop: Crop) -> ShownCrop:
    url = None if crop.pixels is None else _crop_url(crop.pixels)
    return ShownCrop(crop.choice, url, crop.bpp, crop.psnr)


def _crop_url(pixels: Pixels) -> str:
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    return data_url(image, max(image.size), lossless=True)
