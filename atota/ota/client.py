"""The client of the generic OTA API of OneNET; the only file that knows the HTTP library."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from atota._version import __version__
from atota.clock import Clock, Deadline, StopToken
from atota.errors import AtotaError, BadAnswer, ConfigError, ServerError, UsageError
from atota.ota import faults
from atota.ota.calls import CHECK_PATH, PlatformCalls
from atota.ota.onenet import answers
from atota.ota.onenet.errnos import Action, Endpoint, meaning
from atota.ota.onenet.signer import Auth, expired_since, masked
from atota.ota.onenet.wire import (
    CheckQuery,
    Envelope,
    Task,
    checked_token,
    parse_ip_port,
)
from atota.ota.reached import Reached
from atota.ota.secrets import scrub
from atota.ota.source import Part, parse_content_range
from atota.ota.waiting import OnWait, back_off, check_stop, wait

DEFAULT_SERVER = "https://ota.heclouds.com"  # platform page "check upgrade task": http(s)://ota.heclouds.com
ATTEMPTS = 4  # ours: with the pauses of `waiting.BACK_OFF_S` seven seconds before we give up
CONNECT_S = 10.0
ANSWER_S = 60.0  # ours: a server that drips a small answer for longer is not answering
MAX_REDIRECTS = 3
USER_AGENT = f"atota/{__version__}"
_FOREIGN = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)


class PlatformClient(PlatformCalls):
    """Talk to one OTA platform on behalf of one product or device.

    ``timeout_s`` bounds each silence on the wire in the machine's own seconds; waits between
    attempts run by ``clock`` and end when ``stop`` is set. Every error is one of `atota.errors`,
    and none holds the key, the signature or the token.

    Args:
        server: host, host:port or URL; https unless it says http://.
        auth: makes the Authorization header.
        clock: the time that waits are counted in.
        stop: ends every wait.
        on_wait: told before each wait why and how long.
        timeout_s: the longest silence of the server, seconds.
        attempts: how often a call that may be repeated is made before it fails.
        transport: an `httpx.BaseTransport` to use instead of the network (tests).

    Raises:
        UsageError: ``server`` is not an address.
        ConfigError: the proxy or certificate settings of the environment are wrong.
    """

    def __init__(
        self,
        server: str,
        auth: Auth,
        *,
        clock: Clock,
        stop: StopToken | None = None,
        on_wait: OnWait | None = None,
        timeout_s: float = 20.0,
        attempts: int = ATTEMPTS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.server = answers.base_url(server)
        self._auth = auth
        self._clock = clock
        self._stop = stop
        self._on_wait = on_wait
        self._attempts = max(1, attempts)
        faults.mask_logs()
        self._http = _http_client(timeout_s, transport)

    @property
    def plain_http(self) -> bool:
        """Whether the server is spoken to without TLS: everybody on the way can read the token."""
        return self.server.startswith("http://")

    def __repr__(self) -> str:
        return f"PlatformClient({self.server!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. May be called twice."""
        self._http.close()

    # -- what is not one call ----------------------------------------------------------------

    def dry_run(self, query: CheckQuery) -> dict[str, object]:
        """The check request as it would be sent, its signature blotted out. Sends nothing."""
        request = self._request("GET", CHECK_PATH, query.params(), None)
        headers = {name.decode(): value.decode() for name, value in request.headers.raw}
        headers["Authorization"] = masked(headers["Authorization"])
        return {"method": request.method, "url": str(request.url), "headers": headers}

    def package_url(self, task: Task) -> str:
        """Where the task's package is, for a module that fetches it itself. The token in it is a secret."""
        return f"{self.server}/ota/south/download/{checked_token(task.token)}"

    @contextmanager
    def open_package(self, task: Task, first: int = 0, *, bare_range: bool = False) -> Iterator[Part]:
        """Open the task's package from byte ``first`` to its end; see `source.PackageSource`.

        Authorization goes to the platform's own host only: the token in the path is the credential.
        """
        self._ready()
        with self._cleaning(task.token):
            response = self._open(task, first, bare_range=bare_range)
            try:
                yield self._part(response, task, first)
            finally:
                response.close()

    # -- one call, with its attempts ---------------------------------------------------------

    def _ask(
        self,
        endpoint: Endpoint,
        method: str,
        path: str,
        params: dict[str, str],
        body: object = None,
        *,
        idempotent: bool = True,
        secret: str = "",
    ) -> Envelope:
        """Make the call until it is answered or the attempts are used up; errno 0 or "no task" comes back."""
        tried: list[str] = []
        with self._cleaning(secret):
            while True:
                self._ready()
                outcome = self._once(endpoint, self._request(method, path, params, body))
                if isinstance(outcome, Envelope):
                    return outcome
                tried.append(outcome.error.message)
                again = not outcome.final and (idempotent or outcome.unsent)
                if not again or len(tried) == self._attempts:
                    outcome.error.tried = tuple(tried) if len(tried) > 1 else ()
                    raise outcome.error
                self._pause(outcome, len(tried), secret)

    def _pause(self, trouble: "_Trouble", attempt: int, secret: str) -> None:
        delay = back_off(attempt) if trouble.delay_s is None else trouble.delay_s
        if self._on_wait is not None:
            self._on_wait(scrub(trouble.error.message, self._secrets(secret)), delay)
        wait(self._clock, delay, self._stop)

    def _once(self, endpoint: Endpoint, request: httpx.Request) -> "Envelope | _Trouble":
        try:
            response = self._http.send(request, stream=True)
            try:
                body = self._read(response)
            finally:
                response.close()
        except _FOREIGN as foreign:
            return self._translate(foreign)
        return self._judge(endpoint, response, body)

    def _judge(self, endpoint: Endpoint, response: httpx.Response, body: bytes) -> "Envelope | _Trouble":
        status = response.status_code
        try:
            envelope = answers.read_answer(status, body, endpoint)
            if meaning(envelope.errno, endpoint).action not in (Action.OK, Action.NO_TASK):
                answers.refuse(envelope, endpoint, extra_hint=self._clock_hint(envelope, response))
            return envelope
        except ServerError as error:
            passing = answers.may_retry(status) or answers.action_of(error, endpoint) is Action.RETRY
            if not passing:
                raise
            trouble = error
        return _Trouble(trouble, delay_s=answers.retry_after(response.headers.get("Retry-After")))

    def _clock_hint(self, envelope: Envelope, response: httpx.Response) -> str:
        """For a refused signature: say so if the time is the reason."""
        if envelope.errno != 1:
            return ""
        now = self._clock.time()
        return faults.clock_hint(
            response.headers.get("Date"), now, expired_since(response.request.headers["Authorization"], now)
        )

    def _read(self, response: httpx.Response) -> bytes:
        deadline = Deadline(self._clock, ANSWER_S)
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > answers.MAX_ANSWER:
                raise BadAnswer(
                    f"the answer is longer than {answers.MAX_ANSWER} bytes: this is no OTA platform"
                )
            check_stop(self._stop)
            if deadline.expired:
                raise httpx.ReadTimeout("the answer drips")
        return bytes(body)

    # -- the download ------------------------------------------------------------------------

    def _open(self, task: Task, first: int, *, bare_range: bool) -> httpx.Response:
        url, headers, extensions = self._package_address(task)
        if first:
            headers["Range"] = f"{first}-" if bare_range else f"bytes={first}-"
        for _ in range(MAX_REDIRECTS + 1):
            try:
                request = self._http.build_request("GET", url, headers=headers, extensions=extensions)
                response = self._http.send(request, stream=True)
            except _FOREIGN as foreign:
                raise self._translate(foreign, url).error from None
            if not response.has_redirect_location:
                return response
            response.close()
            target = _redirect(url, response.headers["Location"])
            if _origin(target) != _origin(url):
                headers.pop("Authorization", None)
            headers.pop("Host", None)
            url, extensions = target, {}
        raise BadAnswer(f"the server redirects the download more than {MAX_REDIRECTS} times")

    def _package_address(self, task: Task) -> tuple[str, dict[str, str], dict[str, str]]:
        """The URL, headers and TLS name of the package, by name or by the address the platform gave."""
        path = f"/ota/south/download/{checked_token(task.token)}"
        parts = urlsplit(self.server)
        ip, port = parse_ip_port(task.ip_port) if task.ip_port else ("", None)
        if not ip or (parts.scheme == "https" and port == 80):  # no TLS at port 80: go by name, stay secret
            return self.server + path, {"Authorization": self._auth.header()}, {}
        port = port or (443 if parts.scheme == "https" else 80)
        return (
            f"{parts.scheme}://{ip}:{port}{path}",
            {"Host": parts.netloc},
            {"sni_hostname": parts.hostname or ""},
        )

    def _part(self, response: httpx.Response, task: Task, first: int) -> Part:
        status = response.status_code
        if status == 416:  # the platform documents clamping instead; a proxy may not
            return Part(partial=True, place=None, length=0, chunks=iter(()))
        try:
            if status not in (200, 206):
                raise answers.http_error(status, self._read(response), Endpoint.DOWNLOAD)
            length = answers.content_length(response.headers.get("Content-Length"))
            chunks = self._chunks(response)
            suspicious = length not in (task.size, task.size - first)
            if suspicious and answers.is_text(response.headers.get("Content-Type")):
                head = next(chunks, b"")
                answers.refuse_text(head)
                chunks = chain([head], chunks)
        except _FOREIGN as foreign:
            raise self._translate(foreign).error from None
        place = parse_content_range(response.headers.get("Content-Range"))
        return Part(partial=status == 206, place=place, length=length, chunks=chunks)

    def _chunks(self, response: httpx.Response) -> Iterator[bytes]:
        try:
            for chunk in response.iter_raw():
                check_stop(self._stop)
                yield chunk
        except _FOREIGN as foreign:
            error = self._translate(foreign).error
        else:
            return
        raise error

    # -- the door to the library -------------------------------------------------------------

    def _ready(self) -> None:
        check_stop(self._stop)
        if self._http.is_closed:
            raise UsageError("the platform client is closed already", hint=AtotaError.default_hint)

    def _request(self, method: str, path: str, params: dict[str, str], body: object) -> httpx.Request:
        content = msgspec.json.encode(body) if body is not None else None
        # Required by the platform's page even where there is no body.
        headers = {"Content-Type": "application/json", "Authorization": self._auth.header()}
        return self._http.build_request(
            method, self.server + path, params=params or None, content=content, headers=headers
        )

    def _secrets(self, token: str = "") -> tuple[str, ...]:
        return (*self._auth.secrets(), token)

    @contextmanager
    def _cleaning(self, token: str = "") -> Iterator[None]:
        """Take the secrets out of every error that passes."""
        try:
            yield
        except AtotaError as error:
            answers.cleaned(error, self._secrets(token))
            raise

    def _translate(self, foreign: Exception, url: str = "") -> "_Trouble":
        return _trouble(foreign, url or self.server)


