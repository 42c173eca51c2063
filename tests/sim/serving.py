"""A simulated device served in a thread, for as long as a test needs it."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator

from atota.clock import Clock, ScaledClock, StopToken
from atota.sim.device import Device
from atota.sim.serve import serve_pty, serve_tcp

Serve = Callable[[Callable[[str], None], StopToken], None]


@contextlib.contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """Serve until the end of the block; the value is the port."""
    ready: queue.Queue[str] = queue.Queue()
    stop = StopToken()
    thread = threading.Thread(target=serve, args=(ready.put, stop))
    thread.start()
    try:
        yield ready.get(timeout=10)
    finally:
        stop.set()
        thread.join(timeout=10)
    assert not thread.is_alive()


def on_pty(device: Device, clock: Clock | None = None) -> contextlib.AbstractContextManager[str]:
    """Serve a device on a pseudo-terminal."""
    return serving(lambda ready, stop: serve_pty(device, clock or ScaledClock(20), ready, stop))


def on_tcp(
    device: Device, clock: Clock | None = None, *, rfc2217: bool = False
) -> contextlib.AbstractContextManager[str]:
    """Serve a device on a TCP port."""
    time = clock or ScaledClock(20)
    return serving(
        lambda ready, stop: serve_tcp(
            device, "127.0.0.1", 0, clock=time, on_ready=ready, stop=stop, rfc2217=rfc2217
        )
    )
