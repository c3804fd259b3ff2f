"""Data sets as ML people have them: WebDataset shards, Hugging Face Parquet, our own exports."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import fsspec
import odd_inputs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.deliver.dataset import export
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress
from glassplate.pipelines.sources.listing import list_source
from glassplate.pipelines.sources.reading import read_source

PICTURES = [odd_inputs.save(odd_inputs.photo(64, 48, left=9 * n), "PNG") for n in range(6)]


def write_shard(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as packed:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))


def sample(number: int, caption: str = "") -> dict[str, bytes]:
    about = {"id": number, "score": float("nan"), "tags": ["a", "b"]}
    return {
        f"{number:04}.png": PICTURES[number],
        f"{number:04}.txt": (caption or f"picture {number}").encode(),
        f"{number:04}.json": json.dumps(about).encode(),
        f"{number:04}.npy": b"\x93NUMPY",
    }


@pytest.fixture
def wds(tmp_path: Path) -> Path:
    for shard in range(3):
        write_shard(tmp_path / "wds" / f"{shard:05}.tar", sample(2 * shard) | sample(2 * shard + 1))
    return tmp_path / "wds"


def pictures(source: str | list[str]) -> dict[str, Any]:
    refs = [ref for ref in list_source(source).refs if ref.name.endswith(".png")]
    assert [read_source(ref) in PICTURES for ref in refs] == [True] * len(refs)
    return {ref.name: json.loads(ref.fields or "null") for ref in refs}


def test_shards_by_folder_glob_braces_and_name(wds: Path) -> None:
    everything = {
        f"{n // 2:05}/{n:04}.png": {"id": n, "tags": ["a", "b"], "txt": f"picture {n}"}
        for n in range(6)
    }
    assert pictures(str(wds)) == everything
    assert pictures(f"{wds}/*.tar") == everything
    assert pictures(f"{wds}/{{00000..00002}}.tar") == everything
    assert pictures([str(path) for path in sorted(wds.iterdir())]) == everything
    assert len(pictures(f"{wds}/{{00000..00001}}.tar")) == 4
    fs = fsspec.filesystem("memory")
    for path in wds.iterdir():
        fs.pipe_file(f"/shards/{path.name}", path.read_bytes())
    assert pictures("memory://shards") == everything
    assert pictures("memory://shards/{00000..00002}.tar") == everything


def test_a_broken_shard_is_one_row(wds: Path) -> None:
    (wds / "00001.tar").write_bytes(b"\xaa" * 2000)
    (wds / "00003.tar.gz").write_bytes(b"x")
    listing = list_source(str(wds))
    assert [ref.name for ref in listing.problems] == ["00001.tar", "00003.tar.gz"]
    assert len([ref for ref in listing.refs if ref.name.endswith(".png")]) == 4


def test_shards_among_pictures_are_left_alone(wds: Path, caplog: pytest.LogCaptureFixture) -> None:
    (wds / "cover.png").write_bytes(PICTURES[0])
    assert [ref.name for ref in list_source(str(wds)).refs] == [
        "00000.tar", "00001.tar", "00002.tar", "cover.png",
    ]  # fmt: skip
    assert "3 zip, tar or Parquet files among pictures are not looked into" in caplog.text


def write_parquet(path: Path, **more: Any) -> None:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": data, "path": f"{n}.png"} for n, data in enumerate(PICTURES[:3])]
    rows += [{"bytes": PICTURES[3], "path": None}, {"bytes": None, "path": "near.png"}, None]
    columns = {"label": list(range(6)), "text": [f"t{n}" for n in range(6)]}
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"image": pa.array(rows, kind), **columns, **more})
    pq.write_table(table, path, row_group_size=2)


def test_parquet_of_hugging_face(tmp_path: Path) -> None:
    path = tmp_path / "data" / "train-0.parquet"
    write_parquet(path, emb=pa.array([[0.5, 1.0]] * 6), blob=pa.array([b"x"] * 6))
    (path.parent / "near.png").write_bytes(PICTURES[4])
    refs = {ref.name: ref for ref in list_source(str(path)).refs}
    assert list(refs) == [
        "near.png", "train-0/0.png", "train-0/00000003", "train-0/00000005",
        "train-0/1.png", "train-0/2.png",
    ]  # fmt: skip
    assert read_source(refs["train-0/00000003"]) == PICTURES[3]
    assert read_source(refs["near.png"]) == PICTURES[4]
    blank = refs["train-0/00000005"].outcome
    assert blank
    assert blank[1] == "blank-entry"
    said = {"emb": [0.5, 1.0], "label": 1, "text": "t1"}
    assert json.loads(refs["train-0/1.png"].fields or "") == said
    (path.parent / "near.png").unlink()
    assert len(list_source(str(tmp_path)).refs) == 6
    fsspec.filesystem("memory").pipe_file("/hf/t.parquet", path.read_bytes())
    (far,) = [r for r in list_source("memory://hf/t.parquet").refs if r.name == "t/2.png"]
    assert read_source(far) == PICTURES[2]


def test_a_binary_column_that_is_called_like_a_picture(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [7, 8], "jpg": PICTURES[:2]}), tmp_path / "x.parquet")
    refs = list_source(str(tmp_path / "x.parquet")).refs
    assert [read_source(ref) for ref in refs] == PICTURES[:2]
    assert [ref.fields for ref in refs] == ['{"id": 7}', '{"id": 8}']


def config(source: object, archive: Path) -> CompressConfig:
    return CompressConfig(source=str(source), archive=str(archive), codec="jpeg")


def fields(archive: Path) -> dict[str, Any]:
    rows = open_archive(str(archive)).where("status = 'encoded'", columns=["name", "fields"])
    return {row["name"].rpartition("/")[2]: json.loads(row["fields"]) for row in rows.to_pylist()}


def test_fields_are_asked_for_change_and_come_out_again(wds: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    assert compress(config(wds, archive)).ledger.encoded == 6
    found = open_archive(str(archive)).where("fields->>'$.txt' = 'picture 3'", columns=["name"])
    assert found["name"].to_pylist() == ["00001/0003.png"]
    before = fields(archive)
    write_shard(wds / "00001.tar", sample(2) | sample(3, "another caption"))
    assert compress(config(wds, archive)).ledger.encoded == 0
    assert fields(archive) == before | {"0003.png": before["0003.png"] | {"txt": "another caption"}}
    for form in ("webdataset", "parquet"):
        out, again = tmp_path / form, tmp_path / f"{form}.archive"
        export(open_archive(str(archive)), out, form, pictures=True)
        assert compress(config(out, again)).ledger.encoded == 6
        assert fields(again) == fields(archive)
    with tarfile.open(tmp_path / "webdataset" / "00000.tar") as packed:
        texts = [name for name in packed.getnames() if name.endswith(".txt")]
    assert len(texts) == 6


def test_columns_of_a_list_are_fields(tmp_path: Path) -> None:
    for n in range(2):
        (tmp_path / f"{n}.png").write_bytes(PICTURES[n])
    (tmp_path / "list.csv").write_text("caption,file\none,0.png\n,1.png\n")
    lines = [{"file_name": f"{n}.png", "boxes": [n, 2]} for n in range(2)]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert pictures(str(tmp_path / "list.csv")) == {"0.png": {"caption": "one"}, "1.png": None}
    assert pictures(str(tmp_path / "list.jsonl"))["1.png"] == {"boxes": [1, 2]}
