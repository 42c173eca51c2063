"""A pseudo-terminal in place of a serial port: the test has the other end."""

import os


class Pty:
    """A pseudo-terminal in raw mode; ``device`` is what programs open."""

    def __init__(self) -> None:
        import tty  # not on every system

        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.device = os.ttyname(self.slave)

    def close(self) -> None:
        """Close both ends."""
        os.close(self.slave)
        os.close(self.master)
