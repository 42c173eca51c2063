"""A module behind AT as a job sees it: `atota.update.target.Target`, on a session and a method."""

from collections.abc import Callable
from pathlib import Path

from atota.clock import Clock, Deadline
from atota.dialects import loader
from atota.dialects.model import DEFAULT_REBOOT
from atota.dialects.watch import ReportingSpec
from atota.errors import AtotaError, Desynchronised, LinkLost, NoAnswer
from atota.fota.base import Method
from atota.fota.eligibility import file_refusal, method_refusal, package_refusal, version_refusal
from atota.fota.line import TransferLine
from atota.fota.registry import method_for
from atota.fota.restart import ModuleRestart, await_earlier_update
from atota.fota.steps import send_steps
from atota.link.state import LineState
from atota.module.identify import CONDITIONS, Findings, read_versions, require_consistent
from atota.module.lines import answer_after_restart
from atota.module.module import Module
from atota.module.query import send_query, wait_until_free
from atota.module.reconnect import Adapters, ModuleReconnector
from atota.settings.spec import Allowed, JobSpec
from atota.values import Identity, MethodChoice, Refusal, Versions

UNDO_S = 10.0
"""Limit for taking changed settings back."""
_MARGIN_S = 2.0
"""Beyond a module's own window: whatever is written too early begins it anew."""
_MOST_WINDOWS = 3
"""Upper bound of the wait for silence on a module that never stops sending, in windows."""


