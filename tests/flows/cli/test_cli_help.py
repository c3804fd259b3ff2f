"""Help texts, start-up cost, and the errors that come before any work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from glassplate.flows.cli.main import app
from glassplate.flows.terminal.exit_codes import MEANING, ExitCode, exit_code_of
from glassplate.pipelines.errors import (
    CommitConflictError,
    LedgerError,
    ManifestError,
    NotFoundError,
    ShardDamagedError,
    TooManyFailuresError,
)

COMMANDS = ["compress", "plan", "list", "query", "info", "get", "extract", "retrieve", "verify"]
COMMANDS += ["compact", "restore"]
COMMANDS += ["stats", "codecs", "runners", "report", "evaluate", "demo"]
COMMANDS += ["similar", "export", "sample", "interpolate"]
Run = Callable[..., Any]


def test_help_names_every_command_and_exit_code(glassplate: Run) -> None:
    done = glassplate("--help")
    assert done.code == 0
    assert [c for c in COMMANDS if f" {c} " not in done.out] == []
    for code, meaning in MEANING.items():
        assert f"{code.value}: {meaning}" in done.out
    assert len(app.registered_commands) == len(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_and_json(name: str, glassplate: Run) -> None:
    done = glassplate(name, "--help")
    assert done.code == 0
    assert f"glassplate {name} " in done.out.partition("Example")[2]
    assert "--json" in done.out


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'apache_beam', 'prefect', 'matplotlib', 'pyarrow', 'duckdb', 'PIL'}"
    code = f"import sys, glassplate.flows.cli.main; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_installed_command_starts(command: Run) -> None:
    done = command("--help")
    assert done.code == 0
    assert "Usage: glassplate" in done.out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--quality", "101"], "--quality"),
        (["--quality", "50", "--max-bpp", "1"], "--quality / --target-psnr / --target-ms-ssim / "),
        (["--target-psnr", "-1"], "--target-psnr"),
        (["--target-ms-ssim", "1.01"], "--target-ms-ssim"),
        (["--target-psnr", "38", "--target-ms-ssim", "0.9"], "got psnr, ms_ssim"),
        (["--max-bpp", "0"], "--max-bpp"),
        (["--workers", "0"], "--workers"),
        (["--max-failures", "120%"], "--max-failures"),
        (["--max-failures", "few"], "--max-failures"),
        (["--max-pixels", "0"], "--max-pixels"),
        (["--verify", "-1"], "--verify"),
        (["--device", "tpu"], "--device"),
        (["--plugin", "nowhere.codec"], "plugin nowhere.codec"),
        (["--codec", "gif"], "no codec named 'gif'"),
        (["--codec-option", "factor"], "--codec-option"),
        (["--codec", "svd", "--codec-option", "tile_size=-1"], "tile_size"),
        (["--codec", "svd", "--codec-option", "colour=1"], "colour"),
    ],
)
def test_a_bad_option_is_a_usage_error_that_names_it(
    arguments: list[str], named: str, glassplate: Run, tmp_path: Any
) -> None:
    done = glassplate("compress", tmp_path, tmp_path / "archive", *arguments)
    assert done.code == ExitCode.USAGE
    assert done.err.startswith("error: ")
    assert named in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "archive").exists()


def test_an_unknown_option_is_a_usage_error(glassplate: Run) -> None:
    assert glassplate("compress", "--speed", "11").code == ExitCode.USAGE
    assert glassplate("shrink").code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["compress", "here", "there", "--speed", "11"], "No such option: --speed"),
        (["compress", "here"], "Missing argument 'ARCHIVE'"),
        (["compress", "here", "there", "--workers", "many"], "valid integer"),
        (["shrink"], "No such command 'shrink'"),
        (["--speed", "11", "info", "there"], "No such option: --speed"),
    ],
)
def test_what_cannot_be_parsed_is_a_json_error_too(
    arguments: list[str], cause: str, glassplate: Run
) -> None:
    done = glassplate(*arguments, "--json")
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    (line,) = done.err.splitlines()
    error = json.loads(line)
    assert error["error"] == "bad-option"
    assert cause in error["cause"]
    assert error["subject"].startswith("glassplate")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TooManyFailuresError("x"), 4),
        (CommitConflictError("x"), 5),
        (ShardDamagedError("x"), 6),
        (ManifestError("x"), 6),
        (NotFoundError("x"), 7),
        (LedgerError("x"), 1),
    ],
)
def test_errors_have_the_documented_exit_codes(error: Any, code: int) -> None:
    assert exit_code_of(error) == code
