"""Results of benchmarks, each with the machine that it was measured on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from glassplate.pipelines.evaluate.machine import machine

RESULTS = Path(__file__).parent / "results"


def write_result(name: str, result: dict[str, Any]) -> None:
    """Print a result and keep it as results/<name>.json, with the machine it was measured on."""
    text = json.dumps({"machine": machine(), **result}, indent=2)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n")
