"""The commands that read an archive."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bagit
import pytest
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.codecs.measures.pixels import psnr
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.pipelines import CompressConfig, open_archive
from glassplate.pipelines.compress.run import compress

Run = Callable[..., Any]


def _records(done: Any) -> list[dict[str, Any]]:
    assert done.err == ""
    return [json.loads(line) for line in done.out.splitlines()]


def test_list_shows_every_input_under_its_very_name(glassplate: Run, archive: Path) -> None:
    done = glassplate("list", archive)
    assert done.code == ExitCode.OK
    lines = done.out.splitlines()
    assert lines[0].split()[:3] == ["name", "status", "reason"]
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "alpha.png", "broken.jpg", "holiday/beach.png", "town [1].png",
    ]  # fmt: skip
    assert "not-an-image" in lines[2]
    assert "4 rows" in done.err


def test_list_takes_a_condition_as_query_does(glassplate: Run, archive: Path) -> None:
    condition = ("--where", "status = 'failed'", "--json")
    (row,) = _records(glassplate("list", archive, *condition))
    assert row["name"] == "broken.jpg"
    assert [row] == _records(glassplate("query", archive, *condition))


def test_query_gives_json_lines_with_null_for_infinity(glassplate: Run, archive: Path) -> None:
    rows = _records(glassplate("query", archive, "--where", "status != 'failed'", "--json"))
    by_name = {row["name"]: row for row in rows}
    assert set(by_name) == {"alpha.png", "holiday/beach.png", "town [1].png"}
    assert by_name["alpha.png"]["psnr"] is None
    assert by_name["alpha.png"]["reason"] == "alpha"
    assert 20 < by_name["town [1].png"]["psnr"] < 60


def test_query_sorts_and_limits(glassplate: Run, archive: Path) -> None:
    (row,) = _records(glassplate("list", archive, "--order", "width desc", "--limit", 1, "--json"))
    assert row["name"] == "town [1].png"


@pytest.mark.parametrize("where", ["wide > 3", "width >", "1; drop table newest"])
def test_query_with_bad_sql_is_a_usage_error(where: str, glassplate: Run, archive: Path) -> None:
    done = glassplate("query", archive, "--where", where)
    assert done.code == ExitCode.USAGE
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1


def test_info_on_the_archive_and_on_one_picture(glassplate: Run, archive: Path) -> None:
    (facts,) = _records(glassplate("info", archive, "--json"))
    assert (facts["snapshot"], facts["rows"], facts["codecs"]) == (1, 4, "jpeg, original")
    on_disk = (
        p for kind in ("images", "bitstreams", "latents") for p in archive.glob(f"{kind}/*/*")
    )
    assert facts["bytes"] > sum(path.stat().st_size for path in on_disk)
    (row,) = _records(glassplate("info", archive, "town [1].png", "--json"))
    assert (row["width"], row["height"], row["codec"]) == (180, 100, "jpeg")
    assert "finished" in glassplate("info", archive).out


def test_get_by_name_by_uri_and_by_short_id(
    glassplate: Run, archive: Path, collection: Path, tmp_path: Path
) -> None:
    image_id = open_archive(str(archive)).find("holiday/beach.png").image_id
    assert image_id
    uri = (collection / "holiday" / "beach.png").as_uri()
    pictures = []
    for number, key in enumerate(["holiday/beach.png", uri, image_id, image_id[:12]]):
        done = glassplate("get", archive, key, "-o", tmp_path / f"{number}.png")
        assert done.code == ExitCode.OK
        pictures.append((tmp_path / f"{number}.png").read_bytes())
    assert len(set(pictures)) == 1


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("holiday/baech.png", "holiday/beach.png"), ("beach.png", "holiday/beach.png"),
     ("ALPHA.png", "alpha.png"), ("it's.png", None)],
)  # fmt: skip
def test_a_name_that_is_not_there_is_answered_with_what_may_be_meant(
    asked: str, meant: str | None, glassplate: Run, archive: Path, tmp_path: Path
) -> None:
    done = glassplate("get", archive, asked, "-o", tmp_path / "x.png")
    assert done.code == ExitCode.NOT_FOUND
    assert ("Did you mean" in done.err) == (meant is not None)
    assert f"Did you mean {meant}" in done.err or meant is None


def test_a_name_of_two_pictures_is_not_guessed(
    glassplate: Run, tmp_path: Path, photo: Pixels
) -> None:
    archive = tmp_path / "archive"
    for source, top in (("one", 0), ("two", 100)):
        (tmp_path / source).mkdir()
        Image.fromarray(photo[top : top + 40, :60]).save(tmp_path / source / "a.png")
        compress(CompressConfig(source=str(tmp_path / source), archive=str(archive), codec="jpeg"))
    for verb in (("get", archive, "a.png", "-o", tmp_path / "x.png"), ("info", archive, "a.png")):
        done = glassplate(*verb)
        assert done.code == ExitCode.USAGE
        for source in ("one", "two"):
            assert (tmp_path / source / "a.png").as_uri() in done.err
    uri = (tmp_path / "two" / "a.png").as_uri()
    assert glassplate("get", archive, uri, "-o", tmp_path / "x.png").code == ExitCode.OK


def test_get_gives_the_picture_and_its_region(
    glassplate: Run, archive: Path, photo: Pixels, tmp_path: Path
) -> None:
    import numpy as np

    file = tmp_path / "part.png"
    done = glassplate("get", archive, "town [1].png", "-o", file, "--region", "20,10,64,48",
                      "--json")  # fmt: skip
    assert done.code == ExitCode.OK
    assert json.loads(done.out) == {"file": str(file), "bytes": file.stat().st_size}
    with Image.open(file) as part:
        assert psnr(np.asarray(part), photo[110:158, 20:84]) > 25


def test_get_says_where_a_region_was_cut(archive: Path, tmp_path: Path, glassplate: Run) -> None:
    file = tmp_path / "corner.png"
    done = glassplate("get", archive, "town [1].png", "-o", file, "--region", "100,10,500,20")
    assert done.code == 0
    assert "the picture ends at 180 x 100: the region is 80 x 20" in done.out + done.err
    with Image.open(file) as corner:
        assert corner.size == (80, 20)


def test_get_original_is_byte_for_byte(
    glassplate: Run, archive: Path, collection: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file.bin"
    assert glassplate("get", archive, "alpha.png", "-o", file, "--original").code == ExitCode.OK
    assert file.read_bytes() == (collection / "alpha.png").read_bytes()
    lossy = glassplate("get", archive, "town [1].png", "-o", file, "--original")
    assert lossy.code == ExitCode.NOT_FOUND
    assert "not bit for bit" in lossy.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.png", "-o", "x.png"], ExitCode.NOT_FOUND, "no such id"),
        (["broken.jpg", "-o", "x.png"], ExitCode.NOT_FOUND, "broken.jpg"),
        (["alpha.png", "-o", "x.nonsense"], ExitCode.USAGE, ".nonsense"),
        (["town [1].png", "-o", "x.png", "--region", "0,0,9"], ExitCode.USAGE, "--region"),
        (["town [1].png", "-o", "x.png", "--region", "0,0,0,9"], ExitCode.USAGE, "empty"),
        (["town [1].png", "-o", "x.png", "--region", "500,0,9,9"], ExitCode.USAGE, "180 x 100"),
        (["town [1].png", "-o", "x.png", "--device", "gpu"], ExitCode.USAGE, "--device"),
        (["alpha.png", "-o", "x", "--original", "--region", "0,0,1,1"], ExitCode.USAGE, "region"),
    ],
)
def test_get_says_what_is_wrong(
    arguments: list[str],
    code: int,
    message: str,
    glassplate: Run,
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = glassplate("get", archive, *arguments)
    assert done.code == code
    assert message in done.err
    assert done.err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def test_extract_writes_what_the_condition_chooses(
    glassplate: Run, archive: Path, collection: Path, tmp_path: Path
) -> None:
    done = glassplate("extract", archive, tmp_path, "--where", "name not like 'holiday/%'")
    assert done.code == ExitCode.OK
    assert "wrote 2 pictures" in done.err
    assert sorted(p.name for p in tmp_path.glob("[!.]*")) == ["alpha.png", "town [1].png"]
    assert (tmp_path / "alpha.png").read_bytes() == (collection / "alpha.png").read_bytes()
    every = glassplate("extract", archive, tmp_path / "all", "--json")
    assert every.code == ExitCode.OK
    assert len(_records(every)) == 3
    assert [record["original"] for record in _records(every)].count(True) == 1
    again = glassplate("extract", archive, tmp_path / "all")
    assert "3 pictures of an earlier extract are there" in again.err
    nothing = glassplate("extract", archive, tmp_path / "all", "--where", "name = 'nothing'")
    assert nothing.code == ExitCode.NOT_FOUND


def test_extract_makes_a_bag(glassplate: Run, archive: Path, tmp_path: Path) -> None:
    done = glassplate("extract", archive, tmp_path / "bag", "--bagit")
    assert done.code == ExitCode.OK
    bagit.Bag(str(tmp_path / "bag")).validate()
    refused = glassplate("extract", archive, tmp_path, "--bagit")
    assert refused.code == ExitCode.USAGE
    assert "no bag" in refused.err


def test_extract_passes_over_what_was_no_picture_and_gives_duplicates_back(
    glassplate: Run, small_photo: Pixels, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "again.png"):
        Image.fromarray(small_photo).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.txt").write_text("notes")
    made = glassplate("compress", tmp_path / "photos", tmp_path / "archive", "--codec", "jpeg")
    assert made.code == ExitCode.OK
    done = glassplate("extract", tmp_path / "archive", tmp_path / "out", "--json")
    assert done.code == ExitCode.OK
    assert [Path(record["file"]).name for record in _records(done)] == ["a.png", "again.png"]


def test_stats_add_up(glassplate: Run, archive: Path) -> None:
    (total,) = _records(glassplate("stats", archive, "--json"))
    assert (total["sources"], total["encoded"], total["kept"], total["failed"]) == (4, 2, 1, 1)
    assert sum(codec["pictures"] for codec in total["codecs"]) == 3
    files = [path for path in archive.rglob("*") if path.is_file()]
    assert total["disk_bytes"] == sum(path.stat().st_size for path in files)
    weights = archive.glob("models/*/*")
    assert total["weights_bytes"] == sum(path.stat().st_size for path in weights)
    table = glassplate("stats", archive).out
    assert "ratio" in table
    assert "original" in table


@pytest.mark.parametrize("command", ["list", "info", "stats", "verify"])
def test_what_is_no_archive_is_a_usage_error(command: str, glassplate: Run, tmp_path: Path) -> None:
    done = glassplate(command, tmp_path)
    assert done.code == ExitCode.USAGE
    assert "not an archive" in done.err


def test_verify_finds_a_sound_archive_sound(glassplate: Run, archive: Path) -> None:
    done = glassplate("verify", archive, "--decode")
    assert done.code == ExitCode.OK
    assert done.out == ""
    assert "1 of 1 shard: sound" in done.err
    (record,) = _records(glassplate("verify", archive, "--subset", "5%", "--json"))
    assert (record["ok"], record["damages"], record["shards"]) == (True, [], 1)


def test_verify_names_the_pictures_that_are_hit(
    glassplate: Run, archive: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(archive, tmp_path / "archive")
    (lost,) = copy.glob("bitstreams/*/*.parquet")
    lost.unlink()
    done = glassplate("verify", copy)
    assert done.code == ExitCode.DAMAGED
    assert f"{lost.relative_to(copy).as_posix()}: is missing" in done.out
    assert [line.strip() for line in done.out.splitlines() if line.startswith("    ")] == [
        "alpha.png", "holiday/beach.png", "town [1].png",
    ]  # fmt: skip
    record = json.loads(glassplate("verify", copy, "--json").out)
    assert record["ok"] is False
    got = glassplate("get", copy, "town [1].png", "-o", tmp_path / "x.png")
    assert got.code == ExitCode.DAMAGED


@pytest.mark.parametrize(
    "arguments",
    [["--subset", "0"], ["--subset", "101%"], ["--subset", "all"], ["--max-duration", "soon"],
     ["--max-duration", "0"]],
)  # fmt: skip
def test_verify_refuses_nonsense(arguments: list[str], glassplate: Run, archive: Path) -> None:
    done = glassplate("verify", archive, *arguments)
    assert done.code == ExitCode.USAGE
    assert arguments[0] in done.err


def test_codecs_lists_names_and_options(glassplate: Run) -> None:
    rows = {row["codec"]: row for row in _records(glassplate("codecs", "--json"))}
    assert {"svd", "jpeg", "jxl", "avif", "webp", "jp2", "jxl-jpeg", "original"} <= set(rows)
    assert rows["svd"]["options"]["tile_size"] == 256
    assert rows["vae"]["parameters"] > 1_000_000
    assert rows["vae"]["ratio"] > rows["jpeg"]["ratio"] > 1
    assert rows["original"]["ratio"] is rows["svd"]["parameters"] is None
    assert 20 < rows["vae"]["psnr"] < rows["jpeg"]["psnr"]
    assert "tile_size" in glassplate("codecs").out


def test_codecs_explains_every_option(glassplate: Run) -> None:
    names = {row["codec"] for row in _records(glassplate("codecs", "--json"))}
    for name in names - {"fake", "mischief"}:  # of other tests
        (facts,) = _records(glassplate("codecs", name, "--json"))
        for option in facts["options"]:
            assert all(option[key] not in ("", None) for key in ("option", "allowed", "what"))
            assert "default" in option
    shown = glassplate("codecs", "svd").out
    assert "integer, 0 to 4096" in shown
    assert "256" in shown
    assert "number, above 0, at most 1 | null" in shown
    assert "psnr | eye" in glassplate("codecs", "hyperprior").out
    assert glassplate("codecs", "gif").code == ExitCode.USAGE
