"""Processes of our own: they answer, die alone, keep to their memory, and end with who asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from glassplate.pipelines.errors import WorkerError
from glassplate.pipelines.jobs import memory
from glassplate.pipelines.jobs.child_process import Child, ChildPool, stop_children
from glassplate.pipelines.jobs.memory import default_workers, parse_bytes, share_of_memory

pytestmark = pytest.mark.usefixtures("importable")

GIB = 1 << 30


def child(greeting: str = "hello", limit: int = GIB) -> Child:
    return Child("answering", greeting, limit)


def test_it_answers_and_is_replaced_when_it_died() -> None:
    one = child()
    assert one.ask("echo there") == "hello there\n"
    first = one.ask("pid")
    assert one.ask("die") is None
    assert one.died_of == "died"
    assert one.ask("pid") not in (None, first)


def test_memory_beyond_the_limit_is_refused_by_the_kernel() -> None:
    one = child()
    assert one.ask(f"take {GIB // 2}") == "hello taken\n"
    assert one.ask(f"take {GIB}") == "hello MemoryError\n"
    assert one.ask("echo alive") == "hello alive\n"


def test_memory_that_the_kernel_does_not_count_is_seen_and_ends_the_process() -> None:
    one = child()
    assert one.ask(f"map {3 * GIB}") is None
    assert one.died_of == "took more than 1 GiB of memory"
    assert one.ask("echo again") == "hello again\n"


def test_the_kernels_killer_takes_it_first() -> None:
    assert child().ask("read /proc/self/oom_score_adj") == "hello 1000\n"


def test_what_does_not_begin_says_why() -> None:
    with pytest.raises(WorkerError, match="no such thing"):
        child("refuse").ask("echo")


def test_it_has_the_environment_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    assert child().ask("variable GLASSPLATE_TEST") == "hello \n"
    monkeypatch.setenv("GLASSPLATE_TEST", "set")
    assert child().ask("variable GLASSPLATE_TEST") == "hello set\n"


def test_a_pool_has_as_many_as_work_at_a_time() -> None:
    pool = ChildPool("answering", "hello", GIB, 2)
    pids: list[str | None] = []

    def work() -> None:
        with pool.child() as one:
            one.ask("sleep 0.2")
            pids.append(one.ask("pid"))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 6
    assert len(set(pids)) == 2


def test_whoever_waits_for_a_stopped_one_is_told() -> None:
    one = child()
    pid = int((one.ask("pid") or "").split()[1])
    threading.Timer(0.3, stop_children).start()
    with pytest.raises(WorkerError, match="was stopped"):
        one.ask("sleep 60")
    with pytest.raises(WorkerError, match="was stopped"):
        one.ask("echo")
    wait_for_the_end(pid)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_the_command_however_that_ends(how: signal.Signals) -> None:
    code = (
        "import threading, time; from glassplate.pipelines.jobs.child_process import Child\n"
        "child = Child('answering', 'hello', 1 << 30)\n"
        "print(child.ask('pid').split()[1], flush=True)\n"
        "child.ask('sleep 60')\n"
    )
    command = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert command.stdout
    pid = int(command.stdout.readline())
    command.send_signal(how)
    command.wait()
    wait_for_the_end(pid)


def wait_for_the_end(pid: int) -> None:
    """Fails if a process is there in ten seconds."""
    end = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("text", "count"),
    [("4GB", 4 * 10**9), ("1.5GiB", 3 << 29), ("600 MB", 6 * 10**8), ("2g", 2 * 10**9), ("7", 7)],
)
def test_bytes_as_people_write_them(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "much", "-1GB", "1.2.3GB", "4XB"])
def test_what_is_no_number_of_bytes_is_left_to_be_refused(text: str) -> None:
    assert parse_bytes(text) == text


@pytest.mark.parametrize(
    ("gib", "cores", "workers"), [(64, 8, 8), (8, 8, 3), (4, 2, 1), (1, 4, 1), (24, 2, 2)]
)
def test_workers_are_as_many_as_cores_and_memory_allow(
    gib: int, cores: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "machine_memory", lambda: gib * GIB)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(Path, "read_text", lambda _: "max 100000")
    assert default_workers() == workers
    assert share_of_memory(workers) * workers <= max(gib * GIB, memory.LEAST)
