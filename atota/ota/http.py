"""The HTTP transport of every platform API; the only file that knows the HTTP library, and it knows no API.

A call is made until it is answered or its attempts are used up. An attempt is repeated if the server's
trouble passes (no connection in time, HTTP 5xx, 429, `StepResult.LATER`) and a repetition does no harm: a
call that is not idempotent is repeated only if it surely never arrived. Errors leave this file translated
into `atota.errors` and without secrets.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar, cast
from urllib.parse import urlsplit

import httpx
import msgspec

from atota._version import __version__
from atota.clock import Clock, Deadline, StopToken
from atota.errors import (
    AtotaError,
    BadAnswer,
    PlatformRefused,
    ServerError,
    StepResult,
    UsageError,
)
from atota.ota import proxies, translate
from atota.ota.base import Access, Auth, OnWait
from atota.ota.probe import Reached
from atota.ota.replies import MAX_ANSWER, Reply, Stream, cleaned, may_retry, origin, redirected, retry_after
from atota.ota.secrets import scrub
from atota.ota.waiting import back_off, check_stop, wait
from atota.values import ServerUrl, parse_server

ATTEMPTS = 4  # ours: with the pauses of `waiting.BACK_OFF_S` seven seconds before the call fails
CONNECT_S = 10.0
ANSWER_S = 60.0  # ours: a small reply that takes longer is a failure
MAX_REDIRECTS = 3
USER_AGENT = f"atota/{__version__}"
_FOREIGN = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)
_T = TypeVar("_T")

Transport = httpx.BaseTransport
"""A replacement for the network, in tests and simulations."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call: ``path`` below the server, ``params`` its query string, ``body`` its JSON, more headers."""

    method: str
    path: str
    params: dict[str, str] = field(default_factory=dict)
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Source:
    """The place of a package: its URL, more headers, and a TLS name other than the URL's host.

    ``signed``: the request has the ``Authorization`` header until a redirect leads to another host.
    """

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    tls_name: str | None = None
    signed: bool = True


class HttpClient:
    """The connection to one server.

    ``timeout_s`` bounds each silence on the wire in the machine's own seconds; waits between
    attempts run by ``clock`` and end when ``stop`` is set.

    Args:
        server: the address, as `atota.values.parse_server` reads it; requests go below it.
        auth: signs the requests.
        clock: the time of the waits.
        stop: ends every wait.
        on_wait: receives the reason and the length of each wait, before it begins.
        timeout_s: the longest silence of the server, seconds.
        attempts: the number of attempts of a call that may be repeated.
        ca_file: the certificates that servers are trusted by; None: those of the system.
        transport: replaces the network.

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
        ca_file: Path | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.server = _address(server)
        self.clock = clock
        self._auth = auth
        self._stop = stop
        self._on_wait = on_wait
        self._attempts = max(1, attempts)
        translate.mask_logs()
        self._http = _http_client(timeout_s, transport, ca_file)

    @classmethod
    def of(cls, access: Access, auth: Auth) -> Self:
        """Make the transport that an API's factory needs."""
        return cls(
            access.server,
            auth,
            clock=access.clock,
            stop=access.stop,
            on_wait=access.on_wait,
            timeout_s=access.timeout_s,
            ca_file=access.ca_file,
            transport=cast("Transport | None", access.transport),
        )

    def close(self) -> None:
        """Close the connections. May be called twice."""
        self._http.close()

    # -- calls -------------------------------------------------------------------------------

    def call(
        self, request: Request, read: Callable[[Reply], _T], *, idempotent: bool = True, secret: str = ""
    ) -> _T:
        """Make a call and return the value that ``read`` makes of the reply.

        Args:
            request: the call.
            read: reads a reply; it raises `ServerError` if the reply is not a success.
            idempotent: a repetition does no harm.
            secret: a text of this call that no error may show.
        """
        tried: list[str] = []
        with self.cleaning(secret):
            while True:
                self._ready()
                try:
                    return self._attempt(self._request(request), read)
                except _TroubleError as error:
                    trouble = error
                tried.append(trouble.error.message)
                again = not trouble.final and (idempotent or trouble.unsent)
                if not again or len(tried) == self._attempts:
                    trouble.error.tried = tuple(tried) if len(tried) > 1 else ()
                    raise trouble.error from None
                self._pause(trouble, len(tried), secret)

    def preview(self, request: Request) -> dict[str, object]:
        """Return a request as `call` would send it, signature included. Sends nothing."""
        made = self._request(request)
        headers = {name.decode(): value.decode() for name, value in made.headers.raw}
        return {"method": made.method, "url": str(made.url), "headers": headers}

    def _attempt(self, request: httpx.Request, read: Callable[[Reply], _T]) -> _T:
        """Make one attempt.

        Raises:
            _TroubleError: it failed, and another may succeed.
            ServerError: the reply is final.
        """
        try:
            response = self._http.send(request, stream=True)
            try:
                body = self._read(response)
            finally:
                response.close()
        except _FOREIGN as foreign:
            raise _trouble(foreign, self.server) from None
        reply = Reply(
            response.status_code, body, response.headers.get("Date"), request.headers["Authorization"]
        )
        try:
            return read(reply)
        except ServerError as error:
            is_later = isinstance(error, PlatformRefused) and error.result is StepResult.LATER
            if not is_later and not may_retry(reply.status):
                raise
            trouble = _TroubleError(error, delay_s=retry_after(response.headers.get("Retry-After")))
        raise trouble

    def _pause(self, trouble: "_TroubleError", attempt: int, secret: str) -> None:
        delay = back_off(attempt) if trouble.delay_s is None else trouble.delay_s
        if self._on_wait is not None:
            self._on_wait(scrub(trouble.error.message, self._secrets(secret)), delay)
        wait(self.clock, delay, self._stop)

    def _read(self, response: httpx.Response) -> bytes:
        deadline = Deadline(self.clock, ANSWER_S)
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER:
                raise BadAnswer(f"the answer is longer than {MAX_ANSWER} bytes: this is not an OTA platform")
            check_stop(self._stop)
            if deadline.expired:
                raise httpx.ReadTimeout("the response arrives too slowly")
        return bytes(body)

    def _request(self, request: Request) -> httpx.Request:
        content = msgspec.json.encode(request.body) if request.body is not None else None
        # OneNET's pages require the content type also without a body.
        headers = {
            "Content-Type": "application/json",
            "Authorization": self._auth.header(),
            **request.headers,
        }
        return self._http.build_request(
            request.method,
            self.server + request.path,
            params=request.params or None,
            content=content,
            headers=headers,
        )

    # -- downloads ---------------------------------------------------------------------------

    @contextmanager
    def open(self, source: Source, *, secret: str = "") -> Iterator[Stream]:
        """Open a download; redirects are followed, but never from https to http.

        ``Authorization`` goes to the first host only.
        """
        self._ready()
        with self.cleaning(secret):
            response = self._follow(source)
            try:
                yield Stream(
                    response.status_code,
                    response.headers,
                    lambda: self._body(response),
                    self._chunks(response),
                )
            finally:
                response.close()

    def _follow(self, source: Source) -> httpx.Response:
        url, headers = source.url, dict(source.headers)
        extensions = {} if source.tls_name is None else {"sni_hostname": source.tls_name}
        if source.signed:
            headers["Authorization"] = self._auth.header()
        for _ in range(MAX_REDIRECTS + 1):
            try:
                request = self._http.build_request("GET", url, headers=headers, extensions=extensions)
                response = self._http.send(request, stream=True)
            except _FOREIGN as foreign:
                raise _trouble(foreign, url).error from None
            if not response.has_redirect_location:
                return response
            response.close()
            target = redirected(url, response.headers["Location"])
            if origin(target) != origin(url):
                headers.pop("Authorization", None)
            headers.pop("Host", None)
            url, extensions = target, {}
        raise BadAnswer(f"the server redirects the download more than {MAX_REDIRECTS} times")

    def _body(self, response: httpx.Response) -> bytes:
        try:
            return self._read(response)
        except _FOREIGN as foreign:
            raise _trouble(foreign, self.server).error from None

    def _chunks(self, response: httpx.Response) -> Iterator[bytes]:
        try:
            for chunk in response.iter_raw():
                check_stop(self._stop)
                yield chunk
        except _FOREIGN as foreign:
            error = _trouble(foreign, self.server).error
        else:
            return
        raise error

    # -- both --------------------------------------------------------------------------------

    @contextmanager
    def cleaning(self, secret: str = "") -> Iterator[None]:
        """Take the secrets out of every error that passes."""
        try:
            yield
        except AtotaError as error:
            cleaned(error, self._secrets(secret))
            raise

    def _ready(self) -> None:
        check_stop(self._stop)
        if self._http.is_closed:
            raise UsageError("the platform client is closed already", hint=AtotaError.default_hint)

    def _secrets(self, secret: str) -> tuple[str, ...]:
        return (*self._auth.secrets(), secret)


