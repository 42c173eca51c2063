"""Control lines that keep their levels when a port is closed."""

import contextlib
import sys


def hold_lines(descriptor: int) -> None:
    """Let DTR and RTS of a tty keep their levels at the last close; on Windows they always fall.

    Linux drops both, unless HUPCL is off (termios(3)). It stays off until it is set again.
    """
    if sys.platform == "win32":
        return
    import termios  # not on every system

    with contextlib.suppress(OSError, termios.error):
        attributes = termios.tcgetattr(descriptor)
        attributes[2] &= ~termios.HUPCL
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
