"""What commands print: records on stdout, everything else on stderr.

With `--json` stdout carries JSON lines and nothing else, and an error is one JSON object on
stderr, so that a script never has to parse prose.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from glassplate.codecs.errors import GlassplateError
from glassplate.flows.terminal.tables import Column, fitting, table_of

if TYPE_CHECKING:
    import typer

    from glassplate.pipelines.archive.format.manifest import Ledger

_ABSENT = "–"
_NUMERIC = (int, float)
_ID_DIGITS = 16


class Output:
    """Where one command's results, messages and errors go."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.stdout = Console(highlight=False, soft_wrap=True, emoji=False)
        self.stderr = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

    def message(self, text: str) -> None:
        """One line for people; left out with --json."""
        if not self.as_json:
            self.stderr.print("\n".join(map(one_line, text.split("\n"))), markup=False)

    def record(self, record: Mapping[str, Any]) -> None:
        """One JSON line. Infinite and undefined numbers become null."""
        self.stdout.file.write(json_line(plain(record)))

    def records(
        self,
        records: Sequence[Mapping[str, Any]],
        columns: Sequence[str],
        spare: Sequence[str] = (),
    ) -> None:
        """Rows: all fields as JSON lines, or the chosen columns as a table; see `table`."""
        if self.as_json:
            for record in records:
                self.record(record)
        else:
            rows = ([record.get(name) for name in columns] for record in records)
            self.table(columns, rows, spare)

    def facts(self, facts: Mapping[str, Any]) -> None:
        """One thing's properties: a JSON object, or lines of name and value."""
        if self.as_json:
            self.record(facts)
            return
        width = max(map(len, facts), default=0)
        for name, value in facts.items():
            self.stdout.print(f"{name.replace('_', ' '):{width}}  {show(value)}".rstrip())

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[Any]], spare: Sequence[str] = ()
    ) -> None:
        """A table for people: numbers to the right; whole in a file. In a terminal that is too
        narrow, long text takes several lines, and columns are left out and named.

        spare: Columns that are left out first.
        """
        rows = [list(row) for row in rows]
        if self.stdout.is_terminal:
            rows = [[_short(*pair) for pair in zip(columns, row, strict=True)] for row in rows]
        shown = [_column(name, [row[i] for row in rows]) for i, name in enumerate(columns)]
        if not self.stdout.is_terminal:
            self._print_table(shown, None)
            return
        width = self.stdout.width
        fit, left_out = fitting(shown, width, [name.replace("_", " ") for name in spare])
        self._print_table(fit, width)
        if left_out:
            names = ", ".join(column.name for column in left_out)
            self.message(f"left out: {names}; --json has all")

    def _print_table(self, columns: Sequence[Column], width: int | None) -> None:
        table = table_of(columns, width)
        if width is None:
            self.stdout.width = sum(column.most + 2 for column in columns)
        self.stdout.print(table)

    def ledger(self, ledger: Ledger) -> None:
        """What became of the inputs of one run."""
        self.table(*ledger_table(ledger))

    def error(self, error: GlassplateError) -> None:
        """One line (or JSON object) on stderr: subject, cause, fix."""
        self.failure(error.code, str(error), error)

    def failure(self, code: str, text: str, error: GlassplateError | None = None) -> None:
        """An error that ends the command, by its stable code."""
        if not self.as_json:
            self.stderr.print(f"error: {one_line(text)}", markup=False)
            return
        record = {"error": code, "message": text}
        if error is not None:
            record |= {"subject": error.subject, "cause": error.cause, "fix": error.fix}
        self.stderr.file.write(json_line(record))


def _short(name: str, value: Any) -> Any:
    """An id as far as it is needed to name a picture, so that it is copied with one click."""
    return value[:_ID_DIGITS] if name == "image_id" and value else value


def _column(name: str, values: Sequence[Any]) -> Column:
    known = [value for value in values if value is not None]
    right = bool(known) and all(isinstance(value, _NUMERIC) for value in known)
    return Column(name.replace("_", " "), [show(value, markup=False) for value in values], right)


def ledger_table(ledger: Ledger) -> tuple[list[str], list[list[Any]]]:
    """Column names and one row: the ledger as people read it, unchanged inputs by themselves."""
    counts = {
        name: getattr(ledger, name)
        for name in ("inputs", "encoded", "kept", "damaged", "skipped", "failed", "unchanged")
        if name != "damaged" or ledger.damaged
    }
    counts["skipped"] -= ledger.unchanged
    sizes = {
        "source": human_bytes(ledger.source_bytes),
        "stored": human_bytes(ledger.stored_bytes),
        "ratio": ratio(ledger.source_bytes, ledger.stored_bytes),
    }
    return [*counts, *sizes], [[*counts.values(), *sizes.values()]]


def json_line(record: Any) -> str:
    """JSON that can be shown: controls, and what turns text around or is unseen, as escapes."""
    text = json.dumps(record, ensure_ascii=False)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    return text + "\n"


def one_line(text: str) -> str:
    """Control characters and line breaks as escapes: file names may hold anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def show(value: Any, *, markup: bool = True) -> str:
    """A value as a person reads it; escaped for rich if it goes through its markup."""
    if value is None:
        return _ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"
    text = one_line(str(value))
    return escape(text) if markup else text


def human_bytes(count: float) -> str:
    """'3.2 MB': powers of 1000, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def human_seconds(seconds: float) -> str:
    """'45 s', '3 min 20 s', '2 h 05 min'."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def ratio(source_bytes: int, stored_bytes: int) -> str:
    """'5.3x', how many times smaller; a dash if nothing is stored."""
    return f"{source_bytes / stored_bytes:.2f}x" if stored_bytes else _ABSENT


def plain(value: Any) -> Any:
    """Only what JSON has."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if isinstance(value, str | int | None) else str(value)


def output_of(context: typer.Context) -> Output:
    """The output of a command: JSON lines, if --json was given, or text for people."""
    output: Output = context.find_root().obj
    return output
