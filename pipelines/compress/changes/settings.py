"""By which settings pictures are stored, and whether others would store them in another way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glassplate.codecs import Codec, FileCodec, Target

Mask = npt.NDArray[np.bool_]
"""(n,) one for each row."""

STORED = pa.array(["encoded", "kept"])
"""Statuses of rows that hold a picture."""
_BY_THE_CODEC = pa.array(["alpha", "codec-limit", "encode-failed", "not-smaller", "target-missed"])
"""Reasons for keeping a file that are about the codec that was asked for, not about the file."""


@dataclass(frozen=True)
class Settings:
    """The codec and target of a run: with others a picture may be stored in another way."""

    codec_fingerprint: str
    target: Target

    @classmethod
    def of(cls, codec: Codec | FileCodec, target: Target) -> Self:
        """No target is the codec's own quality, whatever that is in a later version."""
        quality = getattr(codec, "default_quality", None)
        if target == Target() and quality is not None:
            target = Target(quality=quality)
        return cls(codec.spec.fingerprint, target)

    @property
    def fingerprint(self) -> str:
        """As in the catalogue's column `settings`."""
        return hashlib.sha256(f"{self.codec_fingerprint} {self.target}".encode()).hexdigest()

    def differ(self, rows: pa.Table) -> Mask:
        """(n,) whether each picture would be encoded anew with these settings.

        Older rows do not say what was asked for, only by which codec they are stored.
        """
        unlike = pc.or_(
            pc.not_equal(rows["codec_fingerprint"], self.codec_fingerprint),
            pc.not_equal(targets(rows), str(self.target)),
        )
        said = rows["settings"].is_valid()
        differ = pc.if_else(said, pc.not_equal(rows["settings"], self.fingerprint), unlike)
        encoded = pc.or_(pc.equal(rows["status"], "encoded"), pc.invert(rows["bit_exact"]))
        kept = pc.and_(said, pc.is_in(rows["reason"], value_set=_BY_THE_CODEC))
        wanted = pc.and_(sure(differ), pc.or_(sure(encoded), sure(kept)))
        return as_mask(pc.and_(wanted, rows["codec_fingerprint"].is_valid()))


@dataclass(frozen=True)
class SettingsByName:
    """Those of each way that a run's rules make, and which of them a file's name goes."""

    ways: Sequence[Settings]
    way_of: Callable[[str], int]

    def differ(self, rows: pa.Table) -> Mask:
        """(n,) as `Settings.differ`, each row by the way that its name goes."""
        found = [settings.differ(rows) for settings in self.ways]
        if len(found) == 1:
            return found[0]
        ways = [self.way_of(name) for name in rows["name"].to_pylist()]
        chosen: Mask = np.stack(found)[ways, np.arange(len(ways))]
        return chosen


def targets(rows: pa.Table) -> pa.ChunkedArray:
    """(n,) what was asked for: 'quality=75' also where that was the codec's own."""
    target = rows["target"]
    plain = pc.and_(pc.equal(target, "default"), rows["quality"].is_valid())
    whole = pc.if_else(plain, rows["quality"], None)
    qualities = pc.dictionary_encode(whole.combine_chunks())
    texts = [
        None if q is None else str(Target(quality=q)) for q in qualities.dictionary.to_pylist()
    ]
    return pc.if_else(plain, pa.array(texts, pa.string()).take(qualities.indices), target)


def sure(values: Any) -> Any:
    """A column of truth values: no, where nothing is known."""
    return pc.fill_null(values, False)


def as_mask(values: Any) -> Mask:
    """The same as a mask."""
    array: Mask = sure(values).to_numpy(zero_copy_only=False).astype(np.bool_)
    return array
