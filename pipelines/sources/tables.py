"""Lists of pictures as people have them: Parquet, CSV with any delimiter, one path a line.

The column of paths or URLs is chosen by what it holds, then by its name: a caption that is called
'TEXT' and comes first is none.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import IO

import pyarrow as pa
import pyarrow.parquet

LIST_SUFFIXES = (".parquet", ".csv", ".tsv")

_NAMES = ("url", "uri", "path", "file", "file_name", "filename", "filepath", "image", "image_url")
_DELIMITERS = ",;\t|"
_NO_DELIMITER = "\x1f"
_LOOKED_AT = 1000
_LOOKED_AT_CHARACTERS = 1 << 16
_ENTRY = re.compile(
    r"[a-z][a-z0-9+.-]*://\S.*"
    r"|[^\n]*\.(jpe?g|jpe|jfif|png|apng|gif|webp|avif|hei[cf]|tiff?|bmp|jp2|j2k|jpx|jxl|jxr|p[bgpnf]m"
    r"|pfm|dng|nef|cr2|cr3|arw|raf|orf|rw2|tga|ico|svg|psd|exr|hdr|qoi|dds|pcx)([?#]\S*)?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class ListTable:
    """The rows of a list, in order. entries: None or blank where a row names nothing."""

    column: str
    entries: list[str | None]


def read_list(file: IO[bytes], name: str) -> ListTable:
    """The column of a list that holds paths or URLs. Raises ValueError, pa.ArrowException."""
    suffix = PurePosixPath(name).suffix.lower()
    columns = _parquet(file) if suffix == ".parquet" else _text(file.read(), suffix)
    column = _column(columns)
    return ListTable(column, columns[column])


def looks_like_entry(text: str | None) -> bool:
    """Whether a text is a URL, or a path that ends as the names of pictures do."""
    return text is not None and bool(_ENTRY.fullmatch(text.strip()))


def _column(columns: dict[str, list[str | None]]) -> str:
    """The column with most entries that look like one; of about equal ones that with a known name.

    Where hardly anything has a scheme or a picture's suffix, a known name is enough, and then
    whatever looks like a path with folders.
    """
    if not columns:
        raise ValueError("the list has no column of strings")
    known = [name for name in columns if name.lower() in _NAMES]
    for looks in (looks_like_entry, _looks_like_path):
        shares = {name: _share(values, looks) for name, values in columns.items()}
        best = max(shares.values())
        if best >= 0.5 or (best and not known):
            return min((n for n in columns if shares[n] >= 0.8 * best), key=_rank)
        if known:
            return min(known, key=_rank)
    raise ValueError(f"no column of the list holds paths or URLs ({', '.join(columns)})")


def _rank(name: str) -> int:
    return _NAMES.index(name.lower()) if name.lower() in _NAMES else len(_NAMES)


def _share(values: Sequence[str | None], looks: Callable[[str], bool]) -> float:
    some = list(islice((value for value in values if value and value.strip()), _LOOKED_AT))
    return sum(map(looks, some)) / len(some) if some else 0.0


def _looks_like_path(text: str) -> bool:
    return "/" in text and not re.search(r"\s", text.strip())


def _parquet(file: IO[bytes]) -> dict[str, list[str | None]]:
    parquet = pyarrow.parquet.ParquetFile(file)
    names = [field.name for field in parquet.schema_arrow if _is_text(field.type)]
    table = parquet.read(names)
    return {name: table[name].cast(pa.large_string()).to_pylist() for name in names}


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        test(kind)
        for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    )


def _text(data: bytes, suffix: str) -> dict[str, list[str | None]]:
    text = _decoded(data)
    rows = _rows(text, "\t" if suffix == ".tsv" else _delimiter(text))
    if not rows:
        return {}
    width = max(len(row) for row in rows)
    padded: list[list[str | None]] = [row + [None] * (width - len(row)) for row in rows]
    header = _header(rows)
    if header:
        padded = padded[1:]
    names = header or [f"column {number}" for number in range(1, width + 1)]
    names += [f"column {number}" for number in range(len(names) + 1, width + 1)]
    return {name: [row[place] for row in padded] for place, name in enumerate(names)}


def _decoded(data: bytes) -> str:
    """Text by its byte order mark, else UTF-8; other bytes stay as they are, as in file names."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _header(rows: list[list[str]]) -> list[str] | None:
    """The names in the first row; None if it is a row like the others.

    It is one if something in it looks like an entry, or if nothing in it is a known name and no
    entry below looks like one either.
    """
    first = [cell.strip() for cell in rows[0]]
    if any(map(looks_like_entry, first)):
        return None
    known = any(cell.lower() in _NAMES for cell in first)
    below = any(looks_like_entry(cell) for row in rows[1:_LOOKED_AT] for cell in row)
    if not (known or below):
        return None
    return [cell or f"column {number}" for number, cell in enumerate(first, 1)]


def _delimiter(text: str) -> str:
    """The delimiter that cuts the most of the first rows into as many cells, more than one."""
    start = text[:_LOOKED_AT_CHARACTERS]

    def agreement(delimiter: str) -> tuple[float, int]:
        rows = islice(csv.reader(io.StringIO(start, newline=""), delimiter=delimiter), 100)
        widths = [len(row) for row in rows if row]
        common = max(set(widths), key=widths.count, default=1)
        return (widths.count(common) / len(widths), common) if common > 1 else (0.0, 1)

    with _long_cells():
        best = max(_DELIMITERS, key=agreement)
        return best if agreement(best)[0] else _NO_DELIMITER


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """The rows that are not empty. Where quotes do not pair up, every line is a row."""
    with _long_cells():
        try:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
            return [row for row in reader if row]
        except csv.Error:
            lines = [line.split(delimiter) for line in text.splitlines() if line]
            return [[re.sub(r'^"(.*)"$', r"\1", cell) for cell in line] for line in lines]


@contextmanager
def _long_cells() -> Iterator[None]:
    """A caption may be longer than the csv module expects."""
    limit = csv.field_size_limit(1 << 30)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
