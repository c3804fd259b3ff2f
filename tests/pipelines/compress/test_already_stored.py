"""What the archive says of a listing, against a dictionary that says the same."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassplate.codecs import Target
from glassplate.pipelines.compress.changes import catalogue
from glassplate.pipelines.compress.changes.already_stored import ask
from glassplate.pipelines.compress.changes.catalogue import Catalogue
from glassplate.pipelines.compress.changes.pictures_held import pictures
from glassplate.pipelines.compress.changes.settings import Settings
from glassplate.pipelines.sources.extent import Extent
from glassplate.pipelines.sources.places.refs import SourceRef
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import CODEC, commit, encoded, failed

NAMES = st.sampled_from([f"{n}.png" for n in range(6)])
RUNS = st.lists(
    st.dictionaries(NAMES, st.one_of(st.integers(1, 3), st.none()), min_size=1), min_size=1,
    max_size=4,
)  # fmt: skip
LISTING = st.dictionaries(NAMES, st.integers(0, 3))
SETTINGS = Settings(CODEC.spec.fingerprint, Target())


@settings(max_examples=10, deadline=None)
@given(RUNS, LISTING, st.booleans())
def test_unchanged_is_what_has_the_newest_version(
    runs: list[dict[str, int | None]], listing: dict[str, int], retry_failed: bool
) -> None:
    newest: dict[str, int | None] = {}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "CHUNK_ROWS", 1)
        store = Store(folder)
        for run in runs:
            rows = [failed(n) if seed is None else encoded(n, seed) for n, seed in run.items()]
            snapshot = commit(store, rows)
            newest |= run
        refs = [
            SourceRef(f"file:///photos/{name}", "", name, f"1:{version}")
            for name, version in listing.items()
        ]
        held = Catalogue(store, snapshot)
        extent = Extent("file:///photos/")
        known, absent = ask(held, refs, SETTINGS, extent, retry_failed=retry_failed)
        for ref, same, holds in zip(refs, known.same, known.holds, strict=True):
            seed = newest.get(ref.name, -1)
            held_version = f"1:{seed or 0}" if seed != -1 else None
            # what failed when it was read is read again; `failed` rows say so
            assert same == (ref.version == held_version and seed is not None)
            assert holds == (seed not in (None, -1))
        lacking = {f"file:///photos/{name}" for name in newest.keys() - listing.keys()}
        assert set(absent.uris) == lacking
        assert held.values(np.array(absent.numbers, int), "source_uri") == absent.uris
        size = encoded("x", 1).image.source_bytes
        assert held.sizes() == ({size} if any(any(run.values()) for run in runs) else set())
        stored = {encoded(n, s).image.image_id for r in runs for n, s in r.items() if s}
        found = pictures(held, [one for one in stored if one], SETTINGS)
        assert found.stored.keys() == set(found.ids.values()) == stored
        assert pictures(held, [], SETTINGS).ids == {}
