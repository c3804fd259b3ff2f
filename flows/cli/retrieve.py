"""`glassplate retrieve`: many pictures out of an archive, by a Beam job."""

from __future__ import annotations

from dataclasses import asdict

import typer

from glassplate.flows.options.common import JsonOption, NoProgress, output_of
from glassplate.flows.options.signature import command
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.flows.terminal.live import live_count
from glassplate.flows.terminal.output import human_bytes, human_seconds, one_line
from glassplate.flows.terminal.wording import rates
from glassplate.pipelines.retrieve.config import RetrieveConfig


@command(RetrieveConfig)
def retrieve(
    context: typer.Context,
    config: RetrieveConfig,
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
    from glassplate.pipelines.retrieve.run import retrieve as retrieve_pictures

    output = output_of(context)
    shown = not (no_progress or output.as_json)
    with live_count(output.stderr, "retrieving", shown=shown) as show:
        callback = (lambda p: show(p.done, p.total, rates(p))) if show else None
        result = retrieve_pictures(config, callback)
    counts = asdict(result.ledger)
    if output.as_json:
        output.record({"out": config.out, **counts, "seconds": result.seconds})
    else:
        shown_counts = counts | {"bytes": human_bytes(result.ledger.bytes)}
        output.table(list(shown_counts), [list(shown_counts.values())])
        output.message(f"wrote {one_line(config.out)} in {human_seconds(result.seconds)}")
    for row in result.rows:
        if row.error_code:
            output.failure(row.error_code, f"{row.name}: {row.error_message}")
    if result.ledger.failed:
        raise typer.Exit(ExitCode.SOME_FAILED)
