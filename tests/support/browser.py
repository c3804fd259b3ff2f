"""Pages in headless Chromium, as people see them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WIDTHS = (375, 1280, 1600)
SCHEMES = ("light", "dark")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_FIT = "document.documentElement.scrollWidth <= window.innerWidth"
WIDE = 1280
"""From that width on no table has to be scrolled."""
_CUT = "[...document.querySelectorAll('.scroll')].filter(o => o.scrollWidth > o.clientWidth).length"
_WIDEST = """
    [...document.querySelectorAll('body *')]
        .filter(one => !one.closest('.scroll') || one.matches('.scroll'))
        .filter(one => one.getBoundingClientRect().right > window.innerWidth + 1)
        .map(one => one.tagName + '.' + one.className)
"""


def chromium() -> str | None:
    """Where the browser is; infra/test.sh installs it."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser that goes nowhere by itself."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=list(_FLAGS))
        try:
            yield found
        finally:
            found.close()


def looked_at(browser: Browser, page: Path, shots: Path) -> list[str]:
    """What is wrong with a page, at each width, in light and in dark; its screenshots in a folder.

    Things wider than the window, errors of the console, and whatever asks for another file.
    """
    shots.mkdir(parents=True, exist_ok=True)
    wrong = []
    for scheme in SCHEMES:
        for width in WIDTHS:
            window = browser.new_page(
                viewport={"width": width, "height": 900},
                color_scheme=scheme,  # type: ignore[arg-type]
            )
            where, said = f"{page.name} at {width} px, {scheme}", []
            window.on("console", lambda text, said=said: said.append(f"console: {text.text}"))
            window.on("pageerror", lambda error, said=said: said.append(f"error: {error}"))
            window.on("request", lambda request, said=said: said.append(request.url))
            window.goto(page.as_uri(), wait_until="load")
            asked = [url for url in said if url != page.as_uri() and not url.startswith("data:")]
            if not window.evaluate(_FIT):
                asked.append(f"is wider than its window: {window.evaluate(_WIDEST)}")
            if width >= WIDE and window.evaluate(_CUT):
                asked.append("a table is cut")
            broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).length"
            if window.evaluate(broken):
                asked.append("a picture is broken")
            wrong += [f"{where}: {one}" for one in asked]
            shot = shots / f"{page.stem}-{width}-{scheme}.png"
            window.screenshot(path=shot, full_page=True)
            window.close()
    return wrong
