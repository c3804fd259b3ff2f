"""The project's pages as tests see them: code blocks, inline code, links, what a console shows."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import environ
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_RUN = "# Not run by the tests: "
ANYTHING = "..."
_TOLERANCE = 0.15


@dataclass(frozen=True)
class Block:
    """A fenced block: the page, the line that it begins on, its language and its text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def is_marked(self) -> bool:
        """Whether its first line says that tests do not run it, and why."""
        return self.text.startswith(NOT_RUN)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Every Markdown page that git tracks, but for model cards and results."""
    done = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in done.stdout.split() if "/weights/" not in name]


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page."""
    text = (ROOT / page).read_text()
    return [
        Block(page, text[: found.start()].count("\n") + 1, found[1], found[2])
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def commands(page: str) -> Iterator[list[str]]:
    """Words of every `glassplate ...` in blocks and inline code, without comments and pipes."""
    text = (ROOT / page).read_text().replace("\\\n", " ")
    shells = re.findall(r"^```(?:sh|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for code in ["\n".join(shells), *re.findall(r"`(glassplate [^`]+)`", text)]:
        for line in code.splitlines():
            found = re.match(r"(?:\$ )?glassplate (.*)", line.strip())
            if found:
                yield re.sub(r"[\"'].*?[\"']", "X", found[1]).split("#")[0].split("|")[0].split()


def links(page: str) -> set[str]:
    """Targets of the links and pictures of a page, but for those on the web."""
    found = re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text())
    return {target for target in found if "://" not in target}


def anchors(page: Path) -> set[str]:
    """What a link may name after `#`: the headings, as GitHub spells them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def run_console(block: Block, folder: Path) -> None:
    """Type each command of a console block; what it prints has to be what the page shows."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *shown = part.rstrip("\n").split("\n")
        printed = shell(command, folder)
        assert_shown(shown, printed, f"{block}: {command}")


def shell(command: str, folder: Path) -> list[str]:
    """What a command line prints, stderr too. 3 is fine: some inputs are bad."""
    path = f"{Path(sys.executable).parent}:{environ['PATH']}"
    settings = {"PATH": path, "PYTHONUNBUFFERED": "1", "COLUMNS": "120", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environ | settings | {"PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode in (0, 3), f"{command}\n{done.stdout}"
    return done.stdout.splitlines()


def assert_shown(shown: Sequence[str], printed: Sequence[str], what: str) -> None:
    """Compare line by line. `...` is any number of lines, or a part of one; seconds are not
    compared, numbers with a decimal point within 15 %, everything else exactly."""
    rest = list(printed)
    skipping = False
    for line in shown:
        if line.strip() == ANYTHING:
            skipping = True
            continue
        while skipping and rest and not _alike(line, rest[0]):
            rest.pop(0)
        skipping = False
        assert rest, f"{what}\nends before: {line}\n" + "\n".join(printed)
        assert _alike(line, rest[0]), f"{what}\nshown:   {line}\nprinted: {rest[0]}"
        rest.pop(0)
    assert skipping or not rest, f"{what}\nprints more:\n" + "\n".join(rest)


def _alike(shown: str, printed: str) -> bool:
    texts = [
        re.sub(r"\bin (\d+ min )?\d+ s\b", "in N s", " ".join(text.split()))
        for text in (shown, printed)
    ]
    pattern, values = "", []
    for piece in re.split(r"(\.\.\.|\d+\.\d+)", texts[0]):
        if piece == ANYTHING:
            pattern += ".*?"
        elif re.fullmatch(r"\d+\.\d+", piece):
            pattern += r"(\d+\.\d+)"
            values.append(float(piece))
        else:
            pattern += re.escape(piece)
    found = re.fullmatch(pattern, texts[1])
    return found is not None and all(
        abs(float(there) - here) <= _TOLERANCE * abs(here)
        for here, there in zip(values, found.groups(), strict=True)
    )
