"""Making the next item while one is used."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassplate.codecs.read_ahead import ahead


@given(st.lists(st.integers()), st.sets(st.integers()))
def test_same_items_in_the_same_order(items: list[int], alone: set[int]) -> None:
    assert list(ahead(items, alone.__contains__)) == items


def test_one_is_made_while_one_is_used() -> None:
    """Each waits for the other: this ends only if they run beside each other."""
    used, made = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 0
        assert used.wait(10)
        made.set()
        yield 1

    for item in ahead(items()):
        used.set()
        assert item == 1 or made.wait(10)


def test_never_more_than_one_ahead_and_none_beside_one_that_is_to_be_alone() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(6):
            made.append(number)
            yield number

    for item in ahead(items(), lambda item: item == 3):
        assert len(made) <= item + 2
        if item == 3:
            assert made == [0, 1, 2, 3]


def test_what_fails_is_raised_when_its_turn_comes() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise ZeroDivisionError

    coming = ahead(items())
    assert next(coming) == 0
    with pytest.raises(ZeroDivisionError):
        next(coming)
