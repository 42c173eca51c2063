"""The line as an ASGI app: routes, bodies with a bound, answers as JSON, errors as statuses.

A call runs in a thread and has `ANSWER_S`. A station waits a little longer than that, so it always gets an
answer, also while the database is stopped.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from atota.errors import AtotaError, ConfigError, LimitReached, UsageError
from atota.line.page import Page
from atota.line.protocol import HEADER, MAX_BYTES, Problem, Refusal
from atota.line.service import BadRequest, LineService, ProtocolTooNew, check_protocol
from atota.line.store import POOL, BadData, StoreBusy
from atota.line.tables.records import ForkFound, GapFound
from atota.line.tables.stations import KeyRefused

ANSWER_S = 9.0
_THREADS = POOL + 8
_STATUS: tuple[tuple[type[AtotaError], int], ...] = (
    (KeyRefused, 401),
    (ProtocolTooNew, 426),
    (BadRequest, 400),
    (LimitReached, 409),
    (BadData, 422),
    (UsageError, 404),
    (StoreBusy, 503),
    (ConfigError, 503),
)
Call = Callable[[Request, bytes], object]


class TooLarge(BadRequest):
    """A request's body that is larger than any of the protocol."""

    code = "line.too-large"


def line_app(service: LineService, page: Page | None = None) -> Starlette:
    """Return the app of a line; ``page`` is the managers'."""
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="line")

    def api(path: str, method: str, call: Call) -> Route:
        return Route(path, functools.partial(_answer, pool, call), methods=[method])

    routes = [
        api(
            "/v1/journals/{journal}/records",
            "POST",
            lambda request, body: service.post_records(_key(request), request.path_params["journal"], body),
        ),
        api(
            "/v1/journals/{journal}",
            "GET",
            lambda request, _: service.get_journal(
                _key(request), request.path_params["journal"], _number(request, "at")
            ),
        ),
        api("/v1/presence", "POST", lambda request, body: service.post_presence(_key(request), body)),
        api("/v1/grants", "POST", lambda request, body: service.post_grants(_key(request), body)),
        api("/v1/settlements", "POST", lambda request, body: service.post_settlements(_key(request), body)),
        api("/v1/devices", "POST", lambda request, body: service.post_device(_key(request), body)),
        api(
            "/v1/devices",
            "GET",
            lambda request, _: service.get_devices(
                _key(request), request.query_params.get("product", ""), _number(request, "after") or 0
            ),
        ),
        api(
            "/v1/units",
            "GET",
            lambda request, _: service.get_units(_key(request), _number(request, "after") or 0),
        ),
        api(
            "/v1/units/{imei}",
            "GET",
            lambda request, _: service.get_unit(_key(request), request.path_params["imei"]),
        ),
        api("/v1/claims", "POST", lambda request, body: service.post_claim(_key(request), body)),
        api("/v1/claims/release", "POST", lambda request, body: service.post_release(_key(request), body)),
    ]
    if page is not None:
        routes += page.routes(pool)
    return Starlette(routes=routes)


async def _answer(pool: ThreadPoolExecutor, call: Call, request: Request) -> Response:
    try:
        check_protocol(request.headers.get(HEADER))
        body = await _body(request)
        loop = asyncio.get_running_loop()
        answer = await asyncio.wait_for(loop.run_in_executor(pool, call, request, body), ANSWER_S)
    except ClientDisconnect:
        return Response(status_code=400)
    except TimeoutError:
        return refusal(StoreBusy("the database does not answer in time"))
    except AtotaError as error:
        return refusal(error)
    return Response(msgspec.json.encode(answer), media_type="application/json")


def refusal(error: AtotaError) -> Response:
    """Return the response for an error."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 503)
    if isinstance(error, TooLarge):
        status = 413
    where = error if isinstance(error, GapFound | ForkFound) else None
    body = Refusal(
        error=Problem(code=error.code, message=error.message, hint=error.hint),
        next_seq=None if where is None else where.next_seq,
        head=None if where is None else where.head,
    )
    headers = {"Retry-After": "1"} if status == 503 else {}
    return Response(msgspec.json.encode(body), status, headers, "application/json")


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise TooLarge(f"a request has {MAX_BYTES} bytes at most")
    return bytes(body)


def _key(request: Request) -> str:
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not key.strip():
        raise KeyRefused("the request has no key: Authorization: Bearer KEY")
    return key.strip()


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise BadRequest(f"{name}={text[:20]!r} is not a number")
    return int(text)


Handler = Callable[[Request], Awaitable[Response]]
