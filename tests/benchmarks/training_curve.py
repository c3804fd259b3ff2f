"""R-D against hours trained: `python -m tests.benchmarks.training_curve METRICS --name NAME`.

Reads the metrics.jsonl of a training run. Each record's BD-rate is against the last one, on the
held-out crops, with estimated rates: how many more bits a model trained that long would need.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt

from glassplate.codecs.training.loop import read_metrics
from glassplate.pipelines.bd_rate import bd_rate, rising
from tests.benchmarks.machine import RESULTS, write_result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("metrics", type=Path)
    parser.add_argument("--name", default="training_small", help="of the files of results")
    options = parser.parse_args()
    records = read_metrics(options.metrics)
    last = rising(records[-1]["points"])
    for record in records:
        rate = bd_rate(last, rising(record["points"]))
        record["bd_rate_against_last"] = round(rate.percent, 2) if rate else None
    write_result(options.name, {"records": records})

    hours = [record["minutes"] / 60 for record in records]
    rates = [record["bd_rate_against_last"] for record in records]
    figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
    axes.plot(hours, rates, marker="o", markersize=3)
    axes.set(xlabel="hours trained", ylabel="BD-rate against the end, %")
    axes.set_yscale("symlog", linthresh=2)
    axes.grid(alpha=0.3)
    figure.savefig(RESULTS / f"{options.name}.svg")


if __name__ == "__main__":
    main()
