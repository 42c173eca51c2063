"""The restart of a chip into the application that was written: only its own version is a verdict.

The end, by what the application tells::

    the goal's version       -> updated
    its version of before    -> old version: the old slot boots, or the flasher did nothing
    another version          -> unknown
    nothing in time          -> written, but not confirmed
"""

from collections.abc import Callable

from atota.clock import Deadline
from atota.errors import OldVersion, RebootTimeout, SameName, SlotLost
from atota.sota.application import Application
from atota.sota.flasher import Flasher
from atota.sota.wire import Wire
from atota.values import Change, Versions

_WITHIN_S = 60.0
"""Time for an application that is asked by the flasher's own protocol: MCUboot may swap two slots first."""
_AGAIN_S = 1.0


class ChipRestart:
    """The restart of one chip.

    Args:
        wire: its port.
        app: its application.
        flasher: the way in which it was written.
        printed_before: the version that it told before.
        expected: the version that the package brings.
        limit_s: the longest wait; None: the profile's.
        is_own: the chip was written by this run; if not, silence is a reason to write it anew.
        on_percent: gets percent of the longest wait.
    """

    has_update_cause = False

    def __init__(
        self,
        wire: Wire,
        app: Application,
        flasher: Flasher,
        printed_before: Versions,
        expected: str,
        *,
        limit_s: float | None,
        is_own: bool,
        on_percent: Callable[[int], None],
    ) -> None:
        self._wire = wire
        self._app = app
        self._flasher = flasher
        self._printed_before = printed_before
        self._expected = expected
        self._is_own = is_own
        self._on_percent = on_percent
        self._is_by_protocol = flasher.chip.version is None
        self._within_s = limit_s or (_WITHIN_S if self._is_by_protocol else app.within_s)
        self._limit = Deadline(wire.clock, self._within_s)
        self._version: str | None = None

    def wait(self) -> None:
        """Wait until the application tells its version, or the time is over."""
        self._version = self._read()

    def confirm(self) -> Versions:
        """Return the version that the application tells.

        Raises:
            OldVersion: it is the one of before.
            SameName: it cannot be told from the one of before.
            RebootTimeout: the application tells none, or a third one.
            SlotLost: it tells none, and an earlier run had written it.
        """
        version = self._version
        if version is not None and version != self._expected:
            # Nothing checks the bytes on the wire: a version that ends a job is read twice.
            self._limit.extend(self._within_s if self._app.is_asked or self._is_by_protocol else 0.0)
            version = self._read() if not self._limit.expired else version
        if version is None:
            raise self._silence()
        versions = Versions(version=version)
        change = versions.change_from(self._printed_before, self._expected)
        if version == self._expected and change is Change.UPDATED:
            return versions
        if change is Change.NONE:
            raise OldVersion(
                f"the chip runs its old application {version}{self._slot_words()}",
                hint="Check that the package was built for this board; the old application is whole.",
            )
        if change is Change.UNTOLD:
            raise SameName(f"the application tells {version} as before, which cannot tell old from new")
        raise RebootTimeout(
            f"the chip runs {version}, which is neither the version of before nor the expected "
            f"{self._expected}",
            hint="If the platform's version names are not what the application tells, give --expect-version.",
        )

    def _read(self) -> str | None:
        if not self._is_by_protocol:
            return self._app.read(self._limit, self._tick) if self._limit.remaining else self._version
        while True:
            version = self._flasher.running_version()
            if version is not None or self._limit.expired:
                return version
            self._wire.pause(_AGAIN_S)
            self._tick()

    def _tick(self) -> None:
        self._on_percent(min(99, round(100 * (1 - self._limit.remaining / self._within_s))))

    def _slot_words(self) -> str:
        """Return the words for the slot that it booted, where its boot text names it."""
        names = self._flasher.old_slot_pattern
        address = self._app.find(names[0]) if names is not None else None
        return (
            f", from {address}; {names[1]} was written" if names is not None and address is not None else ""
        )

    def _silence(self) -> RebootTimeout | SlotLost:
        line, words = self._app.excerpt(), self._flasher.state_words
        printed = f"; the last line that it printed is {line!r}" if line else f"; {words}" if words else ""
        if not self._is_own:
            return SlotLost(f"the application that an earlier run wrote does not tell its version{printed}")
        return RebootTimeout(
            f"the application did not tell its version within {self._within_s:g} s after the write, so "
            f"that is not confirmed{printed}",
            hint="Check the rate and the pattern of the version in the board file, then restart the chip.",
        )
