"""`glassplate evaluate`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from annotated_types import MinLen

from glassplate.codecs.errors import ConfigError
from glassplate.flows.cli.evaluate_refiners import (
    REFINED_PEERS,
    REFINED_QUALITIES,
    PerceptualWeightsOption,
    RefinersOption,
    RefinerWeightsOption,
    SweepPicturesOption,
    SweepRatesOption,
    SweepStepsOption,
    SweepStrengthsOption,
    refine_config,
    run_refine,
)
from glassplate.flows.options.common import (
    DeviceOption,
    JsonOption,
    NoProgress,
    evaluate_config,
    output_of,
)
from glassplate.flows.terminal.live import live_count
from glassplate.flows.terminal.output import Output, one_line

if TYPE_CHECKING:
    from glassplate.pipelines.evaluate.bd_rate import Curve
    from glassplate.pipelines.evaluate.codec_curves import EvaluateConfig, Evaluation
    from glassplate.pipelines.evaluate.summary import Summary

PEERS = "hyperprior,jpeg,webp,avif,avif:subsampling=4:4:4,jxl,jp2"
LADDER = ",".join(map(str, range(0, 100, 5)))
PREFERRED_ANCHOR = "avif"
EVALUATING = ("bpp_range", "anchor", "reference", "ssimulacra2")
REFINING = (
    "refiner_weights",
    "perceptual_weights",
    "sweep_rates",
    "sweep_pictures",
    "steps",
    "strengths",
)
"""Options that go only without, and only with --refine."""
_COLUMNS = (
    "codec",
    "bd_rate_percent",
    "overlap",
    "mean_of_pictures",
    "bpp",
    "encode_mp_per_second",
    "decode_mp_per_second",
    "peak_megabytes",
)


def evaluate(
    context: typer.Context,
    directory: Annotated[
        str, typer.Argument(metavar="DIR", help="The pictures; any SOURCE.", show_default=False)
    ],
    codecs: Annotated[
        str,
        typer.Option(
            "--codecs",
            metavar="LIST",
            help="NAME or NAME:OPTION=VALUE+OPTION=VALUE, by commas; the first is the one in"
            " question. The option `weights` names a file of trained weights.",
        ),
    ] = PEERS,
    qualities: Annotated[
        str, typer.Option("--qualities", metavar="LIST", help="The ladder, 0 to 100, by commas.")
    ] = LADDER,
    refine: RefinersOption = None,
    refiner_weights: RefinerWeightsOption = None,
    perceptual_weights: PerceptualWeightsOption = None,
    sweep_rates: SweepRatesOption = 2,
    sweep_pictures: SweepPicturesOption = 6,
    steps: SweepStepsOption = "1,2,4,8,25",
    strengths: SweepStrengthsOption = "0.25,0.5,0.75",
    bpp_range: Annotated[
        str,
        typer.Option(
            "--bpp-range",
            metavar="LOW-HIGH",
            help="Rates that are compared; a codec climbs its ladder until it has passed them.",
        ),
    ] = "0.1-1.0",
    anchor: Annotated[
        str | None,
        typer.Option(
            "--anchor",
            metavar="CODEC",
            help="The codec of the list to compare with; avif if it is there, else the first.",
            show_default=False,
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            metavar="FILE",
            help='Published curves: JSON, {"name": [[bpp, psnr], ...], ...}.',
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the JSON and the page go.")
    ] = Path("results"),
    limit: Annotated[
        int | None, typer.Option("--limit", help="Only the first pictures.", show_default=False)
    ] = None,
    ssimulacra2: Annotated[
        bool, typer.Option("--ssimulacra2", help="Measure SSIMULACRA2, too.")
    ] = False,
    workers: Annotated[
        int, typer.Option("--workers", help="Worker processes; speeds are then those under load.")
    ] = 1,
    device: DeviceOption = "auto",
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            "--plugin",
            metavar="MODULE",
            help="Import this module first; it registers codecs of its own. Can be repeated.",
            show_default=False,
        ),
    ] = None,
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    """Compare codecs on a collection: rate, quality, speed, memory, the worst pictures.

    Needs the extra `evaluate`. Writes evaluation.json (every point, the machine, library
    versions), evaluation.html and figures.

    Examples:

        glassplate evaluate photos/ --out results/

        glassplate evaluate photos/ --codecs hyperprior:weights=mine/,hyperprior,avif

        glassplate evaluate kodak/ --codecs avif,avif:subsampling=4:4:4,jxl --anchor jxl

        glassplate evaluate kodak/ --refine flow,gan --out refined/

    With --refine (extra `perceptual`): the first of --codecs, its plain and its refined pictures,
    against the others at no more bits, by PSNR, MS-SSIM, SSIMULACRA2, ST-LPIPS and a Fréchet
    distance, with --perceptual-weights by LPIPS, DISTS and FID, too. What is measured is kept in
    DIR/measured, and used again.
    """
    shared = {
        "source": directory,
        "limit": limit,
        "workers": workers,
        "device": device,
        "plugins": plugin or [],
    }
    output = output_of(context)
    shown = not (no_progress or output.as_json)
    if refine is not None:
        _only(context, EVALUATING, "does not go with --refine")
        config = refine_config(
            codecs=_list(_given(context, "codecs", codecs, REFINED_PEERS)),
            qualities=_list(_given(context, "qualities", qualities, REFINED_QUALITIES)),
            refiners=_list(refine),
            weights=refiner_weights,
            perceptual_weights=perceptual_weights,
            steps=_list(steps),
            strengths=_list(strengths),
            sweep_rates=sweep_rates,
            sweep_pictures=sweep_pictures,
            **shared,
        )
        run_refine(output, config, out, shown=shown)
    else:
        _only(context, REFINING, "needs --refine")
        options = evaluate_config(
            codecs=_list(codecs),
            qualities=_list(qualities),
            bpp_range=_parse_range(bpp_range),
            ssimulacra2=ssimulacra2,
            **shared,
        )
        _run(output, options, anchor, reference, out, shown=shown)


def _run(
    output: Output,
    config: EvaluateConfig,
    anchor: str | None,
    reference: Path | None,
    out: Path,
    *,
    shown: bool,
) -> None:
    chosen = _anchor(config.codecs, anchor)
    published = _read_curves(reference) if reference else {}

    from glassplate.flows.reports.evaluation import write_evaluation
    from glassplate.pipelines.evaluate.codec_curves import evaluate as measure
    from glassplate.pipelines.evaluate.summary import summarise

    with live_count(output.stderr, "measuring", shown=shown) as show:
        evaluation = measure(config, show)
    summary = summarise(evaluation, chosen, published)
    files = write_evaluation(evaluation, summary, published, out)
    output.records(_rows(evaluation, summary), _COLUMNS)
    low, high = config.bpp_range
    output.message(
        f"BD-rate by PSNR-RGB against {chosen}, {low:g}-{high:g} bpp;"
        f" the rest at {summary.psnr:.2f} dB. Wrote {one_line(str(files[1]))}"
    )


def _list(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]


def _given(context: typer.Context, name: str, value: str, other: str) -> str:
    """The value of an option, or another default."""
    return value if _was_given(context, name) else other


def _only(context: typer.Context, names: Iterable[str], cause: str) -> None:
    """Raises ConfigError if one of these options was given."""
    for name in names:
        if _was_given(context, name):
            raise ConfigError(cause, "See --help.", "--" + name.replace("_", "-"))


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)  # of click, or of typer's copy of it
    return source is not None and source.name != "DEFAULT"


def _rows(evaluation: Evaluation, summary: Summary) -> list[dict[str, Any]]:
    rows = []
    for codec, at in zip(evaluation.codecs, summary.equal_quality, strict=True):
        rate = summary.matrices["psnr"][codec.choice][summary.anchor]
        rows.append(
            {
                "codec": codec.choice,
                "anchor": summary.anchor,
                "bd_rate_percent": rate.percent if rate else None,
                "overlap": f"{rate.low:.1f}-{rate.high:.1f} dB" if rate else None,
                "mean_of_pictures": summary.mean_of_pictures[codec.choice],
                "psnr": summary.psnr,
                "bpp": at.bpp,
                "encode_mp_per_second": at.encode_mp_per_second,
                "decode_mp_per_second": at.decode_mp_per_second,
                "peak_megabytes": codec.memory.peak / 1e6,
            }
        )
    return rows


def _parse_range(text: str) -> list[str]:
    low, dash, high = text.partition("-")
    if not (low and dash and high):
        raise ConfigError(f"{text!r} is not LOW-HIGH", "For example 0.1-1.0.", "--bpp-range")
    return [low, high]


def _anchor(codecs: tuple[str, ...], asked: str | None) -> str:
    if asked is None:
        return PREFERRED_ANCHOR if PREFERRED_ANCHOR in codecs else codecs[0]
    if asked not in codecs:
        raise ConfigError(
            f"{asked!r} is not in the list", f"Given: {', '.join(codecs)}.", "--anchor"
        )
    return asked


def _read_curves(path: Path) -> dict[str, Curve]:
    """Curves by name. Raises ConfigError for anything else."""
    from pydantic import TypeAdapter, ValidationError

    shape = dict[str, Annotated[list[tuple[float, float]], MinLen(2)]]
    try:
        curves: dict[str, Curve] = TypeAdapter(shape).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        cause = " ".join(str(error).split())
        fix = 'It is JSON: {"name": [[bpp, psnr], [bpp, psnr], ...], ...}.'
        raise ConfigError(f"cannot be read as curves: {cause}", fix, str(path)) from error
    return curves
