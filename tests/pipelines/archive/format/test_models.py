"""Specs and weights travel in the archive, and are checked on the way out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from glassplate.codecs import CodecSpec
from glassplate.codecs.errors import WeightsError
from glassplate.pipelines.archive.format.models import fetch_weights, read_spec, write_models
from glassplate.pipelines.errors import ArchiveError
from glassplate.pipelines.storage.store import Store

WEIGHTS = b"not really tensors"
SPEC = CodecSpec("learned", weights_sha256=hashlib.sha256(WEIGHTS).hexdigest())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "archive"))


@pytest.fixture
def weights(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "weights.safetensors").write_bytes(WEIGHTS)
    return {SPEC.fingerprint: tmp_path / "weights.safetensors"}


def test_weights_come_back(store: Store, weights: dict[str, Path], tmp_path: Path) -> None:
    files = write_models(store, [], {SPEC.fingerprint: "learned"}, [SPEC], weights)
    assert {Path(file.path).name for file in files} == {"codec.json", "weights.safetensors"}
    assert read_spec(store, SPEC.fingerprint) == SPEC
    copy = fetch_weights(store, SPEC, tmp_path)
    assert copy is not None
    assert copy.read_bytes() == WEIGHTS
    # A later run neither needs them again nor drops them.
    assert write_models(store, files, {SPEC.fingerprint: "learned"}, [], {}) == files


def test_a_codec_without_weights_has_none(store: Store, tmp_path: Path) -> None:
    assert fetch_weights(store, CodecSpec("plain"), tmp_path) is None


def test_other_weights_are_not_committed(store: Store, weights: dict[str, Path]) -> None:
    weights[SPEC.fingerprint].write_bytes(b"retrained meanwhile")
    with pytest.raises(WeightsError, match="other bytes"):
        write_models(store, [], {SPEC.fingerprint: "learned"}, [SPEC], weights)


def test_an_unknown_spec_is_not_committed(store: Store) -> None:
    with pytest.raises(ArchiveError, match="not at hand"):
        write_models(store, [], {SPEC.fingerprint: "learned"}, [], {})


@pytest.mark.parametrize("change", [None, b"damaged"])
def test_lost_weights_are_named(
    store: Store, weights: dict[str, Path], tmp_path: Path, change: bytes | None
) -> None:
    write_models(store, [], {SPEC.fingerprint: "learned"}, [SPEC], weights)
    path = f"models/{SPEC.fingerprint}/weights.safetensors"
    if change is None:
        store.delete(path)
    else:
        store.write(path, change)
    with pytest.raises(WeightsError, match=str(SPEC.weights_sha256)):
        fetch_weights(store, SPEC, tmp_path)
