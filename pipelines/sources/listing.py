"""What there is to compress: a directory, a glob, a file, a zip or tar, a list, or a URL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import fsspec
import pyarrow as pa

from glassplate.codecs.errors import UnreadableError, VanishedError
from glassplate.pipelines.errors import SourceError
from glassplate.pipelines.sources.choice import Choice
from glassplate.pipelines.sources.folders import local_ref, match_glob, walk
from glassplate.pipelines.sources.lists import list_table
from glassplate.pipelines.sources.objects import file_system, list_objects
from glassplate.pipelines.sources.refs import SourceRef
from glassplate.pipelines.sources.tables import LIST_SUFFIXES, looks_like_entry
from glassplate.pipelines.sources.web import is_web, look, seen_ref
from glassplate.pipelines.sources.zip_and_tar import (
    PACKED_ERRORS,
    is_packed,
    list_packed,
    packed_url,
    split_packed,
)
from glassplate.pipelines.storage.errors import file_errors

_EVERYTHING = Choice()


@dataclass(frozen=True)
class Listing:
    """Every file of a source, sorted by name."""

    refs: tuple[SourceRef, ...]

    @property
    def problems(self) -> tuple[SourceRef, ...]:
        """What could not be listed (unreadable folders, dangling links); each is also in refs."""
        return tuple(ref for ref in self.refs if ref.outcome and ref.outcome[0] == "failed")


def list_source(url: str, leave_out: str = "", choice: Choice = _EVERYTHING) -> Listing:
    """List every file of a directory (recursively), a glob, a file, or a list of URLs.

    `leave_out` is the archive, in case that it lies inside the source. No picture is opened.
    Raises SourceError if there is nothing to list, or nothing is left by the choice.
    """
    try:
        refs = _list(url, leave_out, choice)
    except (UnreadableError, VanishedError) as error:
        raise SourceError(error.cause, "Give a directory, glob, file or list.", url) from error
    except file_errors(ValueError, ImportError, pa.ArrowException, *PACKED_ERRORS) as error:
        raise SourceError(
            str(error).rstrip("."), "Give a directory, glob, file or list.", url
        ) from error
    if not refs:
        raise SourceError("there are no files", "Is it the right place?", url)
    chosen = [ref for ref in refs if choice.takes(ref)]
    if not chosen:
        cause = f"none of its {len(refs)} files is left by --include and --exclude"
        raise SourceError(cause, "See --help for what patterns mean.", url)
    return Listing(tuple(sorted(chosen, key=lambda ref: (ref.name, ref.uri))))


def _list(url: str, leave_out: str, choice: Choice) -> list[SourceRef]:
    if packed := split_packed(url) if "://" in url else None:
        return list_packed(*packed)
    if is_web(url):
        return _list_web(url)
    fs, path = file_system(url)
    if getattr(fs, "local_file", False):
        return _list_local(Path(path), leave_out, choice)
    if is_packed(path) and fs.isfile(path):
        return _list(packed_url(url), leave_out, choice)
    if path.lower().endswith(LIST_SUFFIXES):
        return list_table(url)
    return list_objects(fs, path, leave_out)


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
