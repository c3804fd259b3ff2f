"""The quality `refined`: the same bytes every time, and no mistaking what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from serving import served

from glassplate.codecs import Pixels
from glassplate.codecs.refine.options import RefineOptions
from glassplate.flows.server.processes.decoder import seed_of
from glassplate.pipelines import open_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

pytestmark = pytest.mark.slow


def test_refined_pictures_say_so(tmp_path: Path, small_photo: Pixels) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(small_photo).save(tmp_path / "in" / "a.png")
    archive = tmp_path / "archive"
    compress(CompressConfig(source=str(tmp_path / "in"), archive=str(archive)))
    opened = open_archive(str(archive), device="cpu")
    key = str(opened.find("a.png").image_id)
    path = f"/iiif/3/{key}/0,0,64,64/max/0/refined.png"
    sent = []
    for _ in range(2):
        with served(archive, "--workers", "1", "--device", "cpu") as service:
            answer = service.get(path)
            sent.append(answer.content)
            assert "refined" in service.get(f"/iiif/3/{key}/info.json").json()["extraQualities"]
            image = service.image(path)
    assert sent[0] == sent[1]
    told = answer.headers["x-glassplate-refined"]
    assert f"refiner=flow; sampler=flow; steps=4; strength=1.0; seed={seed_of(key)}" in told
    assert b"compositeWithTrainedAlgorithmicMedia" in sent[0]
    options = RefineOptions(kind="flow", seed=seed_of(key))
    expected = np.array(opened.refine(key, options).image)[:64, :64].astype(int)
    assert np.abs(np.array(image).astype(int) - expected).max() <= 2
    with served(archive, "--workers", "1", "--no-refine") as service:
        assert service.get(path).status_code == 501
        assert "refined" not in service.get(f"/iiif/3/{key}/info.json").json()["extraQualities"]
        assert service.get(path.replace("refined", "default")).status_code == 200
