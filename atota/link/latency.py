"""Linux low-latency mode: the driver hands over received bytes at once instead of collecting them."""

import array
import sys

if sys.platform == "linux":
    import fcntl
    import termios

_ASYNC_LOW_LATENCY = 0x2000  # linux/tty_flags.h
_FLAGS = 4  # index of `flags` in struct serial_struct, linux/serial.h, counted in ints


def set_low_latency(fd: int) -> bool | None:
    """Switch the mode on. Returns True if it was on before; None if the driver does not have it."""
    return _change(fd, on=True)


def restore_low_latency(fd: int, before: bool | None) -> None:
    """Restore the state that `set_low_latency` returned."""
    if before is False:
        _change(fd, on=False)


def _change(fd: int, *, on: bool) -> bool | None:
    if sys.platform != "linux":
        return None
    info = array.array("i", [0] * 32)  # serial_struct is smaller; room for other machines' alignment
    try:
        fcntl.ioctl(fd, termios.TIOCGSERIAL, info)
        before = info[_FLAGS]
        info[_FLAGS] = before | _ASYNC_LOW_LATENCY if on else before & ~_ASYNC_LOW_LATENCY
        fcntl.ioctl(fd, termios.TIOCSSERIAL, info)
    except OSError:
        return None
    return bool(before & _ASYNC_LOW_LATENCY)
