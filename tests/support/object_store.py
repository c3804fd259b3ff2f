"""S3 over HTTP on this machine: moto's server as a process, and bad weather before it."""

from __future__ import annotations

import http.client
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from clusters import background, free_port, listens, wait_until

KEYS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "secret"}
ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"


@contextmanager
def s3_server(log: Path, **env: str) -> Iterator[int]:
    """A running server; its port."""
    port = free_port()
    before = dict(os.environ)
    os.environ.update(env)
    try:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
        with background(command, log):
            wait_until(lambda: listens(port), log)
            yield port
    finally:
        os.environ.clear()
        os.environ.update(before)


class Weather(ThreadingHTTPServer):
    """A proxy before the server, which may refuse requests or keep them waiting.

    refusal: (status, code, message) of every answer, None: those of the server. delay: seconds
    before every answer. drop_header: what the server is not told. seen: how many requests came.
    """

    daemon_threads = True

    def __init__(self, server_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = server_port
        self.refusal: tuple[int, str, str] | None = None
        self.delay = 0.0
        self.drop_header = ""
        self.seen = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Weather

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen += 1
        time.sleep(self.server.delay)
        if self.server.refusal:
            self._refuse(*self.server.refusal)
        else:
            self._forward(body)

    def _refuse(self, status: int, code: str, message: str) -> None:
        text = ERROR.format(code=code, message=message).encode()
        self._answer(status, [("Content-Type", "application/xml")], text)

    def _forward(self, body: bytes) -> None:
        there = http.client.HTTPConnection("127.0.0.1", self.server.target)
        told = {k: v for k, v in self.headers.items() if k != self.server.drop_header}
        there.request(self.command, self.path, body, told)
        reply = there.getresponse()
        text = reply.read()
        self._answer(reply.status, reply.getheaders(), text)

    def _answer(self, status: int, headers: list[tuple[str, str]], text: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        size = {name.lower(): value for name, value in headers}.get("content-length", len(text))
        self.send_header("Content-Length", str(size if self.command == "HEAD" else len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Silence."""
