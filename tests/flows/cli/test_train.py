"""`glassplate train` as a user runs it: to the end, interrupted, resumed, and put to use."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from thin_model import THIN

from glassplate.codecs import Pixels
from glassplate.codecs.hyperprior.network.model import SIZES
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.training.trainers import TRAINERS
from glassplate.codecs.weight_file import SHIPPED
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.pipelines import open_archive

COMMAND = Path(sys.executable).with_name("glassplate")
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def photos(photo: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of 256x256 and a broken one."""
    folder = tmp_path_factory.mktemp("train") / "photos"
    folder.mkdir()
    for number in range(6):
        turned = np.roll(photo, 64 * number, axis=number % 2)[:256, :256]
        Image.fromarray(turned).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    return folder


@pytest.fixture
def train(
    glassplate: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Trains a thin model on the pictures."""
    monkeypatch.setitem(SIZES, "thin", THIN)
    options = ("--data", photos, "--out", tmp_path / "mine", "--size", "thin", "--device", "cpu")
    options += ("--batch", "4", "--crop", "64")
    return lambda *more: glassplate("train", "hyperprior", *options, *more)


@pytest.mark.parametrize("kind", TRAINERS)
def test_help_has_an_example_for_each_kind(kind: str, glassplate: Run) -> None:
    assert f" {kind} " in glassplate("train", "--help").out
    done = glassplate("train", kind, "--help")
    assert f"glassplate train {kind} --data" in done.out.partition("Example")[2]
    assert "--json" in done.out


def test_a_run_reports_leaves_weights_and_is_continued(train: Run, tmp_path: Path) -> None:
    done = train("--steps", "3", "--licence", "CC0")
    assert done.code == 0, done.err
    assert "step 3, minute" in done.err
    assert "validation and export added" in done.err
    assert "bpp" in done.err
    weights = tmp_path / "mine" / "hyperprior-thin.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert digest[:12] in done.err
    card = weights.with_suffix(".md").read_text()
    assert digest in card
    assert "glassplate train hyperprior --size thin" in card
    assert "CC0" in card

    again = train("--steps", "5", "--json")
    assert again.code == 0
    events = [json.loads(line) for line in again.out.splitlines()]
    assert [(e["event"], e.get("step")) for e in events] == [("validation", 5), ("done", None)]
    assert events[-1]["sha256"] != digest


def test_a_loss_for_the_eye_is_validated_and_stands_on_the_card(train: Run, tmp_path: Path) -> None:
    shares = ("--ms-ssim", "0.3", "--ssimulacra2", "0.25", "--crop", "192")
    done = train("--steps", "2", *shares, "--json")
    assert done.code == 0, done.err
    last = [json.loads(line) for line in done.out.splitlines()][-2]
    assert len(last["ssimulacra2"]) == len(last["ms_ssim"]) == len(last["points"])
    assert last["ssimulacra2"][0] < last["ssimulacra2"][-1] < 100
    card = (tmp_path / "mine" / "hyperprior-thin.md").read_text()
    assert "--size thin --ms-ssim 0.3 --ssimulacra2 0.25`" in card
    changed = train("--steps", "3", *shares, "--ssimulacra2", "0.3")
    assert "--ssimulacra2" in changed.err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ((), "--minutes"),
        (("--steps", "0"), "--steps"),
        (("--steps", "1", "--crop", "100"), "--crop"),
        (("--steps", "1", "--device", "tpu"), "--device"),
        (("--steps", "1", "--ms-ssim", "0.3"), "--ms-ssim: MS-SSIM needs crops"),
        (("--steps", "1", "--ssimulacra2", "1.1"), "--ssimulacra2"),
        (
            ("--steps", "1", "--crop", "192", "--ms-ssim", "0.6", "--ssimulacra2", "0.6"),
            "more than",
        ),
        (("--steps", "1", "--learning-rate", "-1"), "--learning-rate"),
        (("--steps", "1", "--size", "huge"), "--size: no size 'huge'"),
        (("--steps", "1", "--data", "/nowhere"), "/nowhere: no such file"),
        (("--steps", "1", "--start", "/nowhere"), "no weights"),
        (("--steps", "1", "--start", str(SHIPPED / "hyperprior-small.safetensors")), "'thin'"),
    ],
)
def test_a_bad_option_is_a_usage_error(options: tuple[str, ...], named: str, train: Run) -> None:
    done = train(*options)
    assert done.code == ExitCode.USAGE
    assert done.err.startswith("error: ")
    assert named in done.err


def test_weights_that_are_not_finite_are_refused(train: Run, tmp_path: Path) -> None:
    train("--steps", "1")
    weights = tmp_path / "mine" / "hyperprior-thin.safetensors"
    tensors = load_file(weights)
    next(t for t in tensors.values() if t.is_floating_point()).view(-1)[0] = float("nan")
    metadata = {"format": "1", "model": json.dumps(THIN.to_dict(), sort_keys=True)}
    save_file(tensors, tmp_path / "nan.safetensors", metadata)
    done = train("--steps", "2", "--start", tmp_path / "nan.safetensors", "--out", tmp_path / "x")
    assert done.code == ExitCode.USAGE
    assert "not finite" in done.err


def test_what_a_checkpoint_is_of_cannot_be_changed(
    train: Run, glassplate: Run, photos: Path, tmp_path: Path
) -> None:
    assert train("--steps", "2").code == 0
    done = train("--steps", "3", "--seed", "1")
    assert done.code == ExitCode.USAGE
    assert "--seed" in done.err
    other = glassplate("train", "autoencoder", "--data", photos, "--out", tmp_path / "mine",
                       "--steps", "2", "--crop", "64")  # fmt: skip
    assert other.code == ExitCode.USAGE
    assert f"--out {tmp_path / 'mine'}: holds a run of `glassplate train hyperprior`" in other.err
    assert train("--steps", "3", "--learning-rate", "1e-4", "--batch", "2").code == 0


@pytest.mark.slow
def test_ctrl_c_leaves_a_checkpoint_and_the_same_command_goes_on(
    photos: Path, tmp_path: Path
) -> None:
    command = [COMMAND, "train", "hyperprior", "--data", photos, "--out", tmp_path / "mine"]
    command += ["--batch", "2", "--crop", "64", "--json", "--minutes"]
    process = subprocess.Popen([*command, "9"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "step":
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == ExitCode.INTERRUPTED
    assert json.loads(errors.splitlines()[-1])["error"] == "interrupted"
    assert not list((tmp_path / "mine").glob("*.safetensors"))

    done = subprocess.run([*command, "0.001"], capture_output=True, check=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["step"] >= 1
    assert events[-1]["event"] == "done"


@pytest.mark.slow
def test_weights_of_ones_own_travel_in_the_archive(
    command: Run, photos: Path, photo: Pixels, tmp_path: Path
) -> None:
    mine, archive = tmp_path / "mine", tmp_path / "archive"
    options = ("--start", "shipped", "--steps", "2", "--batch", "2", "--crop", "64")
    tuned = command("train", "hyperprior", "--data", photos, "--out", mine, *options)
    assert tuned.code == 0, tuned.err
    options = ("--codec", "hyperprior", "--weights", mine, "--quality", "60")
    stored = command("compress", photos, archive, *options, "--max-failures", "50%")
    assert stored.code == ExitCode.SOME_FAILED, stored.err  # broken.png
    mine.rename(tmp_path / "elsewhere")
    assert command("get", archive, "3.png", "-o", tmp_path / "3.png").code == 0
    assert command("verify", archive, "--decode").code == 0
    with Image.open(tmp_path / "3.png") as back, Image.open(photos / "3.png") as original:
        assert psnr(np.asarray(back), np.asarray(original)) > 27
    opened = open_archive(str(archive))
    assert opened.find("3.png").codec == "hyperprior"
    (carried,) = archive.glob("models/*/weights.safetensors")
    (exported,) = (tmp_path / "elsewhere").glob("*.safetensors")
    assert carried.read_bytes() == exported.read_bytes()
