"""The page as an ASGI app: the rules of who is let in, the page, its stream, and the answer to a change."""

import hashlib
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from atota.clock import StopToken
from atota.station.hub import Hub
from atota.station.page import document
from atota.station.page.metrics import metrics
from atota.station.page.security import COOKIE, HEADERS, Gate, Refusal
from atota.station.page.stream import events
from atota.station.view import (
    AgainCommand,
    Command,
    ReleaseCommand,
    RemovedCommand,
    Reply,
    ScanCommand,
    SwitchCommand,
)

_LARGEST_REQUEST: Final = 8 * 1024
_SCRIPT: Final = "text/javascript; charset=utf-8"
_TYPES: Final = {"station.js": _SCRIPT, "stream.js": _SCRIPT, "station.css": "text/css; charset=utf-8"}
_CONTROLS: Final = dict.fromkeys((*range(32), 127, *range(128, 160)))


class _Change(msgspec.Struct, frozen=True):
    """The body of any change; each takes what it needs."""

    text: str = ""
    lane: int | None = None
    reason: str = ""
    by: str | None = None
    token: str = ""


class PageApp:
    """The ASGI app of one station.

    Args:
        hub: the picture, and the receiver of changes.
        gate: the rules of who is let in.
        stop: ends the streams.
        now: monotonic seconds.
    """

    def __init__(self, hub: Hub, gate: Gate, stop: StopToken, now: Callable[[], float]) -> None:
        self._hub = hub
        self._gate = gate
        self._stop = stop
        self._now = now
        folder = files("atota.station.page") / "static"
        self._files = {name: (folder / name).read_bytes() for name in _TYPES}
        digest = hashlib.sha256(b"".join(self._files.values())).hexdigest()[:16]
        self._static = f"/static/{digest}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await self._response(request)
        except ClientDisconnect:
            return
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        path, headers = request.url.path, request.headers
        if request.method == "POST" and path == "/api/login":
            return await self._login(request)
        refusal = self._gate.refusal(request.method, headers, request.cookies.get(COOKIE))
        if refusal is not None and not (refusal.status == 401 and path.startswith(self._static)):
            return self._refused(refusal, path)
        if path.startswith("/api/"):
            if request.method != "POST":
                return _sentence(405, "changes are made by POST only", {"Allow": "POST"})
            return await self._changed(request, path.removeprefix("/api/"))
        if request.method == "POST":
            return _sentence(404, "there is nothing here")
        return self._shown(path)

    def _shown(self, path: str) -> Response:
        if path == "/":
            return _html(200, document.page(self._hub.snapshot(), self._static))
        if path == "/events":
            return StreamingResponse(events(self._hub, self._stop, self._now), media_type="text/event-stream")
        if path == "/healthz":
            return _sentence(200, "ok")
        if path == "/metrics":
            return Response(metrics(self._hub.snapshot()), media_type="text/plain; version=0.0.4")
        folder, _, name = path.rpartition("/")
        if folder == self._static and name in self._files:
            cached = {"Cache-Control": "public, max-age=31536000, immutable"}
            return Response(self._files[name], media_type=_TYPES[name], headers=cached)
        return _sentence(404, "there is nothing here")

    def _refused(self, refusal: Refusal, path: str) -> Response:
        if refusal.status == 401 and path == "/":
            return _html(401, document.login(self._hub.snapshot(), self._static))
        extra = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
        return _sentence(refusal.status, refusal.sentence, extra)

    async def _login(self, request: Request) -> Response:
        refusal = self._gate.refusal_of_login(request.headers)
        if refusal is not None:
            return self._refused(refusal, "/api/login")
        change = await _decoded(request)
        session = None if isinstance(change, Response) else self._gate.opens(change.token)
        if session is None:
            return _sentence(401, "this is not the station's token")
        response = _sentence(200, "ok")
        response.set_cookie(COOKIE, session, httponly=True, samesite="strict", path="/")
        return response

    async def _changed(self, request: Request, path: str) -> Response:
        change = await _decoded(request)
        if isinstance(change, Response):
            return change
        command = _command(path, change)
        if command is None:
            return _sentence(404, "there is no such change")
        reply = self._hub.send(command)
        return _json(200 if reply.ok else 409, reply)


def _command(path: str, change: _Change) -> Command | None:
    """Return the operator's command for ``scan``, ``release``, ``lanes/N/again|release|removed|on|off``."""
    if path == "scan":
        text = change.text.translate(_CONTROLS).strip()[:200]
        return ScanCommand(text=text, lane=change.lane) if text else None
    if path == "release":
        return ReleaseCommand(reason=_line(change.reason), by=_by(change))
    parts = path.split("/")
    if len(parts) != 3 or parts[0] != "lanes" or not (parts[1].isascii() and parts[1].isdigit()):
        return None
    lane, wish = int(parts[1][:4]), parts[2]
    if wish == "again":
        return AgainCommand(lane=lane, reason=_line(change.reason))
    if wish == "release":
        return ReleaseCommand(lane=lane, reason=_line(change.reason), by=_by(change))
    if wish == "removed":
        return RemovedCommand(lane=lane)
    if wish in ("on", "off"):
        return SwitchCommand(lane=lane, on=wish == "on")
    return None


def _line(text: str) -> str:
    return text.translate(_CONTROLS).strip()[:200]


def _by(change: _Change) -> str | None:
    return _line(change.by or "") or None


async def _decoded(request: Request) -> _Change | Response:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_REQUEST:
            return _sentence(413, "the request is too long")
    try:
        return msgspec.json.decode(body or b"{}", type=_Change)
    except msgspec.MsgspecError as error:
        return _sentence(400, f"the request is wrong: {error}")


def _json(status: int, reply: Reply, headers: Mapping[str, Any] | None = None) -> Response:
    return Response(msgspec.json.encode(reply), status, headers, media_type="application/json")


def _sentence(status: int, sentence: str, headers: Mapping[str, Any] | None = None) -> Response:
    return _json(status, Reply(ok=status < 400, sentence=sentence), headers)


def _html(status: int, text: str) -> Response:
    return Response(text, status, media_type="text/html; charset=utf-8")
