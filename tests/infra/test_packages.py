"""What is installed is what is in the tree; what deployments name is where they look for it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FLOORS = ("codecs", "pipelines", "flows")
OLD_ENTRY_POINTS = [
    "glassplate.flows.compress.compress_archive",
    "glassplate.flows.verify.verify_archive_flow",
    "glassplate.flows.compact.compact_archive_flow",
    "glassplate.flows.train.train_codec",
    "glassplate.flows.train_refiner.train_refiner",
    "glassplate.flows.retrieve.retrieve_images",
]
"""Of the release before; deployments that were made with it name them still."""


def test_every_folder_with_code_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {path.parent for floor in FLOORS for path in (ROOT / floor).rglob("*.py")}
    named = {"glassplate." + ".".join(f.relative_to(ROOT).parts) for f in folders}
    assert set(project["tool"]["setuptools"]["packages"]) == named
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.slow
def test_entry_points_of_deployments_can_be_imported() -> None:
    deployments = yaml.safe_load((ROOT / "infra" / "prefect.yaml").read_text())["deployments"]
    wanted = [deployment["entrypoint"] for deployment in deployments] + OLD_ENTRY_POINTS
    code = (
        "import sys; from prefect.flows import Flow; from prefect.utilities.importtools"
        " import import_object; print([isinstance(import_object(p), Flow) for p in sys.argv[1:]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *wanted], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([True] * len(wanted))
