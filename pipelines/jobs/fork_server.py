"""Processes forked from one that has imported everything: ready in milliseconds, often.

    command ── request ──> server ── fork ──> child <── lines ──> command

The server imports modules when it is first asked for a process with them, and runs nothing of them.
It ends with the command, however that ends, and its children end with it (Linux).
`multiprocessing` has such a server, too; it imports the user's script again, and does not start
processes from within those of Dask.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from glassplate.pipelines.errors import WorkerError

_LENGTH = struct.Struct("<I")
_STANDARD_ERROR = 2
_PID = struct.Struct("<i")
_PR_SET_PDEATHSIG = 1


class ForkServer:
    """The server of this process, started by its first request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def fork(
        self,
        module: str,
        options: dict[str, Any],
        preload: str,
        check: Callable[[], None] = lambda: None,
    ) -> tuple[int, socket.socket]:
        """A process that runs `module.child(socket, options)`: its id, and the socket's other end.

        It has the environment, working directory, module path, effective user and standard error
        that this process has now.

        preload: A module that takes long to import, for all processes together.
        check: Called when it is this request's turn; what it raises ends the request.
        Raises WorkerError if it cannot be started.
        """
        request = {
            "module": module,
            "preload": preload,
            "options": options,
            "environment": dict(os.environ),
            "folder": str(Path.cwd()),
            "path": sys.path,
            "user": [os.getegid(), os.geteuid()],
        }
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            try:
                check()
                pid = self._ask(json.dumps(request).encode(), [theirs.fileno(), _STANDARD_ERROR])
            except OSError as error:
                ours.close()
                fix = "Its standard error says why; is there enough memory?"
                raise WorkerError(f"no process can be started ({error})", fix) from error
        return pid, ours

    def stop(self) -> None:
        """Kill it, and with it every process that it forked; the next request starts another."""
        if self._process:
            self._process.kill()

    def _ask(self, request: bytes, files: list[int]) -> int:
        self.start()
        assert self._socket
        socket.send_fds(self._socket, [_LENGTH.pack(len(request))], files)
        self._socket.sendall(request)
        answer = self._socket.recv(_PID.size, socket.MSG_WAITALL)
        if len(answer) < _PID.size:
            raise OSError("the server of processes ended")
        pid: int = _PID.unpack(answer)[0]
        return pid

    def start(self, *preload: str) -> None:
        """Start it, if it does not run; requests do so, too. Raises OSError.

        preload: Modules that it imports at once, while the command has other things to do.
        """
        if self._process and self._process.poll() is None:
            return
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-m", __name__, str(number), *preload]
            self._process = subprocess.Popen(command, pass_fds=[number], stdin=subprocess.DEVNULL)
        self._socket = ours


SERVER = ForkServer()
"""The server of this process."""


def _serve(requests: socket.socket, preload: Sequence[str]) -> None:
    """The server: forks a child for each request, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command hears it, and ends us
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    for module in preload:
        import_module(module)
    while True:
        head, files, _, _ = socket.recv_fds(requests, _LENGTH.size, 2)
        if not head:
            return
        (length,) = _LENGTH.unpack(head)
        request = json.loads(requests.recv(length, socket.MSG_WAITALL))
        sys.path[:] = request["path"]
        import_module(request["preload"])
        child = import_module(request["module"]).child
        pid = os.fork()
        if pid == 0:
            requests.close()
            _become(child, request, *files)
        for file in files:
            os.close(file)
        with suppress(BrokenPipeError):  # the next read says that there is nobody any more
            requests.sendall(_PID.pack(pid))


def _become(child: Callable[..., None], request: dict[str, Any], lines: int, words: int) -> None:
    """The child: never returns, and nothing of the server runs at its end."""
    status = 1
    try:
        _die_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for standard in (1, 2):  # what libraries print is no answer
            os.dup2(words, standard)
        os.environ.clear()
        os.environ.update(request["environment"])
        if request["user"] != [os.getegid(), os.geteuid()]:
            os.setegid(request["user"][0])
            os.seteuid(request["user"][1])
        with suppress(OSError):  # it may be gone
            os.chdir(request["folder"])
        child(socket.socket(fileno=lines), request["options"])
        status = 0
    finally:
        if status:
            sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(status)


def _die_with_parent() -> None:
    """Have the kernel kill this process when the server ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
