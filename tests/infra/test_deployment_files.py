"""Files that need Docker, Kubernetes or a cloud to run: as much as can be checked without."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import typer.main
import yaml

from glassplate.codecs.errors import GlassplateError, MissingExtraError
from glassplate.flows.cli.main import app
from glassplate.flows.options.values import config_of, text_options
from glassplate.pipelines.compress.config import CompressConfig

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
DOCKERFILE = (INFRA / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MANIFESTS = {
    f"{path.stem}-{document['kind']}-{document['metadata']['name']}": document
    for path in sorted((INFRA / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
}
PODS = {
    name: manifest["spec"]["template"]
    for name, manifest in MANIFESTS.items()
    if manifest["kind"] == "Deployment"
}
RUNS = sorted((INFRA / "runs").glob("*.json"))
KUBERNETES = ("1.31", kubernetes_validate.latest_version())


def test_the_dockerfile_passes_hadolint() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, INFRA / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_is_not_root_and_holds_no_secrets() -> None:
    final = DOCKERFILE.split("AS glassplate")[1]
    assert "USER 10001" in final
    assert "USER root" not in final
    assert 'HEALTHCHECK --interval=5m --timeout=60s CMD ["glassplate", "--help"]' in final
    names = re.findall(r"^(?:ARG|ENV|\s+)\s*([A-Z_]+)=", DOCKERFILE, re.MULTILINE)
    assert "VARIANT" in names
    assert not [name for name in names if re.search("SECRET|TOKEN|PASSWORD|KEY", name)]


def test_every_stage_that_is_named_exists() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    assert {f"build-{variant}" for variant in ("cpu", "cuda")} <= stages
    for name in re.findall(r"^COPY --from=(\S+)", DOCKERFILE, re.MULTILINE):
        assert name in stages
    for name in re.findall(r"^#.*--target (\S+)", DOCKERFILE, re.MULTILINE):
        assert name in stages


def test_the_image_has_the_versions_that_are_tested() -> None:
    pins = dict(
        line.split("==") for line in (INFRA / "constraints.txt").read_text().split() if "==" in line
    )
    assert f"beam_python3.11_sdk:{pins['apache-beam']} " in DOCKERFILE
    assert f"prefecthq/prefect:{pins['prefect']}-" in str(MANIFESTS)
    extras = re.findall(r'"\.\[(.*?)\]"', DOCKERFILE)[0].split(",")
    assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])


def test_the_build_context_is_what_the_package_needs() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    packages = PROJECT["tool"]["setuptools"]["package-dir"].values()
    licences = PROJECT["project"]["license-files"]
    assert allowed == {
        *packages, *licences, "pyproject.toml", "README.md", "infra/constraints.txt",
    }  # fmt: skip
    assert all((ROOT / path).exists() for path in allowed)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests_follow_the_schemas(name: str, version: str) -> None:
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


def test_the_schemas_find_mistakes() -> None:
    manifest = json.loads(json.dumps(MANIFESTS["dask-Deployment-dask-worker"]))
    manifest["spec"]["template"]["spec"]["containers"][0]["comand"] = ["dask"]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, KUBERNETES[0], strict=True)


@pytest.mark.parametrize("name", PODS)
def test_pods_are_found_bounded_and_not_root(name: str) -> None:
    deployment, pod = MANIFESTS[name], PODS[name]
    assert deployment["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    accounts = [m["metadata"]["name"] for m in MANIFESTS.values() if m["kind"] == "ServiceAccount"]
    assert pod["spec"]["serviceAccountName"] in accounts
    for container in pod["spec"]["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert {"cpu", "memory"} == set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]
        name, _, tag = container["image"].partition(":")
        if name == "glassplate":
            assert tag.removesuffix("-dataflow") == PROJECT["project"]["version"]


def test_services_lead_to_pods() -> None:
    labels = [pod["metadata"]["labels"] for pod in PODS.values()]
    services = [m for m in MANIFESTS.values() if m["kind"] == "Service"]
    assert len(services) == 3
    assert all(service["spec"]["selector"] in labels for service in services)


@pytest.mark.parametrize("path", RUNS, ids=[path.stem for path in RUNS])
def test_runs_are_options_that_we_take(path: Path) -> None:
    config = config_of(CompressConfig, **json.loads(path.read_text()))
    assert config.runner.name == path.stem.split("-")[0]
    try:
        options = config.runner.options().get_all_options(drop_default=True)
    except MissingExtraError:
        return  # Dataflow's, which nothing here can reach
    assert options


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "glassplate-serve.service"
    text = (INFRA / unit.name).read_text()
    unit.write_text(text.replace("/opt/glassplate/bin/glassplate", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True
    )
    complaints = [line for line in done.stderr.splitlines() if unit.name in line]
    assert complaints == []


def test_the_service_is_started_with_options_that_it_has() -> None:
    """In the unit, the image and the pod: `serve`, with nothing that it does not know."""
    unit = (INFRA / "glassplate-serve.service").read_text()
    (line,) = re.findall(r"^ExecStart=\S+/glassplate (.*)$", unit, re.MULTILINE)
    (entry,) = re.findall(r'^ENTRYPOINT \["glassplate", (.*)\]$', DOCKERFILE, re.MULTILINE)
    container = PODS["serve-Deployment-serve"]["spec"]["containers"][0]
    command: Any = typer.main.get_command(app)
    _, serve, _ = command.resolve_command(click.Context(command), ["serve"])
    known = {option for parameter in serve.params for option in parameter.opts}
    for words in (
        line.split(),
        json.loads(f"[{entry}]"),
        [*container["command"][1:], *container["args"]],
    ):
        assert words[0] == "serve"
        assert {word for word in words if word.startswith("--")} <= known


def test_commands_in_comments_are_options_that_we_take() -> None:
    found = 0
    for path in (*sorted((INFRA / "kubernetes").glob("*.yaml")), INFRA / "README.md"):
        text = re.sub(r"\\\n(#\s*)?", " ", path.read_text())
        for line in re.findall(r"glassplate compress .*--runner .*", text):
            runner = re.findall(r"--runner (\S+)", line)[0]
            given = text_options(re.findall(r"--runner-option (\S+)", line), "--runner-option")
            check(runner, given)
            found += 1
    assert found >= 2


def check(runner: str, given: Any) -> None:
    place = {"source": "photos", "archive": "archive"}
    try:
        config_of(CompressConfig, **place, runner=runner, runner_options=given)
    except GlassplateError as error:
        pytest.fail(str(error))
