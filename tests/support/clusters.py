"""Real engines on this machine, each of separate processes that can be killed: Dask, Beam's job
service with worker pools."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

START_UP = 60.0
NANNY = "{'MALLOC_TRIM_THRESHOLD_': 67108864, 'MALLOC_MMAP_THRESHOLD_': 33554432}"
"""What glibc finds by itself, unless Dask's nanny fixes the one and freezes the other by that: then
every array is mapped and unmapped anew, which is 40 % of a worker's time."""


@dataclass(frozen=True)
class Cluster:
    """A running engine. kill_worker: kill -9 one worker, by its number; it is started again."""

    runner: dict[str, Any]
    kill_worker: Callable[[int], None]
    log: Path


@contextmanager
def background(command: Sequence[object], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with all its children, ended for certain."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # a pool calls `python`
    dask = {
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
        "DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON": NANNY,
    }
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            env=os.environ | dask | {"PATH": path},
        )
    try:
        yield process
    finally:
        kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """kill -9 a process and its children, those too that left the group."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ready: Callable[[], bool], log: Path, seconds: float = START_UP) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            pytest.fail(f"did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def dask_cluster(folder: Path, workers: int = 2, **options: Any) -> Iterator[Cluster]:
    """A scheduler and single-threaded workers, each with its nanny, over TCP.

    A task that was on two workers when they died is not tried on a third.
    """
    folder.mkdir()
    log, port = folder / "log", free_port()
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    worker = [*dask, "worker", address, "--nthreads", 1, "--no-dashboard"]
    worker += ["--local-directory", folder, "--memory-limit", 0]
    with ExitStack() as stack:
        stack.enter_context(background(scheduler, log))
        nannies = [stack.enter_context(background(worker, log)) for _ in range(workers)]

        def kill(number: int) -> None:
            for child in psutil.Process(nannies[number].pid).children():
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()

        wait_until(lambda: listens(port), log)
        from distributed import Client

        with Client(address, timeout=START_UP) as client:
            client.wait_for_workers(workers, timeout=START_UP)
        yield Cluster({"name": "dask", "address": address} | options, kill, log)


@contextmanager
def portable_cluster(folder: Path, pools: int = 2, **options: Any) -> Iterator[Cluster]:
    """Beam's job service, and worker pools behind one address, which deals out connections."""
    folder.mkdir()
    log, port = folder / "log", free_port()
    ports = [free_port() for _ in range(pools)]
    service = [sys.executable, Path(__file__).with_name("job_service.py"), port]
    with ExitStack() as stack:
        stack.enter_context(background(service, log))
        running = [stack.enter_context(ExitStack()) for _ in ports]

        def start(number: int) -> subprocess.Popen[bytes]:
            module = "apache_beam.runners.worker.worker_pool_main"
            command = [sys.executable, "-m", module, "--service_port", ports[number]]
            return running[number].enter_context(background(command, log))

        processes = [start(number) for number in range(pools)]

        def kill(number: int) -> None:
            kill_group(processes[number])
            processes[number] = start(number)

        for each in (port, *ports):
            wait_until(lambda each=each: listens(each), log)
        address = stack.enter_context(_balanced(ports))
        runner = {
            "name": "portable",
            "job_endpoint": f"localhost:{port}",
            "environment_config": address,
            "parallelism": pools,
        }
        yield Cluster(runner | options, kill, log)


@contextmanager
def _balanced(ports: Sequence[int]) -> Iterator[str]:
    """An address whose connections go to the ports in turn, as those of a Kubernetes service."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_deal, args=(server, ports), daemon=True).start()
        yield f"localhost:{server.getsockname()[1]}"


def _deal(server: socket.socket, ports: Sequence[int]) -> None:
    turn = 0
    with suppress(OSError):  # closed: the test is over
        while True:
            here, _ = server.accept()
            for _ in ports:
                turn += 1
                with suppress(ConnectionRefusedError):
                    there = socket.create_connection(("127.0.0.1", ports[turn % len(ports)]))
                    for pair in ((here, there), (there, here)):
                        threading.Thread(target=_copy, args=pair, daemon=True).start()
                    break


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
