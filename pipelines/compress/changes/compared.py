"""What has changed in a source since the archive's newest snapshot, and what follows for a run.

    the same version           unchanged: no row
    another version            read and hashed, if its size is that of a stored file
      bytes that are stored    carried: the row is copied, nothing is encoded
      other bytes              new: for a worker
    not listed, not there      gone: carried, and marked

Each picture has one source whose row says `encoded` or `kept`, and goes on to; its others are
duplicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from glassplate.pipelines.compress.changes.absent import Absent
from glassplate.pipelines.compress.changes.already_stored import Known, ask
from glassplate.pipelines.compress.changes.carried import Carried
from glassplate.pipelines.compress.changes.catalogue import Catalogue
from glassplate.pipelines.compress.changes.equal_files import grouped, hashes
from glassplate.pipelines.compress.changes.pictures_held import pictures
from glassplate.pipelines.compress.changes.settings import Mask, SettingsByName
from glassplate.pipelines.sources.extent import Extent, are_gone
from glassplate.pipelines.sources.places.refs import SourceRef


@dataclass(frozen=True)
class Changes:
    """What a run has to do.

    groups: references for workers; equal files together, in their order.
    carried: rows to be copied.
    fallbacks: URI -> what is stored, for references that fail; see `instead`.
    failed_before: URIs of references that failed in the run before, too.
    otherwise: pictures that other settings stored and this run leaves, by codec and target.
    """

    groups: list[list[SourceRef]]
    carried: list[Carried] = field(default_factory=list)
    fallbacks: dict[str, Carried] = field(default_factory=dict)
    unchanged: int = 0
    failed_before: frozenset[str] = frozenset()
    otherwise: Counter[tuple[str, str]] = field(default_factory=Counter)


def all_new(refs: Sequence[SourceRef]) -> Changes:
    """What a run has to do for a new archive."""
    everything = range(len(refs))
    return Changes(grouped(refs, everything, hashes(refs, everything)))


def changes(
    catalogue: Catalogue,
    refs: Sequence[SourceRef],
    settings: SettingsByName,
    extent: Extent | None,
    *,
    retry_failed: bool = False,
    reencode: bool = False,
    with_latents: Set[str] | None = None,
) -> Changes:
    """Compare a listing with the catalogue. Reads the files that may be stored already.

    reencode: pictures that other settings stored are for workers.
    with_latents: ids of pictures whose latents are stored; the others get theirs. None: nobody
        asked.
    """
    known, absent = ask(catalogue, refs, settings, extent, retry_failed=retry_failed)
    return _Comparison(catalogue, refs, known, absent, settings, reencode).changes(with_latents)


class _Comparison:
    """References are called by their places in the listing, rows by their catalogue numbers.

    gone: newest rows of sources that are gone now. ids: image ids of references that may be stored
    already. heirs: unchanged duplicates of pictures whose holder is gone or has changed.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        refs: Sequence[SourceRef],
        known: Known,
        absent: Absent,
        settings: SettingsByName,
        reencode: bool,
    ) -> None:
        self.catalogue, self.refs, self.known = catalogue, refs, known
        self.gone = _gone(absent)
        self.ids = self._image_ids(reencode)
        self.heirs = self._heirs()
        self.pictures = pictures(catalogue, set(self.ids.values()), settings)
        self.redone = self._redone(reencode)

    def changes(self, with_latents: Set[str] | None = None) -> Changes:
        """What follows for the run."""
        known = self.known
        copied, new = self._copied_and_new()
        held = self._held_elsewhere() | self._held_here(copied | new)
        returned = set(np.flatnonzero(known.same & known.gone).tolist()) - copied - new
        inputs = [Carried(*self._newest(place)) for place in sorted(returned)]
        inputs += self._copies(copied, held)
        if with_latents is not None:
            lacking = self._lacking(with_latents) - copied - new - returned
            inputs += [Carried(*self._newest(place), latent=True) for place in sorted(lacking)]
        gone = [Carried(*self.catalogue.place(number), gone=True) for number in sorted(self.gone)]
        failed = np.flatnonzero(known.failed & ~known.same).tolist()
        return Changes(
            groups=grouped(self.refs, new, self.ids, known.holds),
            carried=gone + inputs,
            fallbacks=self._fallbacks(new),
            unchanged=len(self.refs) - len(new) - len(inputs),
            failed_before=frozenset(self.refs[place].uri for place in failed),
            otherwise=Counter() if self.redone else known.otherwise,
        )

    def _image_ids(self, reencode: bool) -> dict[int, str]:
        """By hashing, or, where the version is the same, as the catalogue says."""
        known = self.known
        ids = hashes(self.refs, np.flatnonzero(~known.same), known.number, self.catalogue.sizes)
        return ids | self._said(known.same & (known.bare | known.gone | known.retried | reencode))

    def _heirs(self) -> set[int]:
        """Found among the duplicates, whose ids become known."""
        known = self.known
        lost = known.number[known.holds & ~known.same].tolist()
        lost += [number for number, holds in self.gone.items() if holds]
        if not lost or not known.duplicate.any():
            return set()
        ids = set(self.catalogue.values(np.array(lost), "image_id"))
        said = self._said(known.same & known.duplicate & ~known.bare & ~known.gone)
        heirs = {place: image_id for place, image_id in said.items() if image_id in ids}
        self.ids |= heirs
        return set(heirs)

    def _said(self, chosen: Mask) -> dict[int, str]:
        """Image ids in the newest rows of the chosen references."""
        places = np.flatnonzero(chosen & (self.known.number >= 0))
        values = self.catalogue.values(self.known.number[places], "image_id")
        return {place: v for place, v in zip(places.tolist(), values, strict=True) if v}

    def _redone(self, reencode: bool) -> set[str]:
        """Ids of the pictures that are encoded anew."""
        again = np.flatnonzero(self.known.retried).tolist()
        retried = {self.ids[place] for place in again if place in self.ids}
        if not reencode:
            return retried
        differing = np.flatnonzero(self.known.differs & self.known.same)
        mine = {self.ids[place] for place in differing.tolist() if place in self.ids}
        return retried | mine | self.pictures.differing.intersection(self.ids.values())

    def _copied_and_new(self) -> tuple[set[int], set[int]]:
        """References whose bytes are stored, and those that are for workers."""
        known = self.known
        read = set(np.flatnonzero(~known.same).tolist())
        changed = read | set(np.flatnonzero(known.bare | known.gone).tolist()) | self.heirs
        again = self._again()
        stored = {place for place in changed - again if self.ids.get(place) in self.pictures.stored}
        return stored, (read - stored) | again

    def _again(self) -> set[int]:
        """References whose pictures are stored, and are encoded anew."""
        return {place for place, image_id in self.ids.items() if image_id in self.redone}

    def _fallbacks(self, new: set[int]) -> dict[str, Carried]:
        """What is stored of references that are to be read, or encoded anew."""
        known, again = self.known, self._again()
        found = {}
        for place in new:
            ref = self.refs[place]
            if known.holds[place] or (known.duplicate[place] and not known.bare[place]):
                row, source = self._newest(place), (ref.uri, ref.name, "", ref.fields)
            elif place in again:
                row = self.catalogue.place(self.pictures.stored[self.ids[place]])
                source = ref.source
            else:
                continue
            found[ref.uri] = Carried(*row, source=source, known=place in again)
        return found

    def _lacking(self, with_latents: Set[str]) -> set[int]:
        """References whose pictures are stored as they are, without the latents asked for."""
        said = self._said(self.known.same & self.known.holds)
        return {place for place, image_id in said.items() if image_id not in with_latents}

    def _held_elsewhere(self) -> set[str]:
        """Pictures that sources hold which are not listed; those that are gone become known."""
        found = self.pictures
        unlisted = sorted(found.sources - {ref.uri for ref in self.refs})
        if not unlisted:
            return set()
        numbers = self.catalogue.newest(pa.array(unlisted, pa.string())).tolist()
        current = {
            number: uri
            for number, uri in zip(numbers, unlisted, strict=True)
            if number in found.ids and number not in found.gone and number not in self.gone
        }
        for number, is_gone in zip(current, are_gone(list(current.values())), strict=True):
            if is_gone:
                self.gone[number] = number in found.holders
        return {found.ids[number] for number in found.holders & current.keys() - self.gone.keys()}

    def _held_here(self, touched: set[int]) -> set[str]:
        """Pictures that listed sources hold, and go on to."""
        found = self.pictures
        holding = np.flatnonzero(self.known.holds & self.known.same).tolist()
        numbers = self.known.number[[place for place in holding if place not in touched]].tolist()
        return {found.ids[number] for number in numbers if number in found.ids}

    def _copies(self, copied: set[int], held: set[str]) -> Iterator[Carried]:
        """New rows of sources whose bytes are stored; those that held a picture take it first."""
        for place in sorted(copied, key=self._claim):
            ref, image_id = self.refs[place], self.ids[place]
            if place in self.heirs and image_id in held:
                continue  # it stays the duplicate that it is
            yield Carried(
                *self.catalogue.place(self.pictures.stored[image_id]),
                source=ref.source,
                duplicate=image_id in held,
                known=self._had_it(place),
            )
            held.add(image_id)

    def _claim(self, place: int) -> tuple[bool, bool, int]:
        had_it = self._had_it(place)
        return not (had_it and self.known.holds[place]), not had_it, place

    def _had_it(self, place: int) -> bool:
        """Whether the newest row of a reference's source has the same picture already."""
        return self.pictures.ids.get(int(self.known.number[place])) == self.ids[place]

    def _newest(self, place: int) -> tuple[str, int]:
        return self.catalogue.place(int(self.known.number[place]))


def _gone(absent: Absent) -> dict[int, bool]:
    """Newest rows of sources that are not there any more, and whether they hold a picture."""
    rows = zip(absent.numbers, absent.holds, absent.unlistable, are_gone(absent.uris), strict=True)
    return {number: holds for number, holds, unlistable, gone in rows if gone or unlistable}
