"""HTML reports: one self-contained page on an archive, or on one picture's SVD."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from glassplate.flows.reports.archive import archive_page
from glassplate.flows.reports.figures import Figure
from glassplate.flows.reports.image import image_page
from glassplate.flows.terminal.output import human_bytes, one_line, ratio, show
from glassplate.pipelines import open_archive
from glassplate.pipelines.storage.store import Store

REPORTS = "_reports"


def write_archive_report(url: str, target: Path, figures: Path | None = None) -> list[Path]:
    """Write the page on an archive's newest snapshot, and its figures as PNG if a folder is given.

    Returns the files written, the page first. Raises as `open_archive`, OSError.
    """
    return write_page("archive.html", archive_page(open_archive(url)), target, figures)


def write_image_report(
    picture: str, target: Path, ranks: list[int] | None = None, figures: Path | None = None
) -> list[Path]:
    """Write the page on one picture's singular values and its approximations at some ranks.

    Returns the files written, the page first. Raises InputError, ConfigError, OSError.
    """
    return write_page("image.html", image_page(Path(picture), ranks), target, figures)


def write_page(
    template: str, page: dict[str, Any], target: Path, folder: Path | None = None
) -> list[Path]:
    """Write one page, and its figures as PNG if a folder is given. Returns the files written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_render(template, page), encoding="utf-8")
    figures: list[Figure] = page["figures"]
    return [target, *(figure.write_png(folder) for figure in figures if folder)]


def publish_report(url: str) -> str:
    """Put the page on an archive into its _reports folder. Returns the page's URL."""
    archive = open_archive(url)
    path = f"{REPORTS}/{archive.manifest.run.run_id}.html"
    store: Store = archive.store
    store.write(path, _render("archive.html", archive_page(archive)).encode())
    place = store.path(path)
    return Path(place).as_uri() if store.is_local else str(store.filesystem.unstrip_protocol(place))


def _render(template: str, page: dict[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"bytes": human_bytes, "show": _show, "line": one_line}
    environment.globals["ratio"] = ratio
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return environment.get_template(template).render(page, now=now)


def _show(value: object) -> str:
    return show(value, markup=False)
