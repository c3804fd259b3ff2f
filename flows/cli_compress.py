"""`glassplate compress` and `glassplate plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassplate.flows.exit_codes import ExitCode
from glassplate.flows.live import live_progress
from glassplate.flows.options import (
    ArchiveArgument,
    DeviceOption,
    JsonOption,
    SourceArgument,
    compress_config,
    output_of,
    parse_codec_options,
)
from glassplate.flows.output import Output, human_bytes, human_seconds

if TYPE_CHECKING:
    from glassplate.pipelines.archive.manifest import Ledger
    from glassplate.pipelines.config import CompressConfig

CodecOption = Annotated[
    str, typer.Option("--codec", help="A name that `glassplate codecs` lists.", metavar="NAME")
]
CodecOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--codec-option",
        metavar="NAME=VALUE",
        help="An option of the codec; can be given more than once.",
        show_default=False,
    ),
]
Quality = Annotated[
    float | None,
    typer.Option("--quality", help="0 (smallest) to 100 (best), on the codec's own scale."),
]
TargetPsnr = Annotated[
    float | None, typer.Option("--target-psnr", help="At least this many dB for every picture.")
]
MaxBpp = Annotated[
    float | None, typer.Option("--max-bpp", help="At most this many bits per pixel.")
]
Workers = Annotated[int, typer.Option("--workers", help="Worker processes.")]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Try inputs again that failed in an earlier run.")
]
MaxFailures = Annotated[
    str,
    typer.Option(
        "--max-failures",
        metavar="SHARE",
        help="Commit nothing if more than this share of the new inputs fails: 1%, 0.01.",
    ),
]
MaxPixels = Annotated[
    int, typer.Option("--max-pixels", help="Larger pictures fail: a guard against bombs.")
]
VerifyShare = Annotated[
    str,
    typer.Option(
        "--verify",
        metavar="SHARE",
        help="Share of the pictures that are decoded again and measured before the commit.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Plan only: counts, bytes, expected size and time.")
]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="No progress on stderr.")]
AsFlow = Annotated[
    bool, typer.Option("--flow", help="Run as the Prefect flow `compress-archive`.")
]


def compress(
    context: typer.Context,
    source: SourceArgument,
    archive: ArchiveArgument,
    codec: CodecOption = "jxl",
    codec_option: CodecOptions = None,
    quality: Quality = None,
    target_psnr: TargetPsnr = None,
    max_bpp: MaxBpp = None,
    workers: Workers = 1,
    device: DeviceOption = "auto",
    retry_failed: RetryFailed = False,
    max_failures: MaxFailures = "25%",
    max_pixels: MaxPixels = 200_000_000,
    verify: VerifyShare = "100%",
    dry_run: DryRun = False,
    flow: AsFlow = False,
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    """Compress what is new or changed in SOURCE into ARCHIVE, and commit it as one snapshot.

    Every picture is decoded again and measured before the commit; an interrupted run is
    continued by the next one.

    Examples:

        glassplate compress photos/ archive/ --workers 8

        glassplate compress 's3://bucket/scans/*.tif' archive/ --codec avif --target-psnr 38

        glassplate compress photos/ archive/ --codec svd --codec-option factor=0.15
    """
    config = compress_config(
        source=source,
        archive=archive,
        codec=codec,
        codec_options=parse_codec_options(codec_option or []),
        quality=quality,
        target_psnr=target_psnr,
        max_bpp=max_bpp,
        workers=workers,
        device=device,
        retry_failed=retry_failed,
        max_failures=max_failures,
        max_pixels=max_pixels,
        verify_fraction=verify,
    )
    output = output_of(context)
    if dry_run:
        _show_plan(output, config)
    elif flow:
        _compress_as_flow(output, config)
    else:
        _compress_here(output, config, shown=not (no_progress or output.as_json))


def plan(
    context: typer.Context,
    source: SourceArgument,
    archive: ArchiveArgument,
    codec: CodecOption = "jxl",
    codec_option: CodecOptions = None,
    quality: Quality = None,
    target_psnr: TargetPsnr = None,
    max_bpp: MaxBpp = None,
    workers: Workers = 1,
    device: DeviceOption = "auto",
    retry_failed: RetryFailed = False,
    max_pixels: MaxPixels = 200_000_000,
    as_json: JsonOption = False,
) -> None:
    """Say what `compress` would do, and write nothing: counts, bytes, expected size and time.

    Size and time come from compressing a small sample for real.

    Example:

        glassplate plan photos/ archive/ --codec avif --target-psnr 38
    """
    config = compress_config(
        source=source,
        archive=archive,
        codec=codec,
        codec_options=parse_codec_options(codec_option or []),
        quality=quality,
        target_psnr=target_psnr,
        max_bpp=max_bpp,
        workers=workers,
        device=device,
        retry_failed=retry_failed,
        max_pixels=max_pixels,
    )
    _show_plan(output_of(context), config)


def _compress_here(output: Output, config: CompressConfig, *, shown: bool) -> None:
    from glassplate.pipelines import run

    with live_progress(output.stderr, shown=shown) as progress:
        result = run.compress(config, progress)
    snapshot = result.snapshot.number if result.snapshot else None
    _finish(output, config, result.ledger, snapshot, result.seconds)


def _compress_as_flow(output: Output, config: CompressConfig) -> None:
    from glassplate.flows.compress import compress_archive, flow_parameters

    result = compress_archive(**flow_parameters(config))
    _finish(output, config, result.ledger, result.snapshot, result.seconds)


def _finish(
    output: Output, config: CompressConfig, ledger: Ledger, snapshot: int | None, seconds: float
) -> None:
    """Print what the run did; exit 3 if inputs failed in it."""
    if output.as_json:
        output.record({**ledger.model_dump(), "snapshot": snapshot, "seconds": round(seconds, 3)})
    else:
        output.ledger(ledger)
    if snapshot is None:
        output.message(f"nothing to do: {config.archive} is up to date")
    else:
        output.message(f"committed snapshot {snapshot} of {config.archive}")
    if ledger.failed:
        output.message(
            f"{ledger.failed} inputs failed; see: "
            f"glassplate query {config.archive} --where \"status = 'failed'\""
        )
        raise typer.Exit(ExitCode.SOME_FAILED)


def _show_plan(output: Output, config: CompressConfig) -> None:
    from glassplate.pipelines import run

    plan = run.plan_run(config)
    estimate = run.estimate(plan)
    facts: dict[str, Any] = {}
    output.facts(facts)
    raise NotImplementedError(estimate, human_bytes, human_seconds)
