"""Sources that the archive knows within the extent of a listing, and that the listing lacks."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glassplate.pipelines.compress.changes.catalogue import Catalogue, Numbers
from glassplate.pipelines.compress.changes.settings import STORED, as_mask
from glassplate.pipelines.sources.extent import Extent


@dataclass(frozen=True)
class Absent:
    """Their newest rows, but for those that say that the source is gone.

    number: in the catalogue. holds: whether the row says `encoded` or `kept`.
    unlistable: whether it could not be listed then: a folder, for example, that now can be.
    """

    uris: list[str]
    numbers: list[int]
    holds: list[bool]
    unlistable: list[bool]


class Absentees:
    """Collects them portion by portion, oldest first; of each row 24 bytes are held."""

    columns = ("source_uri", "status", "error_stage", "gone")

    def __init__(self, extent: Extent | None) -> None:
        self._extent = extent
        self._keys = [np.empty(0, np.uint64)]
        self._numbers: list[Numbers] = [np.empty(0, np.int64)]
        self._facts = [np.empty((0, 3), np.bool_)]

    def add(self, first: int, rows: pa.Table, unlisted: pa.Array) -> None:
        """Take down the rows of a portion whose sources are not listed."""
        if self._extent is None:
            return
        uris = rows["source_uri"]
        within = pc.and_(unlisted, pc.starts_with(uris, self._extent.prefix))
        if self._extent.suffix:
            within = pc.and_(within, pc.ends_with(uris, self._extent.suffix))
        places = np.flatnonzero(as_mask(within))
        if not len(places):
            return
        found = rows.select(self.columns).take(places)
        facts = (
            found["gone"],
            pc.is_in(found["status"], value_set=STORED),
            pc.equal(found["error_stage"], "list"),
        )
        self._keys.append(_hashed(found.select(["source_uri"])))
        self._numbers.append(first + places)
        self._facts.append(np.stack([as_mask(fact) for fact in facts], axis=1))

    def newest(self, catalogue: Catalogue) -> Absent:
        """The last row of each source, unless that says that it is gone."""
        keys, numbers = np.concatenate(self._keys), np.concatenate(self._numbers)
        facts = np.concatenate(self._facts)
        order = np.argsort(keys, kind="stable")
        last = np.append(np.diff(keys[order]) != 0, True)[: len(keys)]
        chosen = np.sort(order[last])
        chosen = chosen[~facts[chosen, 0]]
        uris = catalogue.values(numbers[chosen], "source_uri")
        return Absent(
            uris,
            numbers[chosen].tolist(),
            facts[chosen, 1].tolist(),
            facts[chosen, 2].tolist(),
        )


def _hashed(uris: pa.Table) -> npt.NDArray[np.uint64]:
    with duckdb.connect(config={"enable_external_access": False}) as connection:
        connection.register("uris", uris)
        keys: npt.NDArray[np.uint64] = connection.sql(
            "SELECT hash(source_uri) AS key FROM uris"
        ).fetchnumpy()["key"]
    return keys
