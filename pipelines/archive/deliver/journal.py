"""What extractions have written into a folder, so that the next one goes on where one stopped.

DIR/.glassplate/extracted.jsonl   one line for each file, written before the file is there
DIR/.glassplate/picture.*         a file that is being made; whole, it is renamed to its place
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import file_digest
from io import BufferedRandom
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from glassplate.codecs.errors import ConfigError
from glassplate.pipelines.archive.deliver.names import is_below, is_safe
from glassplate.pipelines.archive.format.places import Sha256

FOLDER = ".glassplate"
_JOURNAL = "extracted.jsonl"


def _may_be_there(file: str) -> str:
    """Raises ValueError for a path that no extraction writes."""
    if not is_safe(file) or is_below(file, FOLDER):
        raise ValueError("is no place of a picture")
    return file


class Entry(BaseModel):
    """One file that was written.

    file: Path below the folder of the pictures.
    suffix: The one that was wanted; that of the file is '.png' where its format could not be had.
    encoding: What it was decoded from, if the archive holds no original of it; else ''.
    lossy: Whether it may hold less than the picture, as --lossy allows.
    """

    model_config = ConfigDict(frozen=True)

    image_id: Sha256
    name: str
    suffix: str
    encoding: str
    lossy: bool
    file: Annotated[str, AfterValidator(_may_be_there)]
    bytes: int
    sha256: Sha256

    @property
    def is_original(self) -> bool:
        """Whether the file is the one that was put into the archive."""
        return self.sha256 == self.image_id


class Journal:
    """The entries of a folder.

    root: Where the pictures are. Entries and unfinished files are in `folder`.
    """

    def __init__(self, root: Path, folder: Path, log: BufferedRandom) -> None:
        self._root, self._folder, self._log = root, folder, log
        self._whole: set[str] = set()
        self._entries: dict[tuple[str, str, str, str], Entry] = {}
        for entry in _entries(log):
            self._entries[_key(entry)] = entry

    def entries(self) -> list[Entry]:
        """What was written, in its order, as far as it has not been written anew since."""
        return list(self._entries.values())

    def find(
        self, image_id: str, name: str, suffix: str, encoding: str, *, lossy: bool
    ) -> Entry | None:
        """The entry of a picture whose file is there, byte for byte as it was written."""
        entry = self._entries.get((image_id, name, suffix, encoding))
        if entry is None or (entry.lossy and not lossy):
            return None
        return entry if self.is_whole(entry) else None

    def is_whole(self, entry: Entry) -> bool:
        """Whether a file is there, byte for byte as it was written."""
        if entry.file not in self._whole:
            path = self._root / entry.file
            if not path.resolve().is_relative_to(self._root) or not path.is_file():
                return False
            if path.stat().st_size != entry.bytes or _sha256(path) != entry.sha256:
                return False
            self._whole.add(entry.file)
        return True

    def write(
        self,
        make: Callable[[Path], Path],
        place: Callable[[str], Path],
        entry: Callable[[str, int, str], Entry],
    ) -> Entry:
        """Have a file made, note it, and put it in its place.

        make: Writes the file, given a path without suffix, and returns where it is.
        place: The path for a file with this suffix, where none is yet.
        entry: What to note of (file, bytes, sha256).
        """
        made = make(self._folder / "picture")
        try:
            with made.open("rb") as file:
                os.fsync(file.fileno())
            target = place(made.suffix)
            relative = target.relative_to(self._root).as_posix()
            noted = entry(relative, made.stat().st_size, _sha256(made))
            self._log.write(noted.model_dump_json().encode() + b"\n")
            self._log.flush()
            os.fsync(self._log.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            made.replace(target)
        finally:
            made.unlink(missing_ok=True)
        self._entries[_key(noted)] = noted
        self._whole.add(noted.file)
        return noted


@contextmanager
def open_journal(root: Path, beside: Path) -> Iterator[Journal]:
    """The journal of a folder of pictures; what an interrupted extraction left unfinished goes.

    beside: The folder that holds the journal's.

    Raises ConfigError while another extraction has it open, and for a link in its place; OSError.
    """
    folder = beside / FOLDER
    if folder.is_symlink() or (folder / _JOURNAL).is_symlink():
        raise ConfigError("is a link", "Remove it, or choose another folder.", str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _JOURNAL).open("a+b") as log:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            cause = "another extract is writing into this folder"
            raise ConfigError(cause, "Wait for it, or choose another.", str(beside)) from None
        for unfinished in folder.iterdir():
            if unfinished.name != _JOURNAL and not unfinished.is_dir():
                unfinished.unlink()
        yield Journal(root, folder, log)


def _entries(log: BufferedRandom) -> Iterator[Entry]:
    """What is noted; a line that broke off is ended, and says nothing."""
    log.seek(0)
    line = b"\n"
    for line in log:
        try:
            yield Entry.model_validate_json(line)
        except ValidationError:
            continue
    if not line.endswith(b"\n"):
        log.write(b"\n")


def _key(entry: Entry) -> tuple[str, str, str, str]:
    return entry.image_id, entry.name, entry.suffix, entry.encoding


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
