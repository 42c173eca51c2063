"""A small HTTP server for one package, for a module that fetches it itself."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from atota.errors import ServerError
from atota.settings.kinds import parse_serve_url

Serve = Callable[[Path, str], AbstractContextManager[str]]
"""Serves a package at an address of this machine and yields its URL; `serve` does it over HTTP."""

_CHUNK = 65536
_POLL_S = 0.05


@contextmanager
def serve(package: Path, address: str) -> Iterator[str]:
    """Serve ``package`` on the port that ``address`` names; yields the URL for the module.

    The path holds a random word, so that it cannot be guessed; it looks like a download token of
    the platform's, so that transcripts mask it as one. The server listens on all interfaces, because a router
    may map the address to this machine.

    Raises:
        ValueError: the address is not an ``http://HOST:PORT``.
        ServerError: the port cannot be opened.
    """
    host, port = parse_serve_url(address)
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
        yield f"http://{host}:{server.server_port}{path}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(package: Path, path: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(has_body=True)

        def do_HEAD(self) -> None:
            self._answer(has_body=False)

        def _answer(self, *, has_body: bool) -> None:
            if self.path != path:
                self.send_error(404)
                return
            with package.open("rb") as file:
                self.send_response(200)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(package.stat().st_size))
                self.end_headers()
                while has_body and (chunk := file.read(_CHUNK)):
                    self.wfile.write(chunk)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Log nothing: the path is a secret."""

    return Handler
