"""References that may be equal, or stored already: those are read and hashed, and go together."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from glassplate.codecs.errors import InputError
from glassplate.pipelines.compress.changes.catalogue import Numbers
from glassplate.pipelines.compress.changes.settings import Mask
from glassplate.pipelines.sources.places.refs import SourceRef
from glassplate.pipelines.sources.reading import read_source

logger = logging.getLogger(__name__)

_HASHING_THREADS = 4


def grouped(
    refs: Sequence[SourceRef],
    places: Iterable[int],
    ids: Mapping[int, str],
    first: Mask | None = None,
) -> list[list[SourceRef]]:
    """References in their order, equal files together: one shard stores them once.

    first: (n,) those that come first among their equals.
    """
    groups: dict[str, list[int]] = {}
    for place in sorted(places):
        groups.setdefault(ids.get(place) or refs[place].uri, []).append(place)
    if first is not None:
        for group in groups.values():
            group.sort(key=lambda place: not first[place])
    return [[refs[place] for place in group] for group in groups.values()]


def hashes(
    refs: Sequence[SourceRef],
    places: Iterable[int],
    known: Numbers | None = None,
    sizes: Callable[[], Collection[int]] = tuple,
) -> dict[int, str]:
    """Ids of the references that may equal another one, or what is stored. Only those are read.

    known: number of the newest row of each, -1 if there is none.
    sizes: those of the stored files.
    """
    readable = [place for place in places if not refs[place].outcome and refs[place].size != 0]
    counts = Counter(refs[place].size for place in readable)
    stored = sizes() if readable else ()
    suspects = [
        place
        for place in readable
        if (size := refs[place].size) in stored
        or (counts[size] > 1 if size else known is not None and known[place] >= 0)
    ]
    with ThreadPoolExecutor(_HASHING_THREADS) as pool:
        found = zip(suspects, pool.map(_hash, (refs[place] for place in suspects)), strict=True)
        return {place: image_id for place, image_id in found if image_id}


def _hash(ref: SourceRef) -> str | None:
    try:
        return hashlib.sha256(read_source(ref, hurried=True)).hexdigest()
    except InputError as error:  # the worker will meet it again, and say so in the ledger
        logger.debug("not compared with others: %s", error)
        return None
