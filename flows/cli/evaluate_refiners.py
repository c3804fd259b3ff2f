"""`glassplate evaluate --refine`: its options, and what it does."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassplate.codecs.errors import ConfigError
from glassplate.flows.options.values import validated
from glassplate.flows.terminal.live import live_count
from glassplate.flows.terminal.output import Output, one_line
from glassplate.flows.terminal.wording import counted

if TYPE_CHECKING:
    from glassplate.pipelines.evaluate.refiners import RefineEvaluateConfig

MEASURED = "measured"
"""The folder of results kept, in that of the report."""
REFINED_PEERS, REFINED_QUALITIES = "hyperprior,jpeg,avif", "5,15,30,50"

RefinersOption = Annotated[
    str | None,
    typer.Option(
        "--refine",
        metavar="KINDS",
        help="Measure refiners instead: flow, diffusion, gan, by commas. Then the defaults are"
        f" --codecs {REFINED_PEERS} and --qualities {REFINED_QUALITIES}.",
        show_default=False,
    ),
]
RefinerWeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--refiner-weights",
        metavar="DIR",
        help="A folder with weights of each kind; default: the shipped ones.",
        show_default=False,
    ),
]
PerceptualWeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--perceptual-weights",
        metavar="DIR",
        help="A folder with official weights, to measure by, too: alexnet-owt-7be5be79.pth and"
        " alex.pth for LPIPS, vgg16-397923af.pth and weights.pt for DISTS,"
        " pt_inception-2015-12-05-6726825d.pth for FID over 256x256 patches.",
        show_default=False,
    ),
]
SweepRatesOption = Annotated[
    int, typer.Option("--sweep-rates", help="At so many of the lowest, steps and strengths, too.")
]
SweepPicturesOption = Annotated[
    int, typer.Option("--sweep-pictures", help="On so many pictures, evenly spread.")
]
SweepStepsOption = Annotated[
    str, typer.Option("--steps", metavar="LIST", help="Steps of every sampler, where swept.")
]
SweepStrengthsOption = Annotated[
    str,
    typer.Option("--strengths", metavar="LIST", help="Strengths of the first kind, where swept."),
]

_COLUMNS = (
    "quality", "variant", "bpp", "psnr", "ms_ssim", "ssimulacra2", "st_lpips", "frechet",
)  # fmt: skip
_OPTIONS = {"refiners": "--refine", "peers": "--codecs", "weights": "--refiner-weights"}


def refine_config(codecs: list[str], **fields: Any) -> RefineEvaluateConfig:
    """The options of an evaluation of refiners. Raises ConfigError naming the option."""
    from glassplate.pipelines.evaluate.refiners import RefineEvaluateConfig

    if not codecs:
        raise ConfigError("names no codec", "See --help.", "--codecs")
    named = {"codec": codecs[0], "peers": codecs[1:], **fields}
    return validated(RefineEvaluateConfig, named, _OPTIONS)


def run_refine(output: Output, config: RefineEvaluateConfig, out: Path, *, shown: bool) -> None:
    """Measure, write the report into `out`, and say what it says. Raises as `evaluate_refine`."""
    from glassplate.codecs.measures.inception import DIMENSIONS
    from glassplate.flows.reports.refiners import write_refine_evaluation
    from glassplate.pipelines.evaluate.refiners import evaluate_refine

    with live_count(output.stderr, "measuring", shown=shown) as show:
        evaluation = evaluate_refine(config, out / MEASURED, show)
    files = write_refine_evaluation(evaluation, out)
    seconds = {speed.variant: speed.seconds_per_megapixel for speed in evaluation.speeds}
    rows = [
        asdict(row) | {"seconds_per_megapixel": seconds.get(row.variant)} for row in evaluation.rows
    ]
    given = [one.measure.name for one in evaluation.bench.given]
    output.records(rows, [*_COLUMNS, *given, "seconds_per_megapixel"])
    if "fid_256" in given and evaluation.fid_patches[0] < DIMENSIONS:
        output.message(
            f"FID is over {evaluation.fid_patches[0]} patches, fewer than its {DIMENSIONS}"
            " dimensions: it is biased, and compares only within this table."
        )
    output.message(
        f"{counted(len(evaluation.pictures), 'picture')}. Wrote {one_line(str(files[1]))}"
    )
