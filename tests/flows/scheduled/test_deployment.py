"""The deployments on a real Prefect server with a real worker."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.pipelines import open_archive

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

REPOSITORY = Path(__file__).parents[3]
PREFECT = Path(sys.executable).with_name("prefect")
START_UP = 240.0


@dataclass(frozen=True)
class Server:
    """A running server, with the deployments of infra/prefect.yaml and a worker for them."""

    url: str
    env: dict[str, str]

    def prefect(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PREFECT, *map(str, arguments)],
            cwd=REPOSITORY,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    def run(self, deployment: str, **parameters: object) -> subprocess.CompletedProcess[str]:
        given = [f"--param={name}={value}" for name, value in parameters.items()]
        return self.prefect("deployment", "run", deployment, "--watch", *given)

    def ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("prefect")
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    env = os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    running = Server(url, env)
    with contextlib.ExitStack() as stack:
        command = ("server", "start", "--host", "127.0.0.1", "--port", str(port))
        process = stack.enter_context(_background(command, env, home / "server.log"))
        _wait_for(url, process, home / "server.log")
        pool = running.prefect("work-pool", "create", "glassplate", "--type", "process")
        assert pool.returncode == 0, pool.stderr
        deployed = running.prefect("deploy", "--prefect-file", "infra/prefect.yaml", "--all")
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        worker = ("worker", "start", "--pool", "glassplate")
        stack.enter_context(_background(worker, env, home / "worker.log"))
        yield running


@contextlib.contextmanager
def _background(
    arguments: tuple[str, ...], env: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with all its children, ended for certain."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [PREFECT, *arguments], env=env, stdout=sink, stderr=sink, start_new_session=True
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(15)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_UP
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url + "/health", timeout=5):
            return
        time.sleep(0.3)
    pytest.fail(f"the Prefect server did not start:\n{log.read_text()[-3000:]}")


def test_deployments_have_schedules_and_run_one_at_a_time(server: Server) -> None:
    for name in ("compress-archive", "verify-archive", "compact-archive"):
        deployment = server.ask(f"/deployments/name/{name}/{name}")
        assert [schedule["active"] for schedule in deployment["schedules"]] == [False]
        assert deployment["global_concurrency_limit"]["limit"] == 1
        assert deployment["concurrency_options"]["collision_strategy"] == "ENQUEUE"
        assert deployment["pull_steps"] in (None, [])


def test_the_scheduler_plans_the_coming_nights_once_it_is_told_to(
    server: Server, tmp_path: Path
) -> None:
    text = (REPOSITORY / "infra" / "prefect.yaml").read_text()
    (tmp_path / "prefect.yaml").write_text(text.replace("&scheduled false", "&scheduled true"))
    deployed = server.prefect("deploy", "--prefect-file", tmp_path / "prefect.yaml", "--all")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    wanted = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    end = time.monotonic() + START_UP
    while time.monotonic() < end:
        runs = server.ask("/flow_runs/filter", wanted)
        if {run["expected_start_time"][11:16] for run in runs} >= {"02:00", "05:00", "07:00"}:
            return
        time.sleep(1)
    pytest.fail("nothing was scheduled")


def test_a_watched_run_fills_the_archive_and_leaves_artifacts(
    server: Server, collection: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    done = server.run(
        "compress-archive/compress-archive",
        source=collection,
        archive=archive,
        codec="jpeg",
        max_failures="50%",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    opened = open_archive(str(archive))
    assert opened.manifest.run.ledger.model_dump(exclude={"source_bytes", "stored_bytes"}) == {
        "inputs": 4, "encoded": 2, "kept": 1, "damaged": 0,
        "skipped": 0, "failed": 1, "unchanged": 0,
    }  # fmt: skip
    assert opened.get("holiday/beach.png").size == (128, 96)
    artifacts = server.ask("/artifacts/filter", {})
    assert {a["key"] for a in artifacts} >= {
        "compress-ledger",
        "compress-progress",
        "compress-report",
    }
    assert next(a["data"] for a in artifacts if a["key"] == "compress-progress") == 100
    (report,) = (archive / "_reports").iterdir()
    assert report.as_uri() in next(a["data"] for a in artifacts if a["key"] == "compress-report")

    checked = server.run("verify-archive/verify-archive", archive=archive, subset="100%")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (line,) = (archive / "_logs" / "verify.jsonl").read_text().splitlines()
    assert json.loads(line)["ok"] is True

    compacted = server.run("compact-archive/compact-archive", archive=archive, keep_snapshots=1)
    assert compacted.returncode == 0, compacted.stdout + compacted.stderr
    artifacts = server.ask("/artifacts/filter", {})
    result = next(json.loads(a["data"]) for a in artifacts if a["key"] == "compact-result")
    assert (result[0]["shards_before"], result[0]["shards_after"]) == (1, 1)


def test_a_training_run_leaves_weights_and_its_rate_distortion_and_is_continued(
    server: Server, photo: Pixels, tmp_path: Path
) -> None:
    photos, weights = tmp_path / "photos", tmp_path / "weights"
    photos.mkdir()
    for number in range(3):
        Image.fromarray(photo[64 * number :][:256, :256]).save(photos / f"{number}.png")
    options = {"data": photos, "out": weights, "batch": 2, "crop": 64, "start": "shipped"}
    for steps in (1, 2):
        done = server.run("train-codec/train-codec", **options, minutes=60, steps=steps)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (weights / "hyperprior-small.safetensors").exists()
    artifacts = server.ask("/artifacts/filter", {"sort": "ID_DESC"})
    data = {a["key"]: a["data"] for a in sorted(artifacts, key=lambda a: a["created"])}
    rows = json.loads(data["train-validation"])
    assert [row["step"] for row in rows] == [0, 1, 2]
    assert all("bpp" in row["point 6"] for row in rows)
    assert data["train-progress"] == 100


def test_a_retrieval_leaves_files_and_its_ledger(
    server: Server, archive: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = server.run("retrieve-images/retrieve-images", archive=archive, out=out, workers=1)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {path.relative_to(out).as_posix() for path in out.rglob("*.png")}
    assert names == {"alpha.png", "holiday/beach.png", "town [1].png"}
    artifacts = server.ask("/artifacts/filter", {})
    (ledger,) = next(json.loads(a["data"]) for a in artifacts if a["key"] == "retrieve-ledger")
    assert (ledger["pictures"], ledger["plain"], ledger["failed"]) == (3, 3, 0)
    again = server.run("retrieve-images/retrieve-images", archive=archive, out=out, format="xyz")
    assert again.returncode == 1


def test_a_refiner_is_trained(server: Server, photo: Pixels, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "refiners"
    photos.mkdir()
    Image.fromarray(photo[:256, :256]).save(photos / "one.png")
    options = {"data": photos, "out": out, "batch": 2, "crop": 64, "steps": 1}
    done = server.run("train-refiner/train-refiner", **options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (out / "refiner-flow.safetensors").exists()


def test_a_run_that_the_gate_stops_exits_with_1(
    server: Server, collection: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    done = server.run(
        "compress-archive/compress-archive", source=collection, archive=archive, max_failures="1%"
    )
    assert done.returncode == 1
    assert "Failed" in done.stdout
    assert not list((archive / "_manifests").glob("*.json"))


def test_a_damaged_archive_fails_the_verification_and_is_logged(
    server: Server, archive: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(archive, tmp_path / "archive")
    (victim,) = copy.glob("bitstreams/*/*.parquet")
    data = bytearray(victim.read_bytes())
    data[len(data) // 3] ^= 1
    victim.write_bytes(data)
    log = tmp_path / "fixity.jsonl"
    done = server.run("verify-archive/verify-archive", archive=copy, subset="100%", log=log)
    assert done.returncode == 1
    record = json.loads(log.read_text())
    assert record["ok"] is False
    assert [d["path"] for d in record["damages"]] == [victim.relative_to(copy).as_posix()]


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_the_other_work_pools_take_the_deployments(
    server: Server, kind: str, tmp_path: Path
) -> None:
    """Last in this file: the deployments move to these pools, which have no worker."""
    created = server.prefect("work-pool", "create", f"glassplate-{kind}", "--type", kind)
    assert created.returncode == 0, created.stdout + created.stderr
    text = (REPOSITORY / "infra" / "prefect.yaml").read_text()
    text = text.replace("process: &work_pool", "process:").replace(
        f"  {kind}:\n", f"  {kind}: &work_pool\n"
    )
    (tmp_path / "prefect.yaml").write_text(text)
    deployed = server.prefect("deploy", "--prefect-file", tmp_path / "prefect.yaml", "--all")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    deployment = server.ask("/deployments/name/compress-archive/compress-archive")
    assert deployment["work_pool_name"] == f"glassplate-{kind}"
    assert deployment["job_variables"]["image"] == "glassplate:0.1.0"
