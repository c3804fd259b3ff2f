"""Extraction: own formats, going on after an interruption, bags."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import bagit
import numpy as np
import pytest
from PIL import Image

from glassplate.codecs import Target
from glassplate.codecs.errors import ConfigError
from glassplate.pipelines.archive.deliver.folder import extract
from glassplate.pipelines.archive.deliver.journal import FOLDER, open_journal
from glassplate.pipelines.archive.format.identity import Identity
from glassplate.pipelines.archive.read.reader import Archive, open_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress
from glassplate.pipelines.errors import NotFoundError

DPI = (300, 300)


def photo(seed: int, size: int = 48) -> Image.Image:
    """Smooth, so that every codec makes it smaller."""
    y, x = np.mgrid[0:size, 0:size]
    return Image.fromarray(np.stack([x * 5, y * 5, (x + y + seed) * 2], 2).astype(np.uint8))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Pictures of six formats, lossy, and one of 16 bits, kept."""
    folder = tmp_path_factory.mktemp("extract")
    source = folder / "source"
    (source / "deep").mkdir(parents=True)
    for number, name in enumerate(
        ["a.jpg", "B.JPEG", "c.png", "d.tif", "e.bmp", "f.webp", "wrong.png"]
    ):
        kind = {"wrong.png": "JPEG"}.get(name)
        photo(number).save(source / name, kind, **({} if name == "f.webp" else {"dpi": DPI}))
    photo(9).quantize(64).save(source / "g.gif")
    Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64)).save(source / "deep/h.tif")
    compress(
        CompressConfig(
            source=str(source),
            archive=str(folder / "archive"),
            codec="jpeg",
            target=Target(quality=60),
            workers=1,
        )
    )
    return open_archive(str(folder / "archive"))


def files(root: Path) -> list[str]:
    """All files but the journal's."""
    found = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    return sorted(name for name in found if not name.startswith(FOLDER))


def test_each_comes_back_in_its_own_format(archive: Archive, tmp_path: Path) -> None:
    result = extract(archive, None, tmp_path)
    assert result.errors == []
    names = ["B.JPEG", "a.jpg", "c.png", "d.tif", "deep/h.tif", "e.bmp", "f.webp"]
    others = sorted(set(files(tmp_path)) - set(names))
    assert others == ["g.gif", "wrong.jpg"] or others == ["g.png", "wrong.jpg"]
    for file in result.files:
        name = file.entry.name
        with Image.open(file.path) as image, Image.open(io.BytesIO(file.path.read_bytes())) as same:
            assert Image.registered_extensions()[file.path.suffix.lower()] == image.format
            assert image.size == same.size
            if name not in ("f.webp", "g.gif", "deep/h.tif"):
                assert image.info["dpi"] == pytest.approx(DPI, abs=0.02), name
        row = archive.find(name)
        assert file.entry.is_original == (row.bit_exact is True)
        assert (file.instead_of == ".gif") == (name == "g.gif" and not row.bit_exact)


