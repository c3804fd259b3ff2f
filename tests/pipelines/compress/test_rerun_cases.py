"""A second run over sources that were touched, taken back, moved, copied, or that are gone."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import odd_inputs
import pytest
from in_process import run_here
from PIL import Image
from unprivileged import unprivileged

from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.deliver.folder import extract
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.archive.upkeep.compact import compact_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.errors import TooManyFailuresError
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import Rows, commit, encoded

Configure = Callable[..., CompressConfig]
OWN = {"source_version", "run_id", "run", "bitstream_row"}
"""What a row of a source that was touched may say in another way."""

_clock = iter(range(1_600_000_000, 1_700_000_000, 1000))


def rows_of(config: CompressConfig) -> dict[str, dict[str, Any]]:
    """The newest row of every source, by its URI."""
    return {row["source_uri"]: row for row in open_archive(config.archive).where().to_pylist()}


def named(config: CompressConfig, name: str) -> dict[str, Any]:
    (row,) = (row for row in rows_of(config).values() if row["name"] == name)
    return row


def touch(*paths: Path) -> None:
    for path in paths:
        moment = next(_clock)
        os.utime(path, (moment, moment))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three photographs and one that is kept, in two folders."""
    folder = tmp_path / "source"
    (folder / "d").mkdir(parents=True)
    for number, name in enumerate(["a.bmp", "b.bmp", "d/a.bmp"]):
        odd_inputs.photo(48, 32, left=8 * number).save(folder / name)
    odd_inputs.photo(48, 32).convert("CMYK").save(folder / "d" / "kept.tif")
    return folder


@pytest.mark.parametrize("compacted", [False, True])
def test_what_was_touched_stays_as_it_was(
    source: Path, configure: Configure, compacted: bool
) -> None:
    config = configure()
    run_here(config)
    before = rows_of(config)
    if compacted:
        run_here(configure(source=str(odd_more(source))))
        compact_archive(Store(config.archive), 1)
    touch(*source.rglob("*.*"))
    plan = run_here(config)
    assert (plan.new_inputs, plan.carried, plan.gone) == (0, 4, 0)
    after = rows_of(config)
    for uri, row in before.items():
        assert {k: v for k, v in after[uri].items() if k not in OWN} == {
            k: v for k, v in row.items() if k not in OWN
        }
        assert after[uri]["source_version"] != row["source_version"]
    assert run_here(config).shards == ()
    archive = open_archive(config.archive)
    assert archive.bitstreams().count_rows() == len({r["image_id"] for r in after.values()})
    assert archive.get("a.bmp").tobytes() == odd_inputs.photo(48, 32, left=0).tobytes()


def odd_more(source: Path) -> Path:
    """Another source for the same archive."""
    other = source.parent / "other"
    other.mkdir()
    odd_inputs.photo(40, 40).save(other / "other.bmp")
    return other


def test_a_change_that_is_taken_back(source: Path, configure: Configure, tmp_path: Path) -> None:
    config = configure()
    shutil.copy2(source / "a.bmp", tmp_path / "backup.bmp")
    run_here(config)
    before = named(config, "a.bmp")
    odd_inputs.photo(48, 32, top=3).save(source / "a.bmp")
    run_here(config)
    assert named(config, "a.bmp")["image_id"] != before["image_id"]
    shutil.copy2(tmp_path / "backup.bmp", source / "a.bmp")  # its time is that of the first run
    assert run_here(config).new_inputs == 0
    after = named(config, "a.bmp")
    assert {k: v for k, v in after.items() if k not in OWN} == {
        k: v for k, v in before.items() if k not in OWN
    }


