"""A small collection, an archive of it, and the command line as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from glassplate.codecs import Pixels
from glassplate.flows.cli.main import app
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress

COMMAND = Path(sys.executable).with_name("glassplate")


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def command() -> Callable[..., Finished]:
    """Runs the installed command in a process of its own."""

    def run(*arguments: str | Path, **env: str) -> Finished:
        done = subprocess.run(
            [COMMAND, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=240,
            env=os.environ | env,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def glassplate() -> Callable[..., Finished]:
    """Runs the command line in this process, which is quicker."""

    def run(*arguments: str | Path) -> Finished:
        done = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "100"})
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Finished(done.exit_code, done.stdout, done.stderr)

    return run


def write_collection(folder: Path, photo: Pixels) -> None:
    """Three pictures, one of them with alpha, and a file that is no picture."""
    (folder / "holiday").mkdir(parents=True)
    Image.fromarray(photo[:96, :128]).save(folder / "holiday" / "beach.png")
    Image.fromarray(photo[100:200, :180]).save(folder / "town [1].png")
    alpha = np.dstack([photo[:40, :50], np.full((40, 50), 128, np.uint8)])
    Image.fromarray(alpha).save(folder / "alpha.png")
    (folder / "broken.jpg").write_text("not a picture")


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory, photo: Pixels) -> Path:
    """A source folder of four files."""
    folder = tmp_path_factory.mktemp("collection") / "photos"
    write_collection(folder, photo)
    return folder


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory, collection: Path) -> Path:
    """An archive of the collection, not to be changed."""
    folder = tmp_path_factory.mktemp("archive") / "archive"
    compress(CompressConfig(source=str(collection), archive=str(folder), codec="jpeg"))
    return folder
