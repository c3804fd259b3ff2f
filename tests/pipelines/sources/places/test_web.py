"""Web servers: what is sound is read, whatever the server lacks; what is not costs one row."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import odd_inputs
import pytest
from web_server import WebServer, web_server

from glassplate.codecs.errors import UnreadableError, VanishedError
from glassplate.pipelines import open_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress
from glassplate.pipelines.errors import SourceError
from glassplate.pipelines.sources.listing import list_source
from glassplate.pipelines.sources.places import web
from glassplate.pipelines.sources.reading import read_source

PICTURES = {
    f"{number}.png": odd_inputs.save(odd_inputs.photo(64, 48, left=20 * number), "PNG")
    for number in range(4)
}
SOUND = ["ok", "nohead", "headless403", "chunked", "zero", "redirect", "busy"]
BAD = {
    "401": "401",
    "403": "403",
    "404": "404",
    "410": "410",
    "429": "429",
    "500": "500",
    "503": "503",
    "circle": "redirects without end",
    "mute": "says nothing",
    "silent": "says nothing",
    "stuck": "says nothing",
    "short": "breaks off",
}


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "SILENCE_TIMEOUT", 0.4)
    monkeypatch.setattr(web, "LOOK_TIMEOUT", 0.4)
    monkeypatch.setattr(web, "FIRST_PAUSE", 0.01)
    web._silences.cache_clear()


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server(dict(PICTURES)) as running:
        yield running


@pytest.mark.parametrize("kind", SOUND)
def test_one_url_is_a_source(server: WebServer, kind: str) -> None:
    (ref,) = list_source(f"{server.url}/{kind}/1.png?size=full#top").refs
    assert ref.name == f"127.0.0.1:{server.server_port}/{kind}/1.png"
    assert ref.outcome is None
    assert read_source(ref) == PICTURES["1.png"]


def test_a_url_that_leads_nowhere_is_no_source(server: WebServer) -> None:
    with pytest.raises(SourceError, match="404"):
        list_source(f"{server.url}/ok/none.png")


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_answer_is_an_error_with_its_cause(server: WebServer, kind: str) -> None:
    began = time.monotonic()
    with pytest.raises((UnreadableError, VanishedError), match=BAD[kind]) as caught:
        web.fetch(f"{server.url}/{kind}/1.png")
    assert time.monotonic() - began < 20
    assert isinstance(caught.value, VanishedError) == (kind in ("404", "410"))


def test_nobody_listens_or_has_such_a_name() -> None:
    for url in ("http://127.0.0.1:9/1.png", "http://no.such.host.invalid/1.png"):
        with pytest.raises(UnreadableError, match="cannot be reached"):
            web.fetch(url)
    with pytest.raises(UnreadableError):
        web.fetch("http://[half/1.png")
    with pytest.raises(UnreadableError, match="Invalid port"):
        web.fetch("http://host:port/1.png")


def test_a_server_that_is_silent_again_and_again_is_waited_for_less(server: WebServer) -> None:
    def asked() -> int:
        before = server.asked["GET", "/silent/1.png"]
        with pytest.raises(UnreadableError):
            web.fetch(f"{server.url}/silent/1.png")
        return server.asked["GET", "/silent/1.png"] - before

    assert [asked() for _ in range(4)] == [2, 2, 1, 1]
    assert web.fetch(f"{server.url}/ok/1.png") == PICTURES["1.png"]


@pytest.mark.parametrize("asked", ["7200", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_who_wants_to_be_asked_tomorrow_is_not_waited_for(
    server: WebServer, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    assert (web._pause(asked) or 0) > web.LONGEST_PAUSE
    monkeypatch.setattr(web, "_pause", lambda text: 7200.0)
    with pytest.raises(UnreadableError, match="429"):
        web.fetch(f"{server.url}/429/1.png")
    assert server.asked["GET", "/429/1.png"] == 1


def test_what_is_too_slow_or_too_large_is_given_up(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "LARGEST", 1000)
    with pytest.raises(UnreadableError, match="larger than 1,000"):
        web.fetch(f"{server.url}/chunked/1.png")
    monkeypatch.setattr(web, "LARGEST", 1 << 20)
    monkeypatch.setattr(web, "SLOWEST", -(1 << 30))  # more than any byte in no time
    with pytest.raises(UnreadableError, match="sent only"):
        web.fetch(f"{server.url}/ok/1.png")


@pytest.mark.parametrize("kind", [*BAD, "page"])
def test_one_bad_url_of_a_list_is_one_row(server: WebServer, tmp_path: Path, kind: str) -> None:
    urls = [f"{server.url}/ok/1.png", f"{server.url}/{kind}/2.png", f"{server.url}/ok/3.png"]
    path = tmp_path / "list.csv"
    path.write_text("url\n" + "\n".join(urls))
    config = CompressConfig(source=str(path), archive=str(tmp_path / "archive"), codec="jpeg")
    ledger = compress(config).ledger
    assert (ledger.inputs, ledger.encoded, ledger.failed) == (3, 2, 1)
    row = open_archive(config.archive).find(urls[1])
    assert row.status == "failed"
    assert BAD.get(kind, "not a picture") in (row.error_message or "") or kind == "page"
    sizes = open_archive(config.archive).images().to_table()["source_bytes"].to_pylist()
    assert {len(PICTURES["1.png"]), len(PICTURES["3.png"])} <= set(sizes)


def test_a_list_and_a_packed_file_on_a_server(server: WebServer, tmp_path: Path) -> None:
    server.files["list.csv"] = b"caption,file\none,1.png\nthree,../ok/3.png\n"
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as packed:
        packed.writestr("2.png", PICTURES["2.png"])
    server.files["photos.zip"] = (tmp_path / "photos.zip").read_bytes()
    refs = list_source(f"{server.url}/ok/list.csv").refs
    assert [read_source(ref) for ref in refs] == [PICTURES["1.png"], PICTURES["3.png"]]
    (inside,) = list_source(f"{server.url}/ok/photos.zip").refs
    assert read_source(inside) == PICTURES["2.png"]
    with pytest.raises(SourceError, match="download it"):
        list_source(f"{server.url}/chunked/photos.zip")


def test_version_follows_the_tag(server: WebServer) -> None:
    def version() -> str:
        return list_source(f"{server.url}/ok/1.png").refs[0].version

    before = version()
    assert version() == before
    server.files["1.png"] = PICTURES["2.png"]
    assert version() != before
