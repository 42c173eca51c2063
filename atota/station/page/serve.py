"""The page under uvicorn, in a thread of its own beside the lanes."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from atota.clock import StopToken, SystemClock
from atota.errors import ConfigError
from atota.listener import listen_on, url_of
from atota.station.config import host_and_port
from atota.station.hub import Hub
from atota.station.page.app import PageApp
from atota.station.page.security import Gate, is_loopback
from atota.web import RunningApp

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
    listener = listen_on(host, port)
    bound = int(listener.getsockname()[1])
    stop = StopToken()
    with RunningApp(PageApp(hub, Gate(host, bound, token), stop, SystemClock().monotonic), listener):
        try:
            yield f"{url_of(host, bound)}/"
        finally:
            stop.set()  # ends the streams, which would hold the server


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
