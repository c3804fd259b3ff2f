"""Local folders and globs: every file once, whatever its name."""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from fsspec.utils import glob_translate

from glassplate.pipelines.sources.places.refs import (
    SourceRef,
    below,
    failed_ref,
    printable,
    skipped_ref,
)

WILDCARD = re.compile(r"[*?\[]")

Enters = Callable[[str], bool]
"""Whether a folder, named below the root, is to be looked into."""


def everywhere(_folder: str) -> bool:
    """Leaves no folder out."""
    return True


def walk(root: Path, leave_out: str, enters: Enters = everywhere) -> Iterator[SourceRef]:
    """Every file below a local folder. A folder is listed once, linked folders last.

    Linked folders come last so that files are listed under their real names; loops end because
    no folder is listed twice.

    leave_out: a folder that is not entered, under whatever name; may be empty.
    """
    seen = {_identity(leave_out)} if leave_out else set()
    real, linked = deque([str(root)]), deque[str]()
    while real or linked:
        folder = (real or linked).popleft()
        try:
            identity = _identity(folder)
            if identity in seen:
                continue
            seen.add(identity)
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            yield _problem(folder, str(root), error)
            continue
        for entry in entries:
            if not _is_folder(entry):
                yield _local_ref_or_problem(entry.path, str(root))
            elif enters(below(entry.path, str(root))):
                (linked if entry.is_symlink() else real).append(entry.path)


def match_glob(path: str, leave_out: str, enters: Enters = everywhere) -> list[SourceRef]:
    """The local files that a glob names. Raises FileNotFoundError if it is no glob."""
    root = Path(glob_root(path))
    if root == Path(path) or not root.is_dir():
        raise FileNotFoundError("no such file or directory")
    pattern = str(Path(path).relative_to(root))
    depth = None if "**" in pattern else pattern.count("/")
    matches = re.compile(glob_translate(pattern)).fullmatch

    def within(folder: str) -> bool:
        return (depth is None or folder.count("/") < depth) and enters(folder)

    return [
        ref
        for ref in walk(root, leave_out, within)
        if matches(ref.name) or (ref.outcome and Path(ref.path).is_dir())  # a folder kept shut
    ]


def plain_path(path: str) -> str:
    """A local path as it is named once and for all: absolute, without '.' and '..'.

    Links keep their names, but a '..' behind one leads to the parent of its target.
    """
    absolute = Path(path).absolute()
    plain = Path(absolute.anchor)
    for part in absolute.parts[1:]:
        if part != "..":
            plain /= part
        elif os.path.islink(plain):  # noqa: PTH114 (which raises where a folder is kept shut)
            plain = Path(os.path.realpath(plain)).parent
        else:
            plain = plain.parent
    return str(plain)


def plain_url(url: str) -> str:
    """The URL of a local path, of a local URL without '..', or of what is elsewhere as it is."""
    path = url.removeprefix("file://")
    return url if "://" in path else f"file://{plain_path(path)}"


def glob_root(path: str) -> str:
    """The folder above the first wildcard; the path itself if there is none."""
    parts = PurePosixPath(path).parts
    fixed = next((i for i, part in enumerate(parts) if WILDCARD.search(part)), len(parts))
    return str(PurePosixPath(*parts[:fixed]))


def local_ref(path: str, name: str) -> SourceRef:
    """A reference to a local file. Raises OSError."""
    status = os.stat(path)  # noqa: PTH116 (three times as fast, and called for every file)
    version = f"{status.st_size}:{status.st_mtime_ns}"
    uri = f"file://{path}"
    if not stat.S_ISREG(status.st_mode):
        return skipped_ref(uri, path, name, version=version)
    return SourceRef(printable(uri), path, printable(name), version, status.st_size)


def _identity(path: str) -> tuple[int, int] | None:
    """What tells a folder from all others on this machine, whatever its names; None: missing."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link into a folder that may not be entered
        return False


def _local_ref_or_problem(path: str, root: str) -> SourceRef:
    try:
        return local_ref(path, below(path, root))
    except OSError as error:
        return _problem(path, root, error)


def _problem(path: str, root: str, error: OSError) -> SourceRef:
    return failed_ref(f"file://{path}", path, below(path, root), error)
