"""Archives and plans from a stranger: nothing is written outside of the output folder."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from glassplate.codecs import FileCodec, get_codec
from glassplate.codecs.errors import ConfigError
from glassplate.pipelines.archive.format.schema import BitstreamRow, ImageRow
from glassplate.pipelines.errors import ArchiveError, ShardDamagedError
from glassplate.pipelines.retrieve.planning import PLAN, RetrieveConfig, plan_retrieve
from glassplate.pipelines.retrieve.run import retrieve
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import Rows, commit

NAMES = [
    "../../escaped.png",
    "/escaped.png",
    "_retrieve/plan.json",
    "_Retrieve/x.png",
    "_retrieve",
    "same.png",
    "SAME.png",
    "a",
    "a/b.png",
    "nul",
    "null\0byte.png",
    "x" * 300 + ".png",
    "deep/" * 300 + "x.png",
    "suffix." + "y" * 300,
]


def kept(name: str, image_id: str | None = None) -> Rows:
    """A picture that is stored as the file that it was."""
    original = get_codec("original")
    assert isinstance(original, FileCodec)
    sink = io.BytesIO()
    Image.new("L", (2, 2), len(name) % 256).save(sink, "PNG", comment=name)
    data = sink.getvalue() + name.encode()
    stream = original.encode_file(data)
    row = ImageRow(
        source_uri=f"file:///{name}",
        name=name,
        source_version="1:1",
        status="kept",
        image_id=image_id or hashlib.sha256(data).hexdigest(),
        codec="original",
        codec_fingerprint=original.spec.fingerprint,
        bit_exact=True,
        format="PNG",
        width=2,
        height=2,
        source_bytes=len(data),
        stored_bytes=len(stream),
    )
    return Rows(row, BitstreamRow(row.image_id or "", stream))


def archive_of(folder: Path, *rows: Rows) -> RetrieveConfig:
    store = Store(str(folder / "inner" / "archive"))
    commit(store, list(rows), specs=[get_codec("original").spec])
    return RetrieveConfig(archive=store.url, out=str(folder / "inner" / "out"), device="cpu")


def test_every_picture_of_a_hostile_catalogue_is_given_back_inside(tmp_path: Path) -> None:
    config = archive_of(tmp_path, *map(kept, NAMES))
    result = retrieve(config)
    assert [row.error_message for row in result.rows if row.status == "failed"] == []
    for row in result.rows:
        data = Path(config.out, row.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row.image_id
    files = [p for p in tmp_path.rglob("*") if p.is_file() and not p.is_relative_to(config.archive)]
    assert all(path.is_relative_to(config.out) for path in files)
    assert len([p for p in files if "_retrieve" not in p.parts]) == len(NAMES)
    assert retrieve(config).ledger == result.ledger  # the plan can be read again


def change_plan(config: RetrieveConfig, **changes: Any) -> Path:
    """A plan on which someone else has laid hands."""
    plan_retrieve(config)
    path = Path(config.out, PLAN)
    plan = json.loads(path.read_text())
    plan["shards"][0]["items"][0] |= changes
    path.write_text(json.dumps(plan))
    return path


@pytest.mark.parametrize(
    "file",
    [
        "../escaped.png",
        "/tmp/escaped.png",
        "_retrieve/x.json",
        "_RETRIEVE/x",
        "a\\..\\b",
        "",
        "a//b",
    ],
)
def test_a_plan_that_leads_outside_is_refused(tmp_path: Path, file: str) -> None:
    config = archive_of(tmp_path, kept("one.png"))
    change_plan(config, file=file)
    with pytest.raises(ConfigError, match="is no plan of a retrieval: ") as caught:
        retrieve(config)
    assert caught.value.subject == f"{config.out}/{PLAN}"


def test_a_plan_of_two_pictures_in_one_file_is_refused(tmp_path: Path) -> None:
    config = archive_of(tmp_path, kept("one.png"), kept("two.png"))
    change_plan(config, file="two.png")
    with pytest.raises(ConfigError, match="two pictures would become one file"):
        retrieve(config)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[]", '{"fingerprint": 1}'])
def test_a_plan_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    config = archive_of(tmp_path, kept("one.png"))
    change_plan(config).write_text(text)
    with pytest.raises(ConfigError, match="is no plan of a retrieval"):
        retrieve(config)


def test_a_link_in_the_output_folder_is_not_followed(tmp_path: Path) -> None:
    config = archive_of(tmp_path, kept("holiday/one.png"), kept("two.png"))
    plan_retrieve(config)
    (tmp_path / "elsewhere").mkdir()
    Path(config.out, "holiday").symlink_to(tmp_path / "elsewhere")
    result = retrieve(config)
    assert {row.name: row.error_code for row in result.rows} == {
        "holiday/one.png": "outside",
        "two.png": None,
    }
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("image_id", ["../../x", "0" * 63, "not an id"])
def test_an_id_that_is_none_is_refused(tmp_path: Path, image_id: str) -> None:
    config = archive_of(tmp_path, kept("one.png", image_id))
    with pytest.raises((ShardDamagedError, ArchiveError), match="the catalogue"):
        retrieve(config)
