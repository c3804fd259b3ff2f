"""`glassplate compress`, `plan` and `sample` on real files."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from glassplate.codecs import Pixels
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.pipelines import open_archive

ROOT = Path(__file__).parents[3]
Run = Callable[..., Any]


@pytest.fixture
def source(collection: Path, tmp_path: Path) -> Path:
    """A copy of the collection that a test may change."""
    return Path(shutil.copytree(collection, tmp_path / "photos"))


def test_compress_prints_the_ledger_and_says_that_inputs_failed(
    glassplate: Run, source: Path, tmp_path: Path
) -> None:
    done = glassplate("compress", source, tmp_path / "a", "--codec", "jpeg")
    assert done.code == ExitCode.SOME_FAILED
    header, row = done.out.splitlines()
    counts = ["inputs", "encoded", "kept", "skipped", "failed", "unchanged"]
    assert header.split() == [*counts, "source", "stored", "ratio"]
    assert row.split()[:6] == ["4", "2", "1", "0", "1", "0"]
    assert "compressing: 4/4" in done.err
    assert "1 input failed" in done.err
    assert "committed to" in done.err


def test_compress_again_has_nothing_to_do_and_json_has_one_line(
    glassplate: Run, source: Path, tmp_path: Path
) -> None:
    first = glassplate("compress", source, tmp_path / "a", "--codec", "jpeg", "--json")
    assert first.code == ExitCode.SOME_FAILED
    assert json.loads(first.out)["failed"] == 1
    assert first.err == ""
    again = glassplate("compress", source, tmp_path / "a", "--codec", "jpeg")
    assert again.code == ExitCode.OK
    assert "nothing to do" in again.err
    (source / "broken.jpg").unlink()
    Image.new("RGB", (64, 48), "teal").save(source / "new.png")
    more = glassplate("compress", source, tmp_path / "a", "--codec", "jpeg", "--json")
    assert more.code == ExitCode.OK
    assert json.loads(more.out)["unchanged"] == 3
    assert open_archive(str(tmp_path / "a")).manifest.number == 2


def test_the_table_counts_unchanged_by_themselves(
    glassplate: Run, source: Path, tmp_path: Path
) -> None:
    glassplate("compress", source, tmp_path / "a", "--codec", "jpeg")
    Image.new("RGB", (64, 48), "teal").save(source / "new.png")
    done = glassplate("compress", source, tmp_path / "a", "--codec", "jpeg")
    header, row = done.out.splitlines()
    counts = dict(zip(header.split(), row.split(), strict=False))
    assert (counts["inputs"], counts["skipped"], counts["unchanged"]) == ("5", "0", "4")
    assert "lossy" not in done.err


def test_the_default_says_once_that_it_is_lossy(
    glassplate: Run, small_photo: Pixels, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(small_photo[: -ord(name[0]) + 90]).save(tmp_path / "photos" / name)
        done = glassplate("compress", tmp_path / "photos", tmp_path / "a")
        told = "1 picture is lossy, as the default is" in done.err
        assert told == (name == "a.png")


def test_retry_failed_tries_again(glassplate: Run, source: Path, tmp_path: Path) -> None:
    glassplate("compress", source, tmp_path / "a", "--codec", "jpeg")
    done = glassplate("compress", source, tmp_path / "a", "--retry-failed", "--json",
                      "--codec", "jpeg", "--max-failures", "100%")  # fmt: skip
    assert done.code == ExitCode.SOME_FAILED
    ledger = json.loads(done.out)
    assert (ledger["unchanged"], ledger["failed"]) == (3, 1)


def test_the_gate_stops_a_run(glassplate: Run, source: Path, tmp_path: Path) -> None:
    done = glassplate("compress", source, tmp_path / "a", "--max-failures", "1%", "--json",
                      "--codec", "jpeg")  # fmt: skip
    assert done.code == ExitCode.GATE
    assert done.out == ""
    assert json.loads(done.err)["error"] == "too-many-failures"
    assert not list((tmp_path / "a").glob("_manifests/*.json"))


def test_a_source_that_is_not_there_is_a_usage_error(glassplate: Run, tmp_path: Path) -> None:
    done = glassplate("compress", tmp_path / "nowhere", tmp_path / "a", "--json")
    assert done.code == ExitCode.USAGE
    error = json.loads(done.err)
    assert error["error"] == "bad-source"
    assert "nowhere" in error["subject"]


def test_what_auto_chose_is_said(glassplate: Run, photo: Pixels, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(2):
        tile = np.roll(photo, 40 * number, axis=1)[:96, :128]
        Image.fromarray(tile).save(tmp_path / "photos" / f"{number}.png")
    arguments = ("compress", tmp_path / "photos", tmp_path / "a", "--preset", "small")
    said = glassplate(*arguments, "--workers", "1").err
    assert re.search(r"auto chose \w+ for \d.*; about -?\d+\.\d % fewer bytes than \w+ alone", said)
    assert "auto chose" not in glassplate(*arguments).err  # nothing is new


def test_options_reach_the_codec(glassplate: Run, source: Path, tmp_path: Path) -> None:
    done = glassplate("compress", source, tmp_path / "a", "--codec", "svd", "--quality", "20",
                      "--codec-option", "tile-size=32", "--codec-option", "bits=6",
                      "--latents", "none")  # fmt: skip
    assert done.code == ExitCode.SOME_FAILED
    archive = open_archive(str(tmp_path / "a"))
    assert archive.find("holiday/beach.png").target == "quality=20"
    assert archive.manifest.run.options["codec_options"] == {"tile_size": 32, "bits": 6}
    assert archive.latents().count_rows() == 0


@pytest.mark.parametrize("arguments", [["plan"], ["compress", "--dry-run"]])
def test_a_dry_run_writes_nothing(
    arguments: list[str], glassplate: Run, source: Path, tmp_path: Path
) -> None:
    command, *flags = arguments
    done = glassplate(command, source, tmp_path / "a", *flags, "--codec", "jpeg", "--json")
    assert done.code == ExitCode.OK
    plan = json.loads(done.out)
    assert (plan["inputs"], plan["new_inputs"], plan["sampled"]) == (4, 4, 4)
    assert 0 < plan["stored_bytes"] < plan["source_bytes"]
    assert not (tmp_path / "a").exists()
    table = glassplate(command, source, tmp_path / "a", *flags, "--codec", "jpeg").out
    assert "expected time" in table
    assert "2 encoded" in table


def test_sample_writes_good_odd_and_bad_files(glassplate: Run, tmp_path: Path) -> None:
    done = glassplate("demo", tmp_path / "photos", "--json")
    assert done.code == ExitCode.OK
    files = [Path(json.loads(line)["file"]) for line in done.out.splitlines()]
    assert {f.relative_to(tmp_path / "photos").as_posix() for f in files} >= {
        "astronaut.png", "bad/empty.jpg", "bad/text.jpg", "bad/truncated.jpg",
        "bad/truncated.png", "odd/alpha.png", "odd/sixteen-bit.png", "odd/rotated-by-exif.jpg",
    }  # fmt: skip
    with Image.open(tmp_path / "photos/odd/rotated-by-exif.jpg") as rotated:
        upright = np.asarray(ImageOps.exif_transpose(rotated), dtype=float)
    with Image.open(tmp_path / "photos/chelsea.png") as straight:
        assert np.abs(upright - np.asarray(straight)).mean() < 5
    again = glassplate("demo", tmp_path / "photos")
    assert again.code == ExitCode.USAGE
    assert "not empty" in again.err


def test_sample_without_scikit_image_names_the_extra(
    glassplate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)  # as if it were not installed
    done = glassplate("demo", tmp_path / "photos")
    assert done.code == ExitCode.USAGE
    assert "glassplate[demo]" in done.err


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--flow"]])
def test_an_interrupted_run_says_so_and_the_next_one_goes_on(
    command: Run, photo: Pixels, tmp_path: Path, more: list[str]
) -> None:
    """Also on Prefect's temporary server, which gets the same signal and has to outlive it."""
    source, archive = tmp_path / "photos", tmp_path / "a"
    source.mkdir()
    for number in range(48):
        tile = np.roll(photo, 7 * number, axis=1)[:256, :256]
        Image.fromarray(tile).save(source / f"{number}.png")
    arguments = ["compress", str(source), str(archive), "--workers", "2", "--codec", "svd"]
    executable = Path(sys.executable).with_name("glassplate")
    running = subprocess.Popen(
        [executable, *arguments, *more],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PREFECT_HOME": str(tmp_path / "prefect")},
    )
    end = time.monotonic() + 120
    while not list(archive.glob("_staging/*/done.json")) and time.monotonic() < end:
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGINT)  # what a terminal sends on Ctrl-C
    _, err = running.communicate(timeout=60)
    assert running.returncode == ExitCode.INTERRUPTED
    assert "error: interrupted; the next run goes on from there" in err
    assert "Traceback" not in err
    assert not list(archive.glob("_manifests/*.json"))
    done = command(*arguments, "--json")
    assert done.code == ExitCode.OK, done.err
    assert json.loads(done.out)["encoded"] == 48


