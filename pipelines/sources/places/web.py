"""Files on web servers: one request for each, waited for within bounds, and never for ever.

    look   HEAD, or GET without the body where a server has no HEAD: is it there, did it change?
    fetch  GET: its bytes; what may pass (429, 5xx, a stall, a lost connection) is tried again

Whatever a server does is about one file: the next may lie on another server.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from importlib.metadata import version

import httpx

from glassplate.codecs.errors import UnreadableError, VanishedError
from glassplate.codecs.faults import without_number
from glassplate.pipelines.sources.places.refs import SourceRef, failed_ref, safe_name

logger = logging.getLogger(__name__)

ATTEMPTS, SILENT_ATTEMPTS = 3, 2
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between attempts: doubled each time, or what the server asks for."""

CONNECT_TIMEOUT, SILENCE_TIMEOUT, LOOK_TIMEOUT = 10.0, 15.0, 10.0
"""Seconds until a server has to accept a connection, to say something more, to tell of a file."""

SLOWEST = 16 << 10
"""Bytes per second, from the second minute on: what is slower than this is given up."""

LARGEST = (2 << 30) - 1
"""Bytes of a file, whatever the server says of its size: they are held in memory."""

_PATIENCE = 3
"""After so many silent answers in a row a server is tried once for each file, and not for long."""

_PASSING = {408, 425, 429, 500, 502, 503, 504}
_GONE = {404, 410}
_FIX = "The next run tries it again."


class _Later(Exception):  # noqa: N818 (no error yet: a reason to try again)
    """What may pass. pause: seconds that the server asks for. silent: it said nothing."""

    def __init__(self, cause: str, pause: float | None = None, *, silent: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.pause = pause
        self.silent = silent


@dataclass(frozen=True)
class Seen:
    """What a server tells of a file: size in bytes, a tag that changes with it, its media type."""

    size: int | None = None
    tag: str = ""
    media_type: str = ""


def is_web(url: str) -> bool:
    """Whether a URL is for a web server."""
    return url.lower().startswith(("http://", "https://"))


def web_ref(url: str) -> SourceRef:
    """A reference to a file on a web server; a failed one if there is none. Never waits long."""
    try:
        seen = look(url)
    except (UnreadableError, VanishedError) as error:
        return failed_ref(url, url, web_name(url), error)
    return seen_ref(url, seen)


def seen_ref(url: str, seen: Seen | None) -> SourceRef:
    """A reference to a file of which a server told this much."""
    version = f"{seen.size}:{seen.tag}" if seen else ""
    return SourceRef(url, url, web_name(url), version, seen.size if seen else None)


def web_name(url: str) -> str:
    """'https://me@host/a/b.png?size=3' -> 'host/a/b.png'."""
    place = re.split("[?#]", url.split("://", 1)[1], maxsplit=1)[0]
    return safe_name(_host(url) + place[len(place.partition("/")[0]) :])


def look(url: str) -> Seen | None:
    """What a server tells of a file without sending it; None: nothing now, perhaps at reading.

    Raises VanishedError, UnreadableError.
    """
    for method in ("HEAD", "GET"):
        try:
            with _answer(method, url, LOOK_TIMEOUT) as response:
                return _seen(response)
        except _Later as later:
            logger.debug("%s: %s", url, later.cause)
            return None
        except (UnreadableError, VanishedError):
            if method == "GET":
                raise
    return None


def fetch(url: str, *, hurried: bool = False) -> bytes:
    """The bytes of a file on a web server. Raises VanishedError, UnreadableError.

    hurried: It is tried once, and not waited for long.
    """
    host = _host(url)
    cause = ""
    for attempt in range(1, ATTEMPTS + 1):
        hurried = hurried or _silences().get(host, 0) >= _PATIENCE
        try:
            data = _get(url, SILENCE_TIMEOUT / 4 if hurried else SILENCE_TIMEOUT)
        except _Later as later:
            cause = later.cause
            _silences()[host] = _silences().get(host, 0) + 1 if later.silent else 0
            pause = later.pause or FIRST_PAUSE * 2 ** (attempt - 1)
            last = SILENT_ATTEMPTS if later.silent else ATTEMPTS
            if hurried or attempt >= last or pause > LONGEST_PAUSE:
                break
            logger.warning("%s: %s; tried again in %.0f s", url, cause, pause)
            time.sleep(pause)
        else:
            _silences().pop(host, None)
            return data
    raise UnreadableError(cause, _FIX, url)


def _get(url: str, silence: float) -> bytes:
    started = time.monotonic()
    data = bytearray()
    with _answer("GET", url, silence) as response:
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) > LARGEST:
                raise UnreadableError(f"is larger than {LARGEST:,} bytes", "", url)
            seconds = time.monotonic() - started
            if len(data) < (seconds - 60) * SLOWEST:
                raise _Later(f"sent only {len(data):,} bytes in {seconds:.0f} s", silent=True)
    return bytes(data)


