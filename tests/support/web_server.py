"""A web server on this machine that answers as good and as bad ones do.

/ok/NAME         as one should
/403/NAME        HEAD as one should, GET with that status; so for every number
/nohead/NAME     HEAD: 405         /headless403/NAME   HEAD: 403, GET as one should
/chunked/NAME    no Content-Length /zero/NAME          HEAD says 0 bytes
/redirect/NAME   to /ok/NAME       /circle/NAME        to itself, without end
/silent/NAME     HEAD as one should, GET never answered      /mute/NAME   neither
/stuck/NAME      half of the body, then silence    /short/NAME  half of the body, then the end
/busy/NAME       429 once, with Retry-After: 0, then as one should
/page/NAME       200, but a page in HTML
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class WebServer(ThreadingHTTPServer):
    """files: name -> bytes; may be changed at any time. asked: requests by method and path."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: Counter[tuple[str, str]] = Counter()
        self.closing = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: clients that lose patience hang up."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def web_server(files: dict[str, bytes]) -> Iterator[WebServer]:
    """A running server."""
    server = WebServer(files)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WebServer

    def log_message(self, *about: object) -> None:
        """Nothing: tests have their own output."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        self.server.asked[self.command, self.path] += 1
        kind, name = self.path.strip("/").split("?")[0].split("/", 1)
        data = self.server.files.get(name)
        if data is None:
            self._send(404, b"", body)
        elif body and kind in _BODIES:
            _BODIES[kind](self, data)
        elif not body and kind in _HEADS:
            self._send(_HEADS[kind], b"", body)
        elif body and kind.isdigit():
            self._send(int(kind), b"no", body)
        elif kind in ("redirect", "circle"):
            place = {"Location": f"/{'ok' if kind == 'redirect' else kind}/{name}"}
            self._send(302, b"", body, place)
        elif kind == "mute":
            self._be_silent(data)
        elif part := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            first, last = int(part[1]), min(int(part[2]), len(data) - 1)
            place = {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
            self._send(206, data[first : last + 1], body, place)
        else:
            more = {"ETag": f'"{hash(data)}"', "Accept-Ranges": "bytes"}
            self._send(200, data, body, more)

    def _send(
        self, status: int, data: bytes, body: bool, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def _be_silent(self, _data: bytes) -> None:
        self.server.closing.wait(60)
        self.close_connection = True

    def _send_page(self, _data: bytes) -> None:
        self._send(200, b"<html>gone</html>", True, {"Content-Type": "text/html"})

    def _send_chunked(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))

    def _send_half(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self.wfile.flush()
        self.close_connection = True

    def _send_half_and_stay(self, data: bytes) -> None:
        self._send_half(data)
        self._be_silent(data)

    def _send_later(self, data: bytes) -> None:
        if self.server.asked[self.command, self.path] == 1:
            self._send(429, b"", True, {"Retry-After": "0"})
        else:
            self._send(200, data, True)


_HEADS = {"nohead": 405, "headless403": 403, "zero": 200, "chunked": 200, "page": 200}
_BODIES: dict[str, Callable[[_Handler, bytes], None]] = {
    "silent": _Handler._be_silent,
    "page": _Handler._send_page,
    "chunked": _Handler._send_chunked,
    "stuck": _Handler._send_half_and_stay,
    "short": _Handler._send_half,
    "busy": _Handler._send_later,
}
