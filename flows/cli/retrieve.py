"""`glassplate retrieve`: many pictures out of an archive, by a Beam job."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from glassplate.flows.options.common import (
    ArchiveArgument,
    DeviceOption,
    JsonOption,
    LossyOption,
    MaxPixelsOption,
    NoProgress,
    WhereOption,
    output_of,
)
from glassplate.flows.options.compression import (
    RetryFailed,
    RunnerName,
    RunnerOptions,
    WorkerMemory,
    Workers,
)
from glassplate.flows.options.refinement import (
    RefineOption,
    RefinerWeightsOption,
    SamplerOption,
    SeedOption,
    StepsOption,
    StrengthOption,
    retrieve_config,
)
from glassplate.flows.options.restoration import (
    DenoiseOption,
    RestorerWeightsOption,
    UpscaleOption,
)
from glassplate.flows.options.values import text_options
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.flows.terminal.live import live_count
from glassplate.flows.terminal.output import human_bytes, human_seconds, one_line
from glassplate.flows.terminal.wording import rates


def retrieve(
    context: typer.Context,
    archive: ArchiveArgument,
    out: Annotated[
        str,
        typer.Argument(
            metavar="OUT",
            help="A folder or bucket: empty, or of this retrieval, which then goes on.",
            show_default=False,
        ),
    ],
    where: WhereOption = None,
    format: Annotated[  # noqa: A002 (the name that users expect)
        str | None,
        typer.Option("--format", help="Write all as png, tiff, jpg, ...", show_default=False),
    ] = None,
    lossy: LossyOption = False,
    max_pixels: MaxPixelsOption = 200_000_000,
    refine: RefineOption = "none",
    sampler: SamplerOption = None,
    steps: StepsOption = None,
    strength: StrengthOption = 1.0,
    seed: SeedOption = 0,
    refiner_weights: RefinerWeightsOption = None,
    denoise: DenoiseOption = False,
    upscale: UpscaleOption = None,
    restorer_weights: RestorerWeightsOption = None,
    retry_failed: RetryFailed = False,
    workers: Workers = None,
    worker_memory: WorkerMemory = None,
    runner: RunnerName = "local",
    runner_option: RunnerOptions = None,
    device: DeviceOption = "auto",
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    """Give back every picture that a query selects, refined if asked for, on any runner.

    Pictures come in the formats that they had, as with `extract`; refined and restored ones as PNG.
    Interrupted, the same command goes on. OUT/_retrieve/ledger.parquet says what became of each
    picture; what cannot be refined, or restored, comes out as it is.

    Examples:

        glassplate retrieve archive/ out/ --where "name like 'holiday/%'" --workers 8

        glassplate retrieve s3://archive s3://out --refine flow --refiner-weights refiners/

        glassplate retrieve archive/ large/ --where "width < 800" --upscale 2
    """
    config = retrieve_config(
        archive=archive,
        out=out,
        where=where,
        format=format,
        lossy=lossy,
        max_pixels=max_pixels,
        refine=refine,
        sampler=sampler,
        steps=steps,
        strength=strength,
        seed=seed,
        refiner_weights=refiner_weights,
        denoise=denoise,
        upscale=upscale,
        restorer_weights=restorer_weights,
        retry_failed=retry_failed,
        workers=workers,
        worker_memory=worker_memory,
        runner=runner,
        runner_options=text_options(runner_option or [], "--runner-option"),
        device=device,
    )
    from glassplate.pipelines.retrieve.run import retrieve as retrieve_pictures

    output = output_of(context)
    shown = not (no_progress or as_json)
    with live_count(output.stderr, "retrieving", shown=shown) as show:
        callback = (lambda p: show(p.done, p.total, rates(p))) if show else None
        result = retrieve_pictures(config, callback)
    counts = asdict(result.ledger)
    if output.as_json:
        output.record({"out": out, **counts, "seconds": result.seconds})
    else:
        shown_counts = counts | {"bytes": human_bytes(result.ledger.bytes)}
        output.table(list(shown_counts), [list(shown_counts.values())])
        output.message(f"wrote {one_line(out)} in {human_seconds(result.seconds)}")
    for row in result.rows:
        if row.error_code:
            output.failure(row.error_code, f"{row.name}: {row.error_message}")
    if result.ledger.failed:
        raise typer.Exit(ExitCode.SOME_FAILED)
