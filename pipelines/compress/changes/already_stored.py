"""What the archive says of a listing: the newest row of each source, and of those that it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glassplate.pipelines.archive.format.schema import TROUBLES
from glassplate.pipelines.compress.changes.absent import Absent, Absentees
from glassplate.pipelines.compress.changes.catalogue import CHUNK_ROWS, Catalogue, Numbers, latest
from glassplate.pipelines.compress.changes.settings import (
    STORED,
    Mask,
    SettingsByName,
    as_mask,
    sure,
    targets,
)
from glassplate.pipelines.sources.extent import Extent
from glassplate.pipelines.sources.places.refs import NO_VERSION, SourceRef

_COLUMNS = [
    *("source_uri", "name", "source_version", "status", "reason", "error_stage", "gone"),
    *("codec", "codec_fingerprint", "bit_exact", "target", "quality", "settings"),
]
_RETRIED = pa.array([*TROUBLES, "too-many-pixels", "unsupported-format"])
"""Reasons for keeping a file that another try, limit or version may not have."""


@dataclass(frozen=True)
class Known:
    """The newest row of each reference's source; (n,) each.

    number: of the row; -1: there is none.
    same: it is of the same version, and the source need not be read again.
    failed: its source failed when it was last tried. retried: its file was kept for what another
    try may mend, which is asked for. holds: it says `encoded` or `kept`. gone: its source was gone.
    duplicate: it says `duplicate`. bare: so, in an older version of the format, without values.
    differs: its picture is stored by other settings than those of this run.
    otherwise: how many pictures are stored so, by codec and target, as far as they are `encoded`.
    """

    number: Numbers
    same: Mask
    failed: Mask
    retried: Mask
    holds: Mask
    gone: Mask
    duplicate: Mask
    bare: Mask
    differs: Mask
    otherwise: Counter[tuple[str, str]]


def ask(
    catalogue: Catalogue,
    refs: Sequence[SourceRef],
    settings: SettingsByName,
    extent: Extent | None = None,
    *,
    retry_failed: bool = False,
) -> tuple[Known, Absent]:
    """One pass over the catalogue. retry_failed: a source that failed is to be read again."""
    uris = pa.array([ref.uri for ref in refs], pa.string())
    versions = pa.array([ref.version for ref in refs], pa.string())
    number = np.full(len(refs), -1)
    masks = {name: np.zeros(len(refs), np.bool_) for name in _MASKS}
    labels = np.full(len(refs), -1)
    label_numbers: dict[tuple[str, str], int] = {}
    absent = Absentees(extent)
    for first, rows in catalogue.portions(_COLUMNS, max(len(refs), CHUNK_ROWS)):
        found, last, others = latest(rows["source_uri"], uris)
        taken = rows.take(last)
        number[found] = first + last
        for name, values in _facts(taken, versions.take(pa.array(found)), settings).items():
            masks[name][found] = values
        labels[found] = _labels(taken, label_numbers)
        absent.add(first, rows, others)
    differs = masks["differs"] & masks["same"] & masks.pop("encoded")
    counts = np.bincount(labels[differs], minlength=len(label_numbers))
    masks["retried"] &= masks["same"] & retry_failed
    again = masks["failed"] & (retry_failed | masks.pop("unread"))
    masks["same"] &= ~again
    otherwise = Counter({label: int(counts[n]) for label, n in label_numbers.items() if counts[n]})
    return Known(number, otherwise=otherwise, **masks), absent.newest(catalogue)


_MASKS = (
    "same",
    "failed",
    "retried",
    "unread",
    "encoded",
    "holds",
    "gone",
    "duplicate",
    "bare",
    "differs",
)


def _facts(rows: pa.Table, versions: pa.Array, settings: SettingsByName) -> dict[str, Mask]:
    duplicate = sure(pc.equal(rows["reason"], "duplicate"))
    failed, stage = pc.equal(rows["status"], "failed"), rows["error_stage"]
    listed = sure(pc.equal(stage, "list"))
    facts: dict[str, Any] = {
        "same": pc.and_(
            pc.equal(rows["source_version"], versions), pc.not_equal(versions, NO_VERSION)
        ),
        "failed": pc.or_(failed, rows["error_stage"].is_valid()),
        "retried": pc.and_(
            pc.equal(rows["status"], "kept"), sure(pc.is_in(rows["reason"], value_set=_RETRIED))
        ),
        "unread": pc.or_(sure(pc.equal(stage, "read")), pc.and_(listed, pc.invert(failed))),
        "encoded": pc.equal(rows["status"], "encoded"),
        "holds": pc.is_in(rows["status"], value_set=STORED),
        "gone": sure(rows["gone"]),
        "duplicate": duplicate,
        "bare": pc.and_(duplicate, rows["codec"].is_null()),
    }
    return {name: as_mask(values) for name, values in facts.items()} | {
        "differs": settings.differ(rows)
    }


def _labels(rows: pa.Table, numbers: dict[tuple[str, str], int]) -> Numbers:
    """(n,) the number of each row's codec and target; new ones are added."""
    texts = pc.binary_join_element_wise(
        pc.fill_null(rows["codec"], ""), pc.fill_null(targets(rows), ""), "\n"
    )
    encoded = pa.array(texts.combine_chunks()).dictionary_encode()
    own = [
        numbers.setdefault(tuple(text.split("\n", 1)), len(numbers))
        for text in encoded.dictionary.to_pylist()
    ]
    return np.array(own, np.int64)[encoded.indices.to_numpy()] if own else np.empty(0, np.int64)
