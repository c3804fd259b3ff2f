"""A fixity check as the command and the flow run it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from glassplate.codecs.progress import OnStep, unseen
from glassplate.pipelines.archive.read.reader import Archive
from glassplate.pipelines.archive.upkeep.verify import VerifyReport, verify_archive


def check(
    archive: Archive,
    subset: float = 1.0,
    max_duration: float | None = None,
    *,
    decode: bool = False,
    progress: OnStep = unseen,
) -> VerifyReport:
    """Verify a share of an archive, another one every day; see `verify_archive`."""
    today = datetime.now(UTC).date().toordinal()
    return verify_archive(archive, subset, max_duration, decode, today, progress)


def record_of(archive: Archive, report: VerifyReport) -> dict[str, Any]:
    """The result as one JSON object: time, archive, snapshot, what was checked, damages."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "archive": archive.store.url,
        "snapshot": archive.manifest.number,
        "ok": report.ok,
        **asdict(report),
    }


def append_line(url: str, record: dict[str, Any]) -> None:
    """Append a JSON line to a log file, which is made if need be.

    Object stores cannot append: the log is read and written again. Raises OSError.
    """
    line = json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    filesystem, path = url_to_fs(url)
    filesystem.makedirs(filesystem._parent(path), exist_ok=True)
    if isinstance(filesystem, LocalFileSystem):
        with filesystem.open(path, "ab") as log:
            log.write(line)
    else:
        before = filesystem.cat_file(path) if filesystem.exists(path) else b""
        filesystem.pipe_file(path, before + line)
