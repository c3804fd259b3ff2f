"""FORMAT.md and formats/: what an archive and its bitstreams are, written into each archive.

Who finds an archive in thirty years has to find its description in the same place.
"""

from __future__ import annotations

from importlib.resources import files

from glassplate.pipelines.archive.format.manifest import Snapshot
from glassplate.pipelines.archive.format.schema import SCHEMA_VERSION
from glassplate.pipelines.storage.store import Store

_CODECS = "glassplate.codecs"
_PAGES = {
    "FORMAT.md": ("glassplate.pipelines.archive", "FORMAT.md"),
    "formats/bitstreams.md": (_CODECS, "container/FORMAT.md"),
    "formats/hyperprior.md": (_CODECS, "hyperprior/FORMAT.md"),
}
_LINKS = {
    "../../codecs/container/FORMAT.md": "formats/bitstreams.md",
    "../hyperprior/FORMAT.md": "hyperprior.md",
}


def format_pages() -> dict[str, bytes]:
    """Path in an archive -> the page as it stands there; links lead to each other."""
    pages = {}
    for path, (package, name) in _PAGES.items():
        text = files(package).joinpath(name).read_text("utf-8")
        for here, there in _LINKS.items():
            text = text.replace(f"({here})", f"({there})")
        pages[path] = text.encode()
    return pages


def write_pages(store: Store, base: Snapshot | None) -> None:
    """Write the pages, or put newer ones in their place; those of a newer program are left."""
    if base and base.schema_version > SCHEMA_VERSION:
        return
    for path, page in format_pages().items():
        try:
            if store.read(path) == page:
                continue
        except FileNotFoundError:
            pass
        store.write(path, page)
