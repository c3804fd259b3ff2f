"""The commands about snapshots, and reading as of an older one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.pipelines import CompressConfig
from glassplate.pipelines.archive.upkeep.compact import compact_archive
from glassplate.pipelines.compress.run import compress
from glassplate.pipelines.storage.store import Store

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, photo: Pixels) -> Path:
    """Four snapshots: three pictures; one added, changed and deleted each; stored anew; merged."""
    folder = tmp_path_factory.mktemp("history")
    source, archive = folder / "photos", folder / "archive"
    source.mkdir()
    for number, name in enumerate(("stays", "changes", "goes")):
        Image.fromarray(photo[50 * number : 50 * number + 40, :48]).save(source / f"{name}.png")
    config = CompressConfig(source=str(source), archive=str(archive), codec="jpeg")
    compress(config)
    (source / "goes.png").unlink()
    Image.fromarray(photo[300:340, :48]).save(source / "changes.png")
    Image.fromarray(photo[350:390, :48]).save(source / "comes.png")
    compress(config)
    compress(config.model_copy(update={"codec": "webp", "reencode": True}))
    compact_archive(Store(str(archive)))
    return archive


def _lines(done: Any) -> list[dict[str, Any]]:
    assert done.err == ""
    return [json.loads(line) for line in done.out.splitlines()]


def test_snapshots_tell_what_each_run_did(glassplate: Run, history: Path) -> None:
    found = _lines(glassplate("snapshots", history, "--json"))
    assert [one["snapshot"] for one in found] == [1, 2, 3, 4]
    assert [(one["what"], one["codec"]) for one in found] == [
        ("compress", "jpeg"), ("compress", "jpeg"), ("compress", "webp"), ("compact", None),
    ]  # fmt: skip
    assert [one["encoded"] for one in found] == [3, 2, 3, 0]
    assert found[3]["rows"] == found[2]["rows"]
    assert found[1]["new_bytes"] < found[1]["bytes"]
    shown = glassplate("snapshots", history).out
    assert "compress jpeg" in shown
    assert "2 encoded" in shown


def test_diff_names_what_differs(glassplate: Run, history: Path) -> None:
    found = _lines(glassplate("diff", history, 1, 2, "--json"))
    assert {row["name"]: row["change"] for row in found} == {
        "changes.png": "changed", "comes.png": "added", "goes.png": "gone",
    }  # fmt: skip
    again = _lines(glassplate("diff", history, 2, 3, "--json"))
    assert {row["change"] for row in again} == {"reencoded"}
    assert {(row["codec_before"], row["codec"]) for row in again} == {("jpeg", "webp")}
    backwards = _lines(glassplate("diff", history, 2, 1, "--json"))
    assert {row["name"]: row["change"] for row in backwards} == {
        "changes.png": "changed", "comes.png": "removed", "goes.png": "back",
    }  # fmt: skip
    assert "no difference" in glassplate("diff", history, 3, 4).err


def test_reading_verbs_read_the_snapshot_asked_for(
    glassplate: Run, history: Path, tmp_path: Path
) -> None:
    def names(*more: str | int) -> set[str]:
        return {row["name"] for row in _lines(glassplate("query", history, "--json", *more))}

    assert names("--snapshot", 1) == {"stays.png", "changes.png", "goes.png"}
    assert names() == names("--snapshot", 1) | {"comes.png"}
    ids = []
    for number in (1, 2):
        (facts,) = _lines(
            glassplate("info", history, "changes.png", "--snapshot", number, "--json")
        )
        ids.append(facts["image_id"])
        target = tmp_path / f"{number}.png"
        assert (
            glassplate("get", history, "changes.png", "-o", target, "--snapshot", number).code == 0
        )
    assert ids[0] != ids[1]
    assert (tmp_path / "1.png").read_bytes() != (tmp_path / "2.png").read_bytes()
    first = ("--snapshot", 1, "--json")
    assert _lines(glassplate("stats", history, *first))[0]["sources"] == 3
    assert len(_lines(glassplate("extract", history, tmp_path / "all", *first))) == 3
    assert _lines(glassplate("verify", history, *first))[0]["snapshot"] == 1
    assert len(_lines(glassplate("similar", history, "stays.png", *first))) == 2
    done = glassplate("get", history, "comes.png", "-o", tmp_path / "no.png", "--snapshot", 1)
    assert done.code == ExitCode.NOT_FOUND


def test_a_snapshot_that_is_not_kept_names_those_that_are(
    glassplate: Run, history: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    shutil.copytree(history, archive)
    compact_archive(Store(str(archive)), keep_snapshots=2)
    expired = glassplate("query", archive, "--snapshot", 1)
    assert expired.code == ExitCode.NOT_FOUND
    assert "no snapshot 1; it has expired. There are: 3, 4." in expired.err
    assert "no snapshot 9. There are: 3, 4." in glassplate("diff", archive, 3, 9).err
    (error,) = map(
        json.loads, glassplate("info", archive, "--snapshot", 1, "--json").err.split("\n")[:1]
    )
    assert error["error"] == "no-such-snapshot"
