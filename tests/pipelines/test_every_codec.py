"""Every codec through a real archive: odd sizes, regions, the same bytes in a second one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glassplate.codecs import Pixels, Region, codec_names
from glassplate.codecs.measures.pixels import psnr
from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

SIZES = {"odd.png": (97, 131), "grey.png": (64, 80), "photo.jpg": (101, 67)}
LEAST_PSNR = 18
"""Of small pictures full of detail, by the coarsest codec at its defaults."""

FAKES = {"fake", "mischief"}
"""Other tests register them; they keep nothing small."""


@pytest.fixture(scope="module")
def source(photo: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("every") / "photos"
    folder.mkdir()
    for name, (height, width) in SIZES.items():
        picture = Image.fromarray(photo[60 : 60 + height, 180 : 180 + width])
        picture.convert("L" if name == "grey.png" else "RGB").save(folder / name, quality=95)
    return folder


@pytest.mark.parametrize("codec", [name for name in codec_names() if name not in FAKES])
def test_what_goes_into_an_archive_comes_back(codec: str, source: Path, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("archive", "again")]
    for folder in folders:
        result = compress(
            CompressConfig(source=str(source), archive=str(folder), codec=codec, device="cpu")
        )
        assert (result.ledger.skipped, result.ledger.failed) == (0, 0)
        assert result.ledger.encoded >= 1
    stored, again = ({f.name for f in folder.glob("bitstreams/*/*")} for folder in folders)
    assert stored == again != set()  # the names are digests
    archive = open_archive(str(folders[0]), device="cpu")
    used = {archive.find(name).codec for name in SIZES}
    assert codec in used
    for name, (height, width) in SIZES.items():
        whole = archive.get(name)
        assert whole.size == (width, height)
        with Image.open(source / name) as original:
            assert psnr(np.atleast_3d(np.asarray(whole)), np.atleast_3d(np.asarray(original))) > (
                LEAST_PSNR
            )
        part = archive.get(name, Region(x=31, y=17, width=25, height=40))
        cut = np.asarray(whole)[17:57, 31:56].astype(int)
        assert np.abs(np.asarray(part) - cut).max() <= 1
    assert verify_archive(archive, decode=True).ok
