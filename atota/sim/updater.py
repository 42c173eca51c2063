r"""The seam between a simulated module and its way of updating, and how a family is added.

A family is added with three files and one line:

1. ``atota/sim/ways/<way>.py``, if its way of updating is new: a frozen dataclass of the numbers that differ
   between modules (the `Way`), and a class with the state (the `Updater`, from `PlainUpdater`), which
   ``Way.updater(chassis)`` makes. The updater answers its own commands with a `Reply`; whatever takes time
   goes through the `Chassis`:

   - *a data phase*: ``Reply(data=Counted(...), prompt=(Step(0.02, b"\r\n> "),))`` (`atota.sim.data`; or a
     class of your own). Bytes before the end of the prompt are lost. At its end, call
     ``chassis.leave_data(Reply(...), now)``: that is the result of the command.
   - *lines over time*: ``chassis.plan(when, lambda now: chassis.send(now, b"\r\n+QIND: ...\r\n"))``; a
     reboot forgets them.
   - *after a start*: ``awake`` is called when the boot text was said.
   - *the update*: ``Reply(start=True)``, or ``chassis.start_update(now)`` for one that begins by itself
     (until then the updater's ``committed`` is True).
     Its course and its text are in the persona's `Boot`; the security core's decision is in
     `atota.sim.judge`; ``finished`` takes the result, and ``reword`` may spell each piece of boot text anew.
   - *faults*: ask ``chassis.faults.strike("name")`` where they belong, and name the position of each command
     line in ``positions`` (piece numbers, ``prepare``, ``erase``, ``validate``, ``start``); the faults that
     have a position then work by themselves, those of data phases too.

   What is in ``chassis.flash`` is the slot, for every family: `SimModule.slot` and `SimModule.truth`
   look there.

2. ``atota/sim/personas/<module>.py``: a `Persona` with literal bytes and its sources, listed in
   ``personas/catalogue.py``. UART habits are its data: echo, autobaud, boot text, sleep, CME texts.

3. ``tests/traces/<persona in lower case>/identify.trace`` and ``<way.name>.trace`` with their sources, which
   ``tests/sim/test_sim_traces.py`` replays.

4. What refuses and fails: ``tests/sim/test_sim_<family>.py``.
"""

from typing import ClassVar, Protocol

from atota.sim.faults import FaultPlan
from atota.sim.flash import Flash
from atota.sim.judge import SlotVerdict
from atota.sim.options import Options
from atota.sim.reply import DataPhase, Reply
from atota.sim.timeline import Action


class Chassis(Protocol):
    """The module as its updater sees it."""

    flash: Flash
    faults: FaultPlan
    options: Options
    version: str

    @property
    def baud(self) -> int:
        """The rate of its UART now."""
        ...

    def plan(self, when: float, action: Action) -> None:
        """Do something later, unless a reboot comes first."""
        ...

    def send(self, when: float, data: bytes) -> None:
        """Send these very bytes."""
        ...

    def tell(self, text: str) -> None:
        """Report a change of the module's true state."""
        ...

    def judge(self) -> SlotVerdict:
        """Return the security core's verdict on the slot."""
        ...

    def leave_data(self, reply: Reply, now: float) -> None:
        """End the data phase; ``reply`` is the result of the command that began it."""
        ...

    def enter_data(self, phase: DataPhase, now: float) -> None:
        """Begin a data phase at once, without a prompt."""
        ...

    def strike_piece(self, name: str) -> bool:
        """True if a fault strikes the data phase that is going on."""
        ...

    def crash(self, now: float) -> None:
        """Reboot for no reason."""
        ...

    def start_update(self, now: float) -> None:
        """Reboot into the update."""
        ...


class Updater(Protocol):
    """The state behind one way of updating.

    Attributes:
        committed: True from the command that commits the module to an update it begins by itself, until the
            update begins or has failed.
    """

    committed: bool

    @property
    def words(self) -> tuple[bytes, ...]:
        """Its commands, for AT+CLAC."""
        ...

    def positions(self, line: bytes) -> frozenset[str]:
        """Return the names of the fault positions of a command line."""
        ...

    def execute(self, command: bytes, now: float) -> Reply | None:
        """Carry out a command, given without ``AT``; None if it is not one of the way's."""
        ...

    def reset(self) -> None:
        """Forget what is in RAM: the module reboots."""
        ...

    def finished(self, verdict: SlotVerdict, *, said_good: bool) -> None:
        """Take the end of an update; ``said_good``: its text said so (a rollback comes after)."""
        ...

    def awake(self, now: float) -> None:
        """Take the end of a start: the boot text has been said."""
        ...

    def reword(self, line: bytes) -> bytes:
        """Return a piece of boot text as this module spells it; b"": it is left out."""
        ...


class PlainUpdater:
    """The common part of most ways of updating: nothing happens at a start or after an update."""

    committed = False

    def reset(self) -> None:
        """Keep everything: it is in flash."""

    def finished(self, verdict: SlotVerdict, *, said_good: bool) -> None:
        """Keep nothing of an update but its text."""

    def awake(self, now: float) -> None:
        """Do nothing at a start."""

    def reword(self, line: bytes) -> bytes:
        """Return boot text as it is."""
        return line


class Way(Protocol):
    """The rules of one way of updating, as data.

    Attributes:
        name: the name of its traces.
        verbatim: a word whose command lines keep their spaces.
    """

    name: ClassVar[str]
    verbatim: ClassVar[bytes]

    @property
    def capacity(self) -> int:
        """Bytes of the slot."""
        ...

    @property
    def leftover(self) -> int:
        """Bytes that an earlier update left in the slot's flash."""
        ...

    def updater(self, chassis: Chassis) -> Updater:
        """Make the state for one module."""
        ...
