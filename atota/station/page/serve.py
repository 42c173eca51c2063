"""The page under uvicorn, in a thread of its own beside the lanes."""

import asyncio
import contextlib
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from atota.clock import StopToken, SystemClock
from atota.errors import ConfigError, ServerError
from atota.station.config import host_and_port
from atota.station.hub import Hub
from atota.station.page.app import PageApp
from atota.station.page.security import Gate, is_loopback

_TICK_S = 0.05
_GRACE_S = 1.0
_SHORTEST_TOKEN = 16


@contextlib.contextmanager
def serving(hub: Hub, listen: str, token_file: Path | None = None) -> Iterator[str]:
    """Serve the page for as long as the block lasts; yield its URL.

    Args:
        hub: the picture of the station.
        listen: HOST:PORT; port 0 takes any free one.
        token_file: holds the token that everybody needs; it must be there beyond the loopback interface.

    Raises:
        ConfigError: the token is missing, too short, or its file is readable by others.
        ServerError: another program has the port.
    """
    host, port = host_and_port(listen)
    token = None if token_file is None else read_token(token_file)
    if token is None and not is_loopback(host):
        raise ConfigError(
            f"page: {listen} is reached from other machines, and there is no token",
            hint="Give --token-file FILE with a secret of the station, or listen on 127.0.0.1.",
        )
    listener = _listener(host, port)
    bound = int(listener.getsockname()[1])
    stop = StopToken()
    app = PageApp(hub, Gate(host, bound, token), stop, SystemClock().monotonic)
    thread = threading.Thread(target=_run, args=(app, listener, stop), name="atota-page", daemon=True)
    thread.start()
    try:
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
        yield f"http://{f'[{shown}]' if ':' in shown else shown}:{bound}/"
    finally:
        stop.set()
        thread.join(_GRACE_S * 3)
        listener.close()


def read_token(path: Path) -> str:
    """Return the token in a file that only its owner can read.

    Raises:
        ConfigError: the file is missing, others can read it, or its token is too short.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise ConfigError(f"{path}: {reason}", hint="Write the station's token into it.") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{path}: other users can read it", hint=f"Run: chmod 600 {path}")
    if len(text) < _SHORTEST_TOKEN:
        raise ConfigError(
            f"{path}: the token has {len(text)} characters",
            hint=f"Take at least {_SHORTEST_TOKEN} random characters.",
        )
    return text


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ServerError(
            f"page: {host}:{port}: {error.strerror}",
            hint="Another program has this port; end it, or give another one with --listen HOST:PORT.",
        ) from None
    return listener


def _run(app: PageApp, listener: socket.socket, stop: StopToken) -> None:
    asyncio.run(_serve(app, listener, stop))


async def _serve(app: PageApp, listener: socket.socket, stop: StopToken) -> None:
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        loop="asyncio",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    serving_task = asyncio.create_task(server.serve(sockets=[listener]))
    while not (stop.is_set or serving_task.done()):
        await asyncio.wait({serving_task}, timeout=_TICK_S)
    server.should_exit = True
    await asyncio.wait({serving_task}, timeout=_GRACE_S)
