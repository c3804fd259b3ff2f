"""Crops of pictures from every kind of source, near or far, large or broken."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from object_store import KEYS, s3_server
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.codecs.errors import InputError
from glassplate.codecs.training.data import CropStore
from glassplate.codecs.training.pictures import read_pictures


def png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def pictures(photo: Pixels) -> dict[str, bytes]:
    """Eight different pictures of 256x256 by name, in the order of their names."""
    turned = (np.roll(photo, 16 * number, axis=1)[:256, :256] for number in range(8))
    return {f"{number} [x].png": png(pixels) for number, pixels in enumerate(turned)}


@pytest.fixture
def folder(pictures: dict[str, bytes], tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    for number, (name, data) in enumerate(pictures.items()):
        (folder / ("below" if number == 7 else ".") / name).write_bytes(data)
    return folder


@pytest.fixture
def far() -> Iterator[str]:
    """A folder in a file system that is not this machine's."""
    url = "memory://bucket/photos"
    yield url
    fsspec.filesystem("memory").rm("/bucket", recursive=True)


def tar_of(pictures: dict[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, data in pictures.items():
            member = tarfile.TarInfo(f"photos/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def contents(store: CropStore) -> list[bytes]:
    return [store.pixels(index).tobytes() for index in range(len(store.crops))]


def build(source: str | Path, tmp_path: Path, **options: int) -> CropStore:
    return CropStore.build(str(source), tmp_path / "crops", **options)


def test_the_same_crops_from_every_kind_of_source(
    folder: Path, pictures: dict[str, bytes], far: str, tmp_path: Path
) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of(pictures))
    (tmp_path / "a.tgz").write_bytes(tar_of(pictures, "w:gz"))
    data = list(pictures.values())
    plain = pa.table({"label": [""] * 8, "picture": data})
    nested = pa.table({"image": [{"path": "x", "bytes": one} for one in data]})
    pq.write_table(plain, tmp_path / "plain.parquet")
    pq.write_table(nested, tmp_path / "nested.parquet", row_group_size=3)
    memory = fsspec.filesystem("memory")
    memory.pipe({f"/bucket/photos/{name}": data for name, data in pictures.items()})
    memory.pipe("/bucket/a.tar", tar_of(pictures))
    memory.pipe("/bucket/plain.parquet", (tmp_path / "plain.parquet").read_bytes())
    expected = [np.asarray(Image.open(io.BytesIO(one))).tobytes() for one in data]
    near = [folder, tmp_path / "a.tar", tmp_path / "a.tgz", tmp_path / "nested.parquet"]
    for source in (*map(str, near), far, "memory://bucket/a.tar", "memory://bucket/plain.parquet"):
        assert contents(build(source, tmp_path)) == expected, source
    assert build(f"{folder}/*.png", tmp_path).crops == build(folder, tmp_path).crops[:7]
    assert len(build("memory://bucket/*.*", tmp_path).crops) == 16


def test_large_pictures_are_cut_and_small_ones_kept_whole(photo: Pixels, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    large = np.tile(photo, (3, 4, 1))
    large[:512, 512:1024] = 0
    for name, pixels in {"a": large, "b": photo[:300, :500], "c": photo[:255]}.items():
        (folder / f"{name}.png").write_bytes(png(pixels))
    store = build(folder, tmp_path)
    shapes = [(crop.name, crop.height, crop.width) for crop in store.crops]
    assert shapes == [("a.png", 512, 512)] * 8 + [("b.png", 300, 500)]
    assert store.left_out == {"codec-limit": 1}
    np.testing.assert_array_equal(store.pixels(8), photo[:300, :500])
    batch = store.sample([0, 8], 5, 64)
    assert batch.shape == (5, 3, 64, 64)
    assert 0 <= batch.min() < batch.max() <= 1
    middle = store.centres([8], 128)[0].permute(1, 2, 0).numpy() * 255
    np.testing.assert_allclose(middle, photo[86:214, 186:314], atol=0.01)


def test_samples_are_parts_of_the_picture_in_all_orientations(tmp_path: Path) -> None:
    rows, columns = np.indices((256, 256), np.uint8)
    (tmp_path / "p.png").write_bytes(png(np.dstack([rows, columns, rows * 0])))
    store = build(f"{tmp_path}/*.png", tmp_path)
    steps = set()
    for crop in (store.sample([0], 64, 64) * 255).round().int():
        down, right = crop[:2, 1, 0] - crop[:2, 0, 0], crop[:2, 0, 1] - crop[:2, 0, 0]
        start, y, x = crop[:2, :1, :1], torch.arange(64)[:, None], torch.arange(64)
        expected = start + down[:, None, None] * y + right[:, None, None] * x
        torch.testing.assert_close(crop[:2], expected.int())
        steps.add((*down.tolist(), *right.tolist()))
    assert len(steps) == 8


def test_bad_pictures_are_counted_and_left_out(
    folder: Path, photo: Pixels, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.fromarray(np.zeros((300, 300), np.uint16)).save(folder / "deep.png")
    (folder / "broken.png").write_bytes(png(photo)[:5000])
    (folder / "empty.jpg").touch()
    (folder / "cut.tar").write_bytes(tar_of({"0.png": png(photo)})[:5000])
    pq.write_table(pa.table({"url": ["a"]}), folder / "list.parquet")
    (folder / "notes.txt").write_text("no picture")
    (folder / "gone.png").symlink_to("nowhere")
    store = build(folder, tmp_path)
    assert len(store.crops) == 8
    assert store.left_out == {"damaged-image": 2, "codec-limit": 1, "bad-input": 3}
    assert "broken.png: left out" in caplog.text
    assert "list.parquet: left out: cannot be read: has no column of pictures" in caplog.text


def test_a_large_source_is_sampled_evenly_and_mostly_skipped(
    pictures: dict[str, bytes], tmp_path: Path
) -> None:
    (data, *_) = pictures.values()
    (tmp_path / "many.tar").write_bytes(tar_of({f"{n}.png": data for n in range(300)}))
    counts = []
    store = CropStore.build(
        str(tmp_path / "many.tar"), tmp_path, max_crops=40, on_pictures=lambda *c: counts.append(c)
    )
    numbers = sorted(int(Path(crop.name).stem) for crop in store.crops)
    assert 10 <= len(numbers) <= 40
    assert numbers[0] < 60
    assert numbers[-1] > 240
    assert len(set(numbers)) == len(numbers)
    assert len(counts) < 200
    assert max(crops for _, crops in counts) <= 40
    assert contents(store) == [contents(store)[0]] * len(numbers)
    assert store.slots.shape[0] == len(numbers)


def test_a_large_tar_is_read_picture_by_picture(tmp_path: Path, photo: Pixels) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.tile(photo, (3, 3, 1))).save(buffer, "BMP")
    with tarfile.open(tmp_path / "large.tar", "w") as tar:
        for number in range(12):
            member = tarfile.TarInfo(f"{number}.bmp")
            member.size = buffer.tell()
            tar.addfile(member, io.BytesIO(buffer.getvalue()))
    size = (tmp_path / "large.tar").stat().st_size
    tracemalloc.start()
    store = build(tmp_path / "large.tar", tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(store.crops) == 12 * 8
    assert peak < size / 2


@pytest.mark.slow
def test_pictures_on_s3(
    folder: Path, pictures: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server(tmp_path / "log") as port:
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        s3 = fsspec.filesystem("s3", skip_instance_cache=True)
        s3.mkdir("plates")
        s3.pipe({f"plates/photos/{name}": data for name, data in pictures.items()})
        s3.pipe("plates/a.tar", tar_of(pictures))
        expected = contents(build(folder, tmp_path))
        for url in ("s3://plates/photos", "s3://plates/photos/*.png", "s3://plates/*.tar"):
            assert contents(build(url, tmp_path)) == expected, url
        fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_training_and_validation_do_not_share_pictures(folder: Path, tmp_path: Path) -> None:
    training, held_out = build(folder, tmp_path).split(0.3)
    assert sorted(training + held_out) == list(range(8))


def test_crops_are_cut_once(folder: Path, tmp_path: Path) -> None:
    first = build(folder, tmp_path)
    (folder / "0 [x].png").unlink()
    assert build(folder, tmp_path).crops == first.crops


def test_sources_without_pictures(tmp_path: Path, photo: Pixels) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no archive")
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "archive.json").write_text("{}")
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "small.png").write_bytes(png(photo[:100, :100]))
    for name, cause in {
        "empty": "neither pictures",
        "text": "neither pictures",
        "archive": "glassplate extract",
        "small": "at least 256x256",
        "missing": "no such file",
        "*.jpg": "no such file",
    }.items():
        with pytest.raises(InputError, match=cause):
            build(tmp_path / name, tmp_path)
    with pytest.raises(InputError, match="Protocol not known"):
        build("nowhere://bucket", tmp_path)


def test_only_what_is_wanted_is_read(folder: Path) -> None:
    (folder / "below" / "7 [x].png").unlink()
    (folder / "below" / "7 [x].png").mkdir()
    read = dict(read_pictures(str(folder), lambda name: name.startswith("3")))
    assert list(read) == ["3 [x].png"]
