"""The cost model in infra/README.md is what the committed results give."""

from __future__ import annotations

import os
from pathlib import Path

from tests.benchmarks.cost_model import page

README = Path(__file__).parents[2] / "infra" / "README.md"
BEGIN = "<!-- From tests/benchmarks/results; GLASSPLATE_REGENERATE_GOLDEN=1 writes it anew. -->\n\n"
END = "\n<!-- End of what is computed. -->\n"


def test_the_cost_model_is_current() -> None:
    before, rest = README.read_text().split(BEGIN)
    _, after = rest.split(END)
    wanted = before + BEGIN + page() + END + after
    if os.environ.get("GLASSPLATE_REGENERATE_GOLDEN"):
        README.write_text(wanted)
    assert README.read_text() == wanted
