"""The managers' page: who may see it, who may change what, and the answers.

The rules of the station's page hold (`atota.station.page.security`): the host must be this one, changes are
POST with JSON from this page's own origin, no script but ours. People have accounts with roles. As long as
there is none, and the server listens on this machine only, everybody on it may read.
"""

import asyncio
import hashlib
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Final
from urllib.parse import quote

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from atota.clock import Clock
from atota.errors import AtotaError, UsageError
from atota.line import document
from atota.line.document import Frame, Overview
from atota.line.export import Exports, Form
from atota.line.living import Living
from atota.line.metrics import metrics
from atota.line.store import Session, Store, StoreBusy
from atota.line.tables import disk, figures, people, quota, stations
from atota.line.tables.figures import BatchFigures
from atota.line.tables.people import Role, may
from atota.line.words import Words, language_of, words
from atota.station.page.security import HEADERS, Gate, Refusal, is_loopback

COOKIE: Final = "atota-line"
SESSION_S: Final = 12 * 3600.0
_ANSWER_S = 9.0
_LARGEST_CHANGE = 8 * 1024
_TYPES: Final = {"line.js": "text/javascript; charset=utf-8", "line.css": "text/css; charset=utf-8"}
_SHOWN = 12
_FRESH_S = 3.0


class Answer(msgspec.Struct, frozen=True):
    """The answer to a change, for people."""

    ok: bool
    sentence: str


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    """The body of any change; each takes what it needs."""

    name: str = ""
    pin: str = ""
    batch: str = ""
    quota: str | int = ""
    state: str = ""
    grant: str = ""
    reason: str = ""
    station: str = ""


class _Person(msgspec.Struct, frozen=True):
    """A person; ``stamp`` is the account's at the login: another PIN or no account ends the session."""

    name: str
    role: Role
    stamp: bytes = b""


