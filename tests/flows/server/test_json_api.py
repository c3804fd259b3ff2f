"""The JSON API of a real server, and the files that an archive keeps."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image
from serving import Served, served

from glassplate.codecs import Pixels
from glassplate.flows.terminal.output import plain
from glassplate.pipelines import Archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

pytestmark = pytest.mark.slow


def test_queries(service: Served, opened: Archive) -> None:
    everything = service.get("/api/pictures").json()
    assert everything == {"snapshot": 1, "pictures": plain(opened.where().to_pylist())}
    few = service.client.get(
        "/api/pictures",
        params={"where": "status = 'encoded'", "order": "width desc", "limit": 1, "offset": 1},
    ).json()["pictures"]
    assert [row["name"] for row in few] == ["holiday/beach.png"]


@pytest.mark.parametrize(
    "params",
    [
        {"where": "no_such_column = 1"},
        {"where": "name in (select * from read_text('/etc/hostname'))"},
        {"where": "true) union select * from duckdb_settings() --"},
        {"where": "true; select 1"},
        {"where": "a\0b"},
        {"order": "name; select 1"},
        {"limit": "0"},
        {"limit": "1001"},
        {"offset": "-1"},
        {"limit": "many"},
    ],
)
def test_queries_that_are_refused(service: Served, params: dict[str, str]) -> None:
    answer = service.client.get("/api/pictures", params=params)
    assert answer.status_code == 400
    assert answer.json()["reason"]


def test_facts(service: Served, opened: Archive, beach: str) -> None:
    facts = service.get("/api/pictures/holiday/beach.png").json()
    links = facts.pop("links")
    assert facts == plain(asdict(opened.find("holiday/beach.png")))
    assert links["info"] == f"{service.url}/iiif/3/{beach}/info.json"
    assert service.get(links["info"]).json()["width"] == facts["width"]
    assert "original" not in links
    for unknown in ("nothing.png", "../archive.json", "%2e%2e%2farchive.json", "0" * 64):
        assert service.get(f"/api/pictures/{unknown}").status_code == 404


def test_snapshots_health_and_documents(service: Served) -> None:
    told = service.get("/api/snapshots").json()
    assert (told["snapshots"], told["served"]["number"]) == ([1], 1)
    assert service.get("/healthz").json() == {"status": "ok"}
    assert service.get("/readyz").json() == {"status": "ready"}
    paths = service.get("/openapi.json").json()["paths"]
    assert {"/api/pictures", "/original/{identifier}"} <= set(paths)
    assert "openapi.json" in service.get("/docs").text
    assert service.get("/nothing").json()["error"] == "not-found"


def test_similar_wants_vectors(service: Served, beach: str) -> None:
    answer = service.get(f"/api/similar/{beach}?by=latent")
    assert (answer.status_code, answer.json()["error"]) == (404, "not-found")


def test_metrics(service: Served) -> None:
    service.get("/nothing")
    text = service.get("/metrics").text
    assert re.search(r'^glassplate_requests_total\{status="404"\} [1-9]', text, re.M)
    assert re.search(r"^glassplate_snapshot 1.0$", text, re.M)
    assert re.search(r'^glassplate_queue\{queue="decode"\} 0.0$', text, re.M)


def test_long_answers_are_compressed_for_who_wants_it(service: Served) -> None:
    plainly = service.get("/api/pictures", **{"accept-encoding": "identity"})
    small = service.get("/api/pictures", **{"accept-encoding": "gzip"})
    assert small.headers["content-encoding"] == "gzip"
    assert small.json() == plainly.json()
    etag = small.headers["etag"]
    assert service.get("/api/pictures", **{"if-none-match": etag}).status_code == 304


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory, photo: Pixels) -> tuple[Path, Path]:
    """A folder of pictures that are kept bit for bit, and its archive, with embeddings."""
    folder = tmp_path_factory.mktemp("keeping")
    (folder / "in").mkdir()
    for number in range(3):
        part = photo[64 * number : 64 * number + 200, :300]
        Image.fromarray(part).save(folder / "in" / f"no. {number} ü.jpg", quality=95)
    archive = folder / "archive"
    config = CompressConfig(
        source=str(folder / "in"), archive=str(archive), codec="jxl-jpeg", latents=True
    )
    compress(config)
    return folder / "in", archive


def test_originals_and_similar_pictures(keeping: tuple[Path, Path]) -> None:
    source, archive = keeping
    data = (source / "no. 1 ü.jpg").read_bytes()
    with served(archive, "--workers", "1", "--token", "a b+c") as service:
        path = "/original/no. 1 ü.jpg"
        assert service.get(path).status_code == 401
        assert service.get(path, authorization="Bearer other").status_code == 401
        assert service.get("/healthz").status_code == 200
        service.client.headers["authorization"] = "Bearer a b+c"
        whole = service.get(path)
        assert whole.content == data
        assert whole.headers["content-type"] == "image/jpeg"
        assert whole.headers["accept-ranges"] == "bytes"
        assert whole.headers["cache-control"].startswith("private")
        assert "filename*=UTF-8''no.%201%20%C3%BC.jpg" in whole.headers["content-disposition"]
        part = service.get(path, range="bytes=100-199")
        assert (part.status_code, part.content) == (206, data[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(data)}"
        assert service.get(path, range="bytes=-10").content == data[-10:]
        assert service.get(path, range=f"bytes={len(data)}-").status_code == 416
        etag = whole.headers["etag"]
        assert service.get(path, **{"if-none-match": etag}).status_code == 304
        assert service.client.head(path).headers["content-length"] == str(len(data))
        found = service.get("/api/similar/no. 1 ü.jpg?count=2").json()["similar"]
        assert sorted(one["name"] for one in found) == ["no. 0 ü.jpg", "no. 2 ü.jpg"]
        link = service.get("/api/pictures/no. 1 ü.jpg").json()["links"]["original"]
        assert service.get(link).content == data
        service.client.headers.pop("authorization")
        assert service.client.get(path, params={"token": "a b+c"}).content == data
    assert not any("a b+c" in line for line in service.lines)


def test_schemathesis_finds_no_server_error(service: Served, tmp_path: Path) -> None:
    """Requests made from the OpenAPI document, valid and not."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "run",
            f"{service.url}/openapi.json",
            "--checks=not_a_server_error",
            "--max-examples=15",
            "--phases=examples,coverage,fuzzing",
            "--seed=1",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "tested" in done.stdout.lower()
