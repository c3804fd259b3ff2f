"""What there is to compress: a directory, a glob, a file, a zip or tar, a list, or a URL."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeGuard

import fsspec
import pyarrow as pa

from glassplate.codecs.errors import UnreadableError, VanishedError
from glassplate.codecs.faults import said_of_file
from glassplate.pipelines.errors import SourceError
from glassplate.pipelines.sources.choice import Choice, alternatives
from glassplate.pipelines.sources.entries import list_lines, list_table
from glassplate.pipelines.sources.packed.shards import unpacked
from glassplate.pipelines.sources.packed.tables import LIST_SUFFIXES, looks_like_entry
from glassplate.pipelines.sources.packed.zip_and_tar import (
    PACKED_ERRORS,
    is_packed,
    list_packed,
    packed_url,
    split_packed,
)
from glassplate.pipelines.sources.places.folders import (
    WILDCARD,
    glob_root,
    local_ref,
    match_glob,
    plain_path,
    plain_url,
    walk,
)
from glassplate.pipelines.sources.places.objects import file_system, list_objects
from glassplate.pipelines.sources.places.refs import SourceRef, failed_ref, safe_name
from glassplate.pipelines.sources.places.web import is_web, look, seen_ref
from glassplate.pipelines.storage.errors import file_errors

_EVERYTHING = Choice()
_FIX = "Give a directory, glob, file or list."


@dataclass(frozen=True)
class Listing:
    """Every file of a source, sorted by name."""

    refs: tuple[SourceRef, ...]

    @property
    def problems(self) -> tuple[SourceRef, ...]:
        """What could not be listed (unreadable folders, dangling links); each is also in refs."""
        return tuple(ref for ref in self.refs if ref.outcome and ref.outcome.status == "failed")


def list_source(
    source: str | Sequence[str], leave_out: str = "", choice: Choice = _EVERYTHING
) -> Listing:
    """List every file of a directory (recursively), a glob, a file, a packed file, or a list.

    Of several sources one that is missing is a failed reference; names start below the folder that
    all have in common. '-' is a list of paths on standard input; braces are alternatives.
    `leave_out` is the archive, in case that it lies inside the source. No picture is opened.
    Raises SourceError if there is nothing to list, or nothing is left by the choice.
    """
    given = [source] if isinstance(source, str) else list(source)
    subject = given[0] if len(given) == 1 else f"{given[0]} and {len(given) - 1} more"
    sources = [one for each in given for one in _alternatives(each)]
    if len(sources) == 1:
        refs = _listed(sources[0], leave_out, choice)
    else:
        refs = _together(sources, leave_out, choice)
    if not refs:
        raise SourceError("there are no files", "Is it the right place?", subject)
    chosen = [ref for ref in refs if choice.takes(ref)]
    if not chosen:
        cause = f"none of its {len(refs)} files is left by --include and --exclude"
        raise SourceError(cause, "See --help for what patterns mean.", subject)
    return Listing(tuple(sorted(chosen, key=lambda ref: (ref.name, ref.uri))))


def _alternatives(source: str) -> list[str]:
    """What braces mean, unless something is called so. Of names with wildcards those that match."""
    if "{" not in source or ("://" not in source and os.path.lexists(source)):
        return [source]
    return alternatives(source)


def _listed(source: str, leave_out: str, choice: Choice) -> list[SourceRef]:
    """What one source holds. Raises SourceError."""
    try:
        return unpacked(
            _list(source, leave_out, choice), lambda shard: _list(shard, leave_out, choice)
        )
    except (UnreadableError, VanishedError) as error:
        raise SourceError(error.cause, _FIX, source) from error
    except file_errors(ValueError, ImportError, pa.ArrowException, *PACKED_ERRORS) as error:
        raise _trouble(error, source) from error


def _trouble(error: Exception, source: str) -> SourceError:
    """What a file system or its client says of a source, in our words."""
    cause, scheme = said_of_file(error).rstrip("."), source.partition("://")[0]
    if cause.startswith("Protocol not known"):
        fix = "For example s3://, gs://, az://, hf://, https://."
        return SourceError(f"no file system is known for {scheme}://", fix, source)
    known = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
    if scheme == source or not isinstance(error, file_errors()) or isinstance(error, known):
        return SourceError(cause, _FIX, source)
    if "redential" in cause:
        return SourceError(cause, "Check the credentials: are they there, and right?", source)
    fix = "Is the network there, and the address right?"
    return SourceError(f"cannot be reached ({cause})", fix, source)


def _together(sources: Sequence[str], leave_out: str, choice: Choice) -> list[SourceRef]:
    """What several sources hold, each file once. Raises SourceError if none can be listed."""
    root = _common_folder(sources)
    found: dict[str, SourceRef] = {}
    errors: list[SourceError] = []
    for source in sources:
        folder = _folder_below(source, root)
        try:
            refs = _listed(source, leave_out, choice)
        except SourceError as error:
            errors.append(error)
            uri = plain_url(source)
            cause = error.__cause__
            refs = [failed_ref(uri, uri, Path(uri).name, cause if _is_gone(cause) else error)]
        for ref in refs:
            name = f"{folder}/{ref.name}" if folder else ref.name
            found.setdefault(ref.uri, replace(ref, name=name))
    if len(errors) == len(sources):
        raise errors[0]
    return list(found.values())


def _is_gone(error: BaseException | None) -> TypeGuard[FileNotFoundError]:
    return isinstance(error, FileNotFoundError)


def _common_folder(sources: Sequence[str]) -> str:
    """The folder above all sources; '' if they have none in common."""
    folders = [str(PurePosixPath(_absolute(source)).parent) for source in sources]
    try:
        return os.path.commonpath(folders)
    except ValueError:
        return ""


def _folder_below(source: str, root: str) -> str:
    """The folder of a source's files below what all sources have in common."""
    path = PurePosixPath(_absolute(source))
    if path.suffix.lower() in (".zip", ".tar", ".parquet"):
        folder = path.with_suffix("")
    elif Path(source).is_dir() or ("://" in source and not path.suffix):
        folder = path
    else:
        folder = PurePosixPath(glob_root(str(path)))
        folder = folder.parent if folder == path else folder
    return "" if str(folder) == root else safe_name(str(folder).removeprefix(root))