class _TroubleError(Exception):
    """A failed attempt.

    ``unsent``: the request surely never arrived. ``final``: another attempt cannot succeed.
    """

    def __init__(
        self, error: ServerError, *, unsent: bool = False, final: bool = False, delay_s: float | None = None
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.unsent = unsent
        self.final = final
        self.delay_s = delay_s


def _trouble(foreign: Exception, url: str) -> _TroubleError:
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}"
    connecting = isinstance(foreign, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError))
    timeout = isinstance(foreign, httpx.TimeoutException)
    error = translate.unreachable(foreign, where, timeout=timeout, connecting=connecting)
    if connecting:
        error = proxies.through(error, proxies.proxy_of(url))
    if isinstance(foreign, (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError)):
        return _TroubleError(error, final=True)
    return _TroubleError(error, unsent=connecting, final=connecting and not timeout)


def reach(
    server: str,
    *,
    clock: Clock,
    timeout_s: float = CONNECT_S,
    ca_file: Path | None = None,
    transport: Transport | None = None,
) -> Reached:
    """Get a server's front page, with no key and no device in the request: any answer counts.

    Raises:
        ServerUnreachable: no connection, or no answer.
        UsageError: ``server`` is not an address.
        ConfigError: the proxy or certificate settings of the environment are wrong.
    """
    url = _address(server)
    translate.mask_logs()
    with _http_client(timeout_s, transport, ca_file) as http:
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


def _address(server: str) -> ServerUrl:
    try:
        return parse_server(server)
    except ValueError as error:
        problem = str(error)
    raise UsageError(
        f"the server is not an address: {problem}",
        hint="Example: --server ota.heclouds.com, or --server http://127.0.0.1:8080",
    )


def _http_client(timeout_s: float, transport: Transport | None, ca_file: Path | None) -> httpx.Client:
    # Bytes as they are: a packed answer would escape the size bound and the resume.
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_S))
    direct: dict[str, None] = {f"all://{host}": None for host in proxies.LOOPBACK}
    verify = True if ca_file is None else _trusting(ca_file)
    try:
        return httpx.Client(
            headers=headers, timeout=timeout, transport=transport, mounts=direct, verify=verify
        )
    except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
        kind = type(error).__name__
    raise proxies.unusable(kind)


def _trusting(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # also an `SSLError`: the file holds no certificate
        problem = error.strerror or "it holds no certificate"
    raise proxies.unusable_certificates(ca_file, problem)
