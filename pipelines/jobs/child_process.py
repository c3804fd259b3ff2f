"""A process apart that answers lines with lines: what kills it kills nothing else."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable

Answer = Callable[[str], str]


class Child:
    """A module that `serve`s, started by the first request, and again after it died.

    It ends when this is let go, with the end of the pipe between the two.
    """

    def __init__(self, module: str, greeting: str) -> None:
        """greeting: The line that it is told first."""
        self._module, self._greeting = module, greeting
        self._process: subprocess.Popen[str] | None = None

    def ask(self, request: str) -> str | None:
        """The line that it answers a line with; None if it died of it."""
        process = self._process or self._start()
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(request + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if answer:
            return answer
        process.wait()
        self._process = None
        return None

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", self._module]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin
        process.stdin.write(self._greeting + "\n")
        self._process = process
        return process


def serve(greeted: Callable[[str], Answer]) -> None:
    """The child's side: what the greeting makes answers every line, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command hears it, and closes the pipe
    logging.basicConfig(format="%(levelname)s: %(message)s")
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
        answer = greeted(sys.stdin.readline())
        for line in sys.stdin:
            answers.write(answer(line) + "\n")
            answers.flush()
