"""What the processes behind the service have in common: an archive, requests in, files out.

A request is one line of JSON: `snapshot`, `out` (where to write), and what else its kind says. The
answer is {"facts": ...}, or {"error": ...}.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from glassplate.codecs.errors import GlassplateError
from glassplate.codecs.memory import memory_errors
from glassplate.pipelines import Archive, open_archive
from glassplate.pipelines.jobs.child_process import Answer

Fulfil = Callable[[Archive, Mapping[str, Any]], dict[str, Any]]
"""Writes what a request asks for, and says what is to be told of it."""


def answers(told: Mapping[str, Any], fulfil: Fulfil) -> Answer:
    """What answers the lines that a process is sent. Raises as `open_archive`.

    told: The greeting: `archive`, `snapshot`, `device`, `max_pixels`.
    """
    archive = open_archive(
        told["archive"], told["snapshot"], told["device"], max_pixels=told["max_pixels"]
    )

    def answer(line: str) -> str:
        nonlocal archive
        request = json.loads(line)
        try:
            with memory_errors():
                if archive.manifest.number != request["snapshot"]:
                    archive = archive.snapshot(request["snapshot"])
                facts = fulfil(archive, request) if request["what"] != "nothing" else {}
                return json.dumps({"facts": facts})
        except GlassplateError as error:
            return _fault(error.code, error.cause, error.fix, error.subject)
        except OSError as error:
            return _fault("os-error", str(error))

    return answer


def _fault(code: str, cause: str, fix: str = "", subject: str = "") -> str:
    return json.dumps({"error": {"code": code, "cause": cause, "fix": fix, "subject": subject}})
