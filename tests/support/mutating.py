"""Containers of every codec, damaged in all ways, decoded in a process with little memory.

A mutation is known by its codec and number alone. Every second one is mended: its checksums hold
again, so that the damage reaches what is behind them. Nothing that comes of it is ever written down
but its number.
"""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from odd_inputs import photo
from PIL import Image

from glassplate.codecs import Codec, FileCodec, Target, get_codec
from glassplate.codecs.container.bitstream import MAX_SIDE, Container, Tile, pack, unpack
from glassplate.codecs.errors import GlassplateError
from glassplate.pipelines.jobs.child_process import Child

CODECS = (
    *("autoencoder", "avif", "htj2k", "hyperprior", "jp2", "jpeg"),
    *("jxl", "jxl-jpeg", "original", "svd", "vae", "webp"),
)
MEMORY = 4 << 30
_WORDS = [0, 1, 127, 128, 255, 256, 32767, 65535, 1 << 20, (1 << 31) - 1, (1 << 32) - 1]


@lru_cache(maxsize=1)
def sound(name: str) -> tuple[Codec | FileCodec, list[bytes]]:
    """A codec, and containers that it wrote: grey and colour, with alpha where it holds that."""
    codec = get_codec(name, device="cpu")
    if isinstance(codec, FileCodec):
        buffers = [io.BytesIO() for _ in range(2)]
        photo(96, 64).save(buffers[0], "JPEG")
        photo(64, 48).convert("L").save(buffers[1], "JPEG", progressive=True)
        files = [buffer.getvalue() for buffer in buffers]
        if name == "original":
            files.append(bytes(5000))
        return codec, [codec.encode_file(file) for file in files]
    pictures = [photo(96, 64), photo(50, 40).convert("L")]
    if name == "hyperprior":
        pictures.append(_with_alpha())
    arrays = [np.asarray(picture) for picture in pictures]
    shaped = [a[..., None] if a.ndim == 2 else a for a in arrays]
    return codec, [encoded.bitstream for encoded in codec.encode(shaped, Target())]


def _with_alpha() -> Image.Image:
    picture = photo(70, 50).convert("RGBA")
    picture.putalpha(picture.getchannel("R"))
    return picture


def mutation(name: str, number: int) -> bytes:
    """The container of a codec that has this number."""
    _, containers = sound(name)
    draw = random.Random(f"{name} {number}")
    data = draw.choice(containers)
    return _mended(data, draw) if number % 2 else _damaged(data, draw)


def outcome(name: str, number: int) -> str:
    """'decoded', the code of a typed error, or the untyped error: 'untyped: ...'."""
    codec, _ = sound(name)
    data = mutation(name, number)
    try:
        if isinstance(codec, FileCodec):
            codec.decode_file(data)
        else:
            codec.decode([data])
    except GlassplateError as error:
        return error.code
    except Exception as error:  # noqa: BLE001 (what is looked for)
        return f"untyped: {type(error).__name__}: {error}"[:200]
    return "decoded"


def outcomes(name: str, first: int, count: int) -> Counter[str]:
    """How often each outcome came, in a process with `MEMORY`; 'process died' where it did."""
    child = Child(__name__, "begin", MEMORY)
    answer = child.ask(json.dumps([name, first, count]))
    if answer is not None:
        return Counter(json.loads(answer))
    counts: Counter[str] = Counter()
    for number in range(first, first + count):
        answer = child.ask(json.dumps([name, number, 1]))
        counts.update(json.loads(answer) if answer else [f"process {child.died_of}"])
    return counts


def greeted(_: str) -> Callable[[str], str]:
    """Answers [codec, first number, count] with how often each outcome came."""
    torch.set_num_threads(1)

    def answer(request: str) -> str:
        name, first, count = json.loads(request)
        numbers = range(first, first + count)
        return json.dumps(Counter(outcome(name, number) for number in numbers))

    return answer


def _damaged(data: bytes, draw: random.Random) -> bytes:
    """Bytes changed, cut, doubled or moved, one to four times."""
    damaged = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        draw.choice(_DAMAGES)(damaged, draw)
    return bytes(damaged)


def _flip(data: bytearray, draw: random.Random) -> None:
    if data:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _put(data: bytearray, draw: random.Random) -> None:
    place = draw.randrange(len(data) + 1)
    size = draw.choice((1, 2, 4))
    word = draw.choice(_WORDS).to_bytes(4, draw.choice(("little", "big")))
    data[place : place + size] = word[:size]


def _cut(data: bytearray, draw: random.Random) -> None:
    start = draw.randrange(len(data) + 1)
    del data[start : start + draw.choice((1, 4, 64, 1 << 20))]


def _double(data: bytearray, draw: random.Random) -> None:
    start = draw.randrange(len(data) + 1)
    data[start:start] = data[start : start + draw.choice((1, 4, 64))]


def _swap(data: bytearray, draw: random.Random) -> None:
    if len(data) > 16:
        a, b = (draw.randrange(len(data) - 8) for _ in range(2))
        data[a : a + 8], data[b : b + 8] = data[b : b + 8], data[a : a + 8]


_DAMAGES = (_flip, _flip, _put, _cut, _double, _swap)


def _mended(data: bytes, draw: random.Random) -> bytes:
    """Damage in the header's fields or in the payloads, under checksums that hold."""
    container = unpack(data)
    fields: dict[str, Any] = vars(container.header).copy()
    if draw.random() < 0.4:
        for _ in range(draw.randint(1, 3)):
            _change_field(fields, draw)
    tiles = [_mended_tile(container, number, draw) for number in range(len(container))]
    if draw.random() < 0.1:
        tiles = draw.choices(tiles, k=draw.randint(0, 2 * len(tiles)))
    return pack(type(container.header)(**fields), tiles)


def _change_field(fields: dict[str, Any], draw: random.Random) -> None:
    name = draw.choice(("width", "height", "channels", "tile_size", "params", "params"))
    if name == "params":
        params = bytearray(fields["params"])
        draw.choice((_flip, _put, _cut))(params, draw)
        fields["params"] = bytes(params[: 1 << 16])
    elif name == "channels":
        fields["channels"] = draw.randrange(5)
    else:
        near = fields[name] + draw.randint(-9, 9)
        side = draw.choice((near, draw.choice((0, 1, 64, 4096, 16383, 65535, 1 << 20))))
        fields[name] = min(max(0, side), MAX_SIDE)


def _mended_tile(container: Container, number: int, draw: random.Random) -> Tile:
    payload, symbols = container.payload(number), container.symbol_crcs[number]
    if draw.random() < 0.3:
        return Tile(payload, symbols)
    opaque = symbols == zlib.crc32(payload)
    damaged = _damaged(payload, draw)
    if draw.random() < 0.3:  # a number somewhere that is read as a size
        place = draw.randrange(len(damaged) + 1)
        size = struct.pack(draw.choice(("<I", ">I")), draw.choice(_WORDS))
        damaged = damaged[:place] + size + damaged[place + 4 :]
    return Tile(damaged, zlib.crc32(damaged) if opaque else symbols)
