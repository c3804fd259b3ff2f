"""The house as CONTRIBUTING draws it: floors, rooms without circles, a handful of files in each."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = ("codecs", "pipelines", "flows")
"""From the ground up: each may import from itself and from those before it."""

MOST_FILES, USUAL_FILES = 17, 7
MOST_LINES = 400


@cache
def modules() -> dict[str, Path]:
    """Dotted name -> file, of everything that is installed."""
    files = [path for floor in FLOORS for path in (ROOT / floor).rglob("*.py")]
    return {_dotted(path): path for path in files}


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("glassplate", *parts)).removesuffix(".__init__")


@cache
def imports() -> dict[str, set[str]]:
    """Module -> modules of ours that it imports, those in its functions included."""
    found = {}
    for name, path in modules().items():
        wanted: set[str] = set()
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module:
                whole = {f"{node.module}.{alias.name}" for alias in node.names}
                wanted |= whole & modules().keys() or {node.module}
            elif isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
        found[name] = wanted & modules().keys() - {name}
    return found


def room(module: str) -> str:
    """The folder of a module; a module right on a floor is a room of its own."""
    path = modules()[module].relative_to(ROOT)
    return module if len(path.parts) == 2 else str(path.parent)


def test_nothing_imports_from_a_floor_above() -> None:
    def floor(module: str) -> int:
        return FLOORS.index(module.split(".")[1])

    upward = [
        f"{module} -> {other}"
        for module, others in imports().items()
        for other in others
        if floor(other) > floor(module)
    ]
    assert upward == []


def test_rooms_do_not_import_in_circles() -> None:
    rooms: dict[str, set[str]] = {}
    for module, others in imports().items():
        rooms.setdefault(room(module), set()).update(room(other) for other in others)
    for name, others in rooms.items():
        others.discard(name)
    try:
        TopologicalSorter(rooms).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_a_room_holds_what_one_sees_at_a_glance() -> None:
    folders: dict[Path, int] = {}
    for path in modules().values():
        if path.name != "__init__.py":
            folders[path.parent] = folders.get(path.parent, 0) + 1
    crowded = {str(f.relative_to(ROOT)): n for f, n in folders.items() if n > MOST_FILES}
    assert crowded == {}
    assert median(folders.values()) <= USUAL_FILES


def test_a_module_is_read_at_one_sitting() -> None:
    long = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert {name: lines for name, lines in long.items() if lines > MOST_LINES} == {}


def test_contributing_names_every_room() -> None:
    figure = (ROOT / "CONTRIBUTING.md").read_text().split("## The house")[1].split("\n## ")[0]
    missing = [
        str(folder.relative_to(ROOT))
        for floor in FLOORS
        for folder in (ROOT / floor).iterdir()
        if (folder / "__init__.py").exists() and f"{folder.name}/" not in figure
    ]
    assert missing == []
