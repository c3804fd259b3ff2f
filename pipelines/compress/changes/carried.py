"""Rows that a run copies instead of reading a source and encoding it again.

A source whose bytes are stored already (it was touched, restored, moved, copied), that came back,
or that is gone gets a new row with the values of the one that its picture was stored with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from glassplate.codecs.errors import VanishedError
from glassplate.pipelines.archive.format.manifest import Ledger
from glassplate.pipelines.archive.format.parquet import open_parquet
from glassplate.pipelines.archive.format.rows import row_group_of
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.storage.store import Store


@dataclass(frozen=True)
class Carried:
    """A row to be copied: its catalogue file, its place in there, and what differs.

    source: URI, name, version and fields of the source; None (or '' as version): as the row says.
    duplicate: whether another source has the same picture already.
    known: whether the source's newest row has this picture already.
    gone: whether the source is gone; then it is none of the run's inputs.
    latent: whether the picture lacks the latent that the run is asked for.
    """

    file: str
    row: int
    source: tuple[str, str, str, str | None] | None = None
    duplicate: bool = False
    known: bool = True
    gone: bool = False
    latent: bool = False


def copied(
    row: ImageRow,
    source: tuple[str, str, str, str | None] | None = None,
    *,
    duplicate: bool = False,
    gone: bool = False,
) -> ImageRow:
    """A row with the values of another one, of the same picture; it has no bitstream of its own."""
    if source:
        uri, name, version, fields = source
        version = version or row.source_version
        row = replace(row, source_uri=uri, name=name, source_version=version, fields=fields)
    if duplicate:
        row = replace(row, status="skipped", reason="duplicate")
    return replace(row, gone=gone, bitstream_row=None, run_id=None)


def carried_rows(store: Store, carried: Sequence[Carried]) -> list[ImageRow]:
    """The new rows, in the order given; every row group is read once.

    Raises OSError, pa.ArrowException.
    """
    places = defaultdict(list)
    for number, one in enumerate(carried):
        places[one.file].append((one.row, number))
    rows: dict[int, ImageRow] = {}
    for file, wanted in places.items():
        for (_, number), row in zip(
            sorted(wanted), _read(store, file, [row for row, _ in sorted(wanted)]), strict=True
        ):
            one = carried[number]
            rows[number] = copied(row, one.source, duplicate=one.duplicate, gone=one.gone)
    return [rows[number] for number in range(len(carried))]


def instead(store: Store, rows: Sequence[ImageRow], fallbacks: Sequence[Carried]) -> list[ImageRow]:
    """The rows of a shard; a source with trouble keeps the picture that is stored, and its error.

    So it does if its bytes could not be read, or are those that are stored (the fallback is
    `known`). Raises OSError, pa.ArrowException.
    """
    known = {one.source[0]: one for one in fallbacks if one.source}
    failed = [
        (place, row, known[row.source_uri])
        for place, row in enumerate(rows)
        if row.error_code and row.source_uri in known
    ]
    kept = [one for one in failed if one[1].error_stage in ("list", "read") or one[2].known]
    result = list(rows)
    stored = carried_rows(store, [fallback for _, _, fallback in kept])
    for (place, row, _), picture in zip(kept, stored, strict=True):
        result[place] = replace(
            picture,
            gone=row.error_code == VanishedError.code,
            error_stage=row.error_stage,
            error_code=row.error_code,
            error_message=row.error_message,
        )
    return result


def carried_ledger(carried: Sequence[Carried]) -> Ledger:
    """Inputs among them; those that are as they were count as unchanged."""
    inputs = [one for one in carried if not one.gone]
    unchanged = sum(one.known for one in inputs)
    return Ledger(inputs=len(inputs), skipped=len(inputs), unchanged=unchanged)


def _read(store: Store, file: str, rows: Sequence[int]) -> Iterator[ImageRow]:
    """Rows of a catalogue file by their places, ascending."""
    names = list(ImageRow.__dataclass_fields__)
    with open_parquet(store, file) as parquet:
        groups = defaultdict(list)
        for row in rows:
            group, offset = row_group_of(parquet, row)
            groups[group].append(offset)
        for group, offsets in groups.items():
            for values in parquet.read_row_group(group, names).take(offsets).to_pylist():
                yield ImageRow(**values)
