"""The container: what is packed comes back, and damage is an error that says where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassplate.codecs.container.bitstream import (
    MAX_SIDE,
    Header,
    Tile,
    check_damage,
    pack,
    unpack,
    unpack_own,
)
from glassplate.codecs.errors import BitstreamError

_names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
_headers = st.builds(
    Header,
    codec=_names,
    fingerprint=st.binary(min_size=8, max_size=8),
    width=st.integers(0, MAX_SIDE),
    height=st.integers(0, MAX_SIDE),
    channels=st.integers(0, 4),
    tile_size=st.integers(0, 1 << 20),
    params=st.binary(max_size=300),
)
_tiles = st.lists(
    st.builds(Tile, payload=st.binary(max_size=200), symbols_crc=st.integers(0, 2**32 - 1)),
    max_size=5,
)


@given(_headers, _tiles)
def test_round_trip(header: Header, tiles: list[Tile]) -> None:
    container = unpack(pack(header, tiles))
    assert container.header == header
    assert [container.payload(i) for i in range(len(container))] == [t.payload for t in tiles]
    for number, tile in enumerate(tiles):
        container.check_symbols(number, tile.symbols_crc)
        with pytest.raises(BitstreamError, match=f"tile {number}"):
            container.check_symbols(number, tile.symbols_crc ^ 1)


@given(_headers, _tiles, st.data())
def test_every_flipped_bit_is_found(header: Header, tiles: list[Tile], data: st.DataObject) -> None:
    packed = bytearray(pack(header, tiles))
    bit = data.draw(st.integers(0, 8 * len(packed) - 1))
    packed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BitstreamError):
        check_damage(bytes(packed))


@given(_headers, _tiles, st.data())
def test_every_truncation_is_found(header: Header, tiles: list[Tile], data: st.DataObject) -> None:
    packed = pack(header, tiles)
    with pytest.raises(BitstreamError):
        unpack(packed[: data.draw(st.integers(0, len(packed) - 1))])


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage: bytes) -> None:
    for data in (garbage, b"\x89GPB\x01" + garbage):
        with pytest.raises(BitstreamError):
            check_damage(data)


def test_damage_names_its_tile() -> None:
    packed = bytearray(pack(Header("x", bytes(8)), [Tile.opaque(b"first"), Tile.opaque(b"second")]))
    packed[-1] ^= 1
    container = unpack(bytes(packed))
    assert container.payload(0) == b"first"
    with pytest.raises(BitstreamError, match="tile 1"):
        container.payload(1)


def test_a_newer_format_says_so() -> None:
    packed = bytearray(pack(Header("x", bytes(8)), []))
    packed[4] = 9
    with pytest.raises(BitstreamError, match="newer Glassplate"):
        unpack(bytes(packed))


def test_another_codec_is_named() -> None:
    packed = pack(Header("jpeg", bytes(8)), [])
    with pytest.raises(BitstreamError, match="written by jpeg"):
        unpack_own(packed, "svd", bytes(8))


@pytest.mark.parametrize(
    "header",
    [Header("", bytes(8)), Header("x", b"short"), Header("x", bytes(8), width=MAX_SIDE + 1)],
)
def test_fields_that_do_not_fit_are_refused(header: Header) -> None:
    with pytest.raises(ValueError, match=r"at most|8-byte"):
        pack(header, [])
