"""A service that many ask at once, whose processes are killed and whose archive changes beneath."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image
from serving import Served, served

from glassplate.codecs import Pixels
from glassplate.flows.server.protocol.config import ServeConfig
from glassplate.flows.server.run import listening
from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.format.snapshots import manifest_path
from glassplate.pipelines.archive.upkeep.compact import compact_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

pytestmark = pytest.mark.slow

NAMES = ("a.png", "b.png")


@pytest.fixture
def archive(tmp_path: Path, photo: Pixels) -> Path:
    """Two pictures, each stored by a run of its own."""
    (tmp_path / "in").mkdir()
    for number, name in enumerate(NAMES):
        part = photo[: 300 + number, :400]
        Image.fromarray(part).save(tmp_path / "in" / name)
        compress(
            CompressConfig(
                source=str(tmp_path / "in"), archive=str(tmp_path / "archive"), codec="jxl"
            )
        )
    return tmp_path / "archive"


def ids(archive: Path) -> list[str]:
    opened = open_archive(str(archive))
    return [str(opened.find(name).image_id) for name in NAMES]


def metric(service: Served, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", service.get("/metrics").text, re.M)
    assert found, name
    return float(found[1])


def decoders(service: Served) -> list[psutil.Process]:
    """The processes that the service's server of processes has started."""
    (server,) = psutil.Process(service.process.pid).children()
    return [process for process in server.children() if process.is_running()]


def resident(service: Served) -> int:
    processes = [psutil.Process(service.process.pid)]
    processes += processes[0].children(recursive=True)
    return sum(process.memory_info().rss for process in processes)


