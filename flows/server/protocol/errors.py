"""What is wrong with a request, and which HTTP status each typed error gives."""

from __future__ import annotations

from glassplate.codecs.errors import GlassplateError


class BadRequestError(GlassplateError):
    """A part of the URL means nothing, or nothing of this picture."""

    code = "bad-request"


class NotServedError(GlassplateError):
    """A part of the URL means something that this server does not do."""

    code = "not-served"


class AreaError(GlassplateError):
    """More pixels are asked for than `--max-area` allows, or than the format holds."""

    code = "too-large-an-area"


class RemovedError(GlassplateError):
    """The picture was in an older snapshot of the archive and is not in this one."""

    code = "removed"


class BusyError(GlassplateError):
    """The queue is full, a worker died, or it took too long; a later try may do better."""

    code = "busy"


_STATUS = {
    "bad-request": 400,
    "bad-option": 400,
    "ambiguous": 400,
    "would-lose": 400,
    "not-found": 404,
    "removed": 410,
    "too-large-an-area": 413,
    "too-many-pixels": 413,
    "not-served": 501,
    "codec-limit": 501,
    "missing-extra": 501,
    "bitstream-damaged": 502,
    "shard-damaged": 502,
    "bad-archive": 502,
    "bad-manifest": 502,
    "bad-weights": 502,
    "storage": 502,
    "outside": 502,
    "os-error": 502,
    "busy": 503,
    "out-of-memory": 503,
    "worker-failed": 503,
}


def status_of(code: str) -> int:
    """The HTTP status of an error code; 500 for codes that no request should end with."""
    return _STATUS.get(code, 500)


class AnsweredError(GlassplateError):
    """An error that a worker process answered with, under the code that it had there."""

    def __init__(self, code: str, cause: str, fix: str, subject: str) -> None:
        super().__init__(cause, fix, subject)
        self.answered_code = code


def code_of(error: GlassplateError) -> str:
    """The stable code of an error, also of one that a worker answered with."""
    return error.answered_code if isinstance(error, AnsweredError) else error.code
