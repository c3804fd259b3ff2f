"""Every page does what it says: code runs and prints what stands there, links lead somewhere.

README.md is worked through first; each other page begins where it ends.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main
from pages import (
    NOT_RUN,
    ROOT,
    Block,
    anchors,
    assert_shown,
    blocks,
    commands,
    links,
    pages,
    run_console,
    shell,
)

from glassplate.flows.cli.main import app

PAGES = pages()
RUN = [page for page in PAGES if any(b.language in ("console", "python") for b in blocks(page))]
ELSEWHERE = {
    "bash infra/demo.sh": "test_the_demo_runs",
    "export PREFECT_API_URL": "tests/flows/scheduled/test_pasted.py",
    "prefect deployment run": "tests/flows/scheduled/test_pasted.py",
}
"""How shell blocks begin that another test runs."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything in README.md was done."""
    folder = tmp_path_factory.mktemp("readme")
    work_through("README.md", folder)
    return folder


@pytest.fixture(scope="module")
def kept(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it, before any other page."""
    return shutil.copytree(checkout, tmp_path_factory.mktemp("kept") / "copy")


@pytest.fixture
def fresh(checkout: Path, kept: Path) -> Path:
    """The folder as the README left it, under the same path, which is in the catalogue."""
    shutil.rmtree(checkout)
    shutil.copytree(kept, checkout)
    (checkout / "archive").symlink_to("demo/lossless")  # the name that FORMAT.md uses
    return checkout


def work_through(page: str, folder: Path) -> None:
    """Do everything on a page, from top to bottom."""
    scope: dict[str, object] = {}
    for block in blocks(page):
        if block.language == "console":
            run_console(block, folder)
        elif block.language == "python":
            run_python(block, folder, scope)


def run_python(block: Block, folder: Path, scope: dict[str, object]) -> None:
    """Run a block; what it prints stands in comments behind the prints."""
    shown = re.findall(r"^ *print\(.*\)  # (.*)$", block.text, re.MULTILINE)
    assert len(shown) == block.text.count("print("), f"{block}: say what it prints"
    printed = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        exec(compile(block.text, str(block), "exec"), scope)
    assert_shown(shown, printed.getvalue().splitlines(), str(block))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_readme_does_what_it_says(checkout: Path) -> None:
    assert (checkout / "rocket.jpg").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [page for page in RUN if page != "README.md"])
def test_pages_do_what_they_say(page: str, fresh: Path) -> None:
    work_through(page, fresh)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """infra/demo.sh as it stands, in the environment that runs the tests."""
    shutil.copytree(ROOT / "infra", tmp_path / "infra")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / ".venv").mkdir()
    for part in ("bin", "lib", "pyvenv.cfg"):
        (tmp_path / ".venv" / part).symlink_to(Path(sys.prefix) / part)
    shell("cat pyproject.toml infra/constraints.txt | sha256sum > .venv/.glassplate", tmp_path)
    monkeypatch.setenv("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "240")
    for _ in range(2):
        printed = shell("bash infra/demo.sh", tmp_path)
        assert any("shards: sound" in line for line in printed)
        assert (tmp_path / "demo" / "report.html").exists()
    assert any("up to date" in line for line in printed)


def test_every_block_is_run_or_says_why_not() -> None:
    for page in PAGES:
        for block in blocks(page):
            if block.language in ("sh", "bash"):
                begins = block.text.split("\n")[0]
                known = any(begins.startswith(start) for start in ELSEWHERE)
                assert known or block.is_marked, f"{block}: console, or {NOT_RUN}..."
            else:
                assert block.language in ("", "console", "python", "mermaid", "sql"), str(block)


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_exist(page: str) -> None:
    for words in commands(page):
        command: Any = typer.main.get_command(app)
        context = click.Context(command)
        while hasattr(command, "resolve_command") and words and words[0].islower():
            _, command, words = command.resolve_command(context, words)
        known = {name for p in command.get_params(context) for name in (*p.opts, *p.secondary_opts)}
        options = {word.split("=")[0] for word in words if re.match("--?[a-z]", word)}
        assert options <= known, f"{page}: glassplate {command.name} {words}"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (ROOT / page).parent / path if path else ROOT / page
        assert there.exists(), f"{page}: {target}"
        assert not anchor or anchor in anchors(there), f"{page}: {target}"


def test_the_readme_is_read_in_minutes() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 1700


def test_differences_are_seen() -> None:
    assert_shown(["a  4.89x", "...", "in 3 s"], ["a 4.90x", "b", "c", "in 70 s"], "")
    for shown, printed in ((["a 1"], ["a 2"]), (["a 1.0"], ["a 1.3"]), (["a"], ["a", "b"])):
        with pytest.raises(AssertionError):
            assert_shown(shown, printed, "")
