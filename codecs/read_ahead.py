"""Two things at a time: the next item is made while one is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
_END: Any = object()


def ahead(items: Iterable[T], alone: Callable[[T], bool] = lambda item: False) -> Iterator[T]:
    """The same items in the same order; a thread makes the next one while one is used.

    That gains time because torch, NumPy and decoders of pictures let go of Python's lock while they
    compute. One item is made ahead at most. What making it raises is raised when its turn comes.

    alone: Of an item that takes so much memory that nothing is to be made beside it.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:

        def following() -> Future[T]:
            return pool.submit(next, source, _END)

        coming = following()
        while (item := coming.result()) is not _END:
            made = None if alone(item) else following()
            yield item
            coming = made or following()
