"""The exit codes of `glassplate`, and which error gives which."""

from __future__ import annotations

from enum import IntEnum

from glassplate.codecs.errors import GlassplateError


class ExitCode(IntEnum):
    """What a shell sees. The numbers are part of the interface and never change."""

    OK = 0
    ERROR = 1
    USAGE = 2
    SOME_FAILED = 3
    GATE = 4
    CONFLICT = 5
    DAMAGED = 6
    NOT_FOUND = 7
    INTERRUPTED = 130


MEANING = {
    ExitCode.OK: "done",
    ExitCode.ERROR: "a worker or the storage failed, or an unexpected error",
    ExitCode.USAGE: "usage: a bad option, source or archive",
    ExitCode.SOME_FAILED: "done and committed, but some inputs failed or are damaged",
    ExitCode.GATE: "too many inputs failed; nothing was committed",
    ExitCode.CONFLICT: "another writer committed first; nothing was committed",
    ExitCode.DAMAGED: "the archive is damaged",
    ExitCode.NOT_FOUND: "no such picture, or snapshot",
    ExitCode.INTERRUPTED: "interrupted; the next run goes on from there",
}

_BY_ERROR_CODE = {
    "ambiguous": ExitCode.USAGE,
    "bad-option": ExitCode.USAGE,
    "unknown-codec": ExitCode.USAGE,
    "device-missing": ExitCode.USAGE,
    "bad-weights": ExitCode.USAGE,
    "bad-input": ExitCode.USAGE,
    "bad-source": ExitCode.USAGE,
    "bad-archive": ExitCode.USAGE,
    "not-an-image": ExitCode.USAGE,
    "damaged-image": ExitCode.USAGE,
    "codec-limit": ExitCode.USAGE,
    "would-lose": ExitCode.USAGE,
    "too-many-pixels": ExitCode.USAGE,
    "missing-extra": ExitCode.USAGE,
    "too-many-failures": ExitCode.GATE,
    "commit-conflict": ExitCode.CONFLICT,
    "bad-manifest": ExitCode.DAMAGED,
    "shard-damaged": ExitCode.DAMAGED,
    "bitstream-damaged": ExitCode.DAMAGED,
    "interrupted": ExitCode.INTERRUPTED,
    "not-found": ExitCode.NOT_FOUND,
    "no-such-snapshot": ExitCode.NOT_FOUND,
}


def exit_code_of(error: GlassplateError) -> ExitCode:
    """The exit code for a typed error; 1 for codes that have none of their own."""
    return _BY_ERROR_CODE.get(error.code, ExitCode.ERROR)