def test_duplicates_have_the_values_of_what_they_equal(source: Path, configure: Configure) -> None:
    shutil.copy(source / "a.bmp", source / "twin.bmp")  # of the same run
    config = configure()
    run_here(config)
    shutil.copy(source / "a.bmp", source / "later.bmp")
    run_here(config)
    first = named(config, "a.bmp")
    own = OWN | {"source_uri", "name", "status", "reason"}
    for name in ("twin.bmp", "later.bmp"):
        row = named(config, name)
        assert (row["status"], row["reason"]) == ("skipped", "duplicate")
        assert {k: v for k, v in row.items() if k not in own} == {
            k: v for k, v in first.items() if k not in own
        }
    names = open_archive(config.archive).where("width = 48 and psnr > 0", columns=["name"])
    assert {"a.bmp", "twin.bmp", "later.bmp"} < set(names["name"].to_pylist())
    stats = open_archive(config.archive).stats()
    stored = named(config, "d/a.bmp")["stored_bytes"]
    rows = {row["image_id"]: row["stored_bytes"] for row in rows_of(config).values()}
    assert stored
    assert stats["stored_bytes"] == sum(rows.values())


def test_a_duplicate_takes_over_from_a_source_that_is_gone(
    source: Path, configure: Configure
) -> None:
    shutil.copy(source / "a.bmp", source / "twin.bmp")
    config = configure()
    run_here(config)
    (source / "a.bmp").unlink()
    run_here(config)
    assert (named(config, "a.bmp")["status"], named(config, "a.bmp")["gone"]) == ("encoded", True)
    assert (named(config, "twin.bmp")["status"], named(config, "twin.bmp")["gone"]) == (
        "encoded",
        False,
    )


def test_a_source_that_is_gone_and_comes_back(
    source: Path, configure: Configure, tmp_path: Path
) -> None:
    config = configure()
    run_here(config)
    (source / "b.bmp").rename(tmp_path / "away.bmp")
    plan = run_here(config)
    assert (plan.gone, plan.unchanged, plan.inputs) == (1, 3, 3)
    assert named(config, "b.bmp")["gone"]
    assert run_here(config).shards == ()
    archive = open_archive(config.archive)
    assert archive.get("b.bmp").size == (48, 32)
    assert archive.stats()["gone"] == 1
    assert len(extract(archive, None, tmp_path / "out").written) == 4
    (tmp_path / "away.bmp").rename(source / "b.bmp")  # with its time
    plan = run_here(config)
    assert (plan.carried, plan.new_inputs) == (1, 0)
    assert not named(config, "b.bmp")["gone"]
    assert run_here(config).shards == ()


def test_a_moved_root_has_each_picture_once(
    source: Path, configure: Configure, tmp_path: Path
) -> None:
    run_here(configure())
    moved = source.rename(tmp_path / "moved")
    config = configure(source=str(moved))
    plan = run_here(config)
    assert (plan.new_inputs, plan.carried, plan.gone) == (0, 4, 4)
    rows = rows_of(config)
    assert {uri.split("/")[-1] for uri, row in rows.items() if row["gone"]} == {
        "a.bmp", "b.bmp", "kept.tif",
    }  # fmt: skip
    for uri, row in rows.items():
        assert row["gone"] == (str(moved) not in uri)
        assert row["status"] == ("kept" if row["name"].endswith("tif") else "encoded")
    archive = open_archive(config.archive)
    assert archive.find("a.bmp").source_uri == f"file://{moved}/a.bmp"
    result = extract(archive, None, tmp_path / "out")
    assert sorted(p.name for p in result.written) == ["a.bmp", "a.bmp", "b.bmp", "kept.tif"]


def test_names_that_are_used_anew_mean_the_source_that_is_there(
    source: Path, configure: Configure, tmp_path: Path
) -> None:
    run_here(configure())
    moved = source.rename(tmp_path / "moved")
    for path in moved.rglob("*.bmp"):
        path.rename(path.with_name(f"old-{path.name}"))
    odd_inputs.photo(40, 30).save(moved / "a.bmp")
    config = configure(source=str(moved))
    run_here(config)
    archive = open_archive(config.archive)
    assert archive.get("a.bmp").size == (40, 30)
    assert archive.find("b.bmp").gone
    assert archive.get("b.bmp").size == (48, 32)


