"""The report on an archive in Markdown, for pages that show no HTML files: Prefect's, for one.

A browser does not open `file:` links of a page that came from a server; what matters stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from glassplate.flows.terminal.output import human_bytes, one_line, ratio
from glassplate.flows.terminal.wording import saved
from glassplate.pipelines import open_archive

FAILURES_SHOWN = 20
WORST_SHOWN = 10


def summary(url: str, report: str) -> str:
    """Sums, codecs, the worst pictures, what failed, and where the whole report lies."""
    archive = open_archive(url)
    total = archive.stats()
    worst = archive.where(
        "status = 'encoded' AND isfinite(psnr)",
        columns=["name", "codec", "bpp", "psnr"],
        order="psnr",
        limit=WORST_SHOWN,
    )
    failed = archive.where(
        "error_code IS NOT NULL",
        columns=["name", "error_code", "error_message"],
        limit=FAILURES_SHOWN,
    )
    sums = ["sources", "encoded", "kept", "skipped", "failed"]
    sizes = [human_bytes(total["source_bytes"]), human_bytes(total["stored_bytes"])]
    quotient = ratio(total["source_bytes"], total["stored_bytes"])
    parts = [
        f"# {_cell(url)}, snapshot {archive.manifest.number}",
        _table(
            [*sums, "source", "stored", "ratio"], [[*(total[s] for s in sums), *sizes, quotient]]
        ),
        "## Worst pictures",
        _table(worst.column_names, [row.values() for row in worst.to_pylist()]),
    ]
    if chosen := archive.choices():
        rows = [row.values() for row in chosen["codecs"]]
        parts += ["## Chosen by auto", _table(["candidate", "won", "bytes for all"], rows)]
        parts.append(_cell(saved(chosen)))
    if failed.num_rows:
        rows = [row.values() for row in failed.to_pylist()]
        parts += ["## Failed", _table(failed.column_names, rows)]
    parts.append(f"The whole report, with pictures: `{report}`")
    return "\n\n".join(parts)


def _table(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [columns, *rows]
    cells = ["| " + " | ".join(map(_cell, line)) + " |" for line in lines]
    return "\n".join([cells[0], "| --- " * len(columns) + "|", *cells[1:]])


def _cell(value: object) -> str:
    """A value as a cell: names of files are data, and must not become markup."""
    text = f"{value:.2f}" if isinstance(value, float) else one_line(str(value))
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in text)
