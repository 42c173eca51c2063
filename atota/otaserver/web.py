"""The local OTA platform under uvicorn, until a stop token is set.

uvicorn speaks HTTP, with the parser httptools: clients on modules send a CRLF behind the body, and a server
ignores it before a request line (RFC 9112 section 2.2), which that parser does. `_connection_class` wraps a
connection in two things that uvicorn has no option for: a count of its requests, and a way to cut it.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import httptools  # noqa: F401 - uvicorn imports it only when it serves
import uvicorn

from atota.clock import StopToken
from atota.otaserver.app import ConnectionCounter, OtaApp
from atota.otaserver.routes import Log
from atota.otaserver.service import LocalPlatform

_KEEP_ALIVE_S = 75  # common among web servers: the pause allowed between two requests
_GRACE_S = 0.5  # for replies in flight when the server is told to stop; then their connections are cut
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
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        loop="asyncio",
        interface="asgi3",
        workers=1,
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
    config.load()
    config.http_protocol_class = _connection_class(config.http_protocol_class, transports)
    return config


def _connection_class(
    inner_class: Callable[..., asyncio.Protocol], transports: set[asyncio.Transport]
) -> type[asyncio.Protocol]:
    """Return a protocol round ``inner_class`` that counts requests and keeps its transport in ``transports``.

    uvicorn makes one a connection, and copies ``app_state`` into the scope of each of its requests.
    """

    class Connection(asyncio.Protocol):
        def __init__(self, *, app_state: dict[str, Any], **options: Any) -> None:
            state = {**app_state, "connection": ConnectionCounter()}
            self._inner = inner_class(app_state=state, **options)

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self._transport = transport
            transports.add(transport)
            self._inner.connection_made(transport)

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
