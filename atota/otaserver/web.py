"""The local OTA platform under uvicorn, until a stop token is set.

uvicorn speaks HTTP, with the parser httptools: clients on modules send a CRLF behind the body, and a server
ignores it before a request line (RFC 9112 section 2.2), which that parser does. `_connection_class` wraps a
connection in three things that uvicorn has no option for: a count of its requests, a way to cut it, and
header names as the platform writes them. The official C client (cm-heclouds/OneNET_AIO_c, http_api.c) finds
``Content-Length`` in this spelling only, and uvicorn writes every name in lower case.
"""

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Any, cast

import uvicorn

from atota.clock import StopToken
from atota.otaserver.app import ConnectionState, OtaApp
from atota.otaserver.routes import Log
from atota.otaserver.service import LocalPlatform
from atota.web import configured

_GRACE_S = 0.5  # for replies in flight when the server is told to stop; then their connections are cut
_NAME = re.compile(rb"(?m)^[a-z-]+(?=: )")  # not the status line, which has no such beginning
_TICK_S = 0.05  # the stop token is looked at this often


async def serve_until(
    listener: socket.socket, platform: LocalPlatform, stop: StopToken, log: Log | None
) -> None:
    """Serve until ``stop`` is set or uvicorn was signalled; cut the connections that do not end in time."""
    closing = StopToken()
    transports: set[asyncio.Transport] = set()
    server = uvicorn.Server(_config(OtaApp(platform, log=log, stop=closing), transports))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not (stop.is_set or server.should_exit or serving.done()):
        await asyncio.wait({serving}, timeout=_TICK_S)
    server.should_exit = True
    closing.set()
    await asyncio.wait({serving}, timeout=_GRACE_S)
    for transport in tuple(transports):
        transport.abort()
    await serving


def _config(app: OtaApp, transports: set[asyncio.Transport]) -> uvicorn.Config:
    config = configured(app, has_date=False)
    config.http_protocol_class = _connection_class(config.http_protocol_class, transports)
    return config


class _NamingTransport:
    """A transport that writes the header names of a reply's head as `Content-Length` is written."""

    def __init__(self, transport: asyncio.Transport, state: ConnectionState) -> None:
        self._transport = transport
        self._state = state

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write a head with other names, and everything else as it is."""
        if self._state.is_head_due:
            self._state.is_head_due = False
            data = _NAME.sub(lambda match: match[0].title(), data)
        self._transport.write(data)


def _connection_class(
    inner_class: Callable[..., asyncio.Protocol], transports: set[asyncio.Transport]
) -> type[asyncio.Protocol]:
    """Return a protocol round ``inner_class`` that counts requests and keeps its transport in ``transports``.

    uvicorn makes one a connection, and copies ``app_state`` into the scope of each of its requests.
    """

    class Connection(asyncio.Protocol):
        def __init__(self, *, app_state: dict[str, Any], **options: Any) -> None:
            self._state = ConnectionState()
            self._inner = inner_class(app_state={**app_state, "connection": self._state}, **options)

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self._transport = transport
            transports.add(transport)
            named = cast("asyncio.Transport", _NamingTransport(transport, self._state))
            self._inner.connection_made(named)

        def connection_lost(self, exc: Exception | None) -> None:
            transports.discard(self._transport)
            self._inner.connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            self._inner.data_received(data)

        def eof_received(self) -> bool | None:
            return self._inner.eof_received()

        def pause_writing(self) -> None:
            self._inner.pause_writing()

        def resume_writing(self) -> None:
            self._inner.resume_writing()

    return Connection
