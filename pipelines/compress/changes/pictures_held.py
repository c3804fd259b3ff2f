"""Every row of the archive whose picture is one of those that a run asks about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glassplate.pipelines.compress.changes.catalogue import Catalogue
from glassplate.pipelines.compress.changes.settings import STORED, SettingsByName

_COLUMNS = ["image_id", "source_uri", "name", "status", "reason", "bitstream_row", "gone"]


@dataclass
class Pictures:
    """Rows by their numbers in the catalogue.

    ids: row -> image id, for all rows.
    stored: image id -> the newest row with a bitstream.
    holders: rows that say `encoded` or `kept`. gone: rows that say that their source was gone.
    sources: URIs of all rows.
    differing: ids that are stored by other settings than the run's.
    """

    ids: dict[int, str] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    holders: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    differing: set[str] = field(default_factory=set)


def pictures(catalogue: Catalogue, wanted: Collection[str], settings: SettingsByName) -> Pictures:
    """One pass over the catalogue, if anything is wanted."""
    found = Pictures()
    if not wanted:
        return found
    value_set = pa.array(list(wanted), pa.string())
    columns = [*_COLUMNS, "codec_fingerprint", "bit_exact", "target", "quality", "settings"]
    for first, rows in catalogue.portions(columns):
        places = np.flatnonzero(pc.is_in(rows["image_id"], value_set=value_set).to_numpy())
        chosen = rows.take(places)
        numbers = (first + places).tolist()
        ids = chosen["image_id"].to_pylist()
        found.ids.update(zip(numbers, ids, strict=True))
        found.sources.update(chosen["source_uri"].to_pylist())
        found.holders.update(_where(numbers, pc.is_in(chosen["status"], value_set=STORED)))
        found.gone.update(_where(numbers, pc.fill_null(chosen["gone"], False)))
        differs = settings.differ(chosen)
        for place in np.flatnonzero(chosen["bitstream_row"].is_valid().to_numpy()):
            image_id = ids[place]
            found.stored[image_id] = numbers[place]
            (found.differing.add if differs[place] else found.differing.discard)(image_id)
    return found


def _where(numbers: list[int], mask: pa.ChunkedArray) -> list[int]:
    return [numbers[place] for place in np.flatnonzero(mask.to_numpy())]
