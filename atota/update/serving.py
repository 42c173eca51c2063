"""Serves one package over plain HTTP to a module that fetches it itself, for as long as the job lasts."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from atota.errors import ServerError, UsageError

_CHUNK = 65536
_POLL_S = 0.05
Serve = Callable[[Path, str], AbstractContextManager[str]]
"""Serves a package at an address, for as long as the context lasts; yields its URL."""


@contextmanager
def serve(package: Path, address: str) -> Iterator[str]:
    """Serve ``package`` on the port that ``address`` names; yields the URL to hand to the module.

    The path holds a random word, so that nobody stumbles on the package; it looks like a download token of
    the platform's, so that transcripts hide it as one. All interfaces are listened on: the address may be
    one that a router maps to this machine.

    Raises:
        UsageError: the address is no ``http://HOST:PORT``.
        ServerError: the port cannot be had.
    """
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "http" or not parts.hostname or port is None or parts.path not in ("", "/"):
        raise UsageError(
            f"{address!r} is no http://HOST:PORT", hint="Example: --serve-url http://10.0.0.5:8000"
        )
    path = f"/ota_{secrets.token_hex(10)}/update.zip"
    try:
        server = ThreadingHTTPServer(("", port), _handler(package, path))
    except OSError as error:
        message = f"port {port} cannot be listened on: {error.strerror}"
        raise ServerError(message, hint="Name another port with --serve-url.") from error
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, args=(_POLL_S,), name="package-server", daemon=True
    )
    thread.start()
    try:
        yield f"http://{parts.hostname}:{server.server_port}{path}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(package: Path, path: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def _answer(self, *, body: bool) -> None:
            if self.path != path:
                self.send_error(404)
                return
            with package.open("rb") as file:
                self.send_response(200)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(package.stat().st_size))
                self.end_headers()
                while body and (chunk := file.read(_CHUNK)):
                    self.wfile.write(chunk)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nobody is there to read it, and the path is a secret."""

    return Handler
