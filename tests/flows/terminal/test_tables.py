"""Tables in terminals: what matters stays whole, whatever the width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from glassplate.flows.terminal.output import Output

ID = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
NAME = "a-name-that-goes-on-and-on-and-on-without-a-space.jpeg"
COLUMNS = ["name", "status", "codec", "width", "height", "bpp", "psnr", "ms_ssim", "ssimulacra2"]
ROWS = [
    ["beach.jpg", "encoded", "hyperprior", 6000, 4000, 1.25, 36.7, 0.99, 78.8],
    [NAME, "encoded", "hyperprior", 6000, 4000, 1.25, 36.7, 0.99, 78.8],
]


def shown(output: Output, width: int) -> tuple[io.StringIO, io.StringIO]:
    """What goes to a terminal of this width."""
    out, err = io.StringIO(), io.StringIO()
    terminal = {"force_terminal": True, "width": width, "highlight": False, "soft_wrap": True}
    output.stdout = Console(file=out, color_system=None, **terminal)  # type: ignore[arg-type]
    output.stderr = Console(file=err, color_system=None, **terminal)  # type: ignore[arg-type]
    return out, err


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_a_table_fits_and_keeps_its_first_column_whole(width: int) -> None:
    output = Output()
    out, err = shown(output, width)
    output.table(COLUMNS, ROWS, spare=("ms_ssim", "height", "width"))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("name")
    assert "beach.jpg" in out.getvalue()
    first = "".join(line[: lines[0].index("status")].strip() for line in lines)
    assert NAME in first
    assert "…" not in out.getvalue()
    left_out = [name for name in COLUMNS if name.replace("_", " ") in err.getvalue()]
    assert ("--json" in err.getvalue()) == bool(left_out)
    assert (width == 80) <= (left_out == ["ms_ssim"])
    assert (width == 200) <= (left_out == [])


def test_long_text_takes_several_lines() -> None:
    output = Output()
    out, _ = shown(output, 60)
    meaning = "Give the job up when no shard was finished for so many seconds."
    output.table(["option", "what"], [["stall_timeout", meaning]])
    text = out.getvalue()
    assert " ".join(text.split()).endswith(meaning)
    assert max(map(len, text.splitlines())) <= 60


def test_an_id_is_short_in_a_table_and_whole_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    out, _ = shown(output, 80)
    output.table(["name", "image_id"], [["beach.jpg", ID]])
    output.facts({"image_id": ID})
    _, row, fact = out.getvalue().splitlines()
    assert row.split()[-1] == ID[:16]
    assert fact.split()[-1] == ID
    Output().table(["name", "image_id"], [["beach.jpg", ID]])
    assert ID in capsys.readouterr().out


def test_a_file_has_all_of_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table(COLUMNS, ROWS)
    printed = capsys.readouterr()
    assert NAME in printed.out
    assert len(printed.out.splitlines()) == 3
    assert printed.err == ""
