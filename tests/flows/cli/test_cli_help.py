"""Help texts, start-up cost, and the errors that come before any work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.flows.cli.commands import COMMANDS, GROUPS
from glassplate.flows.terminal.exit_codes import MEANING, ExitCode, exit_code_of
from glassplate.pipelines.errors import (
    CommitConflictError,
    LedgerError,
    ManifestError,
    NotFoundError,
    ShardDamagedError,
    TooManyFailuresError,
)

ALONE = [name for name, target in COMMANDS.items() if not target.endswith(":app")]
"""Commands that have no commands of their own."""

Run = Callable[..., Any]
HEAVY = {"torch", "apache_beam", "prefect", "matplotlib", "PIL"}


def test_help_names_every_command_and_exit_code(glassplate: Run) -> None:
    done = glassplate("--help")
    assert done.code == 0
    assert [c for c in COMMANDS if f" {c} " not in done.out] == []
    for code, meaning in MEANING.items():
        assert f"{code.value}: {meaning}" in done.out
    assert [panel for panel in GROUPS if f"─ {panel} ─" not in done.out] == []


def test_the_list_shows_what_each_command_says_of_itself(glassplate: Run) -> None:
    listed = " ".join(glassplate("-h").out.replace("│", " ").split())
    for name in COMMANDS:
        own = glassplate(name, "--help").out.split("\n\n")
        first = " ".join(line.strip() for line in own[1].splitlines() if line.strip())
        assert f"{name} {first}" in listed


def test_the_version_is_that_of_the_package(glassplate: Run) -> None:
    assert glassplate("--version").out == f"glassplate {version('glassplate')}\n"


@pytest.mark.parametrize("name", ALONE)
def test_every_command_has_an_example_and_json(name: str, glassplate: Run) -> None:
    done = glassplate(name, "--help")
    assert done.code == 0
    assert f"glassplate {name} " in done.out.partition("Example")[2]
    assert "--json" in done.out


def test_help_loads_nothing_heavy() -> None:
    assert loaded_by("--help") & (HEAVY | {"pyarrow", "numpy", "duckdb", "pydantic"}) == set()
    assert loaded_by("query", "--help") & (HEAVY | {"pyarrow", "numpy", "duckdb"}) == set()


@pytest.mark.slow
def test_what_is_stored_is_found_and_given_back_without_torch_and_beam(
    tmp_path: Path, small_photo: Pixels, command: Run
) -> None:
    source, archive, out = tmp_path / "photos", tmp_path / "archive", tmp_path / "a.png"
    source.mkdir()
    Image.fromarray(small_photo).save(source / "a.png")
    compress = ("compress", source, archive, "--codec", "jxl", "--no-progress")
    assert command(*compress).code == 0
    pixels = HEAVY - {"PIL"}
    assert loaded_by("query", archive) & HEAVY == set()
    assert loaded_by("get", archive, "a.png", "-o", out) & pixels == set()
    assert loaded_by(*compress) & pixels == set()
    assert out.exists()


def loaded_by(*arguments: str | Path) -> set[str]:
    """Modules that a command in a process of its own has loaded when it ends."""
    code = (
        "import sys; from glassplate.flows.cli.main import app\n"
        "try: app()\nexcept SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def test_the_installed_command_starts(command: Run) -> None:
    done = command("--help")
    assert done.code == 0
    assert "Usage: glassplate" in done.out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--quality", "101"], "--quality"),
        (
            ["--quality", "50", "--max-bpp", "1"],
            "--quality / --target-psnr / --target-ms-ssim / --target-ssimulacra2 / ",
        ),
        (["--target-psnr", "-1"], "--target-psnr"),
        (["--target-ms-ssim", "1.01"], "--target-ms-ssim"),
        (["--target-psnr", "38", "--target-ms-ssim", "0.9"], "got psnr, ms_ssim"),
        (["--target-ssimulacra2", "101"], "--target-ssimulacra2"),
        (["--measure", "psnr,vmaf"], "--measure"),
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
    *before, line = done.err.splitlines()
    assert before in ([], ["compressing ..."])  # a slow machine is told that something goes on
    assert line.startswith("error: ")
    assert named in line
    assert not (tmp_path / "archive").exists()


def test_an_unknown_option_is_a_usage_error(glassplate: Run) -> None:
    assert glassplate("compress", "--speed", "11").code == ExitCode.USAGE
    assert glassplate("shrink").code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["compress", "here", "there", "--speed", "11"], "No such option: --speed"),
        (["compress", "here"], "Missing argument 'SOURCE...'"),
        (["compress", "here", "there", "--workers", "many"], "whole number"),
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
    ("arguments", "as_json"),
    [
        (["info", "nowhere", "--json"], True),
        (["--json", "info", "nowhere"], True),
        (["train", "nothing", "--json"], True),
        (["train", "vae", "--json", "--speed", "11"], True),
        (["query", "nowhere", "--speed", "11", "--json"], True),
        (["query", "nowhere", "--json", "--limit"], True),
        (["query", "nowhere", "--where", "--json"], False),
        (["query", "nowhere", "--where", "--json", "--speed", "11"], False),
        (["info", "--", "--json"], False),
        (["info", "nowhere"], False),
    ],
)
def test_json_is_what_a_command_says_it_is(
    arguments: list[str], as_json: bool, glassplate: Run
) -> None:
    done = glassplate(*arguments)
    assert done.code != 0
    assert done.out == ""
    assert done.err.startswith('{"error": ') == as_json


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