class Page:
    """The page of one line.

    Args:
        store: the line's database.
        living: the stations' signs of life, which it shows while the database is away.
        clock: the time of the sessions.
        listener: the socket that the page is reached on.
        names: more names that the page is opened under.
        is_tls: it is reached by https.
    """

    def __init__(
        self,
        store: Store,
        *,
        living: Living,
        clock: Clock,
        listener: socket.socket,
        names: Collection[str],
        is_tls: bool,
    ) -> None:
        host, port = listener.getsockname()[:2]
        self._store = store
        self._living = living
        self._has_accounts: bool | None = None
        self._exports = Exports(store)
        self._clock = clock
        self._gate = Gate(host, port, names=names, default_port=443 if is_tls else 80)
        self._is_private = is_loopback(host)
        self._is_tls = is_tls
        self._sessions: dict[str, tuple[_Person, float]] = {}
        folder = files("atota.line") / "static"
        self._files = {name: (folder / name).read_bytes() for name in _TYPES}
        digest = hashlib.sha256(b"".join(self._files.values())).hexdigest()[:16]
        self._static = f"/static/{digest}"
        self._pool: ThreadPoolExecutor | None = None
        self._figures: dict[str, tuple[BatchFigures, float]] = {}

    def routes(self, pool: ThreadPoolExecutor) -> list[Route]:
        """Return its routes; ``pool`` runs what asks the database."""
        self._pool = pool
        return [
            Route("/", self._get(self._overview, without=self._away)),
            Route("/batch/{name}", self._get(self._batch)),
            Route("/unit", self._get(self._unit)),
            Route("/export", self._export),
            Route("/metrics", self._get(self._metrics, is_open=True)),
            Route("/healthz", self._get(self._health, is_open=True)),
            Route(self._static + "/{name}", self._get(self._file, is_open=True)),
            Route("/api/{change}", self._post, methods=["POST"]),
        ]

    # -- asking -----------------------------------------------------------------------------

    def _get(
        self,
        shown: Callable[[Request, Session, Role], Response],
        *,
        is_open: bool = False,
        without: Callable[[Request, StoreBusy], Response] | None = None,
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return a handler; ``without`` answers while the database is away, to people who are known."""

        def answer(request: Request) -> Response:
            try:
                with self._store.transaction() as session:
                    person = self._person(request, session)
                    if person is None and not is_open:
                        return _html(401, document.login(self._frame(request)))
                    return shown(request, session, person.role if person is not None else "read")
            except StoreBusy as error:
                if without is None or not self._is_known(request):
                    raise
                return without(request, error)

        async def respond(request: Request) -> Response:
            refusal = self._gate.refusal(request.method, request.headers, None)
            return await self._answered(request, answer, refusal)

        return respond

    def _session(self, request: Request) -> _Person | None:
        person, until = self._sessions.get(request.cookies.get(COOKIE, ""), (None, 0.0))
        return person if self._clock.monotonic() < until else None

    def _person(self, request: Request, session: Session) -> _Person | None:
        person = self._session(request)
        if person is not None:
            account = people.account(session, person.name)
            if account is not None and account[1] == person.stamp:
                return _Person(person.name, *account)
            self._sessions.pop(request.cookies.get(COOKIE, ""), None)
        if self._is_private:
            self._has_accounts = bool(people.accounts(session))
            if not self._has_accounts:
                return _Person("", "read")
        return None

    def _is_known(self, request: Request) -> bool:
        """True if a person may read, as far as that is known without the database."""
        return self._session(request) is not None or (self._is_private and self._has_accounts is False)

    async def _answered(
        self, request: Request, answer: Callable[[Request], Response], refusal: Refusal | None
    ) -> Response:
        if refusal is not None:
            return _finished(_sentence(refusal.status, refusal.sentence))
        loop = asyncio.get_running_loop()
        try:
            response = await asyncio.wait_for(loop.run_in_executor(self._pool, answer, request), _ANSWER_S)
        except TimeoutError:
            response = _sentence(503, "the database does not answer in time")
        except UsageError as error:
            response = _sentence(404, f"{error.message}. {error.hint}")
        except AtotaError as error:
            response = _sentence(409 if error.exit_code == 13 else 503, f"{error.message}. {error.hint}")
        return _finished(response)

    def _frame(self, request: Request) -> Frame:
        language = language_of(request.headers.get("accept-language", ""))
        texts, person = words(language), self._session(request)
        who = f"{person.name}, {texts[person.role]}" if person is not None else ""
        return Frame(language=language, texts=texts, static=self._static, who=who)

    def _shown(self, request: Request, title: str, body: Callable[[Words], str]) -> Response:
        frame = self._frame(request)
        return _html(200, document.document(title, body(frame.texts), frame))

    def _overview(self, request: Request, session: Session, role: Role) -> Response:
        states = figures.batches(session, limit=_SHOWN)
        names = figures.batches_of_records(session, _SHOWN)
        shown = Overview(
            stations=self._living.newest(stations.overview(session)),
            batches=states,
            figures=[self._figures_of(session, name) for name in names],
            conflicts=figures.conflicts(session, 20),
            quarantined=figures.quarantined(session, 10),
            totals=figures.totals(session),
            free=disk.free_part(session),
        )
        return self._shown(request, "atota line", lambda texts: document.overview(shown, role, texts))

    def _away(self, request: Request, error: StoreBusy) -> Response:
        states = self._living.all()
        return self._shown(request, "atota line", lambda texts: document.away(states, error.message, texts))

    def _figures_of(self, session: Session, batch: str) -> BatchFigures:
        """Return a batch's figures, a few seconds old at most: every page asks every two seconds."""
        now = self._clock.monotonic()
        shown, until = self._figures.get(batch, (None, 0.0))
        if shown is None or now >= until:
            shown = figures.batch_figures(session, batch)
            self._figures[batch] = shown, now + _FRESH_S
        return shown

    def _batch(self, request: Request, session: Session, _role: Role) -> Response:
        name = str(request.path_params["name"])
        result = figures.batch_figures(session, name)
        hours, grants = figures.hours(session, name), quota.allotments(session, name)
        return self._shown(request, name, lambda texts: document.batch(result, hours, grants, texts))

    def _unit(self, request: Request, session: Session, _role: Role) -> Response:
        name = request.query_params.get("q", "").strip().replace("\0", "")[:64]
        history = figures.history(session, name)
        return self._shown(request, name, lambda texts: document.unit(name, history, texts))

    def _metrics(self, _request: Request, session: Session, _role: Role) -> Response:
        text = metrics(
            self._living.newest(stations.overview(session)),
            figures.totals(session),
            figures.batches(session),
            disk.free_part(session),
        )
        return Response(text, media_type="text/plain; version=0.0.4")

    def _health(self, _request: Request, _session: Session, _role: Role) -> Response:
        return _sentence(200, "ok")

    def _file(self, request: Request, _session: Session, _role: Role) -> Response:
        name = request.path_params["name"]
        if name not in self._files:
            return _sentence(404, "there is nothing here")
        cached = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(self._files[name], media_type=_TYPES[name], headers=cached)

    # -- changing ---------------------------------------------------------------------------

    async def _post(self, request: Request) -> Response:
        refusal = self._gate.refusal("POST", request.headers, None)
        if refusal is None and request.headers.get("x-atota") != "1":
            refusal = Refusal(403, "a change must come from the line's own page")
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > _LARGEST_CHANGE:
                    return _finished(_sentence(413, "the request is too long"))
        except ClientDisconnect:
            return Response(status_code=400)
        try:
            change = msgspec.json.decode(bytes(body), type=_Change)
        except msgspec.MsgspecError as error:
            return _finished(_sentence(400, f"the request is wrong: {error}"))
        return await self._answered(request, lambda given: self._changed(given, change), refusal)

    def _changed(self, request: Request, change: _Change) -> Response:
        kind, texts = request.path_params["change"], self._frame(request).texts
        if kind == "login":
            return self._login(change, texts)
        if kind == "logout":
            self._sessions.pop(request.cookies.get(COOKIE, ""), None)
            return _sentence(200, texts["logged-out"])
        needed = _NEEDED.get(kind)
        if needed is None:
            return _sentence(404, "there is no such change")
        with self._store.transaction() as session:
            person = self._person(request, session)
            if person is None or not person.name:
                return _sentence(401, texts["login-first"])
            if not may(person.role, needed):
                return _sentence(403, texts["needs-role"].format(role=texts[needed]))
            return _sentence(200, _change(session, kind, change, person.name, texts))

    def _login(self, change: _Change, texts: Words) -> Response:
        name = change.name[:64].replace("\0", "")
        with self._store.transaction() as session:
            role = people.check(session, name, change.pin[:256])
            account = people.account(session, name)
        if role is None or account is None:
            return _sentence(401, texts["wrong-pin"])
        now = self._clock.monotonic()
        self._sessions = {key: one for key, one in self._sessions.items() if one[1] > now}
        cookie = secrets.token_urlsafe(32)
        self._sessions[cookie] = (_Person(name, *account), now + SESSION_S)
        response = _sentence(200, texts["logged-in"].format(name=name, role=texts[role]))
        response.set_cookie(
            COOKIE, cookie, httponly=True, samesite="strict", secure=self._is_tls, max_age=int(SESSION_S)
        )
        return response

    # -- files ------------------------------------------------------------------------------

    async def _export(self, request: Request) -> Response:
        """Answer with records as a file that is read while it is written."""
        refusal = self._gate.refusal(request.method, request.headers, None)
        batch = request.query_params.get("batch", "").replace("\0", "")[:64] or None
        form: Form = "csv" if request.query_params.get("format") == "csv" else "json"
        parts = self._exports.parts(batch, form)

        def begin(request: Request) -> Response:
            with self._store.transaction() as session:
                if self._person(request, session) is None:
                    return _html(401, document.login(self._frame(request)))
            name = quote(f"{batch or 'records'}.{'csv' if form == 'csv' else 'jsonl'}")
            first = next(parts, b"")  # a database that is away is an answer of its own
            response = StreamingResponse(
                self._sent(first, parts),
                media_type="text/csv; charset=utf-8" if form == "csv" else "application/jsonl",
            )
            response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
            return response

        return await self._answered(request, begin, refusal)

    async def _sent(self, first: bytes, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        part: bytes | None = first
        while part is not None:
            yield part
            part = await loop.run_in_executor(self._pool, next, parts, None)


_NEEDED: dict[str, Role] = {"batch": "lead", "writeoff": "engineer", "revoke": "engineer"}


def _change(session: Session, kind: str, change: _Change, person: str, texts: Words) -> str:
    """Make a change that ``person`` may make; return a sentence about it."""
    if kind == "batch":
        if str(change.quota).strip():
            if not str(change.quota).strip().isdecimal():
                raise UsageError(f"{change.quota!r} is not a quota", hint="Give a number of units.")
            quota.new_batch(session, change.batch, int(change.quota))
        if change.state in ("open", "closed"):
            quota.set_state(session, change.batch, change.state)
        detail = {"batch": change.batch, "quota": str(change.quota), "state": change.state}
        quota.audit(session, person, "batch", dict(detail))
        return texts["batch-set"].format(batch=change.batch)
    if kind == "writeoff":
        if not change.reason.strip():
            raise UsageError("the reason is empty", hint="Say why the station can tell nothing any more.")
        tickets = quota.write_off(session, change.grant.strip(), change.reason.strip()[:200], person)
        return texts["written"].format(tickets=tickets)
    stations.revoke(session, change.station.strip())
    quota.audit(session, person, "revoke", {"station": change.station.strip()})
    return texts["key-refused"].format(station=change.station.strip())


def _finished(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _sentence(status: int, sentence: str) -> Response:
    body = msgspec.json.encode(Answer(status < 400, sentence))
    return Response(body, status, media_type="application/json")


def _html(status: int, text: str) -> Response:
    return Response(text, status, media_type="text/html; charset=utf-8")
