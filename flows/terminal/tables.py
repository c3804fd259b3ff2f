"""Tables that fit: narrow columns as they are, long text in lines, the least wanted left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

_GAPS = (2, 1)
"""Cells between columns: as usual, and where that is one column too many."""
_LEAST = 20
"""Cells that a column of long text has, unless the terminal is narrower than that."""


@dataclass(frozen=True)
class Column:
    """A column as it is shown: its heading, cells, and whether these are numbers."""

    name: str
    cells: list[str]
    right: bool

    @property
    def least(self) -> int:
        """Width below which its cells cannot be read at a glance."""
        words = max(map(cell_len, self.name.split()), default=0)
        return max(words, min(self._cells, self._cells if self.right else _LEAST))

    @property
    def most(self) -> int:
        """Width that it can use."""
        return max(cell_len(self.name), self._cells)

    @property
    def _cells(self) -> int:
        return max(map(cell_len, self.cells), default=0)


def fitting(
    columns: Sequence[Column], width: int, spare: Sequence[str] = ()
) -> tuple[list[Column], list[Column]]:
    """Those that fit side by side, and those left out: first what is spare, then from the right.

    spare: Names of columns, the most dispensable first.
    """
    shown, left_out = list(columns), []
    order = [column for name in spare for column in columns if column.name == name]
    order += [column for column in reversed(columns[1:]) if column not in order]
    for column in order:
        if _least(shown, _GAPS[-1]) <= width:
            break
        shown.remove(column)
        left_out.append(column)
    return shown, left_out


def gap_of(columns: Sequence[Column], width: int) -> int:
    """Cells between columns in a terminal."""
    return next((gap for gap in _GAPS if _least(columns, gap) <= width), _GAPS[-1])


def _least(columns: Sequence[Column], gap: int) -> int:
    return sum(column.least + gap for column in columns) - gap


def widths(columns: Sequence[Column], width: int) -> list[int]:
    """Cells for each column, given in turn to whatever could use more."""
    given = [min(column.least, width) for column in columns]
    free = width - sum(given) - gap_of(columns, width) * (len(columns) - 1)
    while free > 0 and (wanting := [i for i, c in enumerate(columns) if given[i] < c.most]):
        narrowest = min(wanting, key=lambda i: given[i])
        given[narrowest] += 1
        free -= 1
    return given


def table_of(columns: Sequence[Column], width: int | None) -> Table:
    """The table. width: Of the terminal; None: as wide as it is."""
    gap = gap_of(columns, width) if width else _GAPS[0]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, gap, 0, 0))
    given = widths(columns, width) if width else [column.most for column in columns]
    for column, cells in zip(columns, given, strict=True):
        table.add_column(
            column.name,
            justify="right" if column.right else "left",
            width=cells,
            overflow="fold",
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    return table
