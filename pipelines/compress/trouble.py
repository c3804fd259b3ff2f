"""What went wrong with a picture, and whether its file is kept for all that.

Bytes that could be read are in the archive, whatever is wrong with them or with us. An input fails
only if they could not be read, are no picture, or are damaged and nobody wants them.
"""

from __future__ import annotations

import logging
from typing import Literal, NamedTuple

from glassplate.codecs.errors import (
    BitstreamError,
    DamagedImageError,
    EncodeError,
    GlassplateError,
    InputError,
    OutOfMemoryError,
    TooManyPixelsError,
    UnsupportedImageError,
)
from glassplate.codecs.memory import is_out_of_memory

logger = logging.getLogger(__name__)

WORKER_DIED = "worker-died"

_SOUND = (UnsupportedImageError, EncodeError, TooManyPixelsError)
_REASONS = {DamagedImageError.code: "damaged", BitstreamError.code: "verify-failed"}
"""Error code -> reason for keeping the file, where that is not the code itself."""


class Trouble(NamedTuple):
    """What went wrong with a picture whose file is kept for that: columns of its row."""

    stage: str
    code: str
    message: str


def says_nothing_bad(error: Exception) -> bool:
    """Whether an error is about what a codec or a limit allows, not about the picture or us."""
    return isinstance(error, _SOUND)


def why_kept(error: Exception, damaged: Literal["keep", "fail"]) -> str | None:
    """The reason for which a file that could be read is kept after an error; None: it failed."""
    if isinstance(error, DamagedImageError) and damaged == "fail":
        return None
    if isinstance(error, InputError) and not isinstance(
        error, (DamagedImageError, TooManyPixelsError)
    ):
        return None
    if is_out_of_memory(error):
        return OutOfMemoryError.code
    code = error.code if isinstance(error, GlassplateError) else "internal"
    return _REASONS.get(code, code)


def said_of(error: Exception, uri: str, stage: str) -> tuple[str, str]:
    """Code and message of an error; one that nobody foresaw is logged with all that is known."""
    if is_out_of_memory(error):
        error = OutOfMemoryError(
            f"there is not enough memory to {stage} it", "Give workers more of it.", uri
        )
    if isinstance(error, GlassplateError):
        error.subject = error.subject or uri
        return error.code, str(error)
    logger.error("%s: internal error (%s)", uri, stage, exc_info=error)
    return "internal", f"{uri}: {type(error).__name__}: {error}"
