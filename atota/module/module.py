"""A module on a port: opened, found, identified."""

from collections.abc import Callable, Container
from typing import Protocol, Self

from atota.at.events import Event
from atota.clock import Clock, Deadline, StopToken
from atota.dialects import catalogue, loader
from atota.dialects.model import Dialect
from atota.errors import LineUnavailable, LinkLost, NoAnswer, UsageError
from atota.link.base import Link
from atota.link.open import open_link
from atota.module import identify
from atota.module.baud import find_baud
from atota.module.identify import Findings
from atota.module.self_update import OnUpdate
from atota.module.session import Session
from atota.settings.adapter import check_adapter
from atota.settings.board import Board, require_supported
from atota.settings.spec import JobSpec, completed
from atota.settings.steps import Step
from atota.values import Identity, TaskType


class Module:
    """A module on an open link. `identify` calls `find` first.

    Args:
        link: the open link; closed by `close`.
        dialect: the dialect that the user chose, or None to recognise it.
        expected: the row that the user says this is.
        baud: the only rate to try, or None for all that the dialect knows.
        stop: looked at by every wait.
        listener: gets every event of the conversation.
        reopener: opens another port of the same adapter at a rate, without resetting the module.
        restarts: the ways to restart the module by control lines, each with its name, the gentlest first.

    Attributes:
        on_update: gets the progress of an update that the module carries out by itself, which is waited
            for; None: it is not.
        on_try: called with the outcome at each rate that is not answered; None: in silence.
    """

    def __init__(
        self,
        link: Link,
        *,
        dialect: Dialect | None = None,
        expected: catalogue.Row | None = None,
        baud: int | None = None,
        stop: StopToken | None = None,
        listener: Callable[[Event], None] | None = None,
        reopener: Callable[[str, int], Link] | None = None,
        restarts: tuple[tuple[str, tuple[Step, ...]], ...] = (),
    ) -> None:
        self.session = Session(link, dialect or loader.stranger(), stop=stop, listener=listener)
        self.findings: Findings | None = None
        self.on_update: OnUpdate | None = None
        self.on_try: Callable[[str], None] | None = None
        self._dialect = dialect
        self._expected = expected
        self._baud = baud
        self._reopener = reopener
        self.restarts = restarts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def clock(self) -> Clock:
        """The time of the link."""
        return self.session.clock

    def check(self) -> None:
        """Raise if the user or the job's time limit wants the end."""
        self.session.check()

    def close(self) -> None:
        """Close the link."""
        self.session.close()

    def reopen(self, port: str) -> None:
        """Continue with the same module on ``port``, after its adapter went away and came back.

        Raises:
            LinkError: the port can't be opened (yet), or the module has no ``reopener``.
        """
        if self._reopener is None:
            raise LinkLost("this module's port cannot be opened again")
        self.session.replace_link(self._reopener(port, self.session.link.baud))

    def restart(self, sequence: tuple[Step, ...]) -> None:
        """Restart the module by its control lines; nothing that was outstanding comes any more.

        Raises:
            LineUnavailable: the port has no such line.
        """
        pulse(self.session.link, sequence, self.session.check)
        self.session.reset_state()

    def find(self) -> int:
        """Find the rate at which the module answers, the last known one first; bit/s.

        Raises:
            NoAnswer: nothing intelligible at any rate.
            SelfUpdating: the module updates itself, and that is not waited for.
        """
        only = self._baud if self.findings is None else None
        return find_baud(
            self.session,
            first=self.session.link.baud,
            only=only,
            on_update=self.on_update,
            on_try=self.on_try if self.findings is None else None,
        )

    def identify(self, *, without: Container[str] = ()) -> Identity:
        """Read who the module is; the fields in ``without`` are not asked for.

        If it stops answering, its rate is searched once more: some modules boot at one rate and continue at
        another.

        Raises:
            NoAnswer: no readable response.
        """
        self.find()
        try:
            self.findings = self._identified(without)
        except NoAnswer:  # it may boot at one rate and continue at another
            self.session.reset_state()
            self.find()
            self.findings = self._identified(without)
        return self.findings.identity

    def _identified(self, without: Container[str]) -> Findings:
        return identify.identify(
            self.session, dialect=self._dialect, expected=self._expected, without=without
        )


class Opener(Protocol):
    """A function that opens the module of a job; `open_module` is the usual one."""

    def __call__(
        self,
        port: str,
        /,
        *,
        baud: int | None,
        first_baud: int | None,
        dialect: str | None,
        model: str | None,
        board: Board | None,
        clock: Clock | None,
        stop: StopToken | None,
        listener: Callable[[Event], None] | None,
    ) -> Module:
        """Open ``port``."""
        ...