def _absolute(source: str) -> str:
    """A path or URL as a path, without what is chained."""
    outside = (source.rpartition("::")[2] or source).removeprefix("file://")
    if "://" in outside:
        return "/" + outside.replace("://", "/", 1)
    return plain_path(outside)


def _list(url: str, leave_out: str, choice: Choice) -> list[SourceRef]:
    if url == "-":
        return _list_standard_input()
    if packed := split_packed(url) if "://" in url else None:
        return list_packed(*packed)
    if is_web(url):
        return _list_web(url)
    fs, path = file_system(url)
    if getattr(fs, "local_file", False):
        return _list_local(Path(path), leave_out, choice)
    if is_packed(path) and fs.isfile(path):
        return _list(packed_url(url), leave_out, choice)
    if path.lower().endswith(LIST_SUFFIXES) and not WILDCARD.search(path):
        return list_table(url)
    return list_objects(fs, path, leave_out)


def _list_standard_input() -> list[SourceRef]:
    if sys.stdin.isatty():
        raise ValueError("paths are read from standard input, and nothing is piped into it")
    return list_lines(sys.stdin.buffer.read(), Path.cwd())


def _list_local(path: Path, leave_out: str, choice: Choice) -> list[SourceRef]:
    archive = file_system(leave_out)[1] if leave_out else ""
    if path.is_dir():
        return list(walk(path, archive, choice.enters))
    if path.exists() and path.suffix.lower() in LIST_SUFFIXES:
        return list_table(str(path))
    if path.exists() and is_packed(path.name):
        return list_packed(*_split(packed_url(f"file://{path}")))
    if path.exists() or path.is_symlink():
        return [local_ref(str(path), path.name)]
    return match_glob(str(path), archive, choice.enters)


def _list_web(url: str) -> list[SourceRef]:
    """A file on a web server, what a packed file or a list holds, or what a page links to."""
    path = url.partition("?")[0].partition("#")[0]
    if path.lower().endswith(LIST_SUFFIXES):
        return list_table(url)
    if is_packed(path):
        return list_packed(*_split(packed_url(url)))
    seen = look(url)
    if seen and seen.media_type == "text/html" and not looks_like_entry(path.rpartition("/")[2]):
        return list_objects(fsspec.filesystem("http"), url, "")
    return [seen_ref(url, seen)]


def _split(url: str) -> tuple[str, str]:
    inside, _, outside = url.partition("::")
    return inside, outside
