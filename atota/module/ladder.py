"""The rate of a transfer: the fastest that this very line proves, and a lower one once errors are frequent.

*States.* The module is at its *base* rate, where the conversation began, or at a *rung*, a rate of the
profile. Rungs are tried from the fastest down::

    base -> rung: switch, then proofs -- all good -----------------------> the transfer
               |                     +- one bad --> switch to the next rung, or to the base
               +- refused by the module, deaf, not possible for the adapter --> the next rung

*A proof* is a query whose command line is as long as a block, by spaces that V.250 (5.2.1) has the module
ignore, and whose response is known from the base rate. So both directions carry a block's length, and the
slot is not touched::

    -> AT                    +CGMR      1041 characters, at 921600 baud
    <- SECURITY_A,V150… OK              the same as at 9600 baud

A module that does not ignore spaces gets no proof, and no rate above the profile's default.

*A bad rung* still lets short commands through. So the switch away from it is sent more than once; the module
itself returns from a rate at which it hears nothing.
"""

import math
from collections.abc import Sequence

from atota.at.syntax import Command
from atota.dialects.model import RaiseBaud
from atota.errors import LinkError, LinkLost, ModuleError, ModuleRebooted, NoAnswer
from atota.module.baud import Switched, find_baud, switch
from atota.module.session import Session

_PROOFS = 4
"""Exchanges that prove a rate: at one damaged block in four, two of three such rates are found out."""
_FORM = 8
"""Spaces in the query that shows if the module ignores them."""
_PROOF_S = 1.0
"""Limit for the response to a proof: a query that a module answers at once."""
_WAYS_DOWN = 12
"""Switches that are sent at a bad rate: at one damaged byte in twenty one of six comes through."""
_CALM_S = 0.2
"""The response to a damaged command may still be on its way."""


class RateLadder:
    """The rates of one transfer.

    Args:
        session: the conversation, at the base rate.
        rule: how the module's rate is changed.
        ceiling: the highest rate to try, bit/s; None: the profile's fastest.
        length: characters in the command line of a block.
        bad: rates that an earlier job found this line too bad for.

    Attributes:
        bad: rates at which something was lost or damaged, those of earlier jobs included.
        why_not: the reason why the last rate was not possible at all, in words.
    """

    def __init__(
        self,
        session: Session,
        rule: RaiseBaud,
        *,
        ceiling: int | None,
        length: int,
        bad: Sequence[int] = (),
    ) -> None:
        self._session = session
        self._rule = rule
        self._base = session.link.baud
        self._length = min(length, session.dialect.uart.command_line_limit - 1)
        below = min([*bad, *([ceiling + 1] if ceiling is not None else [])], default=math.inf)
        self._rungs = sorted((rate for rate in rule.bauds if self._base < rate < below), reverse=True)
        self._query: Command | None = None
        self._expected: tuple[str, ...] = ()
        self._is_writing = False
        self.bad = list(bad)
        self.why_not = ""

    def climb(self) -> int:
        """Bring both ends to the fastest rate that the line proves, and return it; else stay at the base.

        Raises:
            NoAnswer: the module was lost on the way.
            ModuleRebooted: it rebooted.
            LinkLost: the port went away.
        """
        if self._rungs:
            self._ask_reference()
        return self._settle_on(self._rungs)

    def lower(self) -> bool:
        """Go down from a rate at which errors became frequent. Return False if there is no lower one.

        Raises:
            NoAnswer, ModuleRebooted, LinkLost: as `climb`.
        """
        rate = self._session.link.baud
        # An earlier run may have left the module at a high rate, which is the base then.
        lower = sorted((rung for rung in self._rule.bauds if rung < rate), reverse=True)
        if not lower and rate <= self._base:
            return False
        self.bad.append(rate)
        self._is_writing = True
        self._settle_on(lower)
        return self._session.link.baud < rate

    def _ask_reference(self) -> None:
        """Ask the query at the base rate, with a few spaces, for the response that a proof must bring."""
        proof = self._rule.proof
        if proof is None:
            return self._keep_to_default()
        try:
            plain = self._session.command(proof)
            spaced = self._session.command(_padded(proof, len(proof) + _FORM))
        except NoAnswer:
            return self._keep_to_default()
        if not (plain.ok and spaced.ok and plain.lines == spaced.lines):
            return self._keep_to_default()
        self._query, self._expected = _padded(proof, self._length), plain.lines
        return None

    def _keep_to_default(self) -> None:
        self._rungs = [rung for rung in self._rungs if rung <= self._rule.default]

    def _settle_on(self, rungs: Sequence[int]) -> int:
        """Try ``rungs`` in order, then the base; return the rate at which both ends are."""
        for rung in rungs:
            if self._reached(rung):
                if self._is_proven():
                    return rung
                self.bad.append(rung)
        if self._session.link.baud != self._base and not self._reached(self._base):
            raise NoAnswer(
                f"the module does not leave {self._session.link.baud} baud, for which this line is too bad",
                hint="Reset the module and run the command again with --transfer-baud 0.",
            )
        return self._base

    def _reached(self, rate: int) -> bool:
        """True if both ends are at ``rate`` now; else they are where they were."""
        if not self._adapter_takes(rate):
            return False
        is_bad = self._is_writing or self._session.link.baud != self._base
        switched = Switched.REFUSED
        for _ in range(_WAYS_DOWN if is_bad else 1):
            try:
                switched = switch(self._session, self._rule, rate)
            except (LinkLost, ModuleRebooted):
                raise
            except ModuleError:
                if not is_bad:
                    raise
                find_baud(self._session, first=rate)
                if self._is_writing and self._session.link.baud == self._base != rate:
                    raise  # it went back by itself: it may have rebooted
                if self._session.link.baud in (rate, self._base):
                    return self._session.link.baud == rate
            if switched is Switched.DONE:
                return True
            if is_bad:
                self._calm()
        if switched is Switched.DEAF and rate != self._base:
            self.bad.append(rate)
        return False

    def _adapter_takes(self, rate: int) -> bool:
        """True if the adapter runs at ``rate``. It is asked before the module, which would go there alone."""
        now = self._session.link.baud
        try:
            self._session.settle()
            self._session.link.set_baud(rate)
            self._session.link.set_baud(now)
        except LinkLost:
            raise
        except LinkError as error:
            self.why_not = error.message
            self.bad.append(rate)
            return False
        except ModuleError:
            pass  # at a bad rate even this may be lost: the switch is tried all the same
        return True

    def _is_proven(self) -> bool:
        """True if exchanges as long as a block come through whole at this rate."""
        if self._query is None:
            return True  # by the profile's default, as far as the module answered there
        noise = self._session.garbage_bytes
        try:
            for _ in range(_PROOFS):
                response = self._session.command(self._query, timeout_s=_PROOF_S)
                if not response.ok or response.lines != self._expected:
                    self._calm()
                    return False
        except ModuleRebooted:
            raise
        except ModuleError:
            self._calm()
            return False
        return self._session.garbage_bytes == noise

    def _calm(self) -> None:
        """Wait until nothing more comes, and begin the conversation anew."""
        self._session.listen(_CALM_S)
        self._session.reset_state()


def _padded(query: str, length: int) -> Command:
    """Return a query with spaces behind its ``AT``, so that its line has ``length`` characters."""
    plain = Command.of(query)
    text = f"{query[:2]}{' ' * max(0, length - len(query))}{query[2:]}"
    return Command(text=text, prefixes=plain.prefixes, free_text=plain.free_text)
