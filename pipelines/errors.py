"""Errors of archives and runs, on top of the codecs' (see `glassplate.codecs.errors`)."""

from glassplate.codecs.errors import ConfigError, GlassplateError


class SourceError(GlassplateError):
    """The source collection cannot be listed."""

    code = "bad-source"


class ArchiveError(GlassplateError):
    """The archive cannot be opened or written."""

    code = "bad-archive"


class ManifestError(ArchiveError):
    """A manifest is truncated or damaged."""

    code = "bad-manifest"


class CommitConflictError(ArchiveError):
    """Another writer committed a snapshot while this run was going on."""

    code = "commit-conflict"


class StorageError(ArchiveError):
    """An object store cannot be reached, or refuses."""

    code = "storage"


class OutsideError(ArchiveError):
    """A path leads out of the folder that it is to lie in."""

    code = "outside"


class WorkerError(ArchiveError):
    """A worker failed, or the engine that it runs in; finished shards are kept."""

    code = "worker-failed"


class WorkerDiedError(GlassplateError):
    """A picture killed the process that worked on it."""

    code = "worker-died"


class LossError(ConfigError):
    """What was asked for would lose something of the picture."""

    code = "would-lose"


class NotFoundError(GlassplateError):
    """No picture with this id or source name is in the snapshot."""

    code = "not-found"


class SnapshotNotFoundError(NotFoundError):
    """No snapshot of this number is kept."""

    code = "no-such-snapshot"


class UnknownKeyError(NotFoundError):
    """Nothing in the archive has this id or name."""


class AmbiguousKeyError(ConfigError):
    """Several pictures have this name."""

    code = "ambiguous"


class ShardDamagedError(ArchiveError):
    """A Parquet file of the archive is missing or damaged."""

    code = "shard-damaged"


class TooManyFailuresError(GlassplateError):
    """The failure gate stopped a run before its commit."""

    code = "too-many-failures"


class LedgerError(GlassplateError):
    """The ledger does not add up: a bug, and a reason not to commit."""

    code = "ledger"
