"""Frequency tables: integers stored with the weights, so that every machine codes with the same.

A table for symbols -r..r has 2r + 2 entries: the last is the escape, after which a symbol beyond
+-r follows in 16 plain bits. The entropy coder gives each entry a frequency one higher than
stored; stored ones sum to 2^24 less the number of entries, which makes its scaling exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from glassplate.codecs.errors import WeightsError

TOTAL = 1 << 24
ESCAPE_RANGE = 1 << 15
LAZY_UP_TO = 12
"""Entries; up to here looking through a table beats a search by halves."""
Table = npt.NDArray[np.int32]


def quantize(weights: npt.NDArray[np.float64]) -> Table:
    """Positive weights to a table: integers that sum to 2^24 less their number."""
    free = TOTAL - len(weights)
    table: Table = np.floor(weights / weights.sum() * free).astype(np.int32)
    table[np.argmax(table)] += free - int(table.sum())
    return table


class FrequencyTable:
    """One table, with the entropy coder's model built on first use."""

    def __init__(self, table: Table) -> None:
        """Raises WeightsError if the table is not one."""
        sound = len(table) >= 2 and len(table) % 2 == 0 and int(table.min()) >= 0
        if not sound or int(table.sum(dtype=np.int64)) != TOTAL - len(table):
            raise WeightsError("a frequency table does not add up", "Use sound weights.")
        self.table = table
        self.reach = len(table) // 2 - 1

    @cached_property
    def model(self) -> Any:
        """What `constriction` codes with; a lazy model says the same, and is faster for a few."""
        return constriction.stream.model.Categorical(
            self.table.astype(np.float32), perfect=False, lazy=len(self.table) <= LAZY_UP_TO
        )


def split(values: Table, sizes: Sequence[int]) -> list[FrequencyTable]:
    """Tables stored one after the other. Raises WeightsError if sizes and values disagree."""
    if sum(sizes) != len(values) or min(sizes) < 2:
        raise WeightsError("frequency tables are cut short", "Use sound weights.")
    return [FrequencyTable(part) for part in np.split(values, np.cumsum(sizes)[:-1])]
