"""Figures of the reports: drawn once, given as SVG for the page or PNG for a file.

On the page a figure takes the colour of the text around it, so it reads in light and in dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

_INK = "#123457"  # stands for the page's text colour; used for nothing else
_ACCENT = "#3b82c4"
_CHANNELS = {1: ("#8a8f98",), 3: ("#d9534f", "#3f9d5a", "#3b7dd8")}
_PUBLISHED = "#8a8f98"
_CURVES = ("#3b82c4", "#d9534f", "#3f9d5a", "#c98a1b", "#8d6cc9", "#2aa5a0", "#c2669b", "#7a7f3a")
_MAX_NAMED = 8
_STYLE: dict[Any, Any] = {
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 10,
    "svg.fonttype": "path",
    "svg.hashsalt": "glassplate",
    "xtick.color": _INK,
    "ytick.color": _INK,
}


@dataclass(frozen=True)
class Figure:
    """A drawn figure with the name of its file and the sentence under it."""

    name: str
    caption: str
    canvas: Canvas

    def svg(self) -> str:
        """Inline SVG that follows the page's text colour and width."""
        buffer = io.StringIO()
        with matplotlib.rc_context(_STYLE):
            self.canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        svg = buffer.getvalue()
        svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
        svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{self.name}-", svg)
        return re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg role="img" \1>', svg, count=1)

    def write_png(self, folder: Path) -> Path:
        """Write NAME.png, black on white, 200 dpi."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.png"
        self.canvas.savefig(path, dpi=200, facecolor="white")
        return path


def histogram(name: str, caption: str, values: npt.ArrayLike, label: str) -> Figure:
    """How many pictures have which value; infinite and missing values are left out."""
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    canvas, axes = _new(label, "pictures")
    axes.hist(finite, bins=min(40, max(8, round(finite.size**0.5) * 2)), color=_ACCENT, alpha=0.85)
    if finite.size:
        median = float(np.median(finite))
        axes.axvline(median, color=_INK, linewidth=1, linestyle=":")
        axes.annotate(
            f"median {median:.3g}",
            (median, 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            color=_INK,
        )
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return Figure(name, caption, canvas)


def rate_figure(
    name: str,
    caption: str,
    label: str,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    published: Mapping[str, Sequence[tuple[float, float]]],
    highest_bpp: float,
) -> Figure:
    """Quality over bits per pixel, the first codec in front; published curves thin and grey."""
    canvas, axes = _new("bits per pixel", label, size=(6.4, 4.6))
    named = len(published) <= _MAX_NAMED
    for place, (other, curve) in enumerate(published.items()):
        x, y = zip(*curve, strict=True)
        text = "published" if not place and not named else None
        axes.plot(x, y, color=_PUBLISHED, linewidth=0.8, alpha=0.6, label=text)
        if named:
            _name_at_edge(axes, other, curve, highest_bpp)
    for place, (codec, curve) in enumerate(curves.items()):
        x, y = zip(*curve, strict=True) if curve else ((), ())
        width, front = (1.4, 3) if place else (2.6, 4)
        colour = _CURVES[place % len(_CURVES)]
        axes.plot(
            x, y, ".-", color=colour, linewidth=width, markersize=5, zorder=front, label=codec
        )
    shown = [y for curve in curves.values() for x, y in curve if x <= highest_bpp]
    shown += [_end(curve, highest_bpp)[1] for curve in curves.values() if curve]
    if shown:
        margin = 0.05 * (max(shown) - min(shown)) + 0.1
        axes.set_ylim(min(shown) - margin, max(shown) + margin)
    axes.set_xlim(0, highest_bpp)
    axes.grid(color=_PUBLISHED, alpha=0.2, linewidth=0.6)
    axes.legend(frameon=False, labelcolor=_INK, loc="best")
    return Figure(name, caption, canvas)


def trade_figure(
    name: str,
    caption: str,
    labels: tuple[str, str],
    curves: Mapping[str, Sequence[tuple[float, float, str]]],
) -> Figure:
    """Two qualities against each other: (x, y, what is written beside the point)."""
    canvas, axes = _new(*labels, size=(6.4, 4.6))
    for place, (label, curve) in enumerate(curves.items()):
        x, y, texts = zip(*curve, strict=True)
        colour = _CURVES[place % len(_CURVES)]
        axes.plot(x, y, "o-", color=colour, linewidth=1.4, markersize=3.5, label=label)
        for at, text in zip(zip(x, y, strict=True), texts, strict=True):
            axes.annotate(text, at, (3, 3), textcoords="offset points", fontsize=7, color=colour)
    axes.grid(color=_PUBLISHED, alpha=0.2, linewidth=0.6)
    axes.legend(frameon=False, labelcolor=_INK, fontsize=8)
    return Figure(name, caption, canvas)


def quantisation_figure(
    name: str, caption: str, curves: Mapping[str, Sequence[tuple[int, float, float]]]
) -> Figure:
    """PSNR over bits of each value: (bits, with, without quantisation); dotted is without."""
    canvas, axes = _new("bits of each value of the latent", "PSNR dB", size=(6.4, 4.6))
    for place, (label, curve) in enumerate(curves.items()):
        bits, rounded, continuous = zip(*curve, strict=True)
        colour = _CURVES[place % len(_CURVES)]
        axes.plot(bits, rounded, ".-", color=colour, linewidth=1.6, label=label)
        axes.plot(bits, continuous, ":", color=colour, linewidth=1.2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color=_PUBLISHED, alpha=0.2, linewidth=0.6)
    axes.legend(frameon=False, labelcolor=_INK, loc="lower right")
    return Figure(name, caption, canvas)


def loss_figure(curves: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """Each loss over the minutes of a training run: (minutes, loss)."""
    canvas, axes = _new("minutes", "loss", size=(6.4, 3.2))
    for place, (label, curve) in enumerate(curves.items()):
        colour = _CURVES[place % len(_CURVES)]
        axes.plot(*zip(*curve, strict=True), color=colour, linewidth=1.2, label=label)
    axes.grid(color=_PUBLISHED, alpha=0.2, linewidth=0.6)
    axes.legend(frameon=False, labelcolor=_INK)
    return Figure("losses", "What was minimised, as means over a few steps.", canvas)


def validation_figure(curves: Mapping[str, Sequence[tuple[int, float]]]) -> Figure:
    """Each measure of the validations over the steps, a panel for each: (step, value)."""
    rows = -(-len(curves) // 2)
    with matplotlib.rc_context(_STYLE):
        canvas = Canvas(figsize=(6.4, 2.1 * rows), layout="constrained")
        for place, (label, curve) in enumerate(curves.items()):
            axes = canvas.add_subplot(rows, min(2, len(curves)), place + 1)
            axes.plot(*zip(*curve, strict=True), ".-", color=_ACCENT, linewidth=1.4, markersize=5)
            axes.set_title(label, fontsize=10, color=_INK)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.grid(color=_PUBLISHED, alpha=0.2, linewidth=0.6)
        canvas.supxlabel("steps", fontsize=10, color=_INK)
    return Figure("validation", "On held-out crops, at each validation.", canvas)


def samples_figure(rows: Sequence[tuple[str, npt.NDArray[np.uint8]]]) -> Figure:
    """Strips of pictures of one size, (H, W, 3) each, one below the other, with their labels."""
    height, width, _ = rows[0][1].shape
    canvas = Canvas(figsize=(9, 0.3 + 8.4 * len(rows) * height / width), layout="constrained")
    axes = canvas.add_subplot()
    axes.imshow(np.concatenate([strip for _, strip in rows]), interpolation="nearest")
    places = height * (np.arange(len(rows)) + 0.5) - 0.5
    axes.set_yticks(places, [label for label, _ in rows], color=_INK)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return Figure("samples", "Samples over time: a column is one of them, as it changes.", canvas)


def singular_value_figure(values: Sequence[npt.NDArray[np.floating]]) -> Figure:
    """Singular values of each channel, descending, on a log scale."""
    canvas, axes = _new("index", "singular value")
    names = ("red", "green", "blue") if len(values) == 3 else ("grey",)
    for channel, name, colour in zip(values, names, _CHANNELS[len(values)], strict=True):
        visible = np.where(channel > 1e-9, channel, np.nan)
        axes.semilogy(np.arange(1, len(channel) + 1), visible, label=name, color=colour)
    axes.legend(frameon=False, labelcolor=_INK)
    caption = "Singular values of each channel. The faster they fall, the fewer are needed."
    return Figure("singular-values", caption, canvas)


def factor_figure(
    ranks: npt.NDArray[np.integer], factors: Sequence[float], marked: Iterable[int]
) -> Figure:
    """Numbers to store at a rank, as a share of the picture's own; above 1 nothing is gained."""
    canvas, axes = _new("rank", "compression factor")
    axes.plot(ranks, factors, color=_ACCENT)
    axes.axhline(1, color=_INK, linewidth=1, linestyle=":")
    _mark(axes, ranks, np.asarray(factors), marked)
    caption = (
        "Numbers to store at each rank over the numbers in the picture; at 1 nothing is gained."
    )
    return Figure("compression-factor", caption, canvas)


