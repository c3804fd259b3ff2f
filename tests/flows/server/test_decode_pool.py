"""The queue before the decoders: what is shared, bounded, ended, and started again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from glassplate.codecs.cache import ByteBoundedCache
from glassplate.codecs.errors import GlassplateError
from glassplate.flows.server.processes.decode_pool import DecodePool
from glassplate.flows.server.protocol.errors import AnsweredError, BusyError, code_of, status_of

Use = Callable[[DecodePool], Awaitable[Any]]


@pytest.fixture
def using(tmp_path: Path) -> Callable[..., Any]:
    """Runs a coroutine with a pool, and gives what it returns; the log is `tmp_path / log`."""

    def use(run: Use, *, workers: int = 2, waiting: int = 100, timeout: float = 60) -> Any:
        async def main() -> Any:
            pool = DecodePool(
                "pooled",
                {"log": str(tmp_path / "log")},
                tmp_path,
                workers=workers,
                memory=2 << 30,
                waiting=waiting,
                timeout=timeout,
            )
            try:
                return await run(pool)
            finally:
                pool.close()

        return asyncio.run(main())

    return use


def log(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / "log").read_text().splitlines()]


def test_one_request_of_many_is_worked_on_once(tmp_path: Path, using: Callable[..., Any]) -> None:
    async def run(pool: DecodePool) -> Any:
        return await asyncio.gather(*(pool.ask("a", {"number": 7}) for _ in range(10)))

    assert [done.data for done in using(run)] == [b"7"] * 10
    assert len(log(tmp_path)) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "log"]  # nothing is left behind


def test_a_group_stays_with_one_process(tmp_path: Path, using: Callable[..., Any]) -> None:
    async def run(pool: DecodePool) -> Any:
        asked = ((number, "ab"[number % 2]) for number in range(8))
        requests = (pool.ask(group, {"number": n, "sleep": 0.05}) for n, group in asked)
        return await asyncio.gather(*requests)

    using(run)
    pids = {parity: {pid for n, pid in log(tmp_path) if int(n) % 2 == parity} for parity in (0, 1)}
    assert len(pids[0]) == len(pids[1]) == 1
    assert pids[0] != pids[1]


def test_beyond_the_bound_requests_are_refused(using: Callable[..., Any]) -> None:
    async def run(pool: DecodePool) -> Any:
        asked = (pool.ask(str(n), {"number": n, "sleep": 0.3}) for n in range(6))
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = using(run, workers=1, waiting=2)
    assert [type(answer) for answer in answers[3:]] == [BusyError] * 3
    assert [answer.data for answer in answers[:3]] == [b"0", b"1", b"2"]


def test_a_process_that_dies_is_replaced(using: Callable[..., Any]) -> None:
    async def run(pool: DecodePool) -> Any:
        with pytest.raises(BusyError, match="died"):
            await pool.ask("a", {"number": 1, "die": True})
        return await pool.ask("a", {"number": 2})

    assert using(run, workers=1).data == b"2"


def test_a_process_that_takes_too_long_is_ended(using: Callable[..., Any]) -> None:
    async def run(pool: DecodePool) -> Any:
        await pool.warm({"number": 0, "out": "/dev/null"})
        slow, behind = (pool.ask("a", {"number": n, "sleep": 30}) for n in (1, 2))
        refused = await asyncio.gather(slow, behind, return_exceptions=True)
        assert all(isinstance(one, BusyError) for one in refused)
        return await pool.ask("a", {"number": 3})

    assert using(run, workers=1, timeout=5).data == b"3"


def test_errors_keep_their_code(using: Callable[..., Any]) -> None:
    async def run(pool: DecodePool) -> Any:
        with pytest.raises(AnsweredError) as raised:
            await pool.ask("a", {"number": 1, "error": "bitstream-damaged"})
        return raised.value

    error: GlassplateError = using(run)
    assert status_of(code_of(error)) == 502


def test_a_kept_file_is_left_to_who_asked(tmp_path: Path, using: Callable[..., Any]) -> None:
    async def run(pool: DecodePool) -> Any:
        return await asyncio.gather(*(pool.ask("a", {"number": 5}, keep=True) for _ in range(2)))

    first, second = using(run)
    assert first.file != second.file
    assert first.file.read_text() == second.file.read_text() == "5"


def test_the_cache_is_bounded_in_bytes() -> None:
    cache: ByteBoundedCache[str] = ByteBoundedCache(10)
    for key in "abc":
        cache.put(key, key.upper(), 4)
    assert [cache.get(key) for key in "abc"] == [None, "B", "C"]
    cache.get("b")
    cache.put("d", "D", 4)
    assert [cache.get(key) for key in "bcd"] == ["B", None, "D"]
    cache.put("b", "larger than all", 11)
    assert cache.get("b") is None
    assert cache.bytes == 4