@contextmanager
def _answer(method: str, url: str, silence: float) -> Iterator[httpx.Response]:
    """A good answer, whose body may be read within.

    Raises _Later, VanishedError, UnreadableError; so does what is read within.
    """
    timeout = httpx.Timeout(silence, connect=min(CONNECT_TIMEOUT, silence))
    try:
        with _client(os.getpid()).stream(method, url, timeout=timeout) as response:
            _check(response, url)
            yield response
    except httpx.ConnectTimeout as error:
        raise _Later("does not accept a connection", silent=True) from error
    except httpx.TimeoutException as error:
        raise _Later(f"says nothing for {silence:.0f} s", silent=True) from error
    except (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError) as error:
        raise _Later(f"breaks off ({_words(error)})") from error
    except httpx.ConnectError as error:
        raise _Later(f"cannot be reached ({_words(error)})", silent=True) from error
    except httpx.TooManyRedirects as error:
        raise UnreadableError("redirects without end", "", url) from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise UnreadableError(f"cannot be asked for ({_words(error)})", "", url) from error


def _check(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if status == HTTPStatus.OK:
        return
    cause = f"the server answers {status} {response.reason_phrase}".rstrip()
    if status in _GONE:
        raise VanishedError(cause, "If it comes back, the next run takes it.", url)
    if status in _PASSING:
        raise _Later(cause, _pause(response.headers.get("Retry-After", "")))
    raise UnreadableError(cause, _FIX, url)


def _pause(retry_after: str) -> float | None:
    """Seconds until a server wants to be asked again; it says so in seconds or as a date."""
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _seen(response: httpx.Response) -> Seen:
    headers = response.headers
    length = headers.get("Content-Length", "")
    encoded = headers.get("Content-Encoding", "identity") != "identity"
    size = int(length) if length.isdigit() and int(length) and not encoded else None
    tag = headers.get("ETag") or headers.get("Last-Modified") or ""
    return Seen(size, tag, headers.get("Content-Type", "").partition(";")[0].strip().lower())


def _host(url: str) -> str:
    return re.split("[/?#]", url.split("://", 1)[1], maxsplit=1)[0].rpartition("@")[2]


def _words(error: Exception) -> str:
    return without_number(str(error)).rstrip(".") or type(error).__name__


@lru_cache(maxsize=1)
def _client(process: int) -> httpx.Client:
    """The connections of this process."""
    agent = f"glassplate/{version('glassplate')}"
    headers = {"User-Agent": agent, "Accept-Encoding": "identity", "Accept": "image/*,*/*;q=0.8"}
    limits = httpx.Limits(max_connections=None, keepalive_expiry=5.0)
    return httpx.Client(headers=headers, follow_redirects=True, max_redirects=10, limits=limits)


@lru_cache(maxsize=1)
def _silences() -> dict[str, int]:
    """Host -> how many answers in a row it has kept to itself, in this process."""
    return {}
