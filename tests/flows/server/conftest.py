"""One service over the small archive, for all tests that only look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Served, served

from glassplate.pipelines import Archive, open_archive

RIGHTS = "http://creativecommons.org/publicdomain/mark/1.0/"


@pytest.fixture(scope="session")
def opened(archive: Path) -> Archive:
    """The archive as Python sees it."""
    return open_archive(str(archive))


@pytest.fixture(scope="session")
def service(archive: Path) -> Iterator[Served]:
    """`glassplate serve` over it, with limits that small pictures reach."""
    options = ("--max-area", "40000", "--workers", "1", "--rights", RIGHTS)
    with served(archive, *options) as running:
        yield running


@pytest.fixture(scope="session")
def beach(opened: Archive) -> str:
    """The id of a 128 x 96 photograph."""
    found = opened.find("holiday/beach.png").image_id
    assert found
    return found
