"""Every command and where it stands. A module is imported when its command is called.

For the list of commands the first lines of their docstrings are read from the source, since to
import all of them takes longer than most commands run.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from glassplate.flows.terminal.command import Command

_HERE = "glassplate.flows.cli"

GROUPS = {
    "Put pictures in": {
        "compress": "compress:compress",
        "plan": "compress:plan",
        "demo": "report:demo",
    },
    "Look": {
        "list": "query:list_pictures",
        "query": "query:query",
        "info": "query:info",
        "stats": "query:stats",
        "snapshots": "history.snapshots:snapshots",
        "diff": "history.snapshots:diff",
        "report": "report:report",
        "similar": "latents:similar",
        "codecs": "report:codecs",
        "runners": "report:runners",
    },
    "Get pictures out": {
        "get": "get:get",
        "cat": "get:cat",
        "extract": "get:extract",
        "retrieve": "retrieve:retrieve",
        "export": "latents:export",
        "enhance": "enhance:enhance",
        "interpolate": "latents:interpolate",
        "serve": "serve:serve",
    },
    "Take care": {"verify": "get:verify", "compact": "compact:compact"},
    "Learn": {
        "evaluate": "evaluate:evaluate",
        "train": "train:app",
        "study": "study:app",
        "sample": "latents:sample",
    },
}
"""What a command is for -> its name -> 'module:function'; 'module:app' if it has commands of its
own, and then its help is that of the function `about`."""

COMMANDS = {name: target for group in GROUPS.values() for name, target in group.items()}
FORMER = {"restore": "enhance:restore", "ls": "query:list_pictures"}
"""Commands that are not listed: one that says what to type, and works for one release; and `list`
as people type it, too."""


class LazyGroup(TyperGroup):
    """A group whose commands are known by name, and loaded one by one."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What is needed to list a command: its name, its panel, the first line of its help."""
        if cmd_name not in COMMANDS | FORMER:
            return None
        panel = next((panel for panel, names in GROUPS.items() if cmd_name in names), None)
        return TyperCommand(cmd_name, help=_summary(cmd_name), rich_help_panel=panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself, for what is called."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, _load(name) if listed and name else listed, rest


def _load(name: str) -> Any:
    """The command behind a name, its module imported."""
    module, _, attribute = (COMMANDS | FORMER)[name].partition(":")
    found = getattr(import_module(f"{_HERE}.{module}"), attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(rich_markup_mode="markdown", add_completion=False)
        alone.command(name=name, cls=Command)(found)
        found = alone
    return typer.main.get_command(found)


def _summary(name: str) -> str:
    """The first line of a command's docstring."""
    module, _, attribute = (COMMANDS | FORMER)[name].partition(":")
    lines = _first_lines(f"{_HERE}.{module}")
    return lines["about" if attribute == "app" else attribute]


@cache
def _first_lines(module: str) -> dict[str, str]:
    """Function -> first line of its docstring, of a module that is not imported."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    tree = ast.parse(Path(spec.origin).read_bytes())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {f.name: (ast.get_docstring(f) or "").partition("\n")[0] for f in functions}
