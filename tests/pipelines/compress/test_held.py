"""What the archive says of a listing, against a dictionary that says the same."""

from __future__ import annotations

import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassplate.pipelines.compress import already_stored as held
from glassplate.pipelines.sources.refs import SourceRef
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import commit, encoded, failed

NAMES = st.sampled_from([f"{n}.png" for n in range(6)])
RUNS = st.lists(
    st.dictionaries(NAMES, st.one_of(st.integers(1, 3), st.none()), min_size=1), min_size=1,
    max_size=4,
)  # fmt: skip
LISTING = st.dictionaries(NAMES, st.integers(0, 3))


@settings(max_examples=10, deadline=None)
@given(RUNS, LISTING, st.booleans())
def test_unchanged_is_what_has_the_newest_version(
    runs: list[dict[str, int | None]], listing: dict[str, int], retry_failed: bool
) -> None:
    newest: dict[str, int | None] = {}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(held, "_CHUNK_ROWS", 1)
        store = Store(folder)
        for run in runs:
            rows = [failed(n) if seed is None else encoded(n, seed) for n, seed in run.items()]
            snapshot = commit(store, rows)
            newest |= run
        refs = [
            SourceRef(f"file:///photos/{name}", "", name, f"1:{version}")
            for name, version in listing.items()
        ]
        same = held.unchanged(store, snapshot, refs, retry_failed)
        for ref, answer in zip(refs, same, strict=True):
            seed = newest.get(ref.name, -1)
            held_version = f"1:{seed or 0}" if seed != -1 else None
            assert answer == (ref.version == held_version and not (retry_failed and seed is None))
        size = encoded("x", 1).image.source_bytes
        assert size
        found = held.stored_ids(store, snapshot, {size, size + 1})
        stored = {encoded(n, s).image.image_id for r in runs for n, s in r.items() if s}
        assert found.get(size, set()) == stored
        assert held.stored_ids(store, snapshot, set()) == {}
