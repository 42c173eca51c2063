"""The line of one transfer: its rate, its block length, and the word about both before the next block.

The rate is raised for the blocks alone. A module that reboots is at its first rate again, and its boot text
is noise at any other one: so the erase, the check and the start are at the first rate.
"""

from collections.abc import Callable

from atota.fota.base import Method
from atota.link.base import sets_rate
from atota.link.state import LineState
from atota.module.baud import Switched, raise_baud, switch
from atota.module.ladder import RateLadder
from atota.module.module import Module

_ATTEMPTS = 3
_ALIVE_S = 0.5
_BOOT_S = 2.0
"""The longest pause in a boot text that a module was heard to make (BC28: 1 s), with a margin."""
_ANY_SIZE = 200_000
"""The size of a package hardly changes the length of its blocks' lines: the digits of their numbers."""


class TransferLine:
    """The line to one module.

    Args:
        module: the module.
        requested: the user's or the board's rate for transfers (0: the present one); None: the fastest that
            the line proves.
        note: gets what happens.
        warn: gets what did not work and is not needed.

    Attributes:
        known: the state of the line in an earlier job, then in this one.
        on_change: gets the state whenever it changes, before the module gets the next block.
    """

    def __init__(
        self,
        module: Module,
        requested: int | None,
        *,
        note: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self._module = module
        self._requested = requested
        self._note = note
        self._warn = warn
        self._method: Method | None = None
        self._ladder: RateLadder | None = None
        self._first: int | None = None
        self.known: LineState | None = None
        self.on_change: Callable[[LineState], None] = lambda _state: None

    @property
    def _rate(self) -> int:
        return self._module.session.link.baud

    def raise_rate(self, method: Method) -> None:
        """Raise the rate for ``method``: to the user's, else to the fastest that the line proves.

        A second call comes after a lost slot: then rate and block length are the profile's defaults at most.
        """
        is_second, self._method, self._ladder = self._method is not None, method, None
        self._first = self._first or self._rate
        method.slow_down, method.has_rebooted = self.slow_down, self.has_rebooted
        method.on_block_changed = self.tell
        rule = self._module.session.dialect.uart.raising
        if is_second:
            method.be_careful()
        if not sets_rate(self._module.session.link.name):
            self._note("the transfer keeps its rate: the far end of this port has a rate of its own")
        elif self._requested is not None:
            self._raise_to(self._requested or self._rate)
        elif rule is not None:
            plan = method.spec.wire_plan(self._rate, _ANY_SIZE)
            self._ladder = RateLadder(
                self._module.session,
                rule,
                ceiling=rule.default if is_second else None,
                length=plan.line + plan.data if plan is not None else 0,
                bad=self.known.bad if self.known is not None else (),
            )
            self._climb(self._ladder, rule.default)
        self.tell()

    def _raise_to(self, rate: int) -> None:
        if not raise_baud(self._module.session, rate):
            self._warn(f"the module does not go to {rate} baud; the transfer takes longer")

    def _climb(self, ladder: RateLadder, usual: int) -> None:
        base = self._rate
        rate = ladder.climb()
        worse = [bad for bad in ladder.bad if bad > rate]
        if rate > base and worse:
            self._note(f"the transfer runs at {rate} baud: the line is too bad for {min(worse)}")
        elif rate < usual:
            why = f": {ladder.why_not}" if ladder.why_not else ""
            self._warn(f"the transfer stays at {rate} baud and takes longer{why}")

    def leave_raised_rate(self) -> None:
        """Go back to the first rate. A module that refuses stays where it is.

        Raises:
            NoAnswer, ModuleRebooted, LinkError: as `raise_baud`.
        """
        session = self._module.session
        rule = session.dialect.uart.raising
        if rule is not None and self._first not in (None, self._rate):
            # Of three switches one comes through wherever the blocks did.
            any(switch(session, rule, self._first) is not Switched.DEAF for _ in range(_ATTEMPTS))

    def has_rebooted(self) -> bool:
        """True if the module, silent at a raised rate, is at its first one, where the link is left then."""
        session, raised, first = self._module.session, self._rate, self._first
        if first in (None, raised) or self._is_alive():
            return False
        session.set_baud(first)
        if session.await_boot(_BOOT_S):
            return True
        if self._is_alive():
            session.boots, session.last_boot_cause = session.boots + 1, None  # its banner was noise
            return True
        session.set_baud(raised)
        return False

    def _is_alive(self) -> bool:
        return any(self._module.session.is_alive(_ALIVE_S) for _ in range(_ATTEMPTS))

    def slow_down(self) -> bool:
        """Lower the rate, as errors have become frequent; False if there is no lower one."""
        before = self._rate
        if self._ladder is None or not self._ladder.lower():
            return False
        self._note(f"errors are frequent at {before} baud: continuing at {self._rate} baud")
        self.tell()
        return True

    def tell(self) -> None:
        """Tell the rate and the block length."""
        bad = self._ladder.bad if self._ladder is not None else ()
        block = self._method.block if self._method is not None else None
        self.known = LineState(
            rate=self._rate,
            block=block,
            bad=tuple(dict.fromkeys(bad)),
            block_s=self._method.counters.block_s if self._method is not None else None,
        )
        self.on_change(self.known)
