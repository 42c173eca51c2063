"""The line server under uvicorn, in a thread of its own."""

import asyncio
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httptools  # noqa: F401 - uvicorn imports it only when it serves
import uvicorn
from starlette.types import ASGIApp

from atota.errors import ConfigError, ServerError, UsageError

_GRACE_S = 2.0
_KEEP_ALIVE_S = 75
_BACKLOG = 512  # a hundred stations that come back in the same second


@dataclass(frozen=True)
class Tls:
    """A certificate and its key, PEM."""

    certificate: Path
    key: Path


def listen_on(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes any free one.

    Raises:
        UsageError: the port's number is out of range.
        ServerError: the port cannot be had.
    """
    if not 0 <= port <= 65535:
        raise UsageError(
            f"port {port} is out of range", hint="Ports are 1-65535, and 0 takes any that is free."
        )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ServerError(
            f"can't listen on {host} port {port}: {error.strerror or error}",
            hint="Another program may have the port; choose another one, or 0 for any that is free.",
        ) from error


def url_of(listener: socket.socket, *, tls: bool) -> str:
    """Return the address under which a listening socket is reached."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"


class RunningLine:
    """An app served by a thread of its own, for as long as the ``with`` block lasts.

    Args:
        app: the app.
        listener: a listening socket, closed at the end.
        tls: its certificate; None: plain HTTP, for this machine or behind a proxy.

    Raises:
        ConfigError: certificate or key cannot be used.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket, *, tls: Tls | None = None) -> None:
        self.url = url_of(listener, tls=tls is not None)
        self._listener = listener
        self._server = uvicorn.Server(_config(app, tls))
        self._thread = threading.Thread(target=self._run, name="line-server", daemon=True)

    @property
    def is_alive(self) -> bool:
        """True while it serves."""
        return self._thread.is_alive()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(_GRACE_S)
        self._server.force_exit = True
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listener]))


def _config(app: ASGIApp, tls: Tls | None) -> uvicorn.Config:
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
        timeout_keep_alive=_KEEP_ALIVE_S,
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else tls.key,
    )
    try:
        config.load()
    except OSError as error:
        raise ConfigError(
            f"the certificate cannot be used: {error.strerror or error}",
            hint="Give --tls-certificate and --tls-key as files in PEM that this user may read.",
        ) from error
    return config