def energy_figure(energy: npt.NDArray[np.floating], marked: Iterable[int]) -> Figure:
    """Share of the squared Frobenius norm that a rank captures, averaged over the channels."""
    canvas, axes = _new("rank", "energy captured")
    ranks = np.arange(1, len(energy) + 1)
    axes.semilogx(ranks, energy, color=_ACCENT)
    _mark(axes, ranks, energy, marked)
    caption = "Share of the energy (squared singular values) up to each rank, mean of the channels."
    return Figure("energy", caption, canvas)


def _mark(
    axes: Axes, ranks: npt.NDArray[np.integer], values: npt.NDArray[np.floating], at: Iterable[int]
) -> None:
    """Dots with their rank beside them."""
    for rank in at:
        height = float(np.interp(rank, ranks, values))
        axes.plot([rank], [height], "o", color=_INK, markersize=4)
        axes.annotate(str(rank), (rank, height), (5, -9), textcoords="offset points", color=_INK)


def _name_at_edge(axes: Axes, name: str, curve: Sequence[tuple[float, float]], edge: float) -> None:
    """The name of a thin curve, where it ends."""
    axes.annotate(
        name,
        _end(curve, edge),
        (-2, 2),
        textcoords="offset points",
        ha="right",
        fontsize=7,
        color=_PUBLISHED,
    )


def _end(curve: Sequence[tuple[float, float]], edge: float) -> tuple[float, float]:
    """The last point of a rising curve, or where it leaves the figure."""
    rates, values = np.array(curve).T
    rate = min(float(rates[-1]), edge)
    return rate, float(np.interp(rate, rates, values))


def _new(x_label: str, y_label: str, size: tuple[float, float] = (4.2, 2.8)) -> tuple[Canvas, Axes]:
    with matplotlib.rc_context(_STYLE):
        canvas = Canvas(figsize=size, layout="constrained")
        axes = canvas.add_subplot()
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
    return canvas, axes
