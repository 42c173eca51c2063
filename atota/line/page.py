"""The managers' page."""

import socket
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from starlette.routing import Route

from atota.clock import Clock
from atota.line.store import Store


class Page:
    """The page of one line."""

    def __init__(
        self, store: Store, *, clock: Clock, listener: socket.socket, names: Collection[str], is_tls: bool
    ) -> None:
        self._store, self._clock = store, clock
        self._listener, self._names, self._is_tls = listener, names, is_tls

    def routes(self, _pool: ThreadPoolExecutor) -> list[Route]:
        """Return its routes."""
        return []
