"""The README's Python runs as it stands, on the archive that the demo makes; its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glassplate.flows.cli.main import app

README = (Path(__file__).parents[1] / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = sorted(set(re.findall(r"^glassplate (\w+)", README, re.MULTILINE)))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """demo/archive, as `infra/demo.sh` leaves it but for a faster codec, and demo/latents."""
    folder = tmp_path_factory.mktemp("readme")
    photos, archive = str(folder / "demo" / "photos"), str(folder / "demo" / "archive")
    options = ["--codec", "jpeg", "--max-failures", "50%", "--no-progress"]
    assert CliRunner().invoke(app, ["demo", photos]).exit_code == 0
    assert CliRunner().invoke(app, ["compress", photos, archive, *options]).exit_code == 3
    options[1], archive = "vae", str(folder / "demo" / "latents")
    assert CliRunner().invoke(app, ["compress", photos, archive, *options]).exit_code == 3
    return folder


@pytest.mark.slow
def test_python_snippets(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SNIPPETS
    monkeypatch.chdir(checkout)
    scope: dict[str, object] = {}
    for snippet in SNIPPETS:
        exec(compile(snippet, "README.md", "exec"), scope)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_exist(command: str) -> None:
    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