def test_what_other_sources_or_choices_leave_out_is_not_gone(
    source: Path, configure: Configure
) -> None:
    config = configure()
    run_here(config)
    for other in (
        configure(source=str(source / "d")),
        configure(source=str(source / "*.bmp")),
        configure(source=str(source / "a.bmp")),
        configure(exclude=("d/",)),
    ):
        assert run_here(other).gone == 0
    assert not any(row["gone"] for row in rows_of(config).values())


def test_members_of_a_zip_file(tmp_path: Path, configure: Configure) -> None:
    pictures = [odd_inputs.save(odd_inputs.photo(48, 32, left=8 * n), "BMP") for n in range(2)]

    def pack(**members: bytes) -> CompressConfig:
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
            for name, data in members.items():
                packed.writestr(f"{name}.bmp", data)
        return configure(source=str(tmp_path / "all.zip"))

    run_here(pack(a=pictures[0], b=pictures[1]))
    config = pack(a=pictures[0], c=pictures[1])
    plan = run_here(config)
    assert (plan.new_inputs, plan.carried, plan.gone) == (0, 1, 1)
    assert named(config, "b.bmp")["gone"]
    assert named(config, "c.bmp")["status"] == "encoded"


def test_what_could_not_be_read_is_tried_again(
    source: Path, configure: Configure, tmp_path: Path
) -> None:
    """Its size and time say nothing new when it can be read again."""
    config = configure()
    (source / "b.bmp").chmod(0)
    with unprivileged(tmp_path):
        run_here(config)
        row = named(config, "b.bmp")
        assert (row["status"], row["error_code"]) == ("failed", "unreadable")
        assert "the next run tries it again" in row["error_message"]
        assert run_here(config).new_inputs == 1
    (source / "b.bmp").chmod(0o644)
    assert run_here(config).new_inputs == 1
    assert named(config, "b.bmp")["status"] == "encoded"


def test_a_stored_picture_stays_when_its_source_cannot_be_read(
    source: Path, configure: Configure, tmp_path: Path
) -> None:
    config = configure()
    with unprivileged(tmp_path):
        run_here(config)
    before = named(config, "b.bmp")
    touch(source / "b.bmp")
    (source / "b.bmp").chmod(0)
    with unprivileged(tmp_path):
        run_here(config)
    row = named(config, "b.bmp")
    assert (row["status"], row["error_stage"], row["error_code"]) == (
        "encoded",
        "read",
        "unreadable",
    )
    assert (row["psnr"], row["source_version"]) == (before["psnr"], before["source_version"])
    archive = open_archive(config.archive)
    assert archive.get("b.bmp").size == (48, 32)
    (source / "b.bmp").chmod(0o644)
    assert run_here(config).carried == 1
    assert named(config, "b.bmp")["error_code"] is None
    assert run_here(config).shards == ()


def test_a_listed_file_that_vanishes_is_gone_until_it_comes_back(
    source: Path, configure: Configure, tmp_path: Path
) -> None:
    (tmp_path / "list.csv").write_text("url\nsource/a.bmp\nsource/b.bmp\n")
    config = configure(source=str(tmp_path / "list.csv"))
    run_here(config)
    (source / "b.bmp").rename(tmp_path / "away.bmp")
    run_here(config)
    row = named(config, "source/b.bmp")
    assert (row["status"], row["error_code"], row["gone"]) == ("encoded", "vanished", True)
    archive = open_archive(config.archive)
    assert archive.get("source/b.bmp").size == (48, 32)
    assert len(extract(archive, None, tmp_path / "out").written) == 2
    (tmp_path / "away.bmp").rename(source / "b.bmp")
    run_here(config)
    row = named(config, "source/b.bmp")
    assert (row["status"], row["error_code"], row["gone"]) == ("encoded", None, False)
    assert run_here(config).shards == ()


