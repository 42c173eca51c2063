"""A TCP proxy between a station and a line that does what networks do."""

import contextlib
import socket
import threading
from typing import Literal

Mode = Literal["pass", "swallow-answers", "black-hole", "cut-request", "slow"]


class Proxy:
    """Forwards to a port of this machine; `mode` holds for every byte from now on."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.mode: Mode = "pass"
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def cut(self) -> None:
        """Cut every connection that is there."""
        for wire in self._sockets:
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
            wire.close()
        self._sockets.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            self._sockets += [client, server]
            for pair, is_answer in (((client, server), False), ((server, client), True)):
                thread = threading.Thread(target=self._pump, args=(*pair, is_answer), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if self.mode == "black-hole" or (self.mode == "swallow-answers" and is_answer):
                    continue
                if self.mode == "cut-request" and not is_answer:
                    sink.sendall(data[: len(data) // 2])
                    break
                if self.mode == "slow":
                    threading.Event().wait(0.05)
                sink.sendall(data)
        for wire in (source, sink):
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
