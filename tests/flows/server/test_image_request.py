"""Image URLs: what each form means for a picture, and which are refused how."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassplate.codecs.base import Region
from glassplate.codecs.errors import GlassplateError
from glassplate.flows.server.protocol.errors import (
    AreaError,
    BadRequestError,
    NotServedError,
)
from glassplate.flows.server.protocol.image_request import (
    Limits,
    parse,
    parse_region,
    parse_rotation,
    parse_size,
)

SIZE = (600, 400)
WHOLE = Region(x=0, y=0, width=600, height=400)
LIMITS = Limits(max_area=1_000_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("full", (0, 0, 600, 400)),
        ("square", (100, 0, 400, 400)),
        ("10,20,30,40", (10, 20, 30, 40)),
        ("590,390,100,100", (590, 390, 10, 10)),
        ("pct:50,25,10,10", (300, 100, 60, 40)),
        ("pct:0,0,0.01,0.01", (0, 0, 1, 1)),
        ("pct:41.6,7.5,40,70", (250, 30, 240, 280)),
    ],
)
def test_regions(text: str, expected: tuple[int, ...]) -> None:
    region = parse_region(text, SIZE)
    assert (region.x, region.y, region.width, region.height) == expected


@pytest.mark.parametrize(
    "text",
    ["", "Full", "1,2,3", "1,2,3,4,5", "-1,0,9,9", "0,0,0,9", "600,0,1,1", "pct:100,0,1,1",
     "pct:0,0,0,1", "pct:1,1,1", "1.5,0,9,9", "٣,0,9,9", "0,0,9,9 ", "0,0,9,9\n", "9" * 40],
)  # fmt: skip
def test_regions_that_are_none(text: str) -> None:
    with pytest.raises(BadRequestError):
        parse_region(text, SIZE)


@pytest.mark.parametrize(
    ("text", "version", "expected"),
    [
        ("max", 3, (600, 400)),
        ("full", 2, (600, 400)),
        ("300,", 3, (300, 200)),
        (",100", 3, (150, 100)),
        ("300,300", 3, (300, 300)),
        ("pct:50", 3, (300, 200)),
        ("!300,300", 3, (300, 200)),
        ("!600,400", 3, (600, 400)),
        ("^1200,", 3, (1200, 800)),
        ("^,800", 3, (1200, 800)),
        ("^900,900", 3, (900, 900)),
        ("^pct:150", 3, (900, 600)),
        ("^!900,900", 3, (900, 600)),
        ("^300,", 3, (300, 200)),
        ("1200,", 2, (1200, 800)),
        ("!900,900", 2, (900, 600)),
        ("1,", 3, (1, 1)),
    ],
)
def test_sizes(text: str, version: int, expected: tuple[int, int]) -> None:
    assert parse_size(text, WHOLE, 1_000_000, version) == expected


def test_max_is_what_is_sent_at_most() -> None:
    assert parse_size("max", WHOLE, 60_000, 3) == (300, 200)
    assert parse_size("^max", WHOLE, 960_000, 3) == (1200, 800)
    thin = Region(x=0, y=0, width=100_000, height=1)
    assert parse_size("max", thin, 10, 3) == (10, 1)


@pytest.mark.parametrize(
    ("text", "version"),
    [("full", 3), ("601,", 3), (",401", 3), ("601,1", 3), ("pct:101", 3), ("!900,900", 3),
     ("^300,", 2), ("^max", 2), ("0,", 3), (",0", 3), ("0,0", 3), ("!0,5", 3), ("pct:0", 3),
     (",", 3), ("!5,", 3), ("", 3), ("^", 3), ("5", 3), ("a,b", 3), ("1.5,", 3)],
)  # fmt: skip
def test_sizes_that_are_refused(text: str, version: int) -> None:
    with pytest.raises(BadRequestError):
        parse_size(text, WHOLE, 1_000_000, version)


def test_sizes_that_are_too_large() -> None:
    with pytest.raises(AreaError):
        parse_size("^2000,2000", WHOLE, 1_000_000, 3)
    with pytest.raises(AreaError):
        parse(("0,0,600,1", "^20000,1", "0", "default.webp"), SIZE, LIMITS, 3)


def test_rotations() -> None:
    assert [parse_rotation(text) for text in ("0", "90", "180.0", "270", "360", "!0", "!90")] == [
        (False, 0), (False, 90), (False, 180), (False, 270), (False, 0), (True, 0), (True, 90),
    ]  # fmt: skip
    for text in ("45", "!22.5", "0.1"):
        with pytest.raises(NotServedError):
            parse_rotation(text)
    for text in ("", "!", "-90", "361", "9e1", "90!", "+90"):
        with pytest.raises(BadRequestError):
            parse_rotation(text)


@pytest.mark.parametrize(
    ("file", "error"),
    [("default", BadRequestError), ("best.jpg", BadRequestError), ("default.exe", BadRequestError),
     ("default.tif", NotServedError), ("refined.jpg", NotServedError), (".jpg", BadRequestError)],
)  # fmt: skip
def test_files_that_are_refused(file: str, error: type[GlassplateError]) -> None:
    with pytest.raises(error):
        parse(("full", "max", "0", file), SIZE, LIMITS, 3)


def test_the_canonical_form() -> None:
    def canonical(text: str, version: int = 3) -> str:
        region, size, rotation, file = text.split("/")
        return parse((region, size, rotation, file), SIZE, LIMITS, version).canonical

    assert canonical("0,0,600,400/600,400/0.0/default.jpg") == "full/max/0/default.jpg"
    assert canonical("pct:50,0,50,50/150,/!360/gray.png") == "300,0,300,200/150,100/!0/gray.png"
    assert canonical("full/^1200,/0/color.webp") == "full/^1200,800/0/color.webp"
    assert canonical("full/300,200/0/default.jpg", 2) == "full/300,/0/default.jpg"
    assert canonical("full/300,300/0/default.jpg", 2) == "full/300,300/0/default.jpg"
    assert canonical("full/600,400/0/default.jpg", 2) == "full/full/0/default.jpg"


@given(
    st.tuples(*[st.text(max_size=12)] * 4)
    | st.tuples(
        st.from_regex(r"(pct:)?\d{1,4},\d{1,4},\d{1,4},\d{1,4}", fullmatch=True),
        st.from_regex(r"\^?!?(\d{0,4},\d{0,4}|max|pct:\d{1,3})", fullmatch=True),
        st.from_regex(r"!?\d{1,3}", fullmatch=True),
        st.sampled_from(["default.jpg", "gray.png", "bitonal.webp", "color.avif"]),
    ),
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    st.sampled_from([2, 3]),
)
def test_whatever_is_asked_is_within_bounds_or_refused(
    parts: tuple[str, str, str, str], size: tuple[int, int], version: int
) -> None:
    """What is accepted lies in the picture and under the limit; its canonical form means the same;
    what is not is refused by a typed error."""
    try:
        asked = parse(parts, size, LIMITS, version)
    except (BadRequestError, AreaError, NotServedError):
        return
    assert asked.region.right <= size[0]
    assert asked.region.bottom <= size[1]
    assert 1 <= asked.width * asked.height <= LIMITS.max_area
    region, scaled, rotation, file = asked.canonical.split("/")
    assert parse((region, scaled, rotation, file), size, LIMITS, version) == asked
