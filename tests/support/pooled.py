"""Answers for `DecodePool`: what they write, and how they end."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def greeted(greeting: str) -> Callable[[str], str]:
    """Every request leaves a line in the greeting's `log`: its number and the process's."""
    log = Path(json.loads(greeting)["log"])

    def answer(line: str) -> str:
        request = json.loads(line)
        with log.open("a") as lines:
            lines.write(f"{request['number']} {os.getpid()}\n")
        time.sleep(request.get("sleep", 0))
        if request.get("die"):
            os.kill(os.getpid(), signal.SIGKILL)
        if error := request.get("error"):
            told = {"code": error, "cause": "no", "fix": "", "subject": ""}
            return json.dumps({"error": told})
        Path(request["out"]).write_text(str(request["number"]))
        return json.dumps({"facts": {}})

    return answer
