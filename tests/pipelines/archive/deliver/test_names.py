"""Names from data: whatever they are, each becomes a file of its own below its folder."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassplate.pipelines.archive.deliver.names import (
    Names,
    _cleaned,
    _folded,
    is_below,
    is_safe,
    safe_name,
)

PARTS = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="aAbé\u0301./\\ :-1", max_size=8),
    st.sampled_from(
        ["..", ".", "CON", "nul.png", "Lpt1", "_retrieve", "_Retrieve", "ﬀ", "x" * 400]
    ),
)


@given(st.lists(st.lists(PARTS, min_size=1, max_size=4).map("/".join), max_size=12))
def test_every_name_becomes_another_safe_path(given_names: Sequence[str]) -> None:
    names = Names(reserved="_retrieve")
    paths = [names.take(name, ".png") for name in given_names]
    assert len({_folded(path) for path in paths}) == len(paths)
    folders = {_folded(path.rpartition("/")[0]) for path in paths}
    assert not folders & {_folded(path) for path in paths}
    for path in paths:
        assert is_safe(path)
        assert not is_below(path, "_retrieve")
        assert len(path.encode()) < 1024
        assert all(len(part.encode()) <= 255 for part in path.split("/"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("holiday/beach 1.png", "holiday/beach 1"),
        ("a.b.png", "a.b"),
        (".hidden", ".hidden"),
        ("../../x.png", "x"),
        ("/etc/passwd.png", "etc/passwd"),
        ("..\\..\\x.png", ".._.._x"),
        ("C:/x.png", "C_/x"),
        ("CON.png", "_CON"),
        ("aux/com1.tar.gz", "_aux/_com1.tar"),
        ("console.png", "console"),
        ("dots. . ./x. .png", "dots/x"),
        ("", "picture"),
        ("..", "picture"),
        ("photo\u202egnp.exe", "photo_gnp"),
        ("x" * 300 + ".png", "x" * 200),
    ],
)
def test_what_becomes_of_a_name(name: str, expected: str) -> None:
    assert safe_name(name) == expected


def test_deep_folders_become_short_ones_of_their_own() -> None:
    one, other = (f"{root}/" + "deep/" * 300 + "x.png" for root in ("a", "b"))
    assert len(safe_name(one)) < 30
    assert safe_name(one) != safe_name(other)
    assert safe_name(one) == safe_name(one)


def test_files_are_no_folders_and_folders_stay_together() -> None:
    names = Names()
    wanted = ["a", "a/x.png", "a/y.png", "b/z.png", "b"]
    assert [names.take(name, "") for name in wanted] == ["a", "a-1/x", "a-1/y", "b/z", "b-1"]


def test_ten_thousand_pictures_of_one_name_take_no_time() -> None:
    names = Names()
    paths = {names.take("image.jpg", ".jpg") for _ in range(10_000)}
    assert len(paths) == 10_000


@pytest.mark.parametrize("name", ["aa:b", "aa<b", 'aa"b', "aa|b", "aa?b", "aa*b"])
def test_what_windows_cannot_write_is_kept_elsewhere(name: str) -> None:
    assert _cleaned(name, windows=False) == name
    assert _cleaned(name, windows=True) == "aa_b"


@pytest.mark.parametrize(
    "path", ["../x", "/x", "a//b", "a/", "", "a\\b", "C:x", "nul", "a/CON.png", "x.", "a\x00b"]
)
def test_what_no_plan_may_name(path: str) -> None:
    assert not is_safe(path)