class ModuleTarget:
    """One module that a job updates.

    Args:
        module: the module, on its open port.
        spec: the job.
        adapters: finds the adapter of the port again.
        note: gets what happens while a call takes long.
        warn: gets what did not work and is not needed.
    """

    overwrites = False

    def __init__(
        self,
        module: Module,
        spec: JobSpec,
        adapters: Adapters,
        *,
        note: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self.adapter = adapters.remember(spec.port)
        self._module = module
        self._spec = spec
        self._reconnector = ModuleReconnector(module, adapters, spec.port, note)
        self._note = note
        self._warn = warn
        self._method: Method | None = None
        self._has_activated = False
        self._line = TransferLine(module, spec.transfer_baud, note=note, warn=warn)

    # -- the module ----------------------------------------------------------------------------

    @property
    def clock(self) -> Clock:
        """The time of the link."""
        return self._module.session.clock

    @property
    def limit(self) -> Deadline | None:
        """The time limit of everything that waits."""
        return self._module.session.limit

    @limit.setter
    def limit(self, limit: Deadline | None) -> None:
        self._module.session.limit = limit

    @property
    def boots(self) -> int:
        """Boots that were seen."""
        return self._module.session.boots

    @property
    def longest_silence_s(self) -> float:
        """The longest time without a byte from the module."""
        return self._module.session.longest_silence_s

    @property
    def weights(self) -> dict[str, float]:
        """The share of each stage in the time of a job, as the profile has it."""
        return self._findings.dialect.weights

    def close(self) -> None:
        """Close the port."""
        self._module.close()

    def checkpoint(self) -> None:
        """Raise if the user wants the end or the job's time is over."""
        self._module.session.check()

    def identify(self) -> Identity:
        """Return who the module is; one whose answers contradict its name only with ``--allow-unproven``."""
        self._module.on_try = lambda line: self._note(f"no answer at {line}")
        identity = self._identified()
        self._reconnector.imei = identity.imei
        if not self._spec.allowed.unproven:
            require_consistent(self._findings)
        elif self._findings.mismatch:
            self._warn(self._findings.mismatch)
        return identity

    def _identified(self) -> Identity:
        without = () if self._spec.asks_conditions else CONDITIONS
        try:
            return self._module.identify(without=without)
        except (NoAnswer, Desynchronised) as silence:
            # Only where a reset at opening has ended any update that the module was carrying out.
            board = self._spec.board
            if board is None or board.reset is None:
                raise
            answer_after_restart(self._module, silence, self._warn)
            return self._module.identify(without=without)

    @property
    def _findings(self) -> Findings:
        findings = self._module.findings
        if findings is None:
            raise AssertionError("identify comes first")
        return findings

    # -- the method ----------------------------------------------------------------------------

    def refusal(self, allowed: Allowed) -> Refusal | None:
        """Return why nothing may be written into this module; None if it may."""
        findings = self._findings
        refusal = method_refusal(findings.dialect, findings.row, allowed, findings.identity.evidence)
        is_file = self._spec.package is not None and not self._spec.package.stands_in
        return refusal or (file_refusal(findings.dialect) if is_file else None)

    def package_refusal(self, allowed: Allowed, *, is_delta: bool) -> Refusal | None:  # noqa: ARG002 - modules take both
        """Return why the platform's packages do not fit this chip; None if they do."""
        return package_refusal(self._findings.dialect, allowed)

    def unreadable(self, expected: str) -> Refusal | None:
        """Return why the dialect could never read ``expected`` as the version of this module."""
        return version_refusal(self._findings, expected)

    def choose(self, block: int | None = None) -> MethodChoice:
        """Choose the method of the module's dialect; ``block`` as an earlier run had it, if none is asked."""
        dialect = self._findings.dialect
        method = method_for(dialect, block=self._spec.block or block, read_back=self._spec.read_back)
        method.note = self._note
        method.warn = self._warn
        self._method = method
        return MethodChoice(
            dialect=dialect.name,
            digest=loader.digest(self._spec.dialect or dialect.name),
            method=dialect.method.kind if dialect.method is not None else "none",
            block=method.block,
            window_s=method.window_s,
            room=method.room,
        )

    @property
    def has_method(self) -> bool:
        """True if its dialect has a method at all."""
        return self._findings.dialect.method is not None

    @property
    def method(self) -> Method:
        """The chosen method."""
        if self._method is None:
            raise AssertionError("choose comes first")
        return self._method

    @property
    def streams(self) -> bool:
        """True if the package is sent from here."""
        return self.method.spec.streams

    @property
    def validates(self) -> bool:
        """True if the slot is validated before the start."""
        return self.method.spec.validates

    @property
    def needs_address(self) -> bool:
        """True if the module fetches the package from an address."""
        return self.method.spec.needs_address

    @property
    def starts_itself(self) -> bool:
        """True if its platform brings the package into the module, and starts it."""
        return self.method.spec.starts_itself

    @property
    def may_turn_down(self) -> bool:
        """True if the module checks the package after its OK to the start, before it reboots."""
        spec = self.method.spec
        return isinstance(spec, ReportingSpec) and not spec.watch.reboots_first

    @property
    def can_start_before_activate(self) -> bool:
        """True if the module may start once it has, or believes to have, the whole package."""
        return self.method.spec.can_start_before_activate

    @property
    def block(self) -> int | None:
        """Bytes in one block or piece; the method may have had to shorten it."""
        return self._method.block if self._method is not None else None

    @property
    def blocks(self) -> int:
        """Blocks that the module acknowledged."""
        return self._method.counters.blocks if self._method is not None else 0

    @property
    def retries(self) -> int:
        """Blocks that were sent again."""
        return self._method.counters.retries if self._method is not None else 0

    def probe(self) -> None:
        """Ask, by harmless forms only, if the module has the method."""
        self.method.probe(self._module.session)

    def set_url(self, url: str) -> None:
        """Set the address from which the module fetches the package; it is a secret."""
        self.method.set_url(url)

    def check(self, package: Path, version: str) -> None:  # noqa: ARG002 - packages of modules do not tell it
        """Refuse a package that the module would refuse."""
        self.method.check(package)

    # -- the slot ------------------------------------------------------------------------------

    def watch_line(self, known: LineState | None, on_change: Callable[[LineState], None]) -> None:
        """Begin with ``known`` of the line; give each change to ``on_change``, before the next block."""
        self._line.known, self._line.on_change = known, on_change

    def prepare(
        self,
        package: Path,
        written: int,
        *,
        undo: tuple[str, ...],
        on_undo_changed: Callable[[tuple[str, ...]], None],
    ) -> int:
        """Quiet the module, make the slot ready, raise the rate; bytes of the package that it holds."""
        self._line.leave_raised_rate()
        session = self._module.session
        send_steps(session, list(undo), on_undo_changed)
        resumed = self.method.resume_at(session, package, written) if written else None
        if resumed is None:
            self.method.prepare(session)
        self._line.raise_rate(self.method)
        return resumed or 0

    def write(self, package: Path, on_progress: Callable[[int, int], None]) -> str | None:
        """Stream the package into the slot; the SHA-256 of the bytes that were sent."""
        sha256 = self.method.write(self._module.session, package, on_progress)
        self._line.tell()
        self._line.leave_raised_rate()
        return sha256

    def validate(self) -> None:
        """Have the module check its slot."""
        self.method.validate(self._module.session)

    def activate(self) -> bool:
        """Start the update; True if the module said that it starts."""
        self._has_activated = True
        return self.method.activate(self._module.session) is not False

    def restart(
        self,
        printed_before: Versions,
        expected: str,
        *,
        limit_s: float | None,
        is_certain: bool,
        on_percent: Callable[[int], None],
    ) -> ModuleRestart:
        """Return the restart that carries out the update that was just started."""
        return ModuleRestart(
            self._module,
            self.method,
            printed_before=printed_before,
            expected=expected,
            first_baud=self._findings.identity.baud or self._module.session.link.baud,
            limit_s=limit_s,
            is_certain=is_certain,
            on_percent=on_percent,
            reconnect=self.reconnect,
            require_same=self._reconnector.require_same,
        )

    # -- recovery ------------------------------------------------------------------------------

    def find(self) -> None:
        """Find the rate at which the module answers."""
        self._module.find()

    def reconnect(self, lost: AtotaError) -> None:
        """Bring a lost port back."""
        if not isinstance(lost, LinkLost):
            raise lost
        self._reconnector.back(lost)

    def recover(self, lost: AtotaError) -> None:
        """Find the module again, whatever rate it fell back to, and set it up."""
        if isinstance(lost, LinkLost):
            self.reconnect(lost)
        try:
            self._set_up()
        except (NoAnswer, Desynchronised) as silence:
            if self._has_activated or self.starts_itself or self.can_start_before_activate:
                raise  # it may be in the middle of its update
            answer_after_restart(self._module, silence, self._warn)
            self._set_up()
        self._reconnector.require_same()

    def _set_up(self) -> None:
        session = self._module.session
        self.find()
        wait_until_free(session)
        for command in session.dialect.setup:
            send_query(session, command)

    def reset(self) -> None:
        """Forget the conversation so far, after the module stopped answering."""
        self._module.session.reset_state()

    def versions(self) -> Versions:
        """Return the version texts that the module prints now."""
        return read_versions(self._module.session)

    def restore(self, undo: tuple[str, ...], *, close: bool) -> None:
        """Take changed settings back, the last first, as far as the module answers."""
        session = self._module.session
        session.limit = Deadline(session.clock, (self.method.window_s if close else 0.0) + UNDO_S)
        try:
            if close:
                self.method.close(session)
            for command in reversed(undo):
                session.command(command)
        except AtotaError:
            return

    def keep_silent(self, window_s: float) -> None:
        """Send nothing for ``window_s`` after any byte of the module: it may open the window only now."""
        session = self._module.session
        for _ in range(_MOST_WINDOWS):
            received = session.received_bytes
            session.listen(window_s + _MARGIN_S)
            if session.received_bytes == received:
                return

    def await_return(self, limit_s: float | None, dialect: str | None) -> None:
        """Wait for a module that is in the middle of an update that an earlier run started."""
        session = self._module.session
        profile = loader.load(dialect) if dialect else session.dialect
        session.reset_state()
        wait_s = limit_s or (profile.reboot or DEFAULT_REBOOT).limit_s
        self._note(f"waiting up to {wait_s:g} s for the module to come back")
        await_earlier_update(session, profile, wait_s)
