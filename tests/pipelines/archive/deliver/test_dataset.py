"""Exporting what a stranger's archive holds: no file name and no array is taken on trust."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glassplate.pipelines.archive.deliver.dataset import export
from glassplate.pipelines.archive.read.reader import open_archive
from glassplate.pipelines.errors import ShardDamagedError
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import Rows, commit, encoded


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "archive"))


def with_id(rows: Rows, image_id: str) -> Rows:
    assert rows.bitstream
    assert rows.latent
    return Rows(
        replace(rows.image, image_id=image_id),
        replace(rows.bitstream, image_id=image_id),
        replace(rows.latent, image_id=image_id),
    )


def test_members_are_named_by_ids_whatever_the_pictures_are_called(
    store: Store, tmp_path: Path
) -> None:
    commit(store, [encoded("../../x.png", 1), encoded("/etc/passwd", 2)])
    (path,) = export(open_archive(store.url), tmp_path / "out", "webdataset", pictures=True).files
    with tarfile.open(path) as tar:
        names = tar.getnames()
    assert len(names) == 6
    assert all("/" not in name and len(name.partition(".")[0]) == 64 for name in names)


@pytest.mark.parametrize("image_id", ["../../x", "/etc/passwd", "a" * 63 + "/"])
@pytest.mark.parametrize("form", ["webdataset", "parquet"])
def test_an_id_that_is_none_is_refused(
    store: Store, tmp_path: Path, image_id: str, form: str
) -> None:
    commit(store, [encoded("a.png", 1), with_id(encoded("b.png", 2), image_id)])
    with pytest.raises(ShardDamagedError, match="the catalogue: has an id that is none"):
        export(open_archive(store.url), tmp_path / "out", form)


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "object"},
        {"dtype": "V1000000000"},
        {"dtype": "no such"},
        {"shape": [1, 1, 2**30]},
        {"shape": [1, 1]},
        {"shape": [-1, -1, 2]},
        {"scale": [1.0, 2.0, 3.0]},
        {"latent": b""},
    ],
)
def test_a_latent_that_is_none_is_a_typed_error(
    store: Store, tmp_path: Path, change: dict[str, Any]
) -> None:
    rows = encoded("a.png", 1)
    assert rows.latent
    changed = replace(rows.latent, **({"shape": [2, 1, 1]} | change))
    commit(store, [replace(rows, latent=changed)])
    with pytest.raises(ShardDamagedError, match="latent cannot be read"):
        export(open_archive(store.url), tmp_path / "out", "webdataset")
