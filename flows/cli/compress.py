"""`glassplate compress` and `glassplate plan`."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from glassplate.codecs.errors import GlassplateError
from glassplate.flows.options.common import JsonOption, NoProgress, output_of
from glassplate.flows.options.signature import command
from glassplate.flows.options.values import values_of
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.flows.terminal.interrupts import interrupts_wait
from glassplate.flows.terminal.live import live_count, live_progress
from glassplate.flows.terminal.output import Output, human_bytes, human_seconds, ratio
from glassplate.flows.terminal.wording import are, counted, remarks, saved
from glassplate.pipelines.compress.config import CompressConfig

if TYPE_CHECKING:
    from glassplate.pipelines.archive.format.manifest import Ledger

OF_THE_JOB = ("runner", "max_failures", "verify_fraction", "measures")
"""Fields that a plan does not depend on."""


@command(CompressConfig)
def compress(
    context: typer.Context,
    config: CompressConfig,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan only: counts, bytes, expected size and time.")
    ] = False,
    flow: Annotated[
        bool, typer.Option("--flow", help="Run as the Prefect flow `compress-archive`.")
    ] = False,
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    """Compress what is new or changed in SOURCE into ARCHIVE, and commit it as one snapshot.

    Every picture is decoded again and measured before the commit; an interrupted run is
    continued by the next one.

    Examples:

        glassplate compress photos/ archive/ --workers 8

        glassplate compress 's3://bucket/scans/*.tif' archive/ --codec avif --target-psnr 38

        glassplate compress photos/*.png 'wds/{00000..00041}.tar' archive/

        find . -name '*.tif' | glassplate compress - archive/

        glassplate compress photos/ archive/ --quality 90 --reencode

        glassplate compress photos/ archive/ --codec svd --quality 15 --codec-option tile_size=0

        glassplate compress s3://in s3://out --runner dask --runner-option address=tcp://host:8786
    """
    output = output_of(context)
    if dry_run:
        _show_plan(output, config, shown=not (no_progress or output.as_json))
    elif flow:
        _compress_as_flow(output, config)
    else:
        _compress_here(output, config, shown=not (no_progress or output.as_json))


@command(CompressConfig, without=OF_THE_JOB)
def plan(
    context: typer.Context,
    config: CompressConfig,
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    """Say what `compress` would do, and write nothing: counts, bytes, expected size and time.

    Size and time come from compressing a small sample for real.

    Example:

        glassplate plan photos/ archive/ --codec avif --target-psnr 38
    """
    output = output_of(context)
    _show_plan(output, config, shown=not (no_progress or output.as_json))


def _compress_here(output: Output, config: CompressConfig, *, shown: bool) -> None:
    from glassplate.pipelines.compress.run import compress as run

    with live_progress(output.stderr, shown=shown) as progress:
        result = run(config, progress)
    first, more = result.plan.base is None, remarks(result.plan)
    committed = result.snapshot is not None
    if committed and any(way.codec == "auto" for way in config.ways):
        from glassplate.pipelines import open_archive

        if chosen := open_archive(config.archive).choices(result.plan.run_id):
            more.append(saved(chosen))
    _finish(output, config, result.ledger, result.seconds, more, first=first, committed=committed)


def _compress_as_flow(output: Output, config: CompressConfig) -> None:
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    from prefect.client.orchestration import get_client

    from glassplate.flows.scheduled.compress import compress_archive

    for runs in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(runs).addFilter(_without_traceback)
    started = time.monotonic()
    with interrupts_wait(), get_client(sync_client=True):
        pass  # starts the temporary server, where there is no other
    ledger = compress_archive(**values_of(config))
    _finish(output, config, ledger, time.monotonic() - started)


def _without_traceback(record: logging.LogRecord) -> bool:
    """Typed errors say what is wrong; Prefect would add the whole stack, twice."""
    if record.exc_info and isinstance(record.exc_info[1], GlassplateError):
        record.exc_info = None
    return True


def _finish(
    output: Output,
    config: CompressConfig,
    ledger: Ledger,
    seconds: float,
    more: Sequence[str] = (),
    *,
    first: bool = False,
    committed: bool = False,
) -> None:
    """Print what the run did; exit 3 if inputs failed in it, or are damaged.

    first: Whether it made the archive; then is the time to say what the default does.
    committed: Whether it made a snapshot, also where no input is new.
    """
    if output.as_json:
        output.record({**ledger.model_dump(), "seconds": round(seconds, 3)})
    else:
        output.ledger(ledger)
    for line in more:
        output.message(line)
    if committed or ledger.unchanged < ledger.inputs:
        output.message(f"committed to {config.archive} in {human_seconds(seconds)}")
    elif not more:
        output.message(f"nothing to do: {config.archive} is up to date")
    is_default = config.codec == type(config).model_fields["codec"].default
    if first and ledger.encoded and is_default:
        output.message(
            f"{counted(ledger.encoded, 'picture')} {are(ledger.encoded)} lossy, as the default is; "
            "to lose nothing, say --codec jxl --quality 100"
        )
    if ledger.failed:
        output.message(
            f"{counted(ledger.failed, 'input')} failed; see: "
            f'glassplate query {config.archive} --where "error_code is not null"'
        )
    if ledger.damaged:
        output.message(
            f"{ledger.damaged} {are(ledger.damaged)} kept, but damaged; see: "
            f"glassplate query {config.archive} "
            '--where "error_code is not null"'
        )
    if ledger.failed or ledger.damaged:
        raise typer.Exit(ExitCode.SOME_FAILED)
    if _found_nothing(config, ledger):
        output.message(
            f"no picture was found in {config.sources}; see: "
            f"glassplate query {config.archive} --where \"status = 'skipped'\""
        )
        raise typer.Exit(ExitCode.SOME_FAILED)


def _found_nothing(config: CompressConfig, ledger: Ledger) -> bool:
    """Whether a run had inputs, and all were skipped for other reasons than being stored."""
    if ledger.unchanged or not ledger.inputs or ledger.skipped < ledger.inputs:
        return False
    from glassplate.pipelines import open_archive

    stored = open_archive(config.archive).where("image_id is not null", columns=["reason"])
    return set(stored["reason"].to_pylist()) <= {"not-an-image", "system-file"}


def _show_plan(output: Output, config: CompressConfig, *, shown: bool) -> None:
    with live_count(output.stderr, "planning", shown=shown) as show:
        from glassplate.pipelines.compress.estimate import estimate
        from glassplate.pipelines.compress.planning import plan_run

        plan = plan_run(config)
        if show:
            show(0, 1, "compressing a sample")
        expected = estimate(plan)
    counts = {
        "inputs": plan.inputs,
        "unchanged": plan.unchanged,
        "new_inputs": plan.new_inputs,
        "stored_already": plan.carried,
        "gone": plan.gone,
        "shards": len(plan.shards),
    }
    for line in remarks(plan):
        output.message(line)
    if output.as_json:
        output.record({**counts, **asdict(expected), "inputs": plan.inputs})
        return
    statuses = ", ".join(f"{count} {status}" for status, count in expected.statuses.items())
    output.facts(
        {
            **counts,
            "source": human_bytes(expected.source_bytes),
            "expected_size": human_bytes(expected.stored_bytes),
            "expected_latents": human_bytes(expected.latent_bytes),
            "expected_ratio": ratio(expected.source_bytes, expected.stored_bytes),
            "expected_time": human_seconds(expected.seconds),
            "expected_psnr": None if expected.psnr is None else f"{expected.psnr:.1f} dB",
            "from_a_sample_of": f"{expected.sampled} ({statuses})" if statuses else 0,
        }
    )
