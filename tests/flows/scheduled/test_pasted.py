"""What the page on schedules shows works when it is pasted into a terminal, all at once.

A new Prefect home, a real server, a pseudo-terminal: what asks a question would eat what follows.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import ROOT, Block, blocks

from glassplate.pipelines import open_archive

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PATIENCE = 300.0
BIN = Path(sys.executable).parent


class Terminal:
    """A shell in a pseudo-terminal."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.shown = ""
        self.pid, self._handle = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], env)

    def paste(self, text: str) -> None:
        os.write(self._handle, text.encode())

    def wait_for(self, text: str) -> None:
        """Read what is shown until a text is there."""
        end = time.monotonic() + PATIENCE
        while text not in self.shown:
            assert time.monotonic() < end, f"{text!r} never came:\n{self.shown[-3000:]}"
            if select.select([self._handle], [], [], 1)[0]:
                self.shown += os.read(self._handle, 1 << 16).decode(errors="replace")

    def close(self) -> None:
        self.paste("\x03")  # the worker
        self.paste("prefect server stop; exit\n")
        end = time.monotonic() + 60
        while time.monotonic() < end and os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            if select.select([self._handle], [], [], 0.2)[0]:
                with contextlib.suppress(OSError):  # it is gone
                    os.read(self._handle, 1 << 16)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self._handle)


def schedule_block(page: str) -> Block:
    (block,) = [b for b in blocks(page) if b.text.startswith("export PREFECT_API_URL")]
    return block


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return clean | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "TERM": "xterm",
    }


@pytest.fixture
def terminal(tmp_path: Path, env: dict[str, str]) -> Iterator[Terminal]:
    shutil.copytree(ROOT / "infra", tmp_path / "infra")
    opened = Terminal(tmp_path, env)
    yield opened
    opened.close()


def test_the_pages_show_the_same_lines() -> None:
    assert schedule_block("README.md").text == schedule_block("flows/README.md").text
    comment = (ROOT / "infra" / "prefect.yaml").read_text().replace("#   ", "")
    assert schedule_block("README.md").text in comment


def test_the_lines_work_as_they_are_pasted(
    terminal: Terminal, env: dict[str, str], collection: Path, tmp_path: Path
) -> None:
    lines = schedule_block("flows/README.md").text
    terminal.paste(lines.replace("4200", env["PREFECT_SERVER_API_PORT"]))
    terminal.wait_for("started!")
    for name in ("compress-archive", "verify-archive", "compact-archive", "retrieve-images"):
        assert f"Deployment '{name}/{name}' successfully created" in terminal.shown.replace(
            "\n", ""
        )
    (run,) = [
        b for b in blocks("flows/README.md") if b.text.startswith("prefect deployment run compress")
    ]
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "photos").symlink_to(collection)
    done = subprocess.run(
        ["bash", "-c", run.text.rstrip() + " --param max_failures=50% --param codec=jpeg"],
        cwd=tmp_path,
        env=env | {"PREFECT_API_URL": f"http://127.0.0.1:{env['PREFECT_SERVER_API_PORT']}/api"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert open_archive(str(tmp_path / "demo" / "archive")).find("holiday/beach.png")
