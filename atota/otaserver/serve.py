"""The local OTA platform on a real port: for a factory line, for the demo, and for tests.

    >>> from atota.otaserver.model import Auth, TasksFile, build
    >>> from atota.otaserver.service import LocalPlatform
    >>> platform = LocalPlatform(build(TasksFile(auth=Auth(required=False)), {}))
    >>> with RunningServer(platform) as server:
    ...     server.url.rpartition(":")[0]
    'http://127.0.0.1'

uvicorn speaks HTTP, with the parser httptools: clients on modules send a CRLF behind the body, and a server
ignores it before a request line (RFC 9112 section 2.2), which that parser does. `_connection_class` wraps a
connection in two things that uvicorn has no option for: a count of its requests, and a way to cut it.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from atota.clock import StopToken
from atota.errors import ServerError, UsageError, extra_missing
from atota.otaserver.routes import Log
from atota.otaserver.service import LocalPlatform

try:
    import httptools  # noqa: F401 - uvicorn imports it only when it serves
    import uvicorn

    from atota.otaserver.app import ConnectionCounter, OtaApp
except ModuleNotFoundError as error:
    raise extra_missing(error, "server", "the local OTA platform") from error

OnReady = Callable[[str, int], None]
_KEEP_ALIVE_S = 75  # what web servers of this kind commonly allow between two requests
_GRACE_S = 0.5  # for replies in flight when the server is told to stop; then their connections are cut
_TICK_S = 0.05  # the stop token is looked at this often


def serve(
    platform: LocalPlatform,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    on_ready: OnReady | None = None,
    stop: StopToken | None = None,
    log: Log | None = None,
) -> None:
    """Serve ``platform`` until ``stop`` is set or, in the main thread, a signal comes.

    Args:
        platform: what answers.
        host: the address to listen on.
        port: 0 takes any free one.
        on_ready: gets the bound host and port once connections are taken.
        stop: ends the server.
        log: gets one line a request, without token, key or signature.

    Raises:
        ServerError: the port can't be had.
        UsageError: the port's number is out of range.
    """
    listener = _listen(host, port)
    try:
        if on_ready is not None:
            on_ready(*listener.getsockname()[:2])
        asyncio.run(_serve_until(listener, platform, stop or StopToken(), log))
    finally:
        listener.close()


async def _serve_until(
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


class RunningServer:
    """A platform served by a thread of its own, for as long as the ``with`` block lasts.

    Attributes:
        host, port: where it listens.
        url: ``http://host:port``, what a client is given as its server.
        lines: the log so far, one line a request.
    """

    def __init__(
        self, platform: LocalPlatform, host: str = "127.0.0.1", port: int = 0, *, log: Log | None = None
    ) -> None:
        self.platform = platform
        self.host = host
        self.port = port
        self.lines: list[str] = []
        self._log = log
        self._stop = StopToken()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="ota-platform", daemon=True)

    @property
    def url(self) -> str:
        """The address to give to a client."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def _run(self) -> None:
        try:
            serve(
                self.platform,
                self.host,
                self.port,
                on_ready=self._on_ready,
                stop=self._stop,
                log=self._on_line,
            )
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for this one
            self._failure = error
        finally:
            self._ready.set()

    def _on_ready(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._ready.set()

    def _on_line(self, line: str) -> None:
        self.lines.append(line)
        if self._log is not None:
            self._log(line)


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise UsageError(
            f"port {port} is out of range", hint="Ports are 1-65535, and 0 takes any that is free."
        )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ServerError(
            f"can't listen on {host} port {port}: {error.strerror or error}",
            hint="Another program may have the port; choose another one, or 0 for any that is free.",
        ) from error