def open_module(
    port: str,
    *,
    baud: int | None = None,
    first_baud: int | None = None,
    dialect: str | None = None,
    model: str | None = None,
    board: Board | None = None,
    clock: Clock | None = None,
    stop: StopToken | None = None,
    listener: Callable[[Event], None] | None = None,
    wrap: Callable[[Link], Link] | None = None,
) -> Module:
    """Open the port of a module.

    Args:
        port: a device name or a URL: ``/dev/ttyUSB0``, ``COM3``, ``rfc2217://…``, ``sim://BC28``…
        baud: the only rate to try, bit/s; all that the dialect knows if not given.
        first_baud: the rate to begin the search with, if ``baud`` is not given.
        dialect: a dialect's name or file; recognised by the answers if not given.
        model: the catalogue's model that this is said to be.
        board: the bench hardware; its first rate, model and dialect stand in for those not given.
        clock: the time to live in, for simulated ports.
        stop: looked at by every wait.
        listener: gets every event of the conversation.
        wrap: puts another link round the one that was opened (a transcript).

    Raises:
        LinkError: the port can't be opened, or its adapter is not the board's.
        UsageError: the dialect or the model is unknown.
        ConfigError: the board wants something that this program does not have.
    """
    spec = completed(JobSpec(port=port, first_baud=first_baud, dialect=dialect, model=model, board=board))
    board = board or Board(name="none")
    row = expected_row(spec.model) if spec.model is not None else None
    profile = loader.load(spec.dialect) if spec.dialect is not None else None
    check_adapter(board, port)

    def opened(port: str, rate: int | None, steps: tuple[Step, ...]) -> Link:
        link = _open(port, rate, board, clock)
        try:
            if wrap is not None:
                link = wrap(link)
            pulse(link, steps)
        except BaseException:
            link.close()
            raise
        return link

    # Opened again: only the levels that the sequence ends at; the module may be in the middle of its update.
    return Module(
        opened(port, baud or spec.first_baud, board.start_steps),
        dialect=profile,
        expected=row,
        baud=baud,
        stop=stop,
        listener=listener,
        reopener=lambda port, rate: opened(port, rate, board.end_levels),
        restarts=board.restarts,
    )


def _open(port: str, baud: int | None, board: Board, clock: Clock | None) -> Link:
    require_supported(board, f"board {board.name}")
    return open_link(
        port,
        baud=baud,
        clock=clock,
        low_latency=board.serial.low_latency is not False,
        rtscts=board.serial.flow == "rts-cts",
    )


def expected_row(model: str, task_type: TaskType = "fota") -> catalogue.Row:
    """Return the catalogue's row of a model that the user named.

    Raises:
        UsageError: the catalogue has no such row.
    """
    row = catalogue.by_name(model, task_type)
    if row is None:
        near = ", ".join(catalogue.suggestions(model))
        hint = f"Did you mean {near}? " if near else ""
        message = f"no model {model!r} in the platform's table"
        raise UsageError(message, hint=f"{hint}`atota modules` lists all.")
    return row


def pulse(link: Link, sequence: tuple[Step, ...], check: Callable[[], None] = lambda: None) -> None:
    """Drive the control lines as a board file says.

    ``check`` is called during waits, and may raise; the lines then get the levels of the sequence's end, so
    that a module is not left in its reset.

    Raises:
        LineUnavailable: the port has no such line.
    """
    for number, step in enumerate(sequence):
        if step.line is not None:
            _set_line(link, step)
            continue
        try:
            _wait(link, step.wait_s, check)
        except BaseException:
            for later in sequence[number:]:
                if later.line is not None:
                    _set_line(link, later)
            raise


def _wait(link: Link, seconds: float, check: Callable[[], None]) -> None:
    deadline = Deadline(link.clock, seconds)
    while not deadline.expired:
        check()
        link.clock.sleep(min(deadline.remaining, link.clock.slice_s))


def _set_line(link: Link, step: Step) -> None:
    if step.line is not None:
        try:
            link.set_lines(**{step.line: step.asserted})
        except LineUnavailable as error:
            raise LineUnavailable(
                f"{link.name} has no {step.line.upper()} line, which the board file wants to set",
                hint="Take [reset] and [power] out of the board file, or use an adapter with that line.",
            ) from error
