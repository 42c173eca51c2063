"""A listening socket of a server of ours, and the address under which it is reached."""

import socket

from atota.errors import ServerError, UsageError

_BACKLOG = 512  # a hundred stations that come back in the same second


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
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        # Accepted sockets inherit it. Else the body of a reply waits for the client's delayed
        # acknowledgement of the head, 40 ms: asyncio sets it only where the socket names its protocol.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        problem = str(error.strerror or error).partition(" (while ")[0]  # create_server repeats the address
        raise ServerError(
            f"can't listen on {host}:{port}, the port cannot be had: {problem}",
            hint="Another program may have the port; choose another one, or 0 for any that is free.",
        ) from error
    return listener


def url_of(host: str, port: int, *, tls: bool = False) -> str:
    """Return the address under which a client on this machine reaches a server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"
