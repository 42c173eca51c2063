"""A chip as a job sees it: `atota.update.target.Target`, on a wire, a flasher and an application.

The bootloader of a chip is in its ROM or in pages of its own, so a write can always be done anew. Only the
running application's version is a verdict. The chip is left in its bootloader where its application was cut,
and started again where it is whole.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from atota.clock import Clock, Deadline
from atota.dialects.catalogue import Row
from atota.errors import AtotaError, LinkError, LinkLost, NoAnswer, PackageError
from atota.link.ports import PortInfo
from atota.link.state import LineState
from atota.module.reconnect import Adapters, Reconnector
from atota.settings.chip import Chip
from atota.settings.spec import Allowed, JobSpec
from atota.sota.application import Application
from atota.sota.flasher import Flasher
from atota.sota.profile import digest_of
from atota.sota.registry import flasher_class
from atota.sota.restart import ChipRestart
from atota.sota.wire import Wire
from atota.values import Identity, MethodChoice, Refusal, Versions

_ASK_S = 5.0
"""Time in which a running application tells its version; a silent one may be erased."""
_PROMPT_S = 60.0
"""Time in which a person brings a chip without lines into its bootloader."""
_READINGS = 3  # of a version that is told differently each time
_ENTRIES = 3
"""Entries by the lines before the chip counts as silent: auto-reset circuits miss some (esptool #741)."""
_LARGEST = 64 * 1024 * 1024
"""Bytes of a package that is read at all: the largest flash of these chips has 32 MiB."""


class ChipTarget:
    """One chip that a job updates.

    Args:
        wire: its port.
        spec: the job.
        row: its row in the platform's table.
        chip: its description.
        adapters: finds the adapter of the port again.
        note, on_line: get sentences for people, and lines that a program prints.
    """

    has_method = True
    streams = True
    needs_address = False
    starts_itself = False
    may_turn_down = False
    boots = 0

    def __init__(
        self,
        wire: Wire,
        spec: JobSpec,
        row: Row,
        chip: Chip,
        adapters: Adapters,
        *,
        note: Callable[[str], None],
        on_line: Callable[[str], None],
    ) -> None:
        self.adapter: PortInfo | None = adapters.remember(spec.port)
        self.weights = {"write": 0.75, "validate": 0.1, "reboot": 0.15}
        self._wire = wire
        self._spec = spec
        self._row = row
        self._chip = chip
        self._note = note
        self._on_line = on_line
        self._app = Application(wire, chip.version, spec.baud or chip.app_baud or wire.link.baud)
        self._flasher: Flasher = flasher_class(chip.protocol or "tool")(chip, wire, note, self._pass_on)
        self._flasher.transfer_baud = chip.baud if spec.transfer_baud == 0 else spec.transfer_baud
        self._reconnector = Reconnector(wire, adapters, spec.port, note)
        self._is_in_loader = False
        self._is_started = False
        self._data = b""

    def _pass_on(self, line: str) -> None:
        """Pass on a line that a program printed, and have it in the transcript."""
        self._wire.remark(line)
        self._on_line(line)

    @property
    def clock(self) -> Clock:
        """The time of the link."""
        return self._wire.clock

    @property
    def limit(self) -> Deadline | None:
        """The time limit of everything that waits."""
        return self._wire.limit

    @limit.setter
    def limit(self, limit: Deadline | None) -> None:
        self._wire.limit = limit

    @property
    def validates(self) -> bool:
        """True if the flasher compares the flash with the package."""
        return self._flasher.validates

    @property
    def overwrites(self) -> bool:
        """True if the package is written over the running application."""
        return self._flasher.overwrites

    @property
    def can_start_before_activate(self) -> bool:
        """True if the chip may run the package before `activate`."""
        return self._flasher.may_run

    @property
    def block(self) -> int | None:
        """Bytes in one block."""
        return self._flasher.block

    @property
    def blocks(self) -> int:
        """Blocks that were acknowledged."""
        return self._flasher.blocks

    @property
    def retries(self) -> int:
        """Blocks that were sent again."""
        return self._flasher.retries

    @property
    def longest_silence_s(self) -> float:
        """The longest time without a byte from the chip."""
        return self._wire.longest_silence_s

    def close(self) -> None:
        """Close the port."""
        self._wire.close()

    def checkpoint(self) -> None:
        """Raise if the user wants the end or the job's time is over."""
        self._wire.check()

    # -- before anything is changed ------------------------------------------------------------

    def identify(self) -> Identity:
        """Return who the chip is said to be, and the version of its application, if that may be asked.

        A silent application is not an error: it may have been cut, or never written.
        """
        version = None if self._chip.identify == "none" else self._agreed_version()
        return Identity(
            manufacturer=self._row.vendor,
            model=self._row.model,
            version=version,
            serial=self._app.serial or self._spec.serial,
            baud=self._wire.link.baud,
            method=self._chip.protocol,
            evidence=self._row.evidence,
            manuf_code=self._row.manuf_code,
            model_code=self._row.model_code,
        )

    def _agreed_version(self) -> str | None:
        """Return the version that the application tells twice: nothing checks the bytes of its text."""
        if self._chip.version is None:
            return self._running_version()  # by a protocol that checks its messages
        versions: list[str] = []
        while len(versions) < _READINGS and (version := self._running_version()) is not None:
            if version in versions:
                return version
            versions.append(version)
        return versions[-1] if versions else None

    def _running_version(self) -> str | None:
        if self._chip.version is None:
            return self._flasher.running_version()
        if self._app.is_asked:
            self._app.listen()
            return self._app.read(Deadline(self.clock, min(_ASK_S, self._app.within_s)))
        if self._chip.identify == "boot" and self._wire.drive(self._chip.leave or ()):
            self._app.listen()
            return self._app.read(Deadline(self.clock, self._app.within_s))
        return None

    def refusal(self, _allowed: Allowed) -> Refusal | None:
        """Return why nothing can be written from this machine; None if it can."""
        return self._flasher.unfit()

    def unreadable(self, _expected: str) -> Refusal | None:
        """Return None: the text that the application prints is known once it runs."""
        return None

    def package_refusal(self, _allowed: Allowed, *, is_delta: bool) -> Refusal | None:
        """Refuse differences: the bootloader of a chip takes whole images."""
        if not is_delta:
            return None
        return Refusal(
            "a chip takes whole application images, and the package is a difference between two",
            "Have the operator upload the whole image, and create the task anew. Nothing was changed.",
        )

    def choose(self, block: int | None = None) -> MethodChoice:  # noqa: ARG002 - a chip's blocks are its flasher's
        """Describe the flasher."""
        protocol = self._chip.protocol or "tool"
        return MethodChoice(
            dialect=protocol,
            digest=digest_of(self._chip),
            method=protocol,
            block=self._flasher.block,
            window_s=0.0,
        )

    @property
    def tools(self) -> str:
        """The programs that write the chip, for people."""
        programs = self._flasher.tools()
        return f", by {programs}" if programs else ", without a program of others"

    def probe(self) -> None:
        """Ask nothing: a bootloader can be asked only once the application is interrupted."""

    def set_url(self, url: str) -> None:
        """Refuse: a chip fetches nothing.

        Raises:
            AssertionError: always; `needs_address` is False.
        """
        raise AssertionError(f"a chip fetches nothing from {len(url)} characters")

    def check(self, package: Path, version: str) -> None:
        """Refuse a package that is not an image for this chip, or says that it holds another version."""
        size = package.stat().st_size
        if not 0 < size <= _LARGEST:
            raise PackageError(f"{package.name} has {size} bytes, which is not an application image")
        self._data = package.read_bytes()
        self._flasher.check(self._data, version)

    # -- the flash -----------------------------------------------------------------------------

    def watch_line(self, known: LineState | None, on_change: Callable[[LineState], None]) -> None:
        """Do nothing: a flasher speaks to a chip at the rate of its protocol."""

    def prepare(
        self,
        package: Path,
        written: int,  # noqa: ARG002 - a bootloader keeps nothing of a write that was cut
        *,
        undo: tuple[str, ...],  # noqa: ARG002 - nothing is changed that would need it
        on_undo_changed: Callable[[tuple[str, ...]], None],  # noqa: ARG002
    ) -> int:
        """Bring the chip into its bootloader, and see if and where the package may be written."""
        self._data = self._data or package.read_bytes()
        self._enter()
        self._flasher.inspect(self._data, self._spec.allowed)
        return 0

    def _enter(self) -> None:
        """Start the bootloader by the lines, else by the hands of a person, and meet it.

        Raises:
            NoAnswer: it does not answer.
        """
        self._wire.speak(self._chip.baud or self._wire.link.baud, "N")
        self._is_started = False
        steps = self._chip.enter or ()
        if not self._flasher.needs_entry:
            self._wire.drive(steps)
            self._is_in_loader = True
            return self._flasher.connect()
        if self._flasher.meets_application:
            with suppress(NoAnswer):
                return self._flasher.connect()
        for _ in range(_ENTRIES):
            has_lines = self._wire.drive(steps)
            if steps and not has_lines:
                break
            self._is_in_loader = True
            try:
                return self._flasher.connect()
            except NoAnswer as silence:
                last = silence
        else:
            if steps:
                raise last
        self._note(
            f"put the chip into its bootloader now: hold BOOT and press RESET; waiting {_PROMPT_S:g} s"
        )
        limit = Deadline(self.clock, _PROMPT_S)
        while True:
            try:
                self._is_in_loader = True
                return self._flasher.connect()
            except NoAnswer:
                if limit.expired:
                    raise

    def write(self, package: Path, on_progress: Callable[[int, int], None]) -> str | None:
        """Write the package."""
        self._flasher.write(package, self._data, on_progress)
        return None

    def validate(self) -> None:
        """Compare the flash with the package, as far as the bootloader can be asked."""
        self._flasher.validate()

    def activate(self) -> bool:
        """Start the application that was written; False if the bootloader did not say that it does."""
        is_certain = True
        try:
            self._flasher.activate()
        except NoAnswer as silence:
            self._note(f"{silence.message}; it may have started: the application's version decides")
            is_certain = False
        self._leave()
        return is_certain

    def _leave(self) -> None:
        """Let the chip run its application."""
        self._is_in_loader, self._is_started = False, True
        has_lines = self._wire.drive(self._chip.leave or ())
        self._app.listen()
        if self._chip.leave and not has_lines:
            self._note("the port has no line to restart the chip: press RESET now, without BOOT")

    def restart(
        self,
        printed_before: Versions,
        expected: str,
        *,
        limit_s: float | None,
        is_certain: bool,  # noqa: ARG002 - a chip that was reset is running something
        on_percent: Callable[[int], None],
    ) -> ChipRestart:
        """Return the restart into the application that was just written, or by an earlier run."""
        is_own = self._is_started or self._flasher.has_erased
        if not self._is_started:
            self._leave()
        return ChipRestart(
            self._wire,
            self._app,
            self._flasher,
            printed_before,
            expected,
            limit_s=limit_s,
            is_own=is_own,
            on_percent=on_percent,
        )

    # -- recovery ------------------------------------------------------------------------------

    def find(self) -> None:
        """Meet the bootloader again.

        Raises:
            NoAnswer: it does not answer.
        """
        self._enter()

    def recover(self, lost: AtotaError) -> None:
        """Bring a lost port back; `prepare` enters the bootloader anew."""
        if isinstance(lost, LinkLost):
            self.reconnect(lost)

    def reconnect(self, lost: AtotaError) -> None:
        """Bring a lost port back."""
        if not isinstance(lost, LinkLost):
            raise lost
        self._reconnector.back(lost)

    def reset(self) -> None:
        """Forget what arrived so far."""
        self._wire.discard()

    def versions(self) -> Versions:
        """Return the version that the application tells now; the chip is started for it."""
        if not self._is_started:
            self._leave()
        if self._chip.version is None:
            return Versions(version=self._flasher.running_version())
        return Versions(version=self._app.read(Deadline(self.clock, self._app.within_s)))

    def restore(self, undo: tuple[str, ...], *, close: bool) -> None:  # noqa: ARG002 - there is nothing else to undo
        """Start the old application again, where it is still whole."""
        if not self._is_in_loader or (self._flasher.overwrites and self._flasher.has_erased):
            return
        with suppress(LinkError):
            self._leave()

    def keep_silent(self, window_s: float) -> None:
        """Wait: a bootloader that was cut off forgets its command."""
        self._wire.pause(window_s)

    def await_return(self, limit_s: float | None, dialect: str | None) -> None:
        """Wait for nothing: a chip does not update itself."""
