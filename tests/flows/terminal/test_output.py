"""Numbers, durations and progress as people read and write them."""

from __future__ import annotations

import io
import json
import time

import pytest
from rich.console import Console

from glassplate.codecs.errors import ConfigError, GlassplateError
from glassplate.codecs.registry import parse_options
from glassplate.flows.options.common import (
    parse_duration,
    parse_region,
    parse_subset,
)
from glassplate.flows.terminal import live
from glassplate.flows.terminal.live import live_progress
from glassplate.flows.terminal.output import (
    Output,
    human_bytes,
    human_seconds,
    json_line,
    one_line,
    ratio,
)
from glassplate.pipelines.jobs.progress import Progress


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_340_000, "2.3 MB"), (7.2e15, "7200.0 TB")],
)
def test_human_bytes(count: float, text: str) -> None:
    assert human_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_human_seconds(seconds: float, text: str) -> None:
    assert human_seconds(seconds) == text


def test_one_line_escapes_what_would_break_a_line() -> None:
    assert one_line("a\nb\x1b[31m é") == "a\\nb\\x1b[31m é"
    assert one_line("\udcff") == "\\udcff"


def test_ratio() -> None:
    assert ratio(10, 4) == "2.50x"
    assert ratio(10, 0) == "–"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("1d", 86400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


def test_shares_and_regions() -> None:
    assert parse_subset("5%") == pytest.approx(0.05)
    assert parse_subset(0.5) == 0.5
    region = parse_region("1, 2,3,4")
    assert region is not None
    assert (region.x, region.y, region.width, region.height) == (1, 2, 3, 4)


def test_codec_options_are_json_where_they_can_be() -> None:
    pairs = ["tile-size=0", "energy=0.99", "bits=null", "name=a=b"]
    options = parse_options(pairs, "--codec-option")
    assert options == {"tile_size": 0, "energy": 0.99, "bits": None, "name": "a=b"}
    with pytest.raises(ConfigError, match="--codec-option"):
        parse_options(["=3"], "--codec-option")


def test_progress_in_a_log_is_plain_lines_and_the_end_comes_once() -> None:
    log = io.StringIO()
    with live_progress(Console(file=log, width=100), shown=True) as show:
        assert show
        for done in (0, 5, 10, 10):
            show(Progress(done, 10, 1, 8_000_000, 2_000_000, 4.0))
    assert log.getvalue() == ("compressing: 10/10, 2.5 images/s, 2.0 MB/s, ratio 4.00x, 1 failed\n")


def test_what_takes_a_while_to_start_says_so_and_what_ends_at_once_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "PLAIN_INTERVAL", 0.5)
    log = io.StringIO()
    with live_progress(Console(file=log), shown=True):
        assert log.getvalue() == ""
        time.sleep(1)
        assert log.getvalue() == "compressing ...\n"


def test_progress_on_a_terminal_has_rates_and_time_left() -> None:
    terminal = io.StringIO()
    console = Console(file=terminal, width=120, force_terminal=True)
    with live_progress(console, shown=True) as show:
        assert show
        show(Progress(5, 10, 0, 8_000_000, 2_000_000, 2.0))
    assert "2.5 images/s, 4.0 MB/s, ratio 4.00x, 2 s left" in terminal.getvalue()
    assert "5/10" in terminal.getvalue()


def test_no_progress_is_none() -> None:
    with live_progress(Console(), shown=False) as show:
        assert show is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\u001b[2J"),
        ("\x9b2J", r"\u009b2J"),
        ("\x7f", r"\u007f"),
        ("a\u202egnp.exe", r"a\u202egnp.exe"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("\u200b\ufeff", r"\u200b\ufeff"),
        ("\u2028", r"\u2028"),
        ("\U000e0041", r"\udb40\udc41"),
        ("\udcff", r"\udcff"),
        ("Füße 写真 😀", "Füße 写真 😀"),
    ],
)
def test_json_writes_nothing_to_a_terminal_but_text(text: str, shown: str) -> None:
    line = json_line({"name": text})
    assert line == f'{{"name": "{shown}"}}\n'
    assert json.loads(line) == {"name": text}


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b2J", "a\u202egnp.exe", "\u2066x", "new\nline"])
def test_tables_and_messages_write_nothing_to_a_terminal_but_text(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    output = Output()
    output.table(["name"], [[text]])
    output.facts({"name": text})
    output.error(GlassplateError("cause", "fix", text))
    output.message(text.replace("\n", ""))
    shown = "".join(capsys.readouterr())
    assert all(c.isprintable() for c in shown.replace("\n", ""))
    assert len(shown.splitlines()) == 5


def test_names_are_no_emoji(capsys: pytest.CaptureFixture[str]) -> None:
    Output().message("wrote :smile:.png")
    assert capsys.readouterr().err == "wrote :smile:.png\n"