def test_a_gif_of_many_colours_comes_back_as_png(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    photo(1, 200).quantize(256).save(tmp_path / "source/a.gif")
    config = CompressConfig(
        source=str(tmp_path / "source"),
        archive=str(tmp_path / "archive"),
        codec="jpeg",
        target=Target(quality=20),
        workers=1,
    )
    compress(config)
    archive = open_archive(config.archive)
    assert archive.find("a.gif").bit_exact is False
    (file,) = extract(archive, None, tmp_path / "out").files
    assert (file.path.name, file.instead_of) == ("a.png", ".gif")
    (again,) = extract(archive, None, tmp_path / "out").files
    assert (again.path, again.instead_of, again.new) == (file.path, ".gif", False)


def test_what_is_there_whole_is_not_decoded_again(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = extract(archive, "name < 'c'", tmp_path)
    decoded: list[str] = []
    get = Archive.get
    monkeypatch.setattr(
        Archive, "get", lambda self, key, *a, **k: decoded.append(key) or get(self, key, *a, **k)
    )
    steps: list[tuple[int, int]] = []
    second = extract(archive, None, tmp_path, progress=lambda *step: steps.append(step))
    there = {file.path for file in second.files if not file.new}
    assert there == set(first.written)
    assert len(second.files) == 9
    assert steps == [(n, 9) for n in range(10)]
    assert not {file.entry.image_id for file in first.files} & set(decoded)
    before = files(tmp_path)
    third = extract(archive, None, tmp_path)
    assert (third.written, files(tmp_path)) == ([], before)


def test_what_was_changed_is_written_beside_it(archive: Archive, tmp_path: Path) -> None:
    extract(archive, "name = 'a.jpg'", tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"mine")
    (path,) = extract(archive, "name = 'a.jpg'", tmp_path).written
    assert path.name == "a-1.jpg"
    assert (tmp_path / "a.jpg").read_bytes() == b"mine"
    assert extract(archive, "name = 'a.jpg'", tmp_path).written == []


def test_other_formats_are_other_files(archive: Archive, tmp_path: Path) -> None:
    for _ in range(2):
        extract(archive, "name = 'a.jpg'", tmp_path)
        extract(archive, "name = 'a.jpg'", tmp_path, "png")
    assert files(tmp_path) == ["a.jpg", "a.png"]


def test_a_lossy_file_is_none_for_who_wants_it_whole(archive: Archive, tmp_path: Path) -> None:
    deep = "name = 'deep/h.tif'"
    extract(archive, deep, tmp_path, "jpg", lossy=True)
    refused = extract(archive, deep, tmp_path, "jpg")
    assert (len(refused.files), len(refused.errors)) == (0, 1)
    assert "deep/h.tif" in str(refused.errors[0][1])
    assert extract(archive, deep, tmp_path, "jpg", lossy=True).written == []


def test_a_killed_extraction_leaves_nothing_half_written(archive: Archive, tmp_path: Path) -> None:
    """Killed while its third file is being made: whole files stay, and the next one goes on."""
    code = f"""
import os, signal
from glassplate.pipelines.archive.deliver import file, folder
from glassplate.pipelines import open_archive
deliver, calls = folder.deliver, []
def killed(archive, key, path, **options):
    calls.append(key)
    if len(calls) == 3:
        path.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    return deliver(archive, key, path, **options)
folder.deliver = killed
folder.extract(open_archive({archive.store.url!r}), None, {str(tmp_path)!r})
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    assert len(files(tmp_path)) == 2
    result = extract(archive, None, tmp_path)
    assert (len(result.files), len(result.written)) == (9, 7)
    assert [p.name for p in (tmp_path / FOLDER).iterdir()] == ["extracted.jsonl"]


def test_a_journal_that_broke_off_is_gone_on_with(archive: Archive, tmp_path: Path) -> None:
    extract(archive, "name < 'c'", tmp_path)
    journal = tmp_path / FOLDER / "extracted.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    extract(archive, "name = 'c.png'", tmp_path)
    assert extract(archive, "name = 'c.png'", tmp_path).written == []
    assert len(extract(archive, "name < 'c'", tmp_path).written) == 1


def test_nothing_selected_is_told(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no stored picture"):
        extract(archive, "name = 'nothing'", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_extraction_at_a_time_writes_into_a_folder(archive: Archive, tmp_path: Path) -> None:
    with open_journal(tmp_path, tmp_path), pytest.raises(ConfigError, match="another extract"):
        extract(archive, None, tmp_path)


def test_a_journal_from_a_stranger_leads_nowhere(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    root = tmp_path / "out"
    extract(archive, "name = 'a.jpg'", root)
    journal = root / FOLDER / "extracted.jsonl"
    journal.write_text(journal.read_text().replace('"file":"a.jpg"', '"file":"../secret"'))
    (file,) = extract(archive, "name = 'a.jpg'", root).files
    assert file.new
    (root / FOLDER / "extracted.jsonl").unlink()
    (root / FOLDER).rmdir()
    (root / FOLDER).symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="link"):
        extract(archive, None, root)


def valid(bag: Path) -> bool:
    """What the library's own command says."""
    command = [sys.executable, bagit.__file__, "--validate", "--quiet", str(bag)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_a_bag_is_valid_and_says_where_it_is_from(archive: Archive, tmp_path: Path) -> None:
    result = extract(archive, None, tmp_path / "bag", bag=True)
    assert valid(tmp_path / "bag")
    assert {p.parent.name for p in result.written} == {"data", "deep"}
    info = bagit.Bag(str(tmp_path / "bag")).info
    assert info["Glassplate-Archive"] == Identity.read(archive.store).id
    assert info["Glassplate-Snapshot"] == str(archive.manifest.number)
    assert info["Glassplate-Run"] == archive.manifest.run.run_id
    originals = sum(file.entry.is_original for file in result.files)
    assert (info["Glassplate-Originals"], info["Glassplate-Decoded"]) == (
        str(originals),
        str(9 - originals),
    )
    manifest = (tmp_path / "bag/manifest-sha256.txt").read_text()
    assert sorted(line.split(maxsplit=1)[1] for line in manifest.splitlines()) == [
        f"data/{name}" for name in files(tmp_path / "bag/data")
    ]
    path = result.written[0]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert not valid(tmp_path / "bag")
    with pytest.raises(ConfigError, match="changed"):
        extract(archive, None, tmp_path / "bag", bag=True)


def test_a_bag_is_gone_on_with(archive: Archive, tmp_path: Path) -> None:
    extract(archive, "name < 'c'", tmp_path, bag=True)
    assert valid(tmp_path)
    result = extract(archive, None, tmp_path, bag=True)
    assert (len(result.files), len(result.written)) == (9, 7)
    assert valid(tmp_path)
    assert len(files(tmp_path / "data")) == 9


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (lambda root: (root / "mine.txt").write_text("mine"), "is not empty"),
        (lambda root: _bag_of_another_tool(root), "another tool"),
    ],
)
def test_a_bag_takes_no_folder_of_others(
    archive: Archive, tmp_path: Path, there: Callable[[Path], object], told: str
) -> None:
    there(tmp_path)
    with pytest.raises(ConfigError, match=told):
        extract(archive, None, tmp_path, bag=True)


def _bag_of_another_tool(root: Path) -> None:
    (root / "picture.png").write_bytes(b"theirs")
    bagit.make_bag(str(root))