@dataclass
class _Trouble:
    """An attempt that failed.

    ``unsent``: the request surely never arrived. ``final``: making it again is of no use.
    """

    error: ServerError
    unsent: bool = False
    final: bool = False
    delay_s: float | None = None


def _trouble(foreign: Exception, url: str) -> _Trouble:
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}"
    connecting = isinstance(foreign, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError))
    timeout = isinstance(foreign, httpx.TimeoutException)
    error = faults.unreachable(foreign, where, timeout=timeout, connecting=connecting)
    if isinstance(foreign, (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError)):
        return _Trouble(error, final=True)
    return _Trouble(error, unsent=connecting, final=connecting and not timeout)


def reach(
    server: str, *, clock: Clock, timeout_s: float = CONNECT_S, transport: httpx.BaseTransport | None = None
) -> Reached:
    """Ask a server for its front page, with no key and no device in the request: any answer counts.

    Raises:
        ServerUnreachable: no connection, or no answer.
        UsageError: ``server`` is no address.
        ConfigError: the proxy or certificate settings of the environment are wrong.
    """
    url = answers.base_url(server)
    faults.mask_logs()
    with _http_client(timeout_s, transport) as http:
        began, now = clock.monotonic(), clock.time()
        try:
            with http.stream("GET", f"{url}/") as response:
                took_s = clock.monotonic() - began
                location = response.headers.get("Location") if response.has_redirect_location else None
                date = response.headers.get("Date")
                return Reached(url, response.status_code, took_s, date, now + took_s / 2, location)
        except _FOREIGN as foreign:
            trouble = _trouble(foreign, url)
        raise trouble.error


def _http_client(timeout_s: float, transport: httpx.BaseTransport | None) -> httpx.Client:
    # Bytes as they are: a packed answer would escape the size bound and the resume.
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_S))
    try:
        return httpx.Client(headers=headers, timeout=timeout, transport=transport, follow_redirects=False)
    except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
        kind = type(error).__name__
    raise ConfigError(
        f"the network settings of the environment cannot be used ({kind})",
        hint="Check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
    )


def _redirect(url: str, location: str) -> str:
    """Where a redirect leads; never from https to something open."""
    try:
        target = urljoin(url, location)
        _origin(target)
    except ValueError:
        target = ""
    scheme = urlsplit(target).scheme if target else ""
    if not target or scheme not in ("http", "https"):
        raise BadAnswer("the server redirects the download to something that is no web address")
    if scheme == "http" and not url.startswith("http:"):
        raise BadAnswer("the server redirects the download to an address without TLS; refused")
    return target


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
