"""The cost model of infra/README.md, computed from committed results: nothing in it is typed in.

    .venv/bin/python -m tests.benchmarks.cost_model        prints it

`tests/infra/test_cost_model.py` keeps the page up to date with the results.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from glassplate.pipelines.compress.planning import MAX_SHARD_INPUTS, MIN_SHARD_INPUTS, SHARDS_WANTED
from tests.benchmarks.machine import RESULTS

COUNTS = [10**power for power in range(4, 11)]
SOURCE_SIDE = 384
"""Pixels of the pictures of `pipeline_efficiency`, each way."""

MACHINE = 64 * 10**9
"""Bytes of memory that the walls are given for."""

PATIENCE = 10
NIGHT = 8 * 3600


def result(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return document


@dataclass(frozen=True)
class Measured:
    """Every measured quantity that the model uses, and where it comes from."""

    codec: str
    rate: float
    planning: float
    manifest: float
    rows_compacted: float
    catalogue: float
    index: float
    listing: float
    plan: float
    shuffled: float

    @classmethod
    def read(cls) -> Measured:
        efficiency, planning = result("pipeline_efficiency"), result("planning")
        lookup, scale = result("point_lookup"), result("scale")
        per_row, after = scale["large"]["before"]["bytes_per_row"], scale["large"]["after"]
        return cls(
            codec=efficiency["codec"],
            rate=efficiency["images_per_second"]["glassplate"] / efficiency["machine"]["cores"],
            planning=min(planning["seconds"]) / planning["unchanged_inputs"],
            manifest=lookup["manifest_bytes"] / lookup["shards"],
            rows_compacted=scale["large"]["rows"] / after["shards"],
            catalogue=per_row["catalogue"],
            index=per_row["id_index"] + per_row["name_index"],
            listing=scale["references"]["listing_bytes_per_input"],
            plan=scale["references"]["plan_bytes_per_input"],
            shuffled=scale["references"]["shuffled_bytes_per_shard"],
        )


def quantities(m: Measured) -> str:
    """What was measured, with its source."""
    rows = [
        (
            "`rate`",
            f"{m.rate:.1f} images/s per core, `{m.codec}`",
            "pipeline_efficiency: images_per_second.glassplate / machine.cores",
        ),
        (
            "`planning`",
            f"{m.planning * 1e6:.1f} µs an input",
            "planning: least of seconds / unchanged_inputs",
        ),
        ("`manifest`", f"{m.manifest:.0f} B a shard", "point_lookup: manifest_bytes / shards"),
        (
            "`compacted`",
            f"{m.rows_compacted:,.0f} rows a shard",
            "scale: large.rows / large.after.shards",
        ),
        ("`catalogue`", f"{m.catalogue:.0f} B a row", "scale: large.before.bytes_per_row"),
        ("`index`", f"{m.index:.0f} B a row", "scale: id_index + name_index"),
        ("`listing`", f"{m.listing:.0f} B an input, in memory", "scale: references"),
        ("`plan`", f"{m.plan:.0f} B an input, one file", "scale: references"),
        ("`shuffled`", f"{m.shuffled:.0f} B a shard", "scale: references"),
    ]
    return table(["quantity", "measured", "result"], rows)


def model(m: Measured) -> str:
    """From ten thousand pictures to ten billion."""
    rows = []
    for count in COUNTS:
        per_shard = min(max(count // SHARDS_WANTED, MIN_SHARD_INPUTS), MAX_SHARD_INPUTS)
        shards = -(-count // per_shard)
        rows.append(
            (
                f"10^{len(str(count)) - 1}",
                number(count / m.rate / 3600),
                number(count / m.rate / NIGHT),
                f"{shards:,}",
                size(shards * m.manifest),
                size(count / m.rows_compacted * m.manifest),
                size(count * m.catalogue),
                size(count * m.index),
                duration(count * m.planning),
                size(count * m.listing),
                size(shards * m.shuffled),
            )
        )
    head = ["pictures", "core hours", "cores for 8 h", "shards", "manifest", "compacted"]
    head += ["catalogue", "index", "planning", "its memory", "through the runner"]
    return table(head, rows)


def limits(m: Measured) -> str:
    """Where the walls are."""
    large = result("scale")["large"]
    rows, before = large["rows"], large["before"]
    known = (before["plan"]["peak_mib"] - before["open"]["peak_mib"]) * 2**20
    query = (before["query"]["peak_mib"] - before["open"]["peak_mib"]) * 2**20
    walls = [
        (
            "planning a first run",
            f"{size(MACHINE)} of memory",
            "memory / (`listing` + `plan`)",
            MACHINE / (m.listing + m.plan),
        ),
        (
            "planning a nightly run, of a source that is in the archive already",
            f"{size(MACHINE)} of memory",
            "memory / (`listing` + large.before (plan.peak_mib - open.peak_mib) / large.rows)",
            MACHINE / (m.listing + known / rows),
        ),
        (
            "opening an archive, as a first run leaves it",
            f"{PATIENCE} s",
            "scale: large.rows x time / large.before.open.seconds",
            rows * PATIENCE / before["open"]["seconds"],
        ),
        (
            "a query over all sources",
            f"{size(MACHINE)} of memory",
            "scale: large.rows x memory / large.before (query.peak_mib - open.peak_mib)",
            rows * MACHINE / query,
        ),
    ]
    lines = [(what, limit, formula, number(wall)) for what, limit, formula, wall in walls]
    pixels = 12e6 / SOURCE_SIDE**2
    return table(["what", "limit", "formula", "pictures"], lines) + (
        f"\nThe pictures of the measurement have {SOURCE_SIDE} x {SOURCE_SIDE} pixels. One of 12 "
        f"megapixels has {pixels:.0f} times as many: divide `rate` by that.\n"
    )


def runners() -> str:
    """What each runner makes of one machine."""
    found = result("runners")
    overhead = found["overhead_milliseconds_per_shard"]
    rows = [
        (
            f"`{name}`" if name in overhead else name,
            str(one["images_per_second"]["1"]),
            str(one["images_per_second"]["2"]),
            str(one["speed_up"]),
            f"{one['of_bare_loop']:.0%}",
            f"{max(0.0, overhead[name]):.1f} ms" if name in overhead else "",
        )
        for name, one in found["runners"].items()
    ]
    head = ["runner", "images/s, 1 worker", "2 workers", "speed-up", "of the bare loop"]
    return f"`runners`: {found['images']:,} pictures, `{found['codec']}`, 2 cores:\n\n" + table(
        [*head, "overhead a shard"], rows
    )


def page() -> str:
    """The whole section, as Markdown."""
    measured = Measured.read()
    scale = result("scale")
    measured_on = (
        f"`scale` measured {scale['large']['rows']:,} rows and {scale['year']['nights']} nights, "
        f"at a load average of {scale['machine']['load_average']} at the end.\n"
    )
    return "\n".join(
        [quantities(measured), measured_on, model(measured), limits(measured), runners()]
    )


def table(head: list[str], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float) -> str:
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 10 else f"{value:.2g}"


def size(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} TB" if value < 1000 else f"{value:,.0f} TB"


def duration(seconds: float) -> str:
    for unit, length in (("s", 60), ("min", 60), ("h", 24)):
        if seconds < length:
            return f"{seconds:.2g} {unit}"
        seconds /= length
    return f"{seconds:.2g} d"


if __name__ == "__main__":
    print(page())
