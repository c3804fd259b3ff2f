"""One run over every odd input: each has the row that was promised, and what is stored returns."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import odd_inputs
import pytest
from odd_inputs import Odd
from PIL import Image, ImageOps

from glassplate.codecs.errors import GlassplateError, UnsupportedImageError
from glassplate.flows.reports.archive import archive_page
from glassplate.pipelines import Archive, open_archive
from glassplate.pipelines.archive.deliver.file import deliver
from glassplate.pipelines.archive.deliver.folder import extract
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

NO_PICTURES = list(odd_inputs.no_pictures())
DAMAGED = list(odd_inputs.damaged())
UNDECODED = [*DAMAGED, *odd_inputs.too_large(), *odd_inputs.unsupported()]
KEPT = [*odd_inputs.kept(), *odd_inputs.alphas()]
ENCODABLE = list(odd_inputs.encodable())
TINY = Odd("1x1.png", odd_inputs.save(odd_inputs.photo(1, 1), "PNG"), "kept", "not-smaller")
EVERY = [*NO_PICTURES, *UNDECODED, *KEPT, *ENCODABLE, TINY]
HEADER_BYTES = 120
DEEP = "d/" * 300 + "deep.png"


def named(odd: Odd) -> str:
    return odd.name


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("odd")
    source = folder / "source"
    source.mkdir()
    for odd in EVERY:
        (source / odd.name).write_bytes(odd.data)
    (source / "sub").mkdir()
    (source / "sub" / "loop").symlink_to("..")
    (source / DEEP).parent.mkdir(parents=True)
    odd_inputs.photo(160, 90).save(source / DEEP)
    config = CompressConfig(
        source=str(source),
        archive=str(folder / "archive"),
        codec="jxl",
        codec_options={"effort": 3},
        max_failures=0.5,
    )
    ledger = compress(config).ledger
    assert ledger.inputs == len(EVERY) + 1
    assert ledger.damaged == len(DAMAGED)
    assert ledger.adds_up()
    return open_archive(config.archive)


@pytest.fixture(scope="module")
def rows(archive: Archive) -> dict[str, Any]:
    return {row["name"]: row for row in archive.where("true").to_pylist()}


@pytest.mark.parametrize("odd", EVERY, ids=named)
def test_row(rows: dict[str, Any], odd: Odd) -> None:
    row = rows[odd.name]
    assert (row["status"], row["reason"] or row["error_code"]) == (odd.status, odd.why)
    if odd.status == "failed" or odd.why == "damaged":
        assert row["error_stage"] == "decode"
        assert odd.name in row["error_message"]
    elif odd.status == "kept":
        assert row["error_code"] is None
    if odd.status in ("encoded", "kept"):  # no tier makes a file larger, but for a header
        assert row["stored_bytes"] <= len(odd.data) + HEADER_BYTES


@pytest.mark.parametrize("odd", [*KEPT, *UNDECODED, TINY], ids=named)
def test_kept_files_come_back_byte_for_byte(archive: Archive, odd: Odd) -> None:
    assert archive.original(odd.name)[0] == odd.data


@pytest.mark.parametrize("odd", ENCODABLE, ids=named)
def test_encoded_pictures_come_back_upright(
    archive: Archive, rows: dict[str, Any], odd: Odd
) -> None:
    picture = archive.get(odd.name)
    with Image.open(io.BytesIO(odd.data)) as image:
        upright = image if "broken" in odd.name else ImageOps.exif_transpose(image)
        expected = np.asarray(upright.convert(picture.mode), dtype=float)
    assert picture.mode == ("L" if "grey" in odd.name else "RGB")
    assert picture.size == (rows[odd.name]["width"], rows[odd.name]["height"])
    error = float(np.mean((np.asarray(picture, dtype=float) - expected) ** 2))
    psnr = 10 * np.log10(255**2 / max(error, 1e-9))
    assert psnr == pytest.approx(rows[odd.name]["psnr"], abs=0.01)
    assert psnr > 30


def test_metadata_comes_back(archive: Archive) -> None:
    assert archive.get("broken-icc.png").info["icc_profile"] == b"not a profile" * 20
    assert len(archive.get("huge-exif.jpg").info["exif"]) > 60_000
    assert archive.get("xmp.jpg").info["xmp"] == odd_inputs.XMP
    with Image.open(io.BytesIO(next(o.data for o in ENCODABLE if o.name == "icc.jpg"))) as image:
        assert archive.get("icc.jpg").info["icc_profile"] == image.info["icc_profile"]
    turned = archive.get("orientation-6.jpg")
    assert turned.getexif()[odd_inputs.ORIENTATION] == 1
    assert turned.getexif()[0x010F] == "Plate camera"


def test_deep_file_comes_back(archive: Archive) -> None:
    assert archive.get(DEEP).size == (160, 90)


def test_kept_files_store_no_metadata_twice(archive: Archive) -> None:
    for odd in [*KEPT, *UNDECODED]:
        row = archive.bitstream(odd.name)
        assert [row.icc_profile, row.exif, row.xmp, row.segments] == [None] * 4


def test_damaged_pictures_break_nothing(archive: Archive, tmp_path: Path) -> None:
    chosen = "reason in ('damaged', 'too-many-pixels', 'unsupported-format')"
    extracted = extract(archive, chosen, tmp_path)
    assert not extracted.errors
    assert len(extracted.written) == len(UNDECODED)
    for odd in UNDECODED:
        archive.check_decodes(archive.stored(odd.name))
        with suppress(GlassplateError):  # a picture of what Pillow can see of it, or a typed error
            deliver(archive, odd.name, tmp_path / "picture.webp")
        path = tmp_path / f"same{Path(odd.name).suffix}"
        assert deliver(archive, odd.name, path).read_bytes() == odd.data
    page = archive_page(archive)
    assert {row["name"] for row in page["damaged"]} == {odd.name for odd in DAMAGED}
    assert not {row["name"] for row in page["failures"]} & {odd.name for odd in DAMAGED}


def test_what_cannot_be_shown_is_told_in_our_own_words(archive: Archive) -> None:
    told = "truncated.jpg: ends in the middle of its pixels, and is kept as it is. Take the file"
    with pytest.raises(UnsupportedImageError, match=told):
        archive.get("truncated.jpg")
