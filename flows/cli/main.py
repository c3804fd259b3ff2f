"""The `glassplate` command: its table of commands, and the one place where errors end.

Commands import what they need when they run, so that `--help` is quick.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from glassplate.codecs.errors import ConfigError, GlassplateError
from glassplate.codecs.faults import said, said_of_file
from glassplate.flows.cli.commands import LazyGroup
from glassplate.flows.terminal.command import JsonOption, asks_for_json
from glassplate.flows.terminal.exit_codes import MEANING, ExitCode, exit_code_of
from glassplate.flows.terminal.output import Output, one_line, output_of

EPILOG = "\n\n".join(["Exit codes:", *(f"{code.value}: {text}" for code, text in MEANING.items())])


_UsageError: Any = typer.BadParameter.__mro__[1]  # click's; newer typers carry their own copy


class _Commands(LazyGroup):
    """Turns typed errors into one line and an exit code; a bug keeps its traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.obj = Output(as_json=asks_for_json(self, ctx, args))  # if there is no such command
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
        _say_in_our_words(error)
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
    except MemoryError as error:
        output.failure("out-of-memory", "there is not enough memory for this")
        raise typer.Exit(ExitCode.ERROR) from error
    except _file_errors() as error:
        output.failure("os-error", said_of_file(error))
        raise typer.Exit(ExitCode.ERROR) from error


def _say_in_our_words(error: Any) -> None:
    """Typer has pydantic read what is typed, and says what that says."""
    from pydantic import ValidationError

    if isinstance(error.__cause__, ValidationError):
        first = error.__cause__.errors()[0]
        error.message = f"it {said(first['type'], first['msg'], first.get('ctx'))}"


def _file_errors() -> tuple[type[Exception], ...]:
    from glassplate.pipelines.storage.errors import (
        file_errors,  # heavy, and not needed unless it fails
    )

    return file_errors()


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"glassplate {version('glassplate')}\n")
        raise typer.Exit


app = typer.Typer(
    name="glassplate",
    epilog=EPILOG,
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def glassplate(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Shrink an image collection into one queryable Parquet archive; get every picture back."""


class _OneLine(logging.Formatter):
    """Names in warnings come from data: they do not write to the terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        return one_line(super().formatMessage(record))


def main() -> None:
    """Entry point of the console script."""
    _log_to_stderr()
    app()


def _log_to_stderr() -> None:
    """Our own warnings as lines; other libraries speak up through errors that we catch."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(levelname)s: %(message)s"))
    ours = logging.getLogger("glassplate")
    ours.addHandler(handler)
    ours.propagate = False
    logging.getLogger().addHandler(logging.NullHandler())
