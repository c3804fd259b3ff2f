"""Many pictures into a folder. Names come from data, so no name is trusted."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassplate.codecs.errors import ConfigError, GlassplateError
from glassplate.pipelines.archive.deliver.file import deliver
from glassplate.pipelines.archive.deliver.names import Names, suffix_of
from glassplate.pipelines.archive.read.reader import Archive

STORED = "(status IN ('encoded', 'kept') OR reason = 'duplicate')"
_MOVED = f"(gone AND image_id IN (SELECT image_id FROM newest WHERE NOT gone AND {STORED}))"


@dataclass(frozen=True)
class Extracted:
    """What was written, and what was not: (name, error)."""

    written: list[Path]
    errors: list[tuple[str, GlassplateError | OSError]]


def extract(
    archive: Archive,
    where: str | None,
    directory: str | Path,
    format: str | None = None,  # noqa: A002 (the name that users expect)
    *,
    lossy: bool = False,
) -> Extracted:
    """Write the newest version of every source that meets a condition below a directory.

    Args:
        where: SQL over the catalogue; None: everything that is stored.
        directory: Made if need be. No file is written outside of it, none is replaced.
        format: Suffix of all files ('png'); None: bit-exact pictures as their source files,
            others as PNG.
        lossy: Write also what the format does not hold whole.

    One picture that cannot be given back does not stop the others. Raises ConfigError.
    """
    root = Path(directory).resolve()
    result, names = Extracted([], []), names_in(root)
    for row in chosen(archive, where, ["name", "image_id"]):
        name, image_id = row["name"], row["image_id"]
        try:
            suffix = f".{format.lstrip('.')}" if format else _suffix(archive, image_id, name)
            path = free_path(root, name, suffix, names)
            result.written.append(deliver(archive, image_id, path, lossy=lossy))
        except (GlassplateError, OSError) as error:
            result.errors.append((name, error))
    return result


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
    )


def free_path(root: Path, name: str, suffix: str, names: Names | None = None) -> Path:
    """A path inside a resolved root for a name from data, where no file is yet.

    See `Names`. Raises ConfigError if a link leads out of the root.
    """
    path = root / (names or names_in(root)).take(name, suffix)
    if not path.resolve().is_relative_to(root):
        raise ConfigError("would be written outside of the directory", "Choose another.", name)
    return path


def _suffix(archive: Archive, image_id: str, name: str) -> str:
    image = archive.stored(image_id).image
    return suffix_of(name, bit_exact=bool(image and image.bit_exact))
