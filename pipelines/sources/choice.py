"""Files of a source that are taken: `--include`, `--exclude`, and what file managers leave behind.

A pattern is a glob as in .gitignore: without a slash it is about names at any depth ('*.tif'),
with one about the path below the source's root ('2024/**/*.tif', './2024'); what it says of a
folder holds for everything below; a final slash means folders alone; braces are alternatives
('*.{jpg,png}').
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from braceexpand import braceexpand
from fsspec.utils import glob_translate

from glassplate.pipelines.sources.places.refs import SourceRef

SYSTEM_FILE = "system-file"
"""The reason of rows for files that an operating system leaves beside pictures."""

_SYSTEM_NAMES = re.compile(
    r"\._.*|\.DS_Store|Icon\r|Thumbs\.db|ehthumbs(_vista)?\.db|desktop\.ini|\.directory",
    re.IGNORECASE | re.DOTALL,
)
_SYSTEM_FOLDERS = {"__MACOSX", ".AppleDouble", ".Spotlight-V100", ".Trashes", ".fseventsd"}


def is_system_file(name: str) -> bool:
    """Whether a name is one that macOS, Windows or a desktop gives to files of its own.

    The name alone proves nothing: a picture that is called so is still a picture.
    """
    *folders, last = name.split("/")
    return bool(_SYSTEM_NAMES.fullmatch(last)) or not _SYSTEM_FOLDERS.isdisjoint(folders)


class Choice:
    """What `--include` and `--exclude` leave of a listing. Raises ValueError for a bad pattern."""

    def __init__(self, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> None:
        self.include = tuple(include)
        self.exclude = tuple(exclude)
        self._matchers = [matcher(pattern) for pattern in (*self.include, *self.exclude)]

    def takes(self, ref: SourceRef) -> bool:
        """Whether a listed file is an input.

        What could not be listed is one unless it is excluded: nobody knows what it holds.
        """
        if self._excluded and self._excluded.fullmatch(ref.name):
            return False
        unknown = ref.outcome is not None and ref.outcome.status == "failed"
        return not self._included or unknown or bool(self._included.fullmatch(ref.name))

    def enters(self, folder: str) -> bool:
        """Whether anything below a folder can be an input."""
        return not (self._excluded and self._excluded.fullmatch(f"{folder}/"))

    @cached_property
    def _included(self) -> re.Pattern[str] | None:
        return _any_of(self._matchers[: len(self.include)])

    @cached_property
    def _excluded(self) -> re.Pattern[str] | None:
        return _any_of(self._matchers[len(self.include) :])


def alternatives(pattern: str) -> list[str]:
    """'{00..02}.tar' -> ['00.tar', '01.tar', '02.tar']; braces that do not pair up are text."""
    try:
        return list(braceexpand(pattern, escape=False))
    except ValueError:
        return [pattern]


def _any_of(matchers: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(matchers)) if matchers else None


def matcher(pattern: str) -> str:
    """A regular expression for the files, and the folders with their final slash, that it means."""
    if not pattern.strip("/"):
        raise ValueError(f"{pattern!r} is no pattern")
    anywhere = "" if "/" in pattern.rstrip("/") else "(?:.*/)?"
    core = "|".join(glob_translate(one).removesuffix(r"\Z") for one in _bare(pattern))
    beneath = "/.*" if pattern.endswith("/") else "(?:/.*)?"
    return f"(?s:{anywhere}(?:{core}){beneath})"


def _bare(pattern: str) -> list[str]:
    return [one.removeprefix("./").strip("/") for one in alternatives(pattern)]
