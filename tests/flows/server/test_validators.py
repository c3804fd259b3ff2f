"""Other people's judges of the service."""

from __future__ import annotations

import ctypes.util
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from serving import served

from glassplate.codecs.base import Target
from glassplate.pipelines import open_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

SQUARE = 100


@pytest.mark.slow
@pytest.mark.skipif(
    not ctypes.util.find_library("magic"), reason="wants libmagic (Debian: apt install libmagic1)"
)
@pytest.mark.parametrize("version", ["3.0", "2.0"])
def test_the_iiif_validator_passes_level_2(tmp_path: Path, version: str) -> None:
    """Every test of iiif-validator, on its own picture of a hundred colours."""
    from iiif_validator import validator

    random.seed(version)  # what it asks for is the same every time
    colours = validator.ValidationInfo().colorInfo
    picture = Image.new("RGB", (10 * SQUARE, 10 * SQUARE))
    for x, column in enumerate(colours):
        for y, colour in enumerate(column):
            picture.paste(colour, (x * SQUARE, y * SQUARE, (x + 1) * SQUARE, (y + 1) * SQUARE))
    (tmp_path / "in").mkdir()
    picture.save(tmp_path / "in" / "67352ccc-d1b0-11e1-89ae-279075081939.png")
    archive = tmp_path / "archive"
    target = Target(quality=100)
    compress(
        CompressConfig(
            source=str(tmp_path / "in"), archive=str(archive), codec="jxl", target=target
        )
    )
    table = open_archive(str(archive)).where()
    key = table["image_id"][0].as_py()
    with served(archive, "--workers", "1") as service:
        service.image(f"/iiif/3/{key}/full/9,/0/default.jpg")  # the validator waits 5 s at most
        server = service.url.removeprefix("http://")
        assert _faults(validator, server, f"iiif/{version[0]}", key, version) == {}


def _faults(
    validator: Any, server: str, prefix: str, identifier: str, version: str
) -> dict[str, str]:
    """Test -> what it found wrong, of all up to level 2."""
    suite = validator.TestSuite(validator.ValidationInfo())
    tests = {n: t for n, t in suite.list_tests(version).items() if t["level"] <= 2}
    assert len(tests) > 20
    faults = {}
    for name in tests:
        asked = validator.ImageAPI(identifier, server, prefix, version=version, debug=False)
        suite.run_test(name, asked)
        if asked.exception:
            faults[name] = f"{asked.exception} ({asked.urls})"
    return faults
