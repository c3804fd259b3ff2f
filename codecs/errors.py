"""Typed errors: each names its subject (file, image or tile), the cause, and the fix.

`code` is stable and machine-readable: it goes into the ledger and into `--json` output.
"""

from typing import ClassVar


class OptionName(str):
    """The subject of an error that is about an option; a command says what is typed for it."""

    __slots__ = ()


class GlassplateError(Exception):
    """Base of every error that Glassplate raises on purpose.

    Args:
        cause: What is wrong, as one clause without a final stop.
        fix: What the user can do about it; may be empty.
        subject: The file, image id or tile that the error is about; may be empty.
    """

    code: ClassVar[str] = "error"

    def __init__(self, cause: str, fix: str = "", subject: str = "") -> None:
        super().__init__(cause, fix, subject)
        self.cause = cause
        self.fix = fix
        self.subject = subject

    def __str__(self) -> str:
        text = f"{self.subject}: {self.cause}" if self.subject else self.cause
        return f"{text}. {self.fix}" if self.fix else text


class ConfigError(GlassplateError):
    """An option has a value that cannot be used."""

    code = "bad-option"


class DeviceError(GlassplateError):
    """A device was asked for by name and is not there."""

    code = "device-missing"


class UnknownCodecError(GlassplateError):
    """No codec is registered under this name."""

    code = "unknown-codec"


class WeightsError(GlassplateError):
    """Weights are missing, of the wrong shape, not finite, or not safetensors."""

    code = "bad-weights"


class StoppedError(GlassplateError):
    """A run was asked to stop and left a checkpoint."""

    code = "interrupted"


class UnsupportedImageError(GlassplateError):
    """A codec cannot hold this picture faithfully (size, mode, depth)."""

    code = "codec-limit"


class EncodeError(GlassplateError):
    """A codec failed on a picture that it should hold, or could not meet the target."""

    code = "encode-failed"


class TargetMissedError(EncodeError):
    """No setting of the codec reaches the target on this picture."""

    code = "target-missed"


class BitstreamError(GlassplateError):
    """A bitstream is truncated, damaged, spliced or not ours."""

    code = "bitstream-damaged"


class InputError(GlassplateError):
    """A source file cannot be archived; subclasses say why."""

    code = "bad-input"


class UnreadableError(InputError):
    """The bytes of a source file could not be read."""

    code = "unreadable"


class VanishedError(InputError):
    """A source file was listed and is gone."""

    code = "vanished"


class ChangedError(InputError):
    """A source file changed while it was read."""

    code = "changed-during-run"


class TooLargeError(InputError):
    """A source file has more bytes than an archive holds of one file."""

    code = "too-large"


class NotAnImageError(InputError):
    """The bytes are not a picture in any format that we know."""

    code = "not-an-image"


class DamagedImageError(InputError):
    """The bytes are a picture, but it cannot be decoded to the end."""

    code = "damaged-image"


class TooManyPixelsError(InputError):
    """The picture declares more pixels than `--max-pixels` allows."""

    code = "too-many-pixels"


class OutOfMemoryError(GlassplateError):
    """A picture needs more memory than there is."""

    code = "out-of-memory"


class MissingExtraError(GlassplateError):
    """A codec or command needs a library that is not installed; it comes with an extra."""

    code = "missing-extra"