def test_what_failed_before_does_not_stop_a_run(source: Path, configure: Configure) -> None:
    Image.fromarray(np.full((96, 128, 3), 77, np.uint8)).save(source / "0.bmp")
    for number in range(12):
        odd_inputs.photo(30, 30, left=number).save(source / f"bad{number}.bmp")
    config = configure("raise")
    run_here(config)
    for number in range(12):
        (source / f"bad{number}.bmp").write_bytes(b"no picture %d" % number)
    with pytest.raises(TooManyFailuresError, match="12 of 12 new inputs failed or are damaged"):
        run_here(config)
    run_here(configure("raise", max_failures=1))
    touch(*source.glob("bad*.bmp"))
    odd_inputs.photo(60, 60).save(source / "new.bmp")
    run_here(config)
    assert named(config, "new.bmp")["status"] == "encoded"


def test_pictures_are_stored_anew_on_request(source: Path, configure: Configure) -> None:
    shutil.copy(source / "a.bmp", source / "twin.bmp")
    jpeg = configure(codec="jpeg", codec_options={}, measures=())
    run_here(jpeg)
    (source / "b.bmp").unlink()
    webp = jpeg.model_copy(update={"codec": "webp"})
    plan = run_here(webp)
    assert plan.otherwise == (("jpeg", "quality=75", 2),)
    assert named(jpeg, "a.bmp")["codec"] == "jpeg"
    again = webp.model_copy(update={"reencode": True})
    plan = run_here(again)
    assert (plan.new_inputs, plan.otherwise) == (3, ())
    codecs = {row["name"]: row["codec"] for row in rows_of(jpeg).values()}
    assert codecs == {
        "a.bmp": "webp", "b.bmp": "jpeg", "d/a.bmp": "webp", "d/kept.tif": "original",
        "twin.bmp": "webp",
    }  # fmt: skip
    assert run_here(again).shards == ()
    assert open_archive(jpeg.archive).get("b.bmp").size == (48, 32)
    same = jpeg.model_copy(update={"target": type(jpeg.target)(quality=75)})
    assert run_here(same).otherwise == (("webp", "quality=75", 2),)
    run_here(same.model_copy(update={"reencode": True}))
    assert run_here(jpeg).otherwise == ()  # 75 is what JPEG takes if nothing is said


def test_what_cannot_be_stored_anew_stays(source: Path, configure: Configure) -> None:
    Image.fromarray(np.full((96, 128, 3), 77, np.uint8)).save(source / "0.bmp")
    config = configure()
    run_here(config)
    before = named(config, "0.bmp")
    plan = run_here(configure("raise", reencode=True))
    assert plan.new_inputs == 4
    after = named(config, "0.bmp")
    assert (after["status"], after["settings"]) == ("encoded", before["settings"])
    assert (after["error_stage"], after["error_code"], after["gone"]) == (
        "encode",
        "internal",
        False,
    )
    assert named(config, "a.bmp")["settings"] != before["settings"]
    assert open_archive(config.archive).get("0.bmp").size == (128, 96)


def test_duplicates_of_older_archives_get_values(source: Path, configure: Configure) -> None:
    """Those of themselves, too: what a source that was touched became."""
    folder, store = f"file://{source}", Store(configure().archive)
    first = encoded("a.bmp", 1, folder)
    commit(store, [first])
    rows = []
    for name in ("a.bmp", "b.bmp"):
        status = (source / name).stat()
        version = f"{status.st_size}:{status.st_mtime_ns}"
        row = ImageRow(
            f"{folder}/{name}", name, version, "skipped", first.image.image_id, "duplicate"
        )
        rows.append(Rows(row))
    commit(store, rows)
    plan = run_here(configure())
    assert (plan.carried, plan.new_inputs) == (2, 2)
    for name, status in (("a.bmp", "encoded"), ("b.bmp", "skipped")):
        row = named(configure(), name)
        assert (row["status"], row["width"]) == (status, 32)
    assert run_here(configure()).shards == ()


@pytest.mark.parametrize("digits", [64, 16])
def test_ids_are_found_in_upper_case(source: Path, configure: Configure, digits: int) -> None:
    config = configure()
    run_here(config)
    row = named(config, "b.bmp")
    key = row["image_id"][:digits].upper()
    archive = open_archive(config.archive)
    assert archive.find(key).name == "b.bmp"
    assert archive.stored(key).image_id == row["image_id"]
    assert archive.bitstream(key).image_id == row["image_id"]
