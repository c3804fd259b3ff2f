"""`glassplate compact`: what it prints, and its exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.pipelines import open_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def nightly(tmp_path_factory: pytest.TempPathFactory, small_photo: Pixels) -> Path:
    """An archive of three runs, each with one picture more."""
    folder = tmp_path_factory.mktemp("nightly")
    (folder / "source").mkdir()
    config = CompressConfig(
        source=str(folder / "source"), archive=str(folder / "archive"), codec="jpeg"
    )
    for night in range(3):
        Image.fromarray(np.roll(small_photo, night, 1)).save(folder / "source" / f"{night}.png")
        compress(config)
    return folder / "archive"


@pytest.fixture
def archive(nightly: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(nightly, tmp_path / "archive"))


def test_it_says_what_it_did(glassplate: Run, archive: Path) -> None:
    done = glassplate("compact", archive, "--no-progress")
    assert (done.code, done.out) == (ExitCode.OK, "")
    assert done.err == "3 shards became 2, snapshot 4\n"
    again = glassplate("compact", archive)
    assert again.err == "nothing to merge: 2 shards\n"
    assert len(open_archive(str(archive)).snapshots()) == 4
    assert glassplate("verify", archive, "--decode").code == ExitCode.OK


def test_old_snapshots_are_forgotten_on_request(glassplate: Run, archive: Path) -> None:
    done = glassplate("compact", archive, "--keep-snapshots", 1, "--json")
    record = json.loads(done.out)
    assert record.pop("bytes_deleted") > 1000
    assert record.pop("files_deleted") >= 9
    assert record == {
        "snapshot": 4, "shards_before": 3, "shards_after": 2, "snapshots_forgotten": 3,
    }  # fmt: skip
    assert open_archive(str(archive)).snapshots() == [4]
    assert glassplate("compact", archive, "--keep-snapshots", 0).code == ExitCode.USAGE


def test_a_damaged_archive_stays_as_it_is(glassplate: Run, archive: Path) -> None:
    for victim in archive.glob("images/*/*.parquet"):  # one of the three is not merged
        victim.write_bytes(victim.read_bytes()[:-1])
    done = glassplate("compact", archive)
    assert done.code == ExitCode.DAMAGED
    assert "other bytes than were written" in done.err
    assert open_archive(str(archive)).manifest.number == 3
