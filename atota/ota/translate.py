"""Errors of the network, translated into sentences that a person can act on. Knows no HTTP library."""

import errno
import logging
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from atota.errors import ServerUnreachable
from atota.ota.secrets import scrub_log

PROXY_HINT = "Correct HTTP_PROXY and HTTPS_PROXY, or name the server in NO_PROXY."
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")
_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}
_NAMES = re.compile(r"name or service|getaddrinfo|nodename|name resolution|no address", re.IGNORECASE)


class _Mask(logging.Filter):
    """A filter that takes tokens and device ids out of the HTTP library's own log lines."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = scrub_log(record.getMessage())
        record.args = ()
        return True


_MASK = _Mask()


def mask_logs() -> None:
    """Mask the URLs in the HTTP library's log lines: a download URL is a two-day credential."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_MASK)  # adding the same filter again changes nothing


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def unreachable(error: BaseException, where: str, *, timeout: bool, connecting: bool) -> ServerUnreachable:
    """Make the error for a connection that was not made, or broke.

    Args:
        error: the foreign exception; its causes hold the reason.
        where: the server, as the user knows it.
        timeout: time ran out.
        connecting: the connection was not made yet.
    """
    causes = list(_chain(error))
    text = " ".join(str(cause) for cause in causes)
    if any(isinstance(cause, socket.gaierror) for cause in causes) or (connecting and _NAMES.search(text)):
        return ServerUnreachable(
            f"the name of {where} cannot be resolved",
            hint="Check the spelling of --server, the network and the DNS settings.",
        )
    if connecting and re.search(r"\b407\b", text):
        return ServerUnreachable(
            f"a proxy on the way to {where} wants a user name and a password (HTTP 407)", hint=PROXY_HINT
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes) or (connecting and "SSL" in text):
        return _tls(where, text)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes) or "refused" in text:
        return ServerUnreachable(
            f"{where} refuses the connection: nothing listens at this port",
            hint="Check --server and its port; `atota sim server` starts a local platform.",
        )
    if timeout and connecting:
        return ServerUnreachable(
            f"{where} did not accept a connection in time", hint="Check network and firewall."
        )
    if timeout:
        return ServerUnreachable(f"{where} did not answer in time")
    if any(isinstance(cause, OSError) and cause.errno in _ROUTE for cause in causes):
        return ServerUnreachable(
            f"the network has no route to {where}", hint="Check the network cable or Wi-Fi."
        )
    if connecting:
        return ServerUnreachable(f"no connection to {where} could be made")
    return ServerUnreachable(f"the connection to {where} broke")


def _tls(where: str, text: str) -> ServerUnreachable:
    if "CERTIFICATE" in text.upper():
        return ServerUnreachable(
            f"the certificate of {where} is not trusted",
            hint="Check this computer's clock; for a proxy with certificates of its own, give --cacert FILE.",
        )
    return ServerUnreachable(
        f"no secure connection (TLS) to {where} could be made",
        hint="If the server speaks plain HTTP, give --server http://HOST",
    )


def clock_skew(date: str | None, now: float) -> float:
    """Seconds by which a server's ``Date`` is ahead of ``now``; 0 if it is missing or unreadable."""
    try:
        server_time = parsedate_to_datetime(date or "")
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
    if server_time.tzinfo is None:
        server_time = server_time.replace(tzinfo=UTC)
    return (server_time - datetime.fromtimestamp(now, UTC)).total_seconds()


_SKEW_S = 120.0  # ours: too little to matter to a validity of an hour


def clock_hint(date: str | None, now: float, expired_s: float | None) -> str:
    """A hint about the time, for a signature that was refused; empty if the time looks right."""
    if expired_s is not None:
        return f"The authorization's validity ended {expired_s:.0f} s ago: make a new one."
    skew = clock_skew(date, now)
    if abs(skew) >= _SKEW_S:
        return (
            f"The server's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this computer's."
        )
    return ""
