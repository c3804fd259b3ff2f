"""Damaged containers of every codec end in a typed error, or decode, in little memory.

The long form is `python -m tests.benchmarks.survival`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from mutating import CODECS, outcomes

from glassplate.codecs import codec_names

ROOT = Path(__file__).parents[2]
COUNT = 400
_TYPED = {"decoded", "bitstream-damaged", "out-of-memory"}


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (ROOT, ROOT / "tests" / "support"):
        monkeypatch.syspath_prepend(str(folder))


def test_every_codec_is_tried() -> None:
    assert set(codec_names()) - {"fake", "mischief"} <= set(CODECS)


@pytest.mark.parametrize("name", CODECS)
def test_mutations(name: str) -> None:
    found = outcomes(name, 0, COUNT)
    assert found.total() == COUNT
    assert not set(found) - _TYPED
    assert found["decoded"] > 0  # what is no damage, and what is behind the checksums
    assert found["bitstream-damaged"] > COUNT // 2
