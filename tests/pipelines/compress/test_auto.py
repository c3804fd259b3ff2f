"""Codec `auto` through a whole run: rows, re-runs, models, and JPEG files kept bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import odd_inputs
import pytest
from in_process import run_here
from PIL import Image

from glassplate.codecs import Target
from glassplate.flows.reports.summary import summary
from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import plan_run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    odd_inputs.photo(192, 160).save(folder / "photo.png")
    odd_inputs.photo(384, 320, left=100).save(folder / "coarse.jpg", quality=15)
    odd_inputs.photo(160, 192, left=40).save(folder / "fine.jpg", quality=98)
    return folder


def config(folder: Path, **more: object) -> CompressConfig:
    fields = {"source": str(folder), "archive": str(folder.parent / "archive"), "codec": "auto"}
    return CompressConfig.model_validate(fields | {"workers": 1, "device": "cpu"} | more)


def rows(folder: Path) -> dict[str, ImageRow]:
    table = open_archive(str(folder.parent / "archive")).where()
    found = [{k: v for k, v in row.items() if k != "run"} for row in table.to_pylist()]
    return {row["name"]: ImageRow(**row) for row in found}


def test_rows_say_what_won_and_what_the_others_would_have_taken(photos: Path) -> None:
    run_here(config(photos))
    found = rows(photos)
    assert {row.status for row in found.values()} == {"encoded"}
    assert found["coarse.jpg"].codec == "jxl-jpeg"
    assert found["coarse.jpg"].bit_exact
    assert found["fine.jpg"].codec != "jxl-jpeg"
    for row in found.values():
        assert row.candidates
        (stored,) = (one for one in row.candidates if one["how"] == "stored")
        assert stored["codec"].split(":")[0] == row.codec != "auto"
        assert row.ssimulacra2
        assert row.ssimulacra2 >= 80
        assert all(
            one["bytes"] >= stored["bytes"] for one in row.candidates if one["how"] == "tried"
        )
    archive = open_archive(str(photos.parent / "archive"))
    data, suffix = archive.original("coarse.jpg")
    assert (data, suffix) == ((photos / "coarse.jpg").read_bytes(), ".jpg")
    assert archive.get("photo.png").size == (192, 160)
    assert verify_archive(archive, decode=True).ok


def test_only_codecs_that_won_are_in_the_archive(photos: Path) -> None:
    run_here(config(photos))
    models = photos.parent / "archive" / "models"
    names = {json.loads(path.read_text())["name"] for path in models.glob("*/codec.json")}
    assert names == {row.codec for row in rows(photos).values()}


def test_a_second_run_has_nothing_to_do_and_another_target_has(photos: Path) -> None:
    run_here(config(photos))
    again = plan_run(config(photos, reencode=True))
    assert (again.unchanged, again.new_inputs) == (3, 0)
    assert not again.otherwise
    assert plan_run(config(photos, reencode=True, target={"quality": 80})).new_inputs == 0
    assert plan_run(config(photos, reencode=True, target={"quality": 60})).new_inputs == 3
    only = {"candidates": ["jxl"]}
    assert plan_run(config(photos, reencode=True, codec_options=only)).new_inputs == 3


def test_quality_100_keeps_every_pixel_and_every_jpeg_file(photos: Path) -> None:
    run_here(config(photos, target={"quality": 100}))
    found = rows(photos)
    assert [found[name].codec for name in ("coarse.jpg", "fine.jpg", "photo.png")] == [
        "jxl-jpeg",
        "jxl-jpeg",
        "jxl",
    ]
    decoded = open_archive(str(photos.parent / "archive")).get("photo.png")
    assert (np.asarray(decoded) == np.asarray(Image.open(photos / "photo.png"))).all()


def test_a_budget_holds_for_the_file_of_a_jpeg_too(photos: Path) -> None:
    run_here(config(photos, target=Target(max_bpp=0.5)))
    assert all(row.bpp and row.bpp <= 0.5 for row in rows(photos).values())


def test_sums_say_what_each_codec_won_and_what_auto_saved(photos: Path) -> None:
    assert run_here(config(photos)).new_inputs == 3
    archive = open_archive(str(photos.parent / "archive"))
    found, names = rows(photos), ("coarse.jpg", "fine.jpg", "photo.png")
    chosen = archive.choices()
    assert chosen is not None
    assert chosen == archive.choices(archive.manifest.run.run_id)
    assert archive.choices("another") is None
    assert chosen["pictures"] == sum(row["won"] for row in chosen["codecs"]) == 3
    sizes = {
        (name, one["codec"]): one["bytes"] for name in names for one in found[name].candidates or ()
    }
    for row in chosen["codecs"]:
        files = [(sizes.get((name, row["codec"])), found[name].source_bytes) for name in names]
        assert row["bytes"] == sum(file if size is None else size for size, file in files)
    stored = [
        one["bytes"]
        for row in found.values()
        for one in row.candidates or ()
        if one["how"] == "stored"
    ]
    assert chosen["bytes"] == sum(stored) <= chosen["single_bytes"]
    assert chosen["best_single"] != "jxl-jpeg"
    run_here(config(photos, codec="jpeg", reencode=True))
    assert open_archive(str(photos.parent / "archive")).choices() is None
    assert "## Chosen by auto" not in summary(str(photos.parent / "archive"), "x")
    run_here(config(photos, reencode=True))
    text = summary(str(photos.parent / "archive"), "x")
    assert "## Chosen by auto" in text
    assert "fewer bytes than" in text
