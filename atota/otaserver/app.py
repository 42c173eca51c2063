"""The local OTA platform as an ASGI app: reads a request, asks `routes.respond`, delivers the reply.

Delivery is where the faults of the wire become real: a body held to a rate, broken off or without end.
"""

import asyncio
import functools
import math
from collections.abc import Iterator

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.requests import Request as StarletteRequest
from starlette.types import Receive, Scope, Send

from atota.clock import StopToken
from atota.otaserver.reply import HttpReply, HttpRequest, text_reply
from atota.otaserver.routes import Log, parse_query, respond
from atota.otaserver.service import LocalPlatform

# The platform's FAQ for its OTA SDK: one connection serves at most 1000 requests, then the server closes it.
REQUESTS_PER_CONNECTION = 1000
_PIECE = 64 * 1024  # bytes of a body handed on at once; small enough to notice a client that left
_SLOW_SLICE_S = 0.05  # a slow body comes in pieces of this length, so that a stop is noticed
_LARGEST_REQUEST = 64 * 1024  # far above any request of the API


class OtaApp:
    """The ASGI app of one platform.

    Args:
        platform: the platform that answers.
        log: gets one line a request, without token, key or signature.
        stop: ends bodies that are slow or endless.
    """

    def __init__(
        self, platform: LocalPlatform, *, log: Log | None = None, stop: StopToken | None = None
    ) -> None:
        self._platform = platform
        self._log = log
        self._stop = stop or StopToken()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        try:
            body = await _body(StarletteRequest(scope, receive))
        except ClientDisconnect:
            return
        if body is None:
            reply = text_reply(413, "Content Too Large")
        else:
            reply = respond(self._platform, _request(scope, body), self._log)
        connection = scope.get("state", {}).get("connection")
        if isinstance(connection, ConnectionState):
            if self._is_last(connection):
                reply.headers = [(name, value) for name, value in reply.headers if name != "Connection"]
                reply.headers.append(("Connection", "close"))
            connection.is_head_due = True
        await self._deliver(reply, receive, send)

    def _is_last(self, connection: "ConnectionState") -> bool:
        connection.requests += 1
        limit = self._platform.faults.requests_per_connection or REQUESTS_PER_CONNECTION
        return connection.requests >= limit

    async def _deliver(self, reply: HttpReply, receive: Receive, send: Send) -> None:
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
        if reply.declare_length:
            headers.append((b"content-length", str(len(reply.body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        departure = (
            asyncio.ensure_future(_disconnected(receive)) if reply.endless or reply.bytes_per_s else None
        )
        try:
            for piece in _pieces(reply):
                if self._stop.is_set or (departure is not None and departure.done()):
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await self._pace(reply, len(piece))
        finally:
            if departure is not None:
                departure.cancel()
        if reply.cut_at is None:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        # A reply that is left unfinished makes the server close the connection: that is the cut.

    async def _pace(self, reply: HttpReply, count: int) -> None:
        if reply.bytes_per_s:
            await asyncio.to_thread(self._platform.clock.sleep, count / reply.bytes_per_s)
        elif reply.endless:
            await asyncio.sleep(0)


class ConnectionState:
    """A connection's count of requests, and the flag that the head of a reply is the next thing written.

    The server puts one into the state of each connection.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.is_head_due = False


def _request(scope: Scope, body: bytes) -> HttpRequest:
    headers = {name.lower(): value for name, value in Headers(scope=scope).items()}
    local = scope.get("server")
    return HttpRequest(
        method=scope["method"],
        path=scope["path"],
        query=parse_query(scope["query_string"].decode("latin-1")),
        headers=headers,
        body=body,
        local=f"{local[0]}:{local[1]}" if local and local[1] is not None else None,
    )


async def _body(request: StarletteRequest) -> bytes | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_REQUEST:
            return None
    return bytes(body)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _pieces(reply: HttpReply) -> Iterator[bytes]:
    size = _PIECE
    if reply.bytes_per_s:
        size = max(1, min(_PIECE, math.floor(reply.bytes_per_s * _SLOW_SLICE_S)))
    body = reply.body if reply.cut_at is None else reply.body[: reply.cut_at]
    rounds = iter(functools.partial(int, 0), 1) if reply.endless else iter((0,))
    for _ in rounds:
        for start in range(0, len(body), size):
            yield body[start : start + size]
        if reply.cut_at is not None:
            return
