"""An archive in S3, served from there."""

from __future__ import annotations

from pathlib import Path

import pytest
from object_store import KEYS, s3_server
from PIL import Image
from serving import served

from glassplate.codecs import Pixels
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress
from glassplate.pipelines.storage.store import Store


@pytest.mark.slow
def test_an_archive_in_s3_is_served(
    tmp_path: Path, small_photo: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(small_photo).save(tmp_path / "in" / "a.png")
    local = tmp_path / "archive"
    compress(CompressConfig(source=str(tmp_path / "in"), archive=str(local), codec="jxl"))
    with s3_server(tmp_path / "log") as port:
        for name, value in (KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}).items():
            monkeypatch.setenv(name, value)
        store = Store("s3://bucket/archive")
        store.filesystem.mkdir("bucket")
        store.filesystem.put(str(local), "bucket/archive", recursive=True)
        with served("s3://bucket/archive", "--workers", "1") as service:
            found = service.get("/iiif/3/a.png/full/64,/0/default.webp")
            assert service.image(found.headers["location"]).size == (64, 48)
            assert service.get("/api/pictures?where=width=128").json()["pictures"]
            assert service.get("/readyz").status_code == 200
