"""`--include`, `--exclude`, and what file managers leave beside pictures."""

from __future__ import annotations

import zipfile
from pathlib import Path

import odd_inputs
import pytest
from pydantic import ValidationError

from glassplate.pipelines import open_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress
from glassplate.pipelines.errors import SourceError
from glassplate.pipelines.sources.choice import Choice
from glassplate.pipelines.sources.listing import list_source

FILES = ["a.jpg", "b.png", "2024/c.jpg", "2024/raw/d.tif", "old/e.jpg", "old.jpg", "2024.d/f.jpg"]


def taken(folder: Path, include: list[str], exclude: list[str]) -> list[str]:
    choice = Choice(include, exclude)
    return [ref.name for ref in list_source(str(folder), choice=choice).refs]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ([], ["*.jpg"], ["2024/raw/d.tif", "b.png"]),
        (["*.tif", "b.*"], [], ["2024/raw/d.tif", "b.png"]),
        (["*.{tif,png}"], [], ["2024/raw/d.tif", "b.png"]),
        (["2024"], [], ["2024/c.jpg", "2024/raw/d.tif"]),
        (["2024/*.jpg"], [], ["2024/c.jpg"]),
        (["./2024"], ["./2024/raw/"], ["2024/c.jpg"]),
        (["2024/**/*.tif"], [], ["2024/raw/d.tif"]),
        (["/*.jpg"], [], ["a.jpg", "old.jpg"]),
        (["*.jpg"], ["old/", "2024*"], ["a.jpg", "old.jpg"]),
        ([], ["raw", "old*", "2024.d/**"], ["2024/c.jpg", "a.jpg", "b.png"]),
    ],
)
def test_patterns(
    folder: Path, include: list[str], exclude: list[str], expected: list[str]
) -> None:
    assert taken(folder, include, exclude) == expected
    with zipfile.ZipFile(folder.parent / "photos.zip", "w") as packed:
        for name in FILES:
            packed.write(folder / name, name)
    assert taken(folder.parent / "photos.zip", include, exclude) == expected


def test_nothing_left_is_an_error(folder: Path) -> None:
    with pytest.raises(SourceError, match="none of its 7 files is left"):
        taken(folder, ["*.gif"], [])


@pytest.mark.parametrize("pattern", ["", "/", "a**b/c"])
def test_bad_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        CompressConfig(source="photos", archive="archive", exclude=(pattern,))


def test_what_could_not_be_listed_is_not_dropped_by_include(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "a.jpg").write_text("a")
    assert taken(tmp_path, ["*.jpg"], []) == ["a.jpg", "gone"]
    assert taken(tmp_path, ["*.jpg"], ["gone"]) == ["a.jpg"]


def test_system_files_are_skipped_unless_they_are_pictures(tmp_path: Path) -> None:
    picture = odd_inputs.save(odd_inputs.photo(64, 48), "PNG")
    double = b"\0\5\x16\7\0\2\0\0Mac OS X        \0\2" + bytes(4070)
    files = {"a.png": picture, "._a.png": double, "._b.png": b"", ".DS_Store": b"\0\0\0\1Bud1"}
    files |= {"Thumbs.db": b"\xd0\xcf\x11\xe0" + bytes(60), "sub/desktop.ini": b"[x]"}
    other = odd_inputs.save(odd_inputs.photo(64, 48, left=90), "PNG")
    files |= {"__MACOSX/._c.jpg": double, "._real.png": other}
    for name, data in files.items():
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(data)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    for source in ("photos", "photos.zip"):
        archive = str(tmp_path / f"{source}.archive")
        ledger = compress(
            CompressConfig(source=str(tmp_path / source), archive=archive, codec="jpeg")
        ).ledger
        assert (ledger.encoded, ledger.skipped, ledger.failed) == (2, 6, 0)
        rows = open_archive(archive).where("status = 'skipped'", columns=["reason"])
        assert set(rows["reason"].to_pylist()) == {"system-file"}
        assert open_archive(archive).find("._real.png").status == "encoded"
