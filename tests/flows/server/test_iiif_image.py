"""The IIIF Image API as a client sees it, of a real server."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from serving import Served, served

from glassplate.codecs import Pixels, Region
from glassplate.pipelines import Archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

pytestmark = pytest.mark.slow


def test_info_json(service: Served, beach: str) -> None:
    answer = service.get(f"/iiif/3/{beach}/info.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    info = answer.json()
    assert info["id"] == f"{service.url}/iiif/3/{beach}"
    assert (info["width"], info["height"], info["profile"]) == (128, 96, "level2")
    assert info["tiles"] == [{"width": 512, "height": 512, "scaleFactors": [1]}]
    assert info["sizes"][-1] == {"width": 128, "height": 96}
    assert "refined" not in info["extraQualities"]  # its codec has no refiner
    linked = service.get(f"/iiif/3/{beach}/info.json", accept="application/ld+json")
    assert linked.headers["content-type"].startswith("application/ld+json;profile=")


def test_version_2(service: Served, beach: str) -> None:
    info = service.get(f"/iiif/2/{beach}/info.json").json()
    assert info["@id"] == f"{service.url}/iiif/2/{beach}"
    assert info["profile"][0] == "http://iiif.io/api/image/2/level2.json"
    assert service.image(f"/iiif/2/{beach}/full/full/0/default.png").size == (128, 96)
    assert service.image(f"/iiif/2/{beach}/full/200,/0/default.png").size == (200, 150)
    wanted = 'application/ld+json;profile="http://iiif.io/api/image/2/context.json"'
    asked = service.get(f"/iiif/3/{beach}/info.json", accept=wanted)
    assert asked.headers["location"] == f"{service.url}/iiif/2/{beach}/info.json"


def test_pixels_are_those_of_the_archive(service: Served, opened: Archive, beach: str) -> None:
    whole = np.array(opened.get(beach))
    sent = service.image(f"/iiif/3/{beach}/full/max/0/default.png")
    assert np.array_equal(np.array(sent), whole)
    part = service.image(f"/iiif/3/{beach}/13,7,50,40/max/0/default.png")
    assert np.array_equal(np.array(part), whole[7:47, 13:63])
    turned = service.image(f"/iiif/3/{beach}/13,7,50,40/max/90/default.png")
    assert np.array_equal(np.array(turned), np.rot90(whole[7:47, 13:63], -1))
    mirrored = service.image(f"/iiif/3/{beach}/13,7,50,40/max/!90/default.png")
    assert np.array_equal(np.array(mirrored), np.rot90(whole[7:47, 13:63][:, ::-1], -1))


def test_sizes_qualities_and_formats(service: Served, opened: Archive, beach: str) -> None:
    for suffix, kind in (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("avif", "AVIF")):
        answer = service.get(f"/iiif/3/{beach}/full/64,/0/default.{suffix}")
        assert answer.headers["content-type"] == f"image/{kind.lower()}"
        image = service.image(f"/iiif/3/{beach}/full/64,/0/default.{suffix}")
        assert (image.format, image.size) == (kind, (64, 48))
    assert service.image(f"/iiif/3/{beach}/full/^200,/0/default.png").size == (200, 150)
    assert service.image(f"/iiif/3/{beach}/full/max/0/gray.png").mode == "L"
    bitonal = service.image(f"/iiif/3/{beach}/full/max/0/bitonal.png")
    assert set(np.unique(np.array(bitonal.convert("L")))) == {0, 255}
    alpha = opened.find("alpha.png").image_id
    assert service.image(f"/iiif/3/{alpha}/full/max/0/default.png").mode == "RGBA"
    assert service.image(f"/iiif/3/{alpha}/full/max/0/default.jpg").mode == "RGB"


def test_names_lead_to_ids(service: Served, beach: str) -> None:
    answer = service.get("/iiif/3/holiday%2Fbeach.png/full/^!200,200/!90/gray.png")
    assert answer.status_code == 303
    assert unquote(answer.headers["location"]) == (
        f"{service.url}/iiif/3/{beach}/full/^!200,200/!90/gray.png"
    )
    for identifier in (beach, beach[:10], "holiday%2Fbeach.png"):
        answer = service.get(f"/iiif/3/{identifier}")
        assert answer.headers["location"] == f"{service.url}/iiif/3/{beach}/info.json"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("ID/full/max/0/default", 400, "bad-request"),
        ("ID/0,0,0,0/max/0/default.jpg", 400, "bad-request"),
        ("ID/full/1000,/0/default.jpg", 400, "bad-request"),
        ("ID/full/^1000,1000/0/default.jpg", 413, "too-large-an-area"),
        ("ID/full/max/45/default.jpg", 501, "not-served"),
        ("ID/full/max/0/default.tif", 501, "not-served"),
        ("ID/full/max/0/refined.jpg", 501, "not-served"),
        ("ID/full/max/0", 404, "not-found"),
        ("holiday/beach.png/info.json", 404, "not-found"),
        ("0000000000/info.json", 404, "not-found"),
        ("broken.jpg/info.json", 404, "not-found"),
        ("..%2Farchive.json/info.json", 404, "not-found"),
        ("%2Fetc%2Fhostname/info.json", 404, "not-found"),
        ("%FF/info.json", 400, "bad-request"),
        ("a%00b/info.json", 400, "bad-request"),
    ],
)
def test_refusals_say_why(service: Served, beach: str, path: str, status: int, code: str) -> None:
    answer = service.get(f"/iiif/3/{path.replace('ID', beach)}")
    told = answer.json()
    assert (answer.status_code, told["error"]) == (status, code)
    assert told["reason"]
    assert answer.headers["access-control-allow-origin"] == "*"


def test_caches_are_told(service: Served, beach: str) -> None:
    path = f"/iiif/3/{beach}/0,0,100,100/50,/0/default.jpg"
    first = service.get(path)
    assert f"{service.url}/iiif/3/{beach}/0,0,100,96/50,48/0/default.jpg" not in first.text
    assert (
        f'<{service.url}{path.replace("100,100/50,", "100,96/50,48")}>;rel="canonical"'
        in (first.headers["link"])
    )
    assert "max-age" in first.headers["cache-control"]
    for name, value in (
        ("if-none-match", first.headers["etag"]),
        ("if-none-match", f'"other", W/{first.headers["etag"]}'),
        ("if-none-match", "*"),
        ("if-modified-since", first.headers["last-modified"]),
    ):
        again = service.get(path, **{name: value})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    for name, value in (
        ("if-none-match", '"other"'),
        ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("if-modified-since", "yesterday"),
    ):
        assert service.get(path, **{name: value}).content == first.content
    head = service.client.head(path)
    assert head.content == b""
    assert head.headers["content-length"] == str(len(first.content))
    assert service.client.post(path).status_code == 405
    assert service.client.options(path).status_code == 204


def test_a_tiled_picture_is_the_same_in_parts(tmp_path: Path, photo: Pixels) -> None:
    """Blocks that lie in the cache and blocks decoded anew fit; large regions come in bands."""
    large = np.tile(photo, (5, 5, 1))
    (tmp_path / "in").mkdir()
    Image.fromarray(large).save(tmp_path / "in" / "large.png")
    config = CompressConfig(
        source=str(tmp_path / "in"), archive=str(tmp_path / "archive"), codec="svd"
    )
    compress(config)
    from glassplate.pipelines import open_archive

    opened = open_archive(str(tmp_path / "archive"))
    key = opened.find("large.png").image_id
    whole = np.array(opened.get("large.png"))
    assert np.array_equal(
        np.array(opened.get("large.png", Region(x=100, y=50, width=900, height=800))),
        whole[50:850, 100:1000],
    )
    with served(tmp_path / "archive", "--workers", "1") as service:
        for x, y, w, h in ((0, 0, 512, 512), (100, 50, 900, 800), (2400, 2400, 512, 512)):
            sent = np.array(service.image(f"/iiif/3/{key}/{x},{y},{w},{h}/max/0/default.png"))
            assert np.array_equal(sent, whole[y : y + h, x : x + w])
        sent = np.array(service.image(f"/iiif/3/{key}/full/max/0/default.png"))
        assert np.array_equal(sent, whole)
        small = np.array(service.image(f"/iiif/3/{key}/full/640,/0/default.png"), np.int16)
        expected = Image.fromarray(whole).resize((640, 640), Image.Resampling.LANCZOS)
        assert np.abs(small - np.array(expected, np.int16)).mean() < 2


def test_new_snapshots_are_followed(tmp_path: Path, photo: Pixels) -> None:
    source, archive = tmp_path / "in", tmp_path / "archive"
    source.mkdir()
    Image.fromarray(photo[:64, :64]).save(source / "first.png")
    config = CompressConfig(source=str(source), archive=str(archive), codec="jpeg")
    compress(config)
    with served(archive, "--reload", "0.2", "--workers", "1") as service:
        assert service.get("/iiif/3/second.png/info.json").status_code == 404
        Image.fromarray(photo[:80, :80]).save(source / "second.png")
        compress(config)
        for _ in range(100):
            found = service.client.get("/iiif/3/second.png/full/max/0/default.jpg")
            if found.status_code == 303:
                break
            time.sleep(0.1)
        assert service.image(found.headers["location"]).size == (80, 80)
    with served(archive, "--snapshot", "1", "--workers", "1") as service:
        assert service.get("/iiif/3/second.png/info.json").status_code == 404
