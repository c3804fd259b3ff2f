"""Lists of pictures as people have them: Parquet, CSV with any delimiter, JSON or paths in lines.

The column of paths or URLs is chosen by what it holds, then by its name: a caption that is called
'TEXT' and comes first is none.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet

LIST_SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".txt")

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
    """The rows of a list, in order. entries: None or blank where a row names nothing.

    others: (n,) what the other columns say of each row.
    """

    column: str
    entries: list[str | None]
    others: list[dict[str, Any]]


Columns = dict[str, list[Any]]


def read_list(file: IO[bytes], name: str) -> ListTable:
    """The column of a list that holds paths or URLs. Raises ValueError, pa.ArrowException."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".txt":
        return _checked(read_lines(file.read()))
    readers = {".parquet": _parquet, ".jsonl": _json_lines}
    columns = readers[suffix](file) if suffix in readers else _text(file.read(), suffix)
    column = _column({name: values for name, values in columns.items() if _is_of_text(values)})
    others = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return ListTable(column, [row.pop(column) for row in others], others)


def read_lines(data: bytes) -> ListTable:
    """One path or URL a line, or between null bytes, as `find -print0` gives them."""
    text = _decoded(data)
    entries: list[str | None] = [line for line in _lines(text) if line.strip()]
    return ListTable("line", entries, [{} for _ in entries])


def _lines(text: str) -> list[str]:
    if "\0" in text:
        return text.split("\0")
    return [line.removesuffix("\r") for line in text.split("\n")]


def _checked(table: ListTable) -> ListTable:
    """A text file is a list only if a good part of its lines may be paths."""
    if max(_share(table.entries, looks) for looks in (looks_like_entry, _looks_like_path)) < 0.5:
        raise ValueError("is a text file whose lines are no paths or URLs")
    return table


def looks_like_entry(text: str | None) -> bool:
    """Whether a text is a URL, or a path that ends as the names of pictures do."""
    return text is not None and bool(_ENTRY.fullmatch(text.strip()))


def _is_of_text(values: Sequence[Any]) -> bool:
    return all(value is None or isinstance(value, str) for value in values)


def _column(columns: Columns) -> str:
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


def _parquet(file: IO[bytes]) -> Columns:
    parquet = pyarrow.parquet.ParquetFile(file)
    table = parquet.read(plain_columns(parquet.schema_arrow))
    return {name: table[name].to_pylist() for name in table.column_names}


def plain_columns(schema: pa.Schema) -> list[str]:
    """The columns of a table that are no blobs and no arrays of arrays."""
    return [field.name for field in schema if _is_plain(field.type)]


def _is_plain(kind: pa.DataType, depth: int = 0) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type, depth)
    if pa.types.is_struct(kind):
        return depth < 2 and all(_is_plain(field.type, depth + 1) for field in kind)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return depth < 2 and not pa.types.is_nested(kind.value_type) and _is_plain(kind.value_type)
    blobs = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return not (pa.types.is_nested(kind) or any(is_blob(kind) for is_blob in blobs))


def _json_lines(file: IO[bytes]) -> Columns:
    rows = [json.loads(line) for line in _lines(_decoded(file.read())) if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("is a list in JSON lines, but not every line is an object")
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _text(data: bytes, suffix: str) -> Columns:
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
