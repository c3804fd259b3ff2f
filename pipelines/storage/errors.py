"""Trouble with object stores, whichever client library it comes from, as one typed error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from glassplate.pipelines.errors import StorageError

_CLIENTS = (
    ("aiohttp", "ClientError"),
    ("azure.core.exceptions", "AzureError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("gcsfs.retry", "HttpError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("httpx", "HTTPError"),
    ("httpx2", "HTTPError"),
)


def file_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """OSError, and what the clients of object stores raise beside it; those that are loaded."""
    loaded = [(sys.modules[module], name) for module, name in _CLIENTS if module in sys.modules]
    return (OSError, *(getattr(module, name) for module, name in loaded), *others)


@contextmanager
def storage_errors(subject: str) -> Iterator[None]:
    """Raises StorageError for trouble; that a file is there, or is not, stays as fsspec says it."""
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except file_errors() as error:
        fix = "Is it there and within reach? Run again: finished shards are kept."
        if isinstance(error, PermissionError) or "redential" in str(error):
            fix = "Check the credentials: are they right, and not expired? May they do this?"
        raise StorageError(str(error).rstrip(".") or type(error).__name__, fix, subject) from error
