"""Sources as a shell gives them: several, standard input, and what holds no picture."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import odd_inputs
import pytest

from glassplate.pipelines import open_archive

OPTIONS = ("--codec", "jpeg", "--no-progress")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for n, name in enumerate(("a.png", "b b.png", "sub/a.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(odd_inputs.save(odd_inputs.photo(64, 48, left=9 * n), "PNG"))
    return tmp_path / "photos"


def names() -> list[str]:
    return sorted(open_archive("archive").where(None, columns=["name"])["name"].to_pylist())


def test_files_as_a_shell_expands_them(photos: Path, glassplate: Callable[..., Any]) -> None:
    done = glassplate("compress", *photos.glob("**/*.png"), "archive", *OPTIONS)
    assert done.code == 0
    assert names() == ["a.png", "b b.png", "sub/a.png"]
    again = glassplate("compress", photos / "a.png", "gone.png", "archive", *OPTIONS)
    assert again.code == 3
    assert open_archive("archive").find("gone.png").error_code == "vanished"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\0"])
def test_paths_on_standard_input(photos: Path, end: str) -> None:
    paths = end.join(["photos/a.png", "photos/b b.png", f"{photos}/sub/a.png", ""])
    command = [Path(sys.executable).with_name("glassplate"), "compress", "-", "archive", *OPTIONS]
    done = subprocess.run(command, input=paths.encode(), capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert names() == ["photos/a.png", "photos/b b.png", f"{photos}/sub/a.png"[1:]]


def test_a_text_file_is_a_list_or_an_error(photos: Path, glassplate: Callable[..., Any]) -> None:
    Path("list.txt").write_text("photos/a.png\n\nphotos/sub/a.png\n")
    assert glassplate("compress", "list.txt", "archive", *OPTIONS).code == 0
    assert names() == ["photos/a.png", "photos/sub/a.png"]
    Path("notes.txt").write_text("Dear diary,\nthis is no list.\n")
    done = glassplate("compress", "notes.txt", "other", *OPTIONS)
    assert done.code == 2
    assert "no paths" in done.err


def test_a_source_without_a_picture_is_no_success(
    photos: Path, glassplate: Callable[..., Any]
) -> None:
    (photos / "a.txt").write_text("text")
    done = glassplate("compress", photos, "archive", "--include", "*.txt", *OPTIONS)
    assert done.code == 3
    assert "no picture was found" in done.err
    assert glassplate("compress", photos, "archive", *OPTIONS).code == 0
    assert glassplate("compress", photos / "a.png", "archive", *OPTIONS).code == 0


def test_choices_of_the_command(photos: Path, glassplate: Callable[..., Any]) -> None:
    chosen = ("--include", "*.png", "--exclude", "sub/")
    plan = glassplate("plan", photos, "archive", *chosen, "--codec", "jpeg", "--json")
    assert '"inputs": 2' in plan.out
    assert glassplate("compress", photos, "archive", *chosen, *OPTIONS).code == 0
    assert names() == ["a.png", "b b.png"]
    refused = glassplate("compress", photos, "archive", "--exclude", "", *OPTIONS)
    assert refused.code == 2
    assert "--exclude" in refused.err
