"""The report in Markdown: what matters, and names of files as text."""

from __future__ import annotations

from pathlib import Path

from glassplate.flows.reports.summary import _cell, summary


def test_a_summary_has_the_sums_the_worst_pictures_and_the_place_of_the_report(
    archive: Path,
) -> None:
    text = summary(str(archive), "file:///report.html")
    assert "| sources | encoded | kept | skipped | failed |" in text
    assert "beach.png | " in text.split("## Worst pictures")[1]
    assert text.endswith("`file:///report.html`")


def test_names_are_no_markup() -> None:
    assert _cell("a|b [x](http://y) <i>\n") == r"a\|b \[x\](http://y) \<i\>\\n"