@pytest.mark.slow
def test_of_two_commands_at_once_one_commits_and_one_conflicts(
    photo: Pixels, tmp_path: Path
) -> None:
    for side in ("left", "right"):
        (tmp_path / side).mkdir()
        for number in range(20):
            tile = np.roll(photo, 7 * number + (side == "left"), axis=1)[:32, :48]
            Image.fromarray(tile).save(tmp_path / side / f"{side}-{number}.bmp")
    executable = Path(sys.executable).with_name("glassplate")
    slow = ["--codec", "mischief", "--plugin", "mischief", "--codec-option", "seconds=0.3"]
    env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}"}
    arguments = {side: ["compress", side, "a", *slow, "--json"] for side in ("left", "right")}
    racing = {
        side: subprocess.Popen(
            [executable, *arguments[side]],
            cwd=tmp_path,
            env=os.environ | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for side in arguments
    }
    ended = {side: (*run.communicate(timeout=120), run.returncode) for side, run in racing.items()}
    winner, loser = sorted(ended, key=lambda side: ended[side][2])
    assert [ended[winner][2], ended[loser][2]] == [ExitCode.OK, ExitCode.CONFLICT], ended
    assert json.loads(ended[winner][0])["encoded"] == 20
    assert json.loads(ended[loser][1])["error"] == "commit-conflict"
    assert ended[loser][0] == ""
    names = open_archive(str(tmp_path / "a")).images().to_table(["name"])["name"].to_pylist()
    assert sorted(names) == sorted(path.name for path in (tmp_path / winner).iterdir())
    again = subprocess.run(
        [executable, *arguments[loser]], cwd=tmp_path, env=os.environ | env, check=False
    )
    assert again.returncode == ExitCode.OK
    assert open_archive(str(tmp_path / "a")).images().count_rows() == 40


@pytest.mark.slow
def test_the_same_as_a_prefect_flow(command: Run, source: Path, tmp_path: Path) -> None:
    env = {"PREFECT_HOME": str(tmp_path / "prefect")}  # no server: a temporary one
    arguments = ("compress", source, tmp_path / "a", "--codec", "jpeg", "--flow", "--json")
    done = command(*arguments, **env)
    assert done.code == ExitCode.SOME_FAILED, done.err
    assert json.loads(done.out)["encoded"] == 2
    assert open_archive(str(tmp_path / "a")).manifest.number == 1
    assert len(list((tmp_path / "a" / "_reports").glob("*.html"))) == 1


@pytest.mark.slow
def test_a_flow_that_the_gate_stops_ends_without_a_traceback(
    command: Run, source: Path, tmp_path: Path
) -> None:
    env = {"PREFECT_HOME": str(tmp_path / "prefect")}  # no server: a temporary one
    done = command("compress", source, tmp_path / "a", "--codec", "jpeg", "--flow",
                   "--max-failures", "0", **env)  # fmt: skip
    assert done.code == ExitCode.GATE
    assert "error: " in done.err
    assert "Traceback" not in done.err


def test_a_touched_source_is_listed_as_before_and_a_gone_one_is_shown(
    glassplate: Run, source: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "a"
    run = ("compress", source, archive, "--codec", "jpeg")
    glassplate(*run)
    before = glassplate("query", archive).out
    for path in source.rglob("*.*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    glassplate(*run)
    assert glassplate("query", archive).out == before
    assert "nothing to do" in glassplate(*run).err
    assert "0 rows" in glassplate("query", archive, "--gone").err
    (source / "alpha.png").unlink()
    assert "1 source is gone; its picture stays" in glassplate(*run).err
    header, row = glassplate("list", archive, "--gone").out.splitlines()
    assert header.split()[-1] == "gone"
    assert (row.split()[0], row.split()[-1]) == ("alpha.png", "yes")
    (record,) = map(json.loads, glassplate("list", archive, "--gone", "--json").out.splitlines())
    assert record["gone"]
    assert glassplate("get", archive, "alpha.png", "-o", tmp_path / "back.png").code == 0


def test_another_codec_says_what_is_stored_and_reencode_stores_it_anew(
    glassplate: Run, source: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "a"
    glassplate("compress", source, archive, "--codec", "jpeg")
    other = ("compress", source, archive, "--codec", "webp", "--quality", "50")
    said = "2 pictures are stored by jpeg, quality 75; --reencode stores them anew"
    done = glassplate(*other)
    assert done.code == ExitCode.OK
    assert said in done.err
    assert "nothing to do" not in done.err
    assert said in glassplate("plan", *other[1:]).err
    assert glassplate(*other, "--reencode", "--json").code == ExitCode.OK
    records = [json.loads(line) for line in glassplate("list", archive, "--json").out.splitlines()]
    assert {row["codec"] for row in records if row["status"] == "encoded"} == {"webp"}
    assert "nothing to do" in glassplate(*other, "--reencode").err
