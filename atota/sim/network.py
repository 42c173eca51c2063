"""The network attachment of a simulated module: AT+CFUN, AT+CEREG, AT+CGATT, as 3GPP 27.007 has them."""

import re
from math import inf

from atota.sim.reply import PLAIN, Reply
from atota.sim.updater import Chassis

_FORM = re.compile(rb"\+(CFUN|CEREG|CGATT)(=\?|\?|=(\d)(?:,0)?)")
_VALUES = {b"CFUN": (0, 1, 4), b"CEREG": (0, 1, 2, 3, 4, 5), b"CGATT": (0, 1)}
_TEST = {b"CFUN": b"+CFUN: (0,1,4),(0,1)", b"CEREG": b"+CEREG: (0-5)", b"CGATT": b"+CGATT: (0,1)"}


class Network:
    """A radio that needs some seconds to attach, or finds no network (option ``network`` off).

    Args:
        chassis: the module.
        attach_s: seconds from AT+CFUN=1, AT+CGATT=1, or the first question after a start, to the attachment.
        refused: the error of a value that is not allowed.
    """

    def __init__(self, chassis: Chassis, *, attach_s: float = 5.0, refused: int = PLAIN) -> None:
        self._chassis = chassis
        self._attach_s = attach_s
        self._refused = refused
        self._reporting = 0
        self._functional = True
        self._attached_at: float | None = -inf if chassis.options.network else inf

    def reset(self) -> None:
        """Begin the attachment anew, as a start does."""
        self._reporting = 0
        self._functional = True
        self._attached_at = None if self._chassis.options.network else inf

    def attached(self, now: float) -> bool:
        """True if data can flow."""
        if self._attached_at is None:
            self._attach(now)
        return self._attached_at is not None and now >= self._attached_at

    def attaching(self, now: float) -> bool:
        """True if it tries and is not attached yet."""
        return not self.attached(now) and self._attached_at != inf

    def execute(self, command: bytes, now: float) -> Reply | None:
        """Carry out one of the three commands."""
        match = _FORM.fullmatch(command.upper())
        if match is None:
            return None
        word, form = match[1], match[2]
        if form == b"=?":
            return Reply((_TEST[word],))
        if form == b"?":
            return Reply((self._read(word, now),))
        value = int(match[3])
        if value not in _VALUES[word]:
            return Reply(error=self._refused)
        if word == b"CEREG":
            self._reporting = value
            return Reply()
        if word == b"CFUN":
            self._functional = value == 1
        elif not self._functional:
            return Reply(error=self._refused)
        self._switch(value == 1, now)
        return Reply(seconds=1.0)

    def _read(self, word: bytes, now: float) -> bytes:
        if word == b"CFUN":
            return b"+CFUN: %d" % self._functional
        if word == b"CGATT":
            return b"+CGATT: %d" % self.attached(now)
        return b"+CEREG: %d,%d" % (
            self._reporting,
            1 if self.attached(now) else 2 if self.attaching(now) else 0,
        )

    def _switch(self, on: bool, now: float) -> None:
        if not on:
            self._attached_at = inf
        elif not self.attached(now):
            self._attach(now)

    def _attach(self, now: float) -> None:
        if not self._chassis.options.network:
            self._attached_at = inf
            return
        self._attached_at = now + self._attach_s
        self._chassis.plan(self._attached_at, self._report)

    def _report(self, now: float) -> None:
        if self._reporting and self.attached(now):
            self._chassis.send(now, b"\r\n+CEREG: 1\r\n")
