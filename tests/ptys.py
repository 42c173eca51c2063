"""A serial port that is none: the test has the other end."""

import os
import tty


class Pty:
    """A pseudo-terminal in raw mode; ``device`` is what programs open."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.device = os.ttyname(self.slave)

    def close(self) -> None:
        """Close both ends."""
        os.close(self.slave)
        os.close(self.master)
