"""LPIPS, DISTS and FID: the values of other implementations under random weights, and the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from official_weights import random_tensors, randomised

from glassplate.codecs import Pixels
from glassplate.codecs.errors import WeightsError
from glassplate.codecs.measures import dists, inception, lpips
from glassplate.codecs.measures import official_measures as perceptual
from glassplate.codecs.measures import packaged_weights as packaged
from glassplate.codecs.measures.feature_distance import Network, Original
from glassplate.codecs.measures.official_measures import MEASURES, find_given
from glassplate.codecs.measures.official_weights import OfficialFile

LPIPS, DISTS, FID = MEASURES


@pytest.fixture(scope="module")
def networks() -> dict[str, Network]:
    return {
        measure.name: measure.network(*map(random_tensors, measure.files))
        for measure in (LPIPS, DISTS)
    }


@pytest.fixture(scope="module")
def features() -> inception.Network:
    return inception.Network(random_tensors(inception.TRUNK))


@pytest.fixture
def part(photo: Pixels) -> Pixels:
    return photo[:150, :170]


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of LPIPS, where they, at random, are the official ones."""
    monkeypatch.setattr(perceptual, "MEASURES", (randomised(LPIPS, tmp_path), DISTS, FID))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "inverted", "shifted", "blocks"),
    [
        ("lpips", 0.7116426, 0.00699505, 0.0278824),  # lpips 0.1.4
        ("dists", 0.3018913, 0.00788295, 0.0309188),  # DISTS-pytorch 0.1
    ],
)
def test_distances_are_those_of_the_authors_code(
    name: str,
    inverted: float,
    shifted: float,
    blocks: float,
    networks: dict[str, Network],
    part: Pixels,
    photo: Pixels,
) -> None:
    original = Original(part, networks[name])
    coarse = np.repeat(np.repeat(part[::5, ::5], 5, 0), 5, 1)
    assert original.distance(255 - part) == pytest.approx(inverted, rel=1e-4)
    assert original.distance(photo[:150, 1:171]) == pytest.approx(shifted, rel=1e-3)
    assert original.distance(coarse) == pytest.approx(blocks, rel=1e-3)
    assert original.distance(part) == 0


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_grey_and_tiles(
    name: str, networks: dict[str, Network], part: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Grey is a picture of equal channels; the mean by area of the tiles' distances."""
    grey, network = part[:, :, :1], networks[name]
    whole = Original(grey.repeat(3, 2), network).distance(255 - grey.repeat(3, 2))
    assert Original(grey, network).distance(255 - grey) == pytest.approx(whole)
    columns = [slice(0, 85), slice(85, 170)]
    alone = [Original(part[:, one], network).distance(255 - part[:, one]) for one in columns]
    monkeypatch.setattr(packaged, "LARGEST_TILE", 150)
    assert Original(part, network).distance(255 - part) == pytest.approx(sum(alone) / 2, rel=1e-4)


def test_features_are_those_of_pytorch_fid(features: inception.Network, photo: Pixels) -> None:
    """Of pytorch-fid 0.3.0, its InceptionV3()."""
    (found,) = features.patches(photo[100:356, 60:316])
    assert found.shape == (inception.DIMENSIONS,)
    assert float(found.mean()) == pytest.approx(0.6478577, rel=1e-4)
    assert float(found.std()) == pytest.approx(0.8479350, rel=1e-4)
    expected = [0.5781433, 0.0, 0.0250827, 0.3013436, 0.0568216]
    assert found[:5].tolist() == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    ("height", "width", "patches"),
    [(255, 600, 0), (256, 256, 1), (383, 384, 1), (384, 384, 2), (512, 768, 6 + 2)],
)
def test_patches_of_two_grids(height: int, width: int, patches: int) -> None:
    corners = list(inception._corners(height, width))
    assert len(set(corners)) == len(corners) == patches
    assert all(top + 256 <= height and left + 256 <= width for top, left in corners)


def test_a_picture_too_small_for_a_patch(features: inception.Network, part: Pixels) -> None:
    assert features.patches(part).shape == (0, inception.DIMENSIONS)


def test_over_a_collection(official: Path) -> None:
    (given,) = find_given(official)
    assert given.over([], [np.array(0.2), np.array(0.4)]) == pytest.approx(0.3)
    of_patches = perceptual.Given(FID, official, ())
    sets = [np.random.default_rng(seed).normal(size=(6, 4)) for seed in range(2)]
    assert of_patches.over(sets, sets) == pytest.approx(0, abs=1e-6)
    assert (of_patches.over(sets, [one + 2 for one in sets]) or 0) == pytest.approx(4 * 2**2)
    assert of_patches.over([sets[0][:1]], [sets[1][:1]]) is None


def test_measures_whose_files_are_there(official: Path, part: Pixels) -> None:
    (given,) = find_given(official)
    assert given.measure.name == "lpips"
    assert [len(sha256) for sha256 in given.sha256] == [64, 64]
    measured = given.against(part)
    assert measured(part) == 0
    assert measured(255 - part).shape == ()
    assert float(measured(255 - part)) == pytest.approx(0.7116426, rel=1e-4)


def test_a_folder_without_weights(tmp_path: Path) -> None:
    needs = "LPIPS 0.1.*: alexnet-owt-7be5be79.pth of torchvision and alex.pth of .*; DISTS: .*FID"
    with pytest.raises(WeightsError, match=f"holds weights of no measure. {needs}") as caught:
        find_given(tmp_path)
    assert caught.value.subject == str(tmp_path)
    with pytest.raises(WeightsError, match="is not a folder"):
        find_given(tmp_path / "nowhere")


def test_a_file_whose_partner_is_missing(official: Path) -> None:
    (official / "alex.pth").unlink()
    with pytest.raises(WeightsError, match=r"alex.pth: is not there, and LPIPS .* needs it"):
        find_given(official)


@pytest.mark.parametrize("name", ["alexnet-owt-7be5be79.pth", "alex.pth"])
def test_another_file_under_an_official_name(official: Path, name: str) -> None:
    (official / name).write_bytes(b"something else")
    with pytest.raises(WeightsError, match=f"{name}: is not the official file: its sha256 is"):
        find_given(official)


def test_the_published_digests_are_asked_for(tmp_path: Path) -> None:
    """At random they are not official, unless a test says so."""
    for file in LPIPS.files:
        torch.save(random_tensors(file), tmp_path / file.name)
    with pytest.raises(WeightsError, match=r"not 7be5be79\. Take alexnet-owt-7be5be79\.pth from"):
        find_given(tmp_path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"lin2.model.1.weight": torch.ones(1, 383, 1, 1)}, "lin2.*of shape 1x384x1x1"),
        ({"lin0.model.1.weight": None}, "lin0.model.1.weight is not a tensor"),
    ],
)
def test_wrong_tensors(change: dict[str, object], text: str, tmp_path: Path) -> None:
    torch.save(random_tensors(lpips.LINEAR) | change, tmp_path / "alex.pth")
    file = OfficialFile("alex.pth", "x", "", lpips.LINEAR.shapes)
    with pytest.raises(WeightsError, match=text):
        file.tensors(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not weights", b"\x80\x02cos\nsystem\n.", None])
def test_what_holds_no_tensors(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    if content is None:
        torch.save([torch.zeros(3)], path)
    else:
        path.write_bytes(content)
    file = OfficialFile("weights.pt", "x", "", dists.LINEAR.shapes)
    with pytest.raises(WeightsError, match="holds no tensors by name"):
        file.tensors(tmp_path)
