"""The local OTA platform on a real port: for a factory line, for the demo, and for tests.

>>> from atota.otaserver.model import Auth, TasksFile, build
>>> from atota.otaserver.service import LocalPlatform
>>> platform = LocalPlatform(build(TasksFile(auth=Auth(required=False)), {}))
>>> with RunningServer(platform) as server:
...     server.url.rpartition(":")[0]
'http://127.0.0.1'
"""

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from atota.clock import StopToken
from atota.errors import extra_missing
from atota.listener import listen_on, url_of
from atota.otaserver.routes import Log
from atota.otaserver.service import LocalPlatform

OnReady = Callable[[str, int], None]


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
        platform: the platform that answers.
        host: the address to listen on.
        port: 0 takes any free one.
        on_ready: gets the bound host and port once connections are taken.
        stop: ends the server.
        log: gets one line a request, without token, key or signature.

    Raises:
        ServerError: the port can't be had.
        UsageError: the port's number is out of range, or the extra `server` is not installed.
    """
    try:
        from atota.otaserver.web import serve_until
    except ModuleNotFoundError as error:
        raise extra_missing(error, "server", "the local OTA platform") from error
    listener = listen_on(host, port)
    try:
        if on_ready is not None:
            on_ready(*listener.getsockname()[:2])
        asyncio.run(serve_until(listener, platform, stop or StopToken(), log))
    finally:
        listener.close()


class RunningServer:
    """A platform served by a thread of its own, for as long as the ``with`` block lasts.

    Attributes:
        host, port: where it listens.
        url: ``http://host:port``, the server address for a client.
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
        return url_of(self.host, self.port)

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
