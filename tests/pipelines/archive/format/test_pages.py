"""An archive describes itself, in the words of the newest program that wrote to it."""

from __future__ import annotations

import re
from pathlib import Path

from glassplate.pipelines.archive.format.pages import format_pages, write_pages
from glassplate.pipelines.archive.format.schema import SCHEMA_VERSION
from glassplate.pipelines.archive.format.snapshots import current_snapshot
from glassplate.pipelines.storage.store import Store
from tests.pipelines.archive.building import commit, encoded


def test_an_archive_has_its_format_and_that_of_its_bitstreams(tmp_path: Path) -> None:
    commit(Store(str(tmp_path)), [encoded("a.png", 1)])
    for path, page in format_pages().items():
        assert (tmp_path / path).read_bytes() == page
    assert "## Data dictionary" in (tmp_path / "FORMAT.md").read_text()
    assert "magic 89 47 50 42" in (tmp_path / "formats" / "bitstreams.md").read_text()


def test_links_lead_to_pages_that_are_there(tmp_path: Path) -> None:
    commit(Store(str(tmp_path)), [encoded("a.png", 1)])
    links = {
        (page.parent / target).resolve()
        for page in tmp_path.rglob("*.md")
        for target in re.findall(r"\]\(([^)#]+)", page.read_text())
    }
    assert {link.name for link in links} == {"bitstreams.md", "hyperprior.md"}
    assert all(link.exists() for link in links)


def test_the_next_commit_replaces_older_pages_and_adds_missing_ones(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    commit(store, [encoded("a.png", 1)])
    (tmp_path / "FORMAT.md").write_text("of old")
    (tmp_path / "formats" / "hyperprior.md").unlink()
    commit(store, [encoded("b.png", 2)])
    assert {path: (tmp_path / path).read_bytes() for path in format_pages()} == format_pages()


def test_pages_of_a_newer_program_stay(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    commit(store, [encoded("a.png", 1)])
    (tmp_path / "FORMAT.md").write_text("of the future")
    base = current_snapshot(store)
    assert base
    write_pages(store, base.model_copy(update={"schema_version": SCHEMA_VERSION + 1}))
    assert (tmp_path / "FORMAT.md").read_text() == "of the future"
