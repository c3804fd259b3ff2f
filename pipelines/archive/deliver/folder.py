"""Many pictures into a folder. Names come from data, so no name is trusted."""

from __future__ import annotations

import itertools
import os.path
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from glassplate.codecs.errors import ConfigError, GlassplateError
from glassplate.pipelines.archive.deliver.file import deliver
from glassplate.pipelines.archive.read.reader import Archive

_MAX_STEM_BYTES = 200
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
    result = Extracted([], [])
    for row in chosen(archive, where, ["name", "image_id"]):
        name, image_id = row["name"], row["image_id"]
        try:
            suffix = f".{format.lstrip('.')}" if format else _suffix(archive, image_id, name)
            path = free_path(root, name, suffix)
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


def free_path(root: Path, name: str, suffix: str) -> Path:
    """A path inside a resolved root for a name from data, where no file is yet.

    Parent references, drive letters, backslashes and control characters are taken out; a second
    file of a name gets -1, -2, ... Raises ConfigError if a link leads out of the root.
    """
    folder, _, stem = f"{root}/{safe_name(name)}".rpartition("/")
    candidates = (f"{stem}-{n}{suffix}" if n else f"{stem}{suffix}" for n in itertools.count())
    path = next(Path(folder, c) for c in candidates if not os.path.lexists(Path(folder, c)))
    if not path.resolve().is_relative_to(root):
        raise ConfigError("would be written outside of the directory", "Choose another.", name)
    return path


def safe_name(name: str) -> str:
    """A relative path without suffix for a name from data, that leads out of no folder.

    Parent references, drive letters, backslashes and control characters are taken out.
    """
    *folders, last = name.split("/")
    stem = _cut(_safe(PurePosixPath(_safe(last)).stem) or "picture")
    return "/".join([*filter(None, map(_safe, folders)), stem])


def _suffix(archive: Archive, image_id: str, name: str) -> str:
    image = archive.stored(image_id).image
    return suffix_of(name, bit_exact=bool(image and image.bit_exact))


def suffix_of(name: str, *, bit_exact: bool) -> str:
    """That of the source for a picture that comes back as its file, else '.png'."""
    return _safe(PurePosixPath(name).suffix) if bit_exact else ".png"


def _safe(part: str) -> str:
    """A path component that means only itself, on any system; '' for '.', '..' and the like."""
    part = re.sub(r"[\x00-\x1f\x7f\\]", "_", part)
    part = re.sub(r"^([A-Za-z]):", r"\1_", part)
    return "" if part.strip(". ") == "" else part


def _cut(stem: str) -> str:
    return stem.encode("utf-8", "replace")[:_MAX_STEM_BYTES].decode("utf-8", "ignore")