def test_ten_clients_at_once_and_one_decode(archive: Path) -> None:
    key = ids(archive)[0]
    with served(archive, "--workers", "2") as service, ThreadPoolExecutor(10) as clients:
        path = f"/iiif/3/{key}/full/max/0/default.png"
        answers = list(clients.map(lambda _: service.get(path), range(10)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert metric(service, 'glassplate_work_total{outcome="done",queue="decode"}') == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(
    number: signal.Signals, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left: no process, no file, no open port."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with served(archive, "--workers", "1") as service:
        service.image(f"/iiif/3/{ids(archive)[0]}/full/9,/0/default.png")
        assert list(folder.iterdir())
        processes = psutil.Process(service.process.pid).children(recursive=True)
        assert len(processes) == 2
        service.process.send_signal(number)
        assert service.process.wait(20) == 0
    assert list(folder.iterdir()) == []
    assert psutil.wait_procs(processes, timeout=10)[1] == []


def test_short_answers_are_not_held_back() -> None:
    """asyncio sets TCP_NODELAY only on connections whose protocol is named."""
    config = ServeConfig(archive="archive", port=0, workers=1, worker_memory=1 << 30, cache=0)
    with listening(config) as opened:
        assert opened.proto == socket.IPPROTO_TCP


def test_killed_decoders_come_back(archive: Path) -> None:
    key = ids(archive)[0]
    with served(archive, "--workers", "1") as service:
        assert service.image(f"/iiif/3/{key}/full/max/0/default.png").size == (400, 300)
        for process in decoders(service):
            process.kill()
        lost = service.get(f"/iiif/3/{key}/full/100,/0/default.png")
        assert (lost.status_code, lost.json()["error"]) == (503, "busy")
        assert int(lost.headers["retry-after"]) > 0
        assert service.image(f"/iiif/3/{key}/full/100,/0/default.png").size == (100, 75)
        assert service.get("/healthz").status_code == 200


def test_damage_hits_what_is_damaged(archive: Path) -> None:
    first, second = ids(archive)
    opened = open_archive(str(archive))
    bitstream = opened.bitstream(first).bitstream
    path = archive / opened.stored(first).file.path
    data = bytearray(path.read_bytes())
    start = data.index(bitstream[-64:])
    data[start : start + 64] = bytes(64)
    path.write_bytes(data)
    with served(archive, "--workers", "1") as service:
        hit = service.get(f"/iiif/3/{first}/full/max/0/default.png")
        assert (hit.status_code, hit.json()["error"]) == (502, "bitstream-damaged")
        assert service.get(f"/iiif/3/{first}/info.json").status_code == 200
        path.unlink()
        gone = service.get(f"/iiif/3/{first}/full/max/0/default.png")
        assert gone.status_code == 502
        assert service.image(f"/iiif/3/{second}/full/max/0/default.png").size == (400, 301)


def test_the_archive_is_compacted_and_old_snapshots_expire(archive: Path) -> None:
    keys = ids(archive)
    with served(archive, "--workers", "1", "--reload", "1000") as service:
        assert service.image(f"/iiif/3/{keys[0]}/full/max/0/default.png").size == (400, 300)
        opened = open_archive(str(archive))
        assert compact_archive(opened.store, keep_snapshots=1).snapshot
        for key in keys:
            assert service.image(f"/iiif/3/{key}/full/99,/0/default.png").size[0] == 99
        assert service.get("/api/snapshots").json()["served"]["number"] == 3


def test_a_removed_picture_is_gone(archive: Path) -> None:
    first, second = ids(archive)
    opened = open_archive(str(archive))
    newest = opened.manifest
    without = newest.model_copy(
        update={
            "number": newest.number + 1,
            "shards": newest.shards[:1],
            "id_index": newest.id_index[:1],
            "name_index": newest.name_index[:1],
        }
    )
    (archive / manifest_path(without.number)).write_bytes(without.to_bytes())
    with served(archive, "--workers", "1") as service:
        assert service.get(f"/iiif/3/{first}/info.json").status_code == 200
        removed = service.get(f"/iiif/3/{second}/info.json")
        assert (removed.status_code, removed.json()["error"]) == (410, "removed")
        assert service.get(f"/iiif/3/{'0' * 64}/info.json").status_code == 404


def test_silent_clients_do_not_keep_others_out(archive: Path) -> None:
    """Connections are bounded, and those that never ask are closed."""
    key = ids(archive)[0]
    with served(archive, "--workers", "1", "--connections", "10") as service:
        host, port = service.url.removeprefix("http://").split(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(30)]
        for one in silent[:5]:
            one.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if service.get(f"/iiif/3/{key}/info.json").status_code == 200:
                    break
            time.sleep(0.5)
        assert service.get(f"/iiif/3/{key}/info.json").status_code == 200
        for one in silent:
            one.close()


def test_memory_is_bounded_under_200_requests_for_100_megapixels(
    tmp_path: Path, photo: Pixels
) -> None:
    """Who does not fit into the queue is told to come again; what is decoded fits its bounds."""
    (tmp_path / "in").mkdir()
    Image.fromarray(np.tile(photo, (20, 20, 1))[:10_000, :10_000]).save(
        tmp_path / "in" / "large.jpg", quality=50
    )
    config = CompressConfig(
        source=str(tmp_path / "in"), archive=str(tmp_path / "archive"), codec="original"
    )
    compress(config)
    key = open_archive(str(tmp_path / "archive")).find("large.jpg").image_id
    options = ("--workers", "1", "--worker-memory", "2GiB", "--cache", "64MiB", "--queue", "5")
    with served(tmp_path / "archive", *options) as service, ThreadPoolExecutor(200) as clients:
        before = resident(service)

        def ask(number: int) -> int:
            path = f"/iiif/3/{key}/{40 * number},0,512,512/max/0/default.jpg"
            return service.get(path).status_code

        asked = [clients.submit(ask, number) for number in range(200)]
        most = before
        while not all(one.done() for one in asked):
            most = max(most, resident(service))
            time.sleep(0.05)
        statuses = Counter(one.result() for one in asked)
        assert set(statuses) == {200, 503}
        assert statuses[200] >= 6
        assert most < 3 << 30
