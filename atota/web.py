"""A web app under uvicorn, in a thread of its own."""

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

from atota.errors import ConfigError
from atota.listener import url_of

_GRACE_S = 2.0
_KEEP_ALIVE_S = 75  # common among web servers: the pause allowed between two requests


@dataclass(frozen=True)
class Tls:
    """A certificate and its key, PEM."""

    certificate: Path
    key: Path


class RunningApp:
    """An app served by a thread of its own, for as long as the ``with`` block lasts.

    Args:
        app: the app.
        listener: a listening socket, closed at the end.
        tls: its certificate; None: plain HTTP, for this machine or behind a proxy.

    Raises:
        ConfigError: certificate or key cannot be used.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket, *, tls: Tls | None = None) -> None:
        self.url = url_of(*listener.getsockname()[:2], tls=tls is not None)
        self._listener = listener
        self._server = uvicorn.Server(configured(app, tls=tls))
        self._thread = threading.Thread(target=self._run, name="web-server", daemon=True)

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


def configured(app: ASGIApp, *, tls: Tls | None = None, has_date: bool = True) -> uvicorn.Config:
    """Return the configuration of all servers of ours, loaded; ``has_date``: replies have a Date header.

    Raises:
        ConfigError: certificate or key cannot be used.
    """
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
        date_header=has_date,
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
