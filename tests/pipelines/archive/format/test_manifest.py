"""Manifests from a stranger: whatever they say, nothing outside of the archive is touched."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glassplate.pipelines.archive.format.snapshots import (
    current_snapshot,
    manifest_path,
    read_snapshot,
)
from glassplate.pipelines.archive.read.reader import open_archive
from glassplate.pipelines.archive.upkeep.compact import compact_archive
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.errors import ArchiveError, ManifestError
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import Rows, commit, encoded
from tests.pipelines.archive.hostile import Change, put, remove, rewrite_manifest, write_manifest

RUN = "20260101T000000Z-abcdef"
NAME = "0" * 64 + ".parquet"
SOUND = f"images/run={RUN}/{NAME}"

OUTSIDE = [
    f"../precious/run={RUN}/{NAME}",
    f"images/run={RUN}/../../../precious/{NAME}",
    f"images/../../precious/run={RUN}/{NAME}",
    "/etc/passwd",
    f"/{SOUND}",
    f"//host/share/{SOUND}",
    f"C:/{SOUND}",
    f"C:\\images\\run={RUN}\\{NAME}",
    SOUND.replace("/", "\\"),
    f"images/run={RUN}\\..\\..\\{NAME}",
    f"file:///{SOUND}",
    f"https://example.org/{SOUND}",
    f"images//run={RUN}/{NAME}",
    f"./{SOUND}",
    f"images/./run={RUN}/{NAME}",
    f"{SOUND}/",
    f"{SOUND}\n",
    f" {SOUND}",
    f"images/run={RUN}/\x00{NAME}",
    f"images/{NAME}",  # no run
    f"images/run=/{NAME}",
    f"images/run=..%2f/{NAME}",
    f"images/run=2026O101T000000Z-abcdef/{NAME}",
    f"images/run=٢٠٢٦٠١٠١T٠٠٠٠٠٠Z-abcdef/{NAME}",
    f"images/run={RUN}/{'0' * 63}.parquet",
    f"images/run={RUN}/{'0' * 64}.exe",
    f"bitstreams/run={RUN}/{NAME}",  # a place, but not that of a catalogue
    "_staging/key/images.parquet",
    "_manifests/00000001.json",
    "archive.json",
    "",
    "x" * 100_000,
]


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    local = request.param == "local"
    store = Store(str(tmp_path / "archive") if local else f"memory://{uuid.uuid4()}/archive")
    commit(store, [encoded("a.png", 1)])
    commit(store, [encoded("b.png", 2)])
    return store


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """What nothing may touch, beside the archive, where the paths of `OUTSIDE` lead."""
    file = tmp_path / "precious" / f"run={RUN}" / NAME
    file.parent.mkdir(parents=True)
    file.write_bytes(b"of great value")
    return file


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_file_that_is_not_in_its_place_is_refused(
    store: Store, precious: Path, path: str
) -> None:
    rewrite_manifest(store, 2, put("shards", 0, "images", "path", value=path))
    with pytest.raises(ManifestError, match=r"^_manifests/00000002\.json: "):
        read_snapshot(store, 2)
    assert open_archive(store.url).manifest.number == 1  # as with any manifest that is damaged
    report = verify_archive(open_archive(store.url))
    assert [damage.path for damage in report.damages] == [manifest_path(2)]
    compact_archive(store, keep_snapshots=1)
    assert precious.read_bytes() == b"of great value"


@pytest.mark.parametrize(
    "place",
    [
        ("shards", 0, "bitstreams", "path"),
        ("shards", 0, "latents", "path"),
        ("id_index", 0, "path"),
        ("name_index", 0, "path"),
        ("models", 0, "path"),
    ],
)
@pytest.mark.parametrize("path", ["../precious/x", "/etc/passwd", f"images/run={RUN}/{NAME}"])
def test_every_kind_of_file_has_its_own_place(
    store: Store, place: tuple[str | int, ...], path: str
) -> None:
    rewrite_manifest(store, 2, put(*place, value=path))
    with pytest.raises(ManifestError, match="is no place in an archive for its"):
        read_snapshot(store, 2)


WRONG: list[tuple[Change, str]] = [
    (put("shards", 0, "images", "rows", value=2**31), "rows"),
    (put("shards", 0, "images", "rows", value=10**40), "rows"),
    (put("shards", 0, "images", "rows", value=-1), "rows"),
    (put("shards", 0, "images", "rows", value=1.5), "rows"),
    (put("shards", 0, "images", "rows", value="many"), "rows"),
    (put("shards", 0, "images", "bytes", value=2**63), "bytes"),
    (put("shards", 0, "images", "sha256", value="0" * 63), "sha256"),
    (put("shards", 0, "images", value=None), "images"),
    (put("shards", 0, value=[]), r"shards\.0"),
    (put("shards", value={}), "shards"),
    (put("codecs", value={"../../x": "jxl"}), "codecs"),
    (put("codecs", value={"/etc": "jxl"}), "codecs"),
    (put("codecs", value=[]), "codecs"),
    (put("run", "run_id", value="../../x"), "run_id"),
    (put("run", "run_id", value="20261399T000000Z-abcdef"), "run_id"),
    (put("run", "run_id", value="99991231T235959Z-abcdef"), "run_id"),
    (put("run", "run_id", value=7), "run_id"),
    (put("run", "options", value=[]), "options"),
    (put("number", value=0), "number"),
    (put("number", value=7), "is that of snapshot 7"),
    (put("format_version", value="new"), "format_version"),
    (put("surprise", value=1), "surprise"),
    (remove("run"), "run"),
    (remove("shards", 0, "images"), "images"),
]


@pytest.mark.parametrize(("change", "named"), WRONG)
def test_what_a_manifest_cannot_say_is_named(store: Store, change: Change, named: str) -> None:
    rewrite_manifest(store, 2, change)
    with pytest.raises(ManifestError, match=named) as caught:
        read_snapshot(store, 2)
    assert caught.value.subject == "_manifests/00000002.json"
    assert len(str(caught.value)) < 400


def test_one_path_is_one_file(store: Store) -> None:
    def contradict(snapshot: dict[str, Any]) -> None:
        again = snapshot["shards"][0]["images"] | {"rows": 9}
        snapshot["shards"].append({"images": again})

    rewrite_manifest(store, 2, contradict)
    with pytest.raises(ManifestError, match="named twice"):
        read_snapshot(store, 2)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"run":' * 5_000 + "1" + "}" * 5_000, "1e999", ""]
)
def test_deep_and_strange_json_is_a_typed_error(store: Store, text: str) -> None:
    write_manifest(store, manifest_path(2), text)
    with pytest.raises(ManifestError):
        read_snapshot(store, 2)
    store.write("archive.json", text.encode())
    with pytest.raises(ArchiveError, match=r"archive\.json cannot be read"):
        open_archive(store.url)


def test_an_archive_of_such_manifests_alone_says_what_is_wrong(store: Store) -> None:
    for number in (1, 2):
        rewrite_manifest(store, number, put("shards", 0, "images", "path", value="../../x"))
    with pytest.raises(ArchiveError, match=re.escape("_manifests/00000002.json: ")):
        current_snapshot(store)


def test_a_manifest_that_is_being_forgotten_deletes_nothing_outside(
    store: Store, precious: Path
) -> None:
    path = manifest_path(1)
    rewrite_manifest(store, 1, put("models", 0, "path", value=f"../precious/run={RUN}/{NAME}"))
    store.write(path + ".expired", store.read(path))
    store.delete(path)
    assert compact_archive(store, keep_snapshots=1).expired.files == 0
    assert precious.exists()
    assert store.exists(path + ".expired")


def test_absurd_counts_take_no_memory(store: Store) -> None:
    """The manifest says two thousand million rows, of a file that is not what it says."""
    for table in ("images", "bitstreams"):
        rewrite_manifest(store, 2, put("shards", 1, table, "rows", value=2**31 - 1))
        rewrite_manifest(store, 2, put("shards", 1, table, "sha256", value="0" * 64))
    report = verify_archive(open_archive(store.url))
    assert len(report.damages) == 2


def test_rows_that_no_run_writes_are_not_merged(store: Store) -> None:
    strange = encoded("c.png", 3)
    image = replace(strange.image, codec_fingerprint="../../x")
    with pytest.raises(ValueError, match="codecs"):
        commit(store, [Rows(image, strange.bitstream, strange.latent)])
