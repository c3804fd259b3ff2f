"""archive.json: known again, and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glassplate.pipelines.archive.read.reader import open_archive
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.errors import ArchiveError
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import commit, encoded


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "archive"))
    commit(store, [encoded("a.png", 1)])
    return store


def rewrite(store: Store, **changes: Any) -> None:
    identity = json.loads(store.read("archive.json")) | changes
    store.write(
        "archive.json", json.dumps({k: v for k, v in identity.items() if v != "-"}).encode()
    )


def damaged(store: Store) -> list[str]:
    return [damage.path for damage in verify_archive(open_archive(store.url)).damages]


def test_a_changed_identity_is_damage(store: Store) -> None:
    assert damaged(store) == []
    rewrite(store)  # other white space says the same
    assert damaged(store) == []
    rewrite(store, id="00000000-0000-0000-0000-000000000000")
    assert damaged(store) == ["archive.json"]


def test_an_identity_from_before_there_were_checksums_is_sound(store: Store) -> None:
    rewrite(store, checksum="-")
    assert damaged(store) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": "../../x"}, "not an archive, but a '../../x'"),
        ({"format": None}, "cannot be read"),
        ({"version": 99}, "format 99 is not known"),
        ({"version": "-"}, "cannot be read"),
        ({"version": {}}, "cannot be read"),
    ],
)
def test_what_is_no_archive_of_ours_is_refused(
    store: Store, change: dict[str, Any], named: str
) -> None:
    rewrite(store, **change)
    with pytest.raises(ArchiveError, match=named):
        open_archive(store.url)
