"""The local OTA platform on a real port: for a factory line, for the demo, and for tests.

with RunningServer(platform) as server:
print(server.url)
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from atota.clock import StopToken
from atota.errors import ServerError, UsageError
from atota.otaserver.app import ConnectionCounter, OtaApp
from atota.otaserver.exchange import Log
from atota.otaserver.service import Platform

OnReady = Callable[[str, int], None]
_KEEP_ALIVE_S = 75  # what web servers of this kind commonly allow between two requests
_GRACE_S = 0.5  # for replies in flight when the server is told to stop; then their connections are cut


def serve(
    platform: Platform,
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
        UsageError: there is no such port.
    """
    listener = _listen(host, port)
    try:
        stop = stop or StopToken()
        closing = StopToken()
        config = uvicorn.Config(
            OtaApp(platform, log=log, stop=closing),
            http=_Protocol,
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
        if on_ready is not None:
            on_ready(*listener.getsockname()[:2])
        _Server(config, stop, closing).run(sockets=[listener])
    finally:
        listener.close()


class RunningServer:
    """A platform served by a thread of its own, for as long as the ``with`` block lasts.

    Attributes:
        host, port: where it listens.
        url: ``http://host:port``, what a client is given as its server.
        lines: the log so far, one line a request.
    """

    def __init__(
        self, platform: Platform, host: str = "127.0.0.1", port: int = 0, *, log: Log | None = None
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
        raise UsageError(f"there is no port {port}", hint="Ports are 1-65535, and 0 takes any that is free.")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ServerError(
            f"can't listen on {host} port {port}: {error.strerror or error}",
            hint="Another program may have the port; choose another one, or 0 for any that is free.",
        ) from error


class _Server(uvicorn.Server):
    """uvicorn, told to stop by a token and telling slow replies so."""

    def __init__(self, config: uvicorn.Config, stop: StopToken, closing: StopToken) -> None:
        super().__init__(config)
        self._stop = stop
        self._closing = closing

    async def on_tick(self, counter: int) -> bool:
        if self._stop.is_set or self.should_exit:
            self.should_exit = True
            self._closing.set()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        cut = asyncio.get_running_loop().call_later(_GRACE_S, self._cut_all)
        try:
            await super().shutdown(sockets)
        finally:
            cut.cancel()

    def _cut_all(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, _Protocol):
                connection.transport.abort()


class _Protocol(H11Protocol):
    """uvicorn's HTTP, which also counts a connection's requests and forgives a line end between two of them.

    Clients on modules send a CRLF after the body; RFC 9112 section 2.2 has a server ignore it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app_state = {**self.app_state, "connection": ConnectionCounter()}

    def data_received(self, data: bytes) -> None:
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            data = data.lstrip(b"\r\n")
        if data:
            super().data_received(data)

    def on_response_complete(self) -> None:
        between = self.conn.our_state is h11.DONE and self.conn.their_state is h11.DONE
        rest, closed = self.conn.trailing_data
        if not (between and rest[:1] in (b"\r", b"\n") and not closed):
            super().on_response_complete()
            return
        self.conn = h11.Connection(h11.SERVER)
        if rest.strip(b"\r\n"):
            self.conn.receive_data(rest.lstrip(b"\r\n"))
        super().on_response_complete()
        self.handle_events()
