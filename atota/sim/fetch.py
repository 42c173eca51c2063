"""The download of a simulated module: one real HTTP GET, bounded in time and size.

Only modules that fetch their package by themselves need it. They are given a `Fetch`; this one is the
default, tests give one of their own.
"""

import http.client
from collections.abc import Callable
from urllib.parse import urlsplit

from atota.clock import Clock, Deadline, SystemClock
from atota.errors import ServerUnreachable

Fetch = Callable[[str], bytes]
"""A function that returns the bytes at a URL, or raises `atota.errors.ServerUnreachable`."""

LONGEST_S = 20.0
LARGEST = 4 * 1024 * 1024  # bytes; more than any module's slot holds


def http_fetch(url: str, *, clock: Clock | None = None, longest_s: float = LONGEST_S) -> bytes:
    """Get ``url`` over plain HTTP; no redirection is followed.

    Args:
        url: ``http://host[:port]/path``.
        clock: the time that ``longest_s`` is measured in; the machine's by default.
        longest_s: seconds for the whole download.

    Raises:
        ServerUnreachable: no connection, no answer in time, no status 200, or cut off.
    """
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ServerUnreachable(f"{url!r} has no valid port") from error
    if parts.scheme != "http" or not host:
        raise ServerUnreachable(f"{url!r} is not an http:// address")
    deadline = Deadline(clock or SystemClock(), longest_s)
    connection = http.client.HTTPConnection(host, port or 80, timeout=longest_s)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("GET", path, headers={"User-Agent": "atota-sim", "Connection": "close"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise ServerUnreachable(f"{url} answered with status {answer.status}")
        return _body(answer, deadline, url)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ServerUnreachable(f"{url} can't be fetched: {error}") from error
    finally:
        connection.close()


def _body(answer: http.client.HTTPResponse, deadline: Deadline, url: str) -> bytes:
    body = bytearray()
    while piece := answer.read1(16_384):
        body += piece
        if deadline.expired or len(body) > LARGEST:
            raise ServerUnreachable(f"{url} takes too long or is too large")
    if answer.length:
        raise ServerUnreachable(f"{url} broke off, {answer.length} bytes are missing")
    return bytes(body)
