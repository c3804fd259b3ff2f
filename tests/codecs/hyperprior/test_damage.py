"""Damaged, spliced and foreign streams, and bad weight files: typed errors, nothing else."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from glassplate.codecs import Pixels, Target, codec_from_spec
from glassplate.codecs.container.bitstream import Tile, pack, unpack
from glassplate.codecs.errors import BitstreamError, WeightsError
from glassplate.codecs.hyperprior.codec import HyperpriorCodec, HyperpriorConfig
from glassplate.codecs.hyperprior.weights import find, load

GOLDEN = Path(__file__).parent / "golden"
MUTATIONS = 10_000


@pytest.fixture(scope="module")
def streams(codec: HyperpriorCodec, photo: Pixels) -> list[bytes]:
    alpha = np.dstack([photo[:70, :90], photo[:70, :90, 0]])
    images = [photo[:100, :150], photo[200:264, 200:264], photo[:1, :1], alpha]
    return [e.bitstream for e in codec.encode(images, Target(quality=40))]


def mutate(stream: bytes, other: bytes, draw: np.random.Generator) -> bytes:
    """Truncated, extended, bit-flipped, overwritten, or spliced with another stream."""
    data = bytearray(stream)
    kind, place = draw.integers(5), int(draw.integers(len(data)))
    if kind == 0:
        del data[place:]
    elif kind == 1:
        data[place:place] = draw.bytes(int(draw.integers(1, 9)))
    elif kind == 2:
        data[place] ^= 1 << int(draw.integers(8))
    elif kind == 3:
        data[place : place + 4] = draw.bytes(4)
    else:
        data[place:] = other[int(draw.integers(len(other))) :]
    return bytes(data)


def test_mutated_golden_streams_are_refused() -> None:
    paths = sorted(GOLDEN.glob("*.bin"))
    streams = [path.read_bytes() for path in paths]
    codecs = [
        HyperpriorCodec(
            HyperpriorConfig(
                tile_size=unpack(stream).header.tile_size, bfloat16=path.stem != "float32"
            ),
            "cpu",
        )
        for path, stream in zip(paths, streams, strict=True)
    ]
    draw = np.random.default_rng(3)
    for number in range(MUTATIONS):
        place = number % len(streams)
        mutated = mutate(streams[place], streams[(number + 1) % len(streams)], draw)
        if mutated in streams:
            continue
        with pytest.raises(BitstreamError):
            codecs[place].decode([mutated])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_forged_payloads_are_refused(
    codec: HyperpriorCodec, streams: list[bytes], data: st.DataObject
) -> None:
    """All CRCs of bytes are right, so that the entropy decoder really runs on garbage."""
    container = codec.open(streams[0]).container
    tile = data.draw(st.integers(0, len(container) - 1))
    tiles = [Tile(container.payload(i), container.symbol_crcs[i]) for i in range(len(container))]
    forged = data.draw(st.binary(max_size=600))
    tiles[tile] = Tile(forged, container.symbol_crcs[tile])
    with pytest.raises(BitstreamError, match=f"tile {tile}: "):
        codec.decode([pack(container.header, tiles)])


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(forged=st.binary(max_size=100), tile=st.integers(4, 7), place=st.integers(0, 40))
def test_forged_alpha_is_refused(
    codec: HyperpriorCodec, streams: list[bytes], forged: bytes, tile: int, place: int
) -> None:
    """Garbage, and JPEG XL with a few bytes changed, both with the right CRC of bytes."""
    container = codec.open(streams[3]).container
    tiles = [Tile(container.payload(i), container.symbol_crcs[i]) for i in range(len(container))]
    payload = container.payload(tile)
    tiles[tile] = Tile(forged, container.symbol_crcs[tile])
    with pytest.raises(BitstreamError, match=f"tile {tile}: "):
        codec.decode([pack(container.header, tiles)])
    changed = payload[:place] + forged + payload[place + len(forged) :]
    tiles[tile] = Tile(changed, container.symbol_crcs[tile])
    with suppress(BitstreamError):  # what comes through says the same: bytes after the end, say
        decoded = codec.decode([pack(container.header, tiles)])[0]
        np.testing.assert_array_equal(decoded, codec.decode([streams[3]])[0])


def test_foreign_streams_are_refused(codec: HyperpriorCodec, streams: list[bytes]) -> None:
    container = codec.open(streams[0]).container
    with pytest.raises(BitstreamError, match="magic"):
        codec.decode([b"\xff\xd8\xff\xe0 this is a JPEG"])
    missing = pack(container.header, [Tile(container.payload(0), container.symbol_crcs[0])])
    with pytest.raises(BitstreamError, match="never writes"):
        codec.decode([missing])


def test_missing_weights_say_where_they_were_sought(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=str(tmp_path)):
        find(tmp_path, "small")


def test_an_archive_says_which_weights_it_needs(
    codec: HyperpriorCodec, thin_weights: Path, tmp_path: Path
) -> None:
    needed = str(codec.spec.weights_sha256)
    with pytest.raises(WeightsError, match=f"{needed}.*no weights.*{tmp_path}"):
        codec_from_spec(codec.spec, device="cpu", weights=tmp_path)
    shipped = HyperpriorCodec(device="cpu")
    with pytest.raises(
        WeightsError, match=f"{needed}.*{shipped.weights_path}.*{shipped.spec.weights_sha256}"
    ):
        codec_from_spec(codec.spec, device="cpu")
    assert codec_from_spec(codec.spec, device="cpu", weights=thin_weights).spec == codec.spec


@pytest.mark.parametrize("fault", ["nan", "shape", "missing", "table", "overflow", "config"])
def test_unsound_weights_are_refused(thin_weights: Path, tmp_path: Path, fault: str) -> None:
    tensors = load_file(thin_weights)
    metadata = metadata_of(thin_weights)
    if fault == "nan":
        tensors["gain.log"][0, 0] = torch.nan
    elif fault == "shape":
        tensors["gain.log"] = tensors["gain.log"][:, :5].clone()
    elif fault == "missing":
        del tensors["analysis.embed.weight"]
    elif fault == "table":
        tensors["tables.y"][3] += 1
    elif fault == "overflow":
        tensors["scales.head.weight"][:] = 1 << 20
    else:
        metadata["model"] = json.dumps({"trunk": 192, "color": "red"})
    path = tmp_path / "bad.safetensors"
    save_file(tensors, path, metadata)
    with pytest.raises(WeightsError):
        load(path)


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    torch.save({"a": torch.zeros(3)}, path)
    with pytest.raises(WeightsError):
        load(path)


def metadata_of(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file."""
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return dict(header["__metadata__"])
