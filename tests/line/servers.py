"""A line server for the tests: in this process, and stations that speak with it."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from atota.clock import SystemClock
from atota.journal.store import Journal
from atota.line.app import line_app
from atota.line.client import LineClient, LineKey
from atota.line.outbox import Outbox
from atota.line.page import Page
from atota.line.service import GrantMemory, LineService
from atota.line.store import Store, StoreBusy
from atota.line.tables import stations
from atota.listener import listen_on
from atota.web import RunningApp
from tests.line.postgres import free_port

ROOT = Path(__file__).resolve().parents[2]
_TABLE = "SELECT r.journal, r.seq, r.document::text FROM line.record r ORDER BY r.journal, r.seq"


class Line:
    """A line on a free port, its store, and the rows that it has."""

    def __init__(self, store: Store, state: Path) -> None:
        self.store = store
        self.service = LineService(store, clock=SystemClock(), memory=GrantMemory(state))
        self._listener = listen_on("127.0.0.1", 0)
        self.page = Page(
            store,
            living=self.service.living,
            clock=SystemClock(),
            listener=self._listener,
            names=(),
            is_tls=False,
        )
        self._running = RunningApp(line_app(self.service, self.page), self._listener)
        self.url = self._running.url
        self._clients: list[LineClient] = []

    def __enter__(self) -> Self:
        self._running.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()
        self._running.__exit__(kind, error, trace)

    def key(self, station: str = "st-1") -> str:
        """Add a station."""
        with self.store.transaction() as session:
            return stations.add(session, station)

    def client(self, key: str, url: str | None = None) -> LineClient:
        made = LineClient(url or self.url, LineKey(key), clock=SystemClock())
        self._clients.append(made)
        return made

    def outbox(self, journal: Journal, key: str, url: str | None = None, **more: Any) -> Outbox:
        return Outbox(self.client(key, url), journal, clock=SystemClock(), **more)

    @property
    def rows(self) -> list[tuple[str, int, Any]]:
        """The stored records: journal, number, document; connections that a kill has cut are tried off."""
        for _ in range(20):
            try:
                return stored(self.store)
            except StoreBusy:
                time.sleep(0.2)
        return stored(self.store)

    def call(
        self, method: str, path: str, body: object = None, *, key: str | None = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Make one call with nothing of ours in between; return status and JSON."""
        return call(self.url, method, path, body, key=key, **headers)


class LineProcess:
    """`atota line serve` on one port, again and again."""

    def __init__(self, url: str, home: Path) -> None:
        self.port = free_port()
        self._home = home
        self._url = url
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "atota", "line", "serve", "--json"),
                *("--database", self._url, "--listen", f"127.0.0.1:{self.port}"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(ROOT), "HOME": str(self._home), "PATH": "/usr/bin:/bin"},
        )
        assert self._process.stdout is not None
        assert "listening" in self._process.stdout.readline()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def stored(store: Store) -> list[tuple[str, int, Any]]:
    with store.transaction(limit_ms=60_000) as session:
        return [(journal, seq, json.loads(document)) for journal, seq, document in session.rows(_TABLE)]


def call(
    url: str, method: str, path: str, body: object = None, *, key: str | None = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, method=method)
    request.add_header("Content-Type", "application/json")
    if key is not None:
        request.add_header("Authorization", f"Bearer {key}")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, json.loads(response.read() or b"{}")
    except urllib.error.HTTPError as error:
        text = error.read()
        error.close()
        return error.code, json.loads(text or b"{}")


def sent(outbox: Outbox, steps: int = 10_000) -> int:
    """Step an outbox until nothing waits; return the steps."""
    for number in range(1, steps):
        pause = outbox.step()
        status = outbox.status
        if status.is_online and not status.waiting and pause > 0:
            return number
    raise AssertionError(f"{outbox.status} after {steps} steps")
