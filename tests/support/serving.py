"""`glassplate serve` as a user starts it, and a client that follows nothing by itself."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from PIL import Image

COMMAND = Path(sys.executable).with_name("glassplate")


@dataclass(frozen=True)
class Served:
    """A running service. lines: Of its access log, as they come."""

    url: str
    client: httpx.Client
    process: subprocess.Popen[str]
    lines: list[str]

    def get(self, path: str, **headers: str) -> httpx.Response:
        """What a path is answered with."""
        return self.client.get(path, headers=headers)

    def image(self, path: str) -> Image.Image:
        """The picture that a path is answered with."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.text)
        opened = Image.open(io.BytesIO(answer.content))
        opened.load()
        return opened


@contextmanager
def served(archive: Path | str, *options: str) -> Iterator[Served]:
    """The service on a free port, ended with the block."""
    process = subprocess.Popen(
        [COMMAND, "serve", str(archive), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    assert process.stdout
    told, lines = "", list[str]()
    try:
        while not (found := re.search(r"at (http://[\d.:\[\]]+);", told)):
            line = process.stderr.readline()
            assert line, f"it ended: {told}"
            told += line
        for stream in (process.stdout, process.stderr):
            threading.Thread(target=lines.extend, args=(stream,), daemon=True).start()
        with httpx.Client(base_url=found[1], timeout=60) as client:
            yield Served(found[1], client, process, lines)
    finally:
        process.terminate()
        process.wait(20)
