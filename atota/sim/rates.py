"""A module's baud rate: the commands AT+NATSPEED and AT+IPR, and the rate that they leave it at."""

import re
from collections.abc import Callable

from atota.sim.persona import Ipr, Natspeed, Persona
from atota.sim.reply import Reply, Speed
from atota.sim.timeline import Timeline

BITS = 10  # bit times of a byte: 8N1
_FALL_BACK_S = 3  # u-blox UBX-16014887 R21, AT+NATSPEED: the default, and the meaning of 0


def natspeed(rules: Natspeed, value: bytes) -> Reply:
    """The set form of AT+NATSPEED."""
    parts = value.split(b",")
    if len(parts) > rules.most or not all(re.fullmatch(rb"\d{1,7}", part) for part in parts):
        return Reply(error=50)
    numbers = [int(part) for part in parts]
    baud, timeout, store = (*numbers, 0, 0)[:3] if len(numbers) > 1 else (numbers[0], 0, 0)
    limits = (max(rules.bauds), 30, 1, 3, 2, 2, 1)  # the test form of Hi2115 B500
    if baud not in rules.bauds or any(n > top for n, top in zip(numbers, limits, strict=False)):
        return Reply(error=50)
    quiet = rules.deep_sleep_from is not None and baud >= rules.deep_sleep_from
    lines = (b"+NATSPEED:DISABLE_DEEP_SLEEP",) if quiet else ()
    return Reply(lines, speed=Speed(baud, float(timeout or _FALL_BACK_S), store == 1))


def ipr(rules: Ipr, value: bytes, error: int) -> Reply:
    """The set form of AT+IPR; ``error`` for a rate that it does not know."""
    if not re.fullmatch(rb"\d{1,7}", value) or int(value) not in rules.bauds:
        return Reply(error=error)
    return Reply(speed=Speed(int(value), 0.0, rules.stored, rules.at_once))


class UartRate:
    """The rate of a module's UART: now, after the next start, and by autobaud.

    Args:
        persona: the kind of module.
        fixed: the rate that it was fixed to; None: the persona's, or the rate of the first AT.
        timeline: the module's.
        tell: called with changes of the true state.

    Attributes:
        baud: the rate now; ``stored`` the rate after the next start.
        auto: True if it takes its rate from the first AT after a start.
        fall_back: the rate to return to unless something comes at the new one; None: the rate stays.
    """

    def __init__(
        self, persona: Persona, fixed: int | None, timeline: Timeline, tell: Callable[[str], None]
    ) -> None:
        self._persona = persona
        self._timeline = timeline
        self._tell = tell
        self.stored = self.baud = fixed or persona.baud
        self.auto = persona.autobaud is not None and fixed is None
        self.fall_back: int | None = None
        self._auto_stored = self.auto
        self._is_synced = False

    def demodulate(self, data: bytes, baud: int, *, booting: bool) -> bytes | None:
        """Return the bytes that the UART reads of bytes sent at ``baud``; None: noise of another rate."""
        rules = self._persona.autobaud
        if rules is None or not self.auto or self._is_synced:
            return data if baud == self.baud else None
        start = min((index for index in (data.find(b"AT"), data.find(b"at")) if index >= 0), default=-1)
        if start < 0 or baud not in rules.bauds or booting:
            return None
        self._is_synced, self.baud = True, baud
        return data[start + rules.lost :]

    def change(self, speed: Speed, now: float, *, pace: float = 1.0) -> None:
        """Carry out an accepted change of rate. ``pace``: as that of a `Device`."""
        if speed.store:
            self.stored = speed.baud or self._persona.baud
            self.auto = self._auto_stored = not speed.baud
        if not speed.at_once:
            return
        if not speed.baud:
            self._is_synced = False
            return
        old, self.baud = self.baud, speed.baud
        if self._persona.ipr:
            self.auto = False
        if old != speed.baud and speed.timeout_s:
            self.fall_back = old
            self._timeline.at(now + speed.timeout_s * pace, lambda _then: self._return_to(old, speed.baud))

    def _return_to(self, old: int, new: int) -> None:
        """Give the new rate up: nothing came at it in time."""
        if self.fall_back == old and self.baud == new:
            self.baud, self.fall_back = old, None
            self._tell(f"back at {old} baud")

    def restart(self) -> None:
        """Begin a start: at the stored rate, or at that of the boot text."""
        self.fall_back = None
        self._is_synced = False
        self._begin()

    def factory(self) -> None:
        """Store the persona's rate, as an update that clears the NVM does."""
        self.stored, self._auto_stored = self._persona.baud, self._persona.autobaud is not None

    def applied(self, baud: int | None) -> None:
        """Begin the start of a new firmware; ``baud``: the rate that it stores."""
        if baud is not None:
            self.stored, self._auto_stored = baud, False
        self._begin()

    def _begin(self) -> None:
        self.auto = self._auto_stored
        self.baud = self._persona.boot.first_baud or self.stored

    def to_stored(self, _now: float) -> None:
        """Leave the rate of the boot text."""
        self.baud = self.stored
