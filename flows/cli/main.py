"""The `glassplate` command: its table of commands, and the one place where errors end.

Commands import what they need when they run, so that `--help` is quick.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from glassplate.codecs.errors import ConfigError, GlassplateError
from glassplate.flows.cli import compact as cli_compact
from glassplate.flows.cli import compress as cli_compress
from glassplate.flows.cli import evaluate as cli_evaluate
from glassplate.flows.cli import get as cli_restore
from glassplate.flows.cli import latents as cli_latents
from glassplate.flows.cli import query as cli_query
from glassplate.flows.cli import report as cli_report
from glassplate.flows.cli import restore as cli_restoration
from glassplate.flows.cli import retrieve as cli_retrieve
from glassplate.flows.cli import study as cli_study
from glassplate.flows.cli import train as cli_train
from glassplate.flows.options.common import output_of
from glassplate.flows.terminal.exit_codes import MEANING, ExitCode, exit_code_of
from glassplate.flows.terminal.output import Output

EPILOG = "\n\n".join(["Exit codes:", *(f"{code.value}: {text}" for code, text in MEANING.items())])


_UsageError: Any = typer.BadParameter.__mro__[1]  # click's; newer typers carry their own copy


class _Commands(TyperGroup):
    """Turns typed errors into one line and an exit code; a bug keeps its traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.obj = Output(as_json="--json" in args)  # known before a command refuses its options
        with _ending_well(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        with _ending_well(ctx):
            return super().invoke(ctx)


@contextmanager
def _ending_well(ctx: Any) -> Iterator[None]:
    output = output_of(ctx)
    try:
        yield
    except GlassplateError as error:
        output.error(error)
        raise typer.Exit(exit_code_of(error)) from error
    except _UsageError as error:
        if not output.as_json:
            raise  # typer shows the usage with it
        command = (error.ctx or ctx).command_path
        cause = error.format_message().rstrip(".")
        output.error(ConfigError(cause, f"See {command} --help.", command))
        raise typer.Exit(ExitCode.USAGE) from error
    except KeyboardInterrupt as error:
        output.failure("interrupted", "interrupted; the next run goes on from there")
        raise typer.Exit(ExitCode.INTERRUPTED) from error
    except BrokenPipeError:
        raise
    except _file_errors() as error:
        output.failure("os-error", str(error))
        raise typer.Exit(ExitCode.ERROR) from error


def _file_errors() -> tuple[type[Exception], ...]:
    from glassplate.pipelines.storage.errors import (
        file_errors,  # heavy, and not needed unless it fails
    )

    return file_errors()


app = typer.Typer(
    name="glassplate",
    help="Shrink an image collection into one queryable Parquet archive; get every picture back.",
    epilog=EPILOG,
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.command()(cli_compress.compress)
app.command()(cli_compress.plan)
app.command(name="list")(cli_query.list_pictures)
app.command()(cli_query.query)
app.command()(cli_query.info)
app.command()(cli_restore.get)
app.command()(cli_restore.extract)
app.command()(cli_restoration.restore)
app.command()(cli_retrieve.retrieve)
app.command()(cli_restore.verify)
app.command()(cli_compact.compact)
app.command()(cli_query.stats)
app.command()(cli_report.codecs)
app.command()(cli_report.runners)
app.command()(cli_report.report)
app.command()(cli_evaluate.evaluate)
app.command()(cli_report.demo)
app.command()(cli_latents.similar)
app.command()(cli_latents.export)
app.command()(cli_latents.sample)
app.command()(cli_latents.interpolate)
app.add_typer(cli_study.app)
app.add_typer(cli_train.app)


def main() -> None:
    """Entry point of the console script."""
    _log_to_stderr()
    app()


def _log_to_stderr() -> None:
    """Our own warnings as lines; other libraries speak up through errors that we catch."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    ours = logging.getLogger("glassplate")
    ours.addHandler(handler)
    ours.propagate = False
    logging.getLogger().addHandler(logging.NullHandler())
