"""The bit-exact promise: symbols depend on integers alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import constriction
import numpy as np
import pytest
import torch
from torch import Tensor

from glassplate.codecs import Pixels, Region, Target
from glassplate.codecs.hyperprior.codec import HyperpriorCodec, HyperpriorConfig
from glassplate.codecs.hyperprior.decoder import PictureDecoder, decode_pictures
from glassplate.codecs.hyperprior.network import folded, means
from glassplate.codecs.hyperprior.network.model import Hyperprior
from glassplate.codecs.hyperprior.network.order import STEPS, gather, scatter, step_masks
from glassplate.codecs.hyperprior.parsing.integer_net import IntegerScaleNet
from glassplate.codecs.hyperprior.parsing.tables import FrequencyTable, quantize
from glassplate.codecs.hyperprior.parsing.tile_coder import TileSymbols
from glassplate.codecs.hyperprior.weights import integer_arrays

CRC_SCRIPT = """
import sys
from pathlib import Path
import torch
from glassplate.codecs.hyperprior.codec import HyperpriorCodec, HyperpriorConfig
torch.set_num_threads(int(sys.argv[3]))
codec = HyperpriorCodec(HyperpriorConfig(tile_size=64), "cpu", Path(sys.argv[1]))
opened = codec.open(Path(sys.argv[2]).read_bytes())
print([opened.symbols(tile).crc() for tile in range(len(opened.grid))])
"""


def crcs(codec: HyperpriorCodec, stream: bytes) -> list[int]:
    opened = codec.open(stream)
    return [opened.symbols(tile).crc() for tile in range(len(opened.grid))]


@pytest.mark.parametrize("shape", [(64, 8, 8), (64, 5, 3), (8, 1, 1), (8, 1, 4)])
def test_every_position_is_coded_once(shape: tuple[int, int, int]) -> None:
    values = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    out = np.full(shape, -1, np.int16)
    masks = step_masks(*shape, device=torch.device("cpu")).numpy()
    for step in range(STEPS):
        vector = gather(values, step)
        assert len(vector) == masks[step].sum()
        scatter(vector, step, out)
    assert (masks.sum(0) == 1).all()
    assert (out == values).all()


@pytest.mark.parametrize("size", [(8, 8), (5, 7), (1, 1)])
@pytest.mark.parametrize("quality", [0, 130, 999, 1000])
@torch.no_grad()
def test_numpy_computes_what_was_trained(
    thin_model: Hyperprior, size: tuple[int, int], quality: int
) -> None:
    generator = np.random.default_rng(quality)
    height, width = size
    config = thin_model.config
    z = generator.integers(-20, 21, (config.z, -(-height // 4), -(-width // 4)), dtype=np.int16)
    y = generator.integers(-30, 31, (config.y, height, width), dtype=np.int16)
    net = IntegerScaleNet(integer_arrays(thin_model.scales))
    state = net.begin(z, height, width, quality)
    level = torch.tensor([quality])
    side = thin_model.scales.features(torch.from_numpy(z).float()[None])[..., :height, :width]
    masks = step_masks(config.y, height, width, torch.device("cpu"))
    known = torch.zeros(1, config.y, height, width)
    seen = set()
    for step in range(STEPS):
        expected = thin_model.scales(side, known, step, level)[0].numpy()
        indices = state.indices(step)
        np.testing.assert_array_equal(indices, gather(expected, step))
        seen.update(indices.tolist())
        state.reveal(step, gather(y, step))
        known += torch.from_numpy(y) * masks[step]
    assert len(seen) > 5


def test_symbols_do_not_depend_on_threads_or_process(
    codec: HyperpriorCodec, thin_weights: Path, photo: Pixels, tmp_path: Path
) -> None:
    stream = codec.encode([photo[:130, :200]], Target(quality=60))[0].bitstream
    path = tmp_path / "stream"
    path.write_bytes(stream)
    expected = str(crcs(codec, stream))
    for threads in ("1", "2"):
        command = [sys.executable, "-c", CRC_SCRIPT, str(thin_weights), str(path), threads]
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


def test_symbols_do_not_depend_on_float_precision(
    thin_weights: Path, codec: HyperpriorCodec, photo: Pixels
) -> None:
    """A stream of the bfloat16 codec, parsed beside a float32 model, gives the same symbols."""
    exact = HyperpriorCodec(HyperpriorConfig(tile_size=64, bfloat16=False), "cpu", thin_weights)
    image = photo[:128, :128]
    stream = codec.encode([image], Target(quality=60))[0].bitstream
    opened = codec.open(stream)
    for tile in range(len(opened.grid)):
        rect = opened.grid.rect(tile)
        payload = opened.container.payload(tile)
        symbols = exact.runtime.coder.decode(payload, rect.height, rect.width, opened.quality)
        opened.container.check_symbols(tile, symbols.crc())


@pytest.mark.parametrize("circumstance", ["alone", "batch", "tiles", "float32", "layout"])
def test_symbols_do_not_depend_on_how_the_picture_is_decoded(
    codec: HyperpriorCodec,
    thin_weights: Path,
    photo: Pixels,
    monkeypatch: pytest.MonkeyPatch,
    circumstance: str,
) -> None:
    """What is parsed while pixels are made, in a batch of 8, tile by tile, in another layout."""
    image = photo[:120, :180]
    stream = codec.encode([image], Target(quality=60))[0].bitstream
    expected = dict(enumerate(crcs(codec, stream)))
    seen: dict[int, int] = {}
    parse = PictureDecoder.symbols

    def spy(picture: PictureDecoder, tile: int) -> TileSymbols:
        symbols = parse(picture, tile)
        assert seen.setdefault(tile, symbols.crc()) == symbols.crc()
        return symbols

    monkeypatch.setattr(PictureDecoder, "symbols", spy)
    if circumstance == "layout":
        for module in (folded, means):
            monkeypatch.setattr(module, "channels_last", Tensor.contiguous)
        codec = HyperpriorCodec(HyperpriorConfig(tile_size=64), "cpu", thin_weights)
    if circumstance == "tiles":
        for x in range(0, 180, 64):
            for y in range(0, 120, 64):
                codec.decode([stream], Region(x=x, y=y, width=64, height=64))
    elif circumstance == "float32":
        exact = HyperpriorCodec(HyperpriorConfig(tile_size=64, bfloat16=False), "cpu", thin_weights)
        container = codec.open(stream).container
        decode_pictures(exact.runtime, [PictureDecoder(exact.runtime, container, 600)])
    else:
        codec.decode([stream] * (8 if circumstance == "batch" else 1))
    assert seen == expected


@pytest.mark.parametrize("entries", [2, 6, 12, 14, 64])
def test_lazy_tables_say_the_same(entries: int) -> None:
    generator = np.random.default_rng(entries)
    table = quantize(generator.pareto(0.5, entries) + 1e-9)
    symbols = generator.integers(0, entries, 5000).astype(np.int32)
    words = []
    for lazy in (True, False):
        coder = constriction.stream.stack.AnsCoder()
        model = constriction.stream.model.Categorical(
            table.astype(np.float32), perfect=False, lazy=lazy
        )
        coder.encode_reverse(symbols, model)
        words.append(coder.get_compressed())
        assert (coder.decode(FrequencyTable(table).model, len(symbols)) == symbols).all()
    assert (words[0] == words[1]).all()


def test_large_symbols_escape(codec: HyperpriorCodec) -> None:
    coder = codec.runtime.coder
    generator = np.random.default_rng(1)
    y = generator.integers(-32767, 32768, (64, 3, 5), dtype=np.int16)
    z = generator.integers(-300, 300, (8, 1, 2), dtype=np.int16)
    state = coder.scales.begin(z, 3, 5, 500)
    indices = []
    for step in range(STEPS):
        indices.append(state.indices(step))
        state.reveal(step, gather(y, step))
    payload = coder.encode(TileSymbols(z, y), indices, 500)
    decoded = coder.decode(payload, 3, 5, 500)
    np.testing.assert_array_equal(decoded.y, y)
    np.testing.assert_array_equal(decoded.z, z)
