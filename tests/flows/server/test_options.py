"""What `glassplate serve` refuses before it listens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--workers", "0"], "--workers"),
        (["--port", "70000"], "--port"),
        (["--rights", "mine"], "--rights"),
        (["--refine", "gan"], "--refine"),
        (["--cache", "much"], "--cache"),
        (["--base-url", "images.example.org"], "--base-url"),
        (["--max-area", "0"], "--max-area"),
        (["--snapshot", "99"], "no snapshot 99"),
        (["--host", "::1%none"], "--host / --port"),
    ],
)
def test_options_that_cannot_be(
    options: list[str], named: str, archive: Path, glassplate: Callable[..., Any]
) -> None:
    done = glassplate("serve", archive, "--port", "0", *options)
    assert done.code in (2, 7)
    assert named in done.err


def test_what_an_open_port_means_is_said(archive: Path, glassplate: Callable[..., Any]) -> None:
    def told(*options: str) -> str:
        done = glassplate("serve", archive, "--host", "256.256.256.256", *options)
        assert done.code == 2
        return str(done.err)

    assert "whoever reaches it can read every picture" in told()
    assert "whoever reaches it" not in told("--token", "word")
