"""R-D against hours trained: `python -m tests.benchmarks.training_curve METRICS... --name NAME`.

Reads the metrics.jsonl of training runs on the same pictures. Each record's BD-rate is against the
best end of all runs, on the held-out crops, with estimated rates: how many more bits a model needs
that was trained that long. Records in the middle of a run are those of a learning rate that has not
fallen yet, so what more training buys is read off the ends of several runs, where there are some.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from glassplate.codecs.training.loop import read_metrics
from glassplate.pipelines.evaluate.bd_rate import Curve, bd_rate, rising
from tests.benchmarks.machine import RESULTS, write_result

Records = list[dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("metrics", type=Path, nargs="+")
    parser.add_argument("--name", default="training_small", help="of the files of results")
    options = parser.parse_args()
    runs = {path.resolve().parent.name: read_metrics(path) for path in options.metrics}
    best = min((records[-1] for records in runs.values()), key=lambda r: r["validation_loss"])
    for records in runs.values():
        for record in records:
            record["bd_rate"] = percent(rising(best["points"]), record)
    write_result(
        options.name,
        {"runs": {name: summary(records) | {"records": records} for name, records in runs.items()}},
    )
    plot(runs).savefig(RESULTS / f"{options.name}.svg")


def percent(anchor: Curve, record: dict[str, Any]) -> float | None:
    """Bits of a record's model against an anchor at equal PSNR, None without overlap."""
    rate = bd_rate(anchor, rising(record["points"]))
    return round(rate.percent, 2) if rate else None


def summary(records: Records) -> dict[str, Any]:
    """A run's end, and what the second half of its time was worth, in per cent of bits."""
    last = records[-1]
    halfway = min(records, key=lambda record: abs(record["minutes"] - last["minutes"] / 2))
    return {
        "hours": round(last["minutes"] / 60, 2),
        "steps": last["step"],
        "bd_rate_of_the_end": last["bd_rate"],
        "bd_rate_of_the_end_against_half_the_time": percent(rising(halfway["points"]), last),
    }


def plot(runs: dict[str, Records]) -> plt.Figure:
    """BD-rate over hours, a line for each run."""
    figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
    for name, records in runs.items():
        hours = [record["minutes"] / 60 for record in records]
        axes.plot(hours, [r["bd_rate"] for r in records], marker="o", markersize=3, label=name)
    axes.set(xlabel="hours trained", ylabel="BD-rate against the best, %")
    axes.set_yscale("symlog", linthresh=2)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    main()
