"""Opening pictures: by the decoder of their format alone, under a limit of ours."""

from __future__ import annotations

import io
import os
import threading
import warnings
from pathlib import Path

import pytest
from PIL import Image

from glassplate.codecs.errors import TooManyPixelsError, UnsupportedImageError
from glassplate.codecs.pillow import open_picture

EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
showpage
"""


def png(width: int = 8, height: int = 8) -> bytes:
    sink = io.BytesIO()
    Image.new("L", (width, height)).save(sink, "PNG")
    return sink.getvalue()


@pytest.fixture
def ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name, which leaves a trace when it is started."""
    trace = tmp_path / "was-started"
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {trace}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # looked for once
    return trace


def test_no_program_is_started(ghostscript: Path) -> None:
    with pytest.raises(OSError, match="cannot identify"), open_picture(EPS, 100) as image:
        image.load()
    assert not ghostscript.exists()
    with Image.open(io.BytesIO(EPS)) as image, pytest.raises(OSError):
        image.load()
    assert ghostscript.exists()  # as it would be


def test_pillows_own_limit_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_picture(png(), 100) as image:
            image.load()
            with open_picture(png(), 100):
                pass
            assert Image.MAX_IMAGE_PIXELS is None
    assert Image.MAX_IMAGE_PIXELS == 10
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(png()))


def test_the_limit_is_back_after_threads_and_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)

    def work() -> None:
        for _ in range(50):
            with open_picture(png(), 100) as image:
                image.load()
            with pytest.raises(TooManyPixelsError), open_picture(png(20, 20), 100):
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_format_without_a_decoder_is_a_typed_error() -> None:
    with pytest.raises(UnsupportedImageError), open_picture(b"\xff\x0a", 100, "x", ["JXL"]):
        pass
