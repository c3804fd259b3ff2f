"""Many pictures into a folder. Names come from data, so no name is trusted."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from glassplate.codecs.errors import ConfigError, GlassplateError, OptionName
from glassplate.codecs.progress import OnStep, unseen
from glassplate.pipelines.archive.deliver.file import deliver, suffix_of_format
from glassplate.pipelines.archive.deliver.journal import FOLDER, Entry, Journal, open_journal
from glassplate.pipelines.archive.deliver.names import Names, own_suffix
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.archive.read.reader import Archive
from glassplate.pipelines.errors import NotFoundError

STORED = "(status IN ('encoded', 'kept') OR reason = 'duplicate')"
_MOVED = f"(gone AND image_id IN (SELECT image_id FROM newest WHERE NOT gone AND {STORED}))"


@dataclass(frozen=True)
class ExtractedFile:
    """One file.

    new: Written now; else it was there, whole, from an extraction before.
    instead_of: Suffix of its own format, which would have lost something; "" if it is in that.
    """

    path: Path
    entry: Entry
    new: bool
    instead_of: str = ""


@dataclass(frozen=True)
class Extracted:
    """The files of all pictures that could be given back, and what could not: (name, error)."""

    files: list[ExtractedFile]
    errors: list[tuple[str, GlassplateError | OSError]]

    @property
    def written(self) -> list[Path]:
        """What this extraction wrote."""
        return [file.path for file in self.files if file.new]


def extract(
    archive: Archive,
    where: str | None,
    directory: str | Path,
    format: str | None = None,  # noqa: A002 (the name that users expect)
    *,
    lossy: bool = False,
    bag: bool = False,
    progress: OnStep = unseen,
) -> Extracted:
    """Write the newest version of every source that meets a condition below a directory.

    What an earlier extraction wrote and is there, whole, is not decoded again.

    Args:
        where: SQL over the catalogue; None: everything that is stored.
        directory: Made if need be. No file is written outside of it, none is replaced.
        format: Suffix of all files ('png'); None: bit-exact pictures as their source files, others
            in the formats that they had, or as PNG if such a file would lose something.
        lossy: Write also what the format does not hold whole.
        bag: Make the directory a BagIt bag, with the files in its `data`.
        progress: Called with (pictures done, pictures in all).

    One picture that cannot be given back does not stop the others. Raises ConfigError, also for a
    directory that another extraction is writing into; NotFoundError if nothing meets the condition.
    """
    root = Path(directory).resolve()
    if root.exists() and not root.is_dir():
        raise ConfigError("is a file", "Choose a folder.", str(directory))
    wanted = suffix_of_format(format) if format else None
    rows = chosen(archive, where, ["name", "image_id"])
    if not rows:
        raise NotFoundError(
            "no stored picture is selected", "See `glassplate query`.", OptionName("where")
        )
    if bag:
        from glassplate.pipelines.archive.deliver.bag import begin_bag, check_payload, finish_bag
    pictures = begin_bag(root) if bag else root
    result = Extracted([], [])
    with open_journal(pictures, root) as journal:
        if bag:
            check_payload(pictures, journal)
        extraction = _Extraction(archive, pictures, journal, wanted, lossy)
        for done, row in enumerate(rows):
            progress(done, len(rows))
            try:
                result.files.append(extraction.give(row["name"], row["image_id"]))
            except (GlassplateError, OSError) as error:
                if isinstance(error, GlassplateError):
                    error.subject = row["name"]  # not that of a file for a while
                result.errors.append((row["name"], error))
        progress(len(rows), len(rows))
        if bag:
            finish_bag(root, archive, where, journal.entries())
    return result


class _Extraction:
    """Gives pictures into one folder."""

    def __init__(
        self, archive: Archive, root: Path, journal: Journal, wanted: str | None, lossy: bool
    ) -> None:
        self._archive, self._root, self._journal = archive, root, journal
        self._wanted, self._lossy = wanted, lossy
        self._names = names_in(root)

    def give(self, name: str, image_id: str) -> ExtractedFile:
        """The file of a picture, written if need be. Raises GlassplateError, OSError."""
        image = self._archive.stored(image_id).image
        exact = bool(image and image.bit_exact)
        own = own_suffix(name, image.format if image else None, bit_exact=exact)
        encoding = "" if exact or not image else _encoding(image)
        wanted = (image_id, name, self._wanted or own, encoding)
        found = self._journal.find(*wanted, lossy=self._lossy)
        noted = found or self._written(*wanted)
        is_png = noted.file.endswith(".png") and not (exact or self._wanted)
        lost = is_png and image and image.format != "PNG"
        instead_of = PurePosixPath(name).suffix if lost else ""
        return ExtractedFile(self._root / noted.file, noted, not found, instead_of)

    def _written(self, image_id: str, name: str, suffix: str, encoding: str) -> Entry:
        return self._journal.write(
            lambda bare: self._made(image_id, bare, suffix),
            lambda made: free_path(self._root, name, made, self._names),
            lambda file, size, sha256: Entry(
                image_id=image_id,
                name=name,
                suffix=suffix,
                encoding=encoding,
                lossy=self._lossy,
                file=file,
                bytes=size,
                sha256=sha256,
            ),
        )

    def _made(self, image_id: str, bare: Path, suffix: str) -> Path:
        """The picture as a file; as PNG if its own format, not asked for, does not hold it."""
        try:
            return deliver(
                self._archive, image_id, bare.with_name(bare.name + suffix), lossy=self._lossy
            )
        except ConfigError:
            if self._wanted or suffix == ".png":
                raise
            return deliver(self._archive, image_id, bare.with_name(f"{bare.name}.png"))


def _encoding(image: ImageRow) -> str:
    """What a decoded picture depends on."""
    return f"{image.codec_fingerprint} {image.target} {image.quality} {image.stored_bytes}"


def chosen(archive: Archive, where: str | None, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of the stored pictures that meet a condition; each picture once for each name.

    A source that is gone counts, unless its picture has another source that is there: it was moved.

    columns: `name` and `image_id` among them. Raises ConfigError, ShardDamagedError.
    """
    condition = f"({where or 'true'}\n) AND {STORED} AND NOT {_MOVED}"
    rows = archive.where(condition, columns=columns).to_pylist()
    return list({(row["name"], row["image_id"]): row for row in rows}.values())


def names_in(root: Path) -> Names:
    """Names for files in a resolved folder, where other files may be."""
    return Names(
        is_file=lambda path: os.path.lexists(root / path) and not (root / path).is_dir(),
        is_taken=lambda path: os.path.lexists(root / path),
        reserved=FOLDER,
    )


def free_path(root: Path, name: str, suffix: str, names: Names | None = None) -> Path:
    """A path inside a resolved root for a name from data, where no file is yet.

    See `Names`. Raises ConfigError if a link leads out of the root.
    """
    path = root / (names or names_in(root)).take(name, suffix)
    if not path.resolve().is_relative_to(root):
        raise ConfigError("would be written outside of the directory", "Choose another.", name)
    return path
