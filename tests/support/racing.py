"""Runs in processes of their own, to be killed or to race each other.

They are forked from a server that has imported everything, so that a kill lands in the run.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from glassplate.pipelines.compress.config import CompressConfig

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["glassplate.pipelines.compress.run", "mischief"])


class Racer:
    """One `compress` in a process group of its own."""

    def __init__(self, config: CompressConfig) -> None:
        self.result, theirs = _CONTEXT.Pipe(duplex=False)
        arguments = (config.model_dump_json(), theirs, os.environ.get("PYTHONPATH", ""))
        self.process: Any = _CONTEXT.Process(target=_compress, args=arguments)
        self.process.start()
        theirs.close()
        assert self.result.recv() == "ready"

    def kill(self) -> None:
        """kill -9, with all worker processes."""
        with suppress(ProcessLookupError):  # it was faster
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.join()

    def kill_a_worker(self) -> None:
        """kill -9 one of its worker processes, if there is one (still)."""
        with suppress(psutil.Error):  # it was faster
            workers = psutil.Process(self.process.pid).children(recursive=True)
            servers = [w for w in workers if "glassplate.pipelines.jobs.fork_server" in w.cmdline()]
            for worker in [w for server in servers for w in server.children()][:1]:
                worker.kill()

    def wait_for(self, marks: Path, count: int) -> None:
        """Until so many shards are staged; fails if the run ends first."""
        while len(list(marks.glob("*/done.json"))) < count:
            assert self.process.is_alive(), self.result.recv()
            time.sleep(0.01)

    def finish(self) -> str:
        """'committed', 'nothing new', or the code of the error."""
        outcome = str(self.result.recv())
        self.process.join()
        return outcome


def _compress(config_json: str, connection: Connection, path: str) -> None:
    os.setsid()
    os.environ["PYTHONPATH"] = path  # the server may be older than the test's environment
    from glassplate.codecs.errors import GlassplateError
    from glassplate.pipelines.compress.run import compress

    connection.send("ready")
    try:
        result = compress(CompressConfig.model_validate_json(config_json))
    except GlassplateError as error:
        connection.send(error.code)
    else:
        connection.send("committed" if result.snapshot else "nothing new")
