r"""A simulated chip: its pins, its memory, and the program that runs on it.

At the end of a reset the boot pin decides which program runs: the *loader* in ROM or in protected flash, or
the *application*, if the flash holds one that can run; else the chip *hangs*. A program is a generator. It
yields for what it waits for and is sent what has come::

    command = yield 2          two bytes
    frame = yield b"\xc0"      bytes up to this one
    frame = yield b"\xc0", 1.0 the same, or nothing when the time is over
    yield 0.04                 time passes; of the bytes that come, the UART keeps its FIFO's worth

and it returns what comes next: "reset", "app" or "hang". A power cut is an exception in its midst.

Modes, for the judge: ``reset`` (held or starting), ``loader``, ``app`` (`version` runs), ``hung``.
"""

import random
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable
from typing import ClassVar, Literal

from atota.sim.chips.faults import CHIP_FAULTS
from atota.sim.chips.memory import ChipFlash, PowerCut
from atota.sim.chips.options import ChipOptions
from atota.sim.device import Device
from atota.sim.faults import FaultPlan
from atota.sim.options import Parity, Sent

Next = Literal["reset", "app", "hang"]
Need = int | bytes | float | tuple[bytes, float]
Program = Generator[Need, bytes, Next]
Mode = Literal["reset", "loader", "app", "hung"]

_TOLERANCE = 0.03  # of a rate: about half a bit in ten
_LONGEST = 0x20000  # bytes without the byte that ends them: the program would never see them


class Interrupted(Exception):
    """A fault resets the chip in the midst of a command."""


class SimChip(Device):
    """An application processor as its UART shows it.

    Args:
        name: its kind.
        options: the differences of this one from its kind.
        faults: see `atota.sim.chips.faults`.
        on_change: called with each change ("erased", "the loader runs", "now runs V1.1.0").

    Attributes:
        mode: which program runs now.
        version: of the application that runs; empty while none does.
        resets: how often it started, for any reason.
        commands: how many commands its loaders took.
        pieces: how many pieces of an image the loader took since its start.
        flash: its memory; with `stored` its true content.
    """

    parts: ClassVar[tuple[str, ...]]
    protocols: ClassVar[tuple[str, ...]]
    start_s = 0.02  # from the end of a reset to the first instruction of a program
    reply_s = 0.0002
    fifo = 1  # bytes that the UART keeps while the program does something else
    app_baud = 115200

    def __init__(
        self,
        name: str,
        options: ChipOptions | None = None,
        *,
        faults: Iterable[str] = (),
        on_change: Callable[[str], None] | None = None,
    ) -> None:
        self.options = options or ChipOptions()
        super().__init__(name, self.options.seed, FaultPlan(faults, CHIP_FAULTS), on_change)
        self.random = random.Random(f"{name} {self.options.seed}")  # noqa: S311
        self.mode: Mode = "reset"
        self.version = ""
        self.resets = self.commands = self.pieces = 0
        self.now = 0.0
        self._baud = self.app_baud
        self._parity: Parity = "N"
        self.auto_rate = False
        self._first_version = ""
        self._boot_pin = self._held_in_reset = self._sampled = False
        self._program: Program | None = None
        self._needed: int | bytes | float = 0.0
        self._waits = 0
        self._held = bytearray()
        self._position: frozenset[str] = frozenset()
        self._is_mute = self.silent = self.faults.lasts("mute") is not None
        self.flash = self.factory()

    # --- what each kind does -------------------------------------------------------------------------

    @abstractmethod
    def factory(self) -> ChipFlash:
        """Return its flash with the first application in it."""

    @abstractmethod
    def application(self) -> str | None:
        """Return the version of the application that starts now, or None if none can run."""

    @abstractmethod
    def boot(self) -> Program:
        """Start: run the loader if the boot pin says so, else return "app"."""

    @abstractmethod
    def run_application(self, version: str) -> Program:
        """Run the application."""

    @property
    def serial(self) -> bytes:
        """Its unique number, six bytes."""
        return bytes.fromhex(self.options.serial or "020000000001")

    @property
    def stored(self) -> str | None:
        """The version of the application in flash that would run after a reset; None: none would."""
        return self.application()

    # --- its UART ------------------------------------------------------------------------------------

    @property
    def baud(self) -> int:
        """The rate of its UART now."""
        return self._baud

    @property
    def parity(self) -> Parity:
        """The parity of its UART now."""
        return self._parity

    def set_uart(self, baud: int, parity: Parity = "N") -> None:
        """Set rate and parity of its UART."""
        self._baud, self._parity = baud, parity

    @property
    def bytes_needed(self) -> int | None:
        """The bytes until its program goes on; None: it waits for `line_end`, or for nothing."""
        if isinstance(self._needed, int) and self._program is not None:
            return max(1, self._needed - len(self._held))
        return None

    @property
    def line_end(self) -> bytes:
        """The byte that its program waits for."""
        return self._needed if isinstance(self._needed, bytes) else b"\r"

    def demodulate(self, data: bytes, baud: int) -> bytes | None:
        """Return the bytes that the UART reads of bytes sent at ``baud``; None: noise of another rate."""
        if self.auto_rate:
            self.auto_rate, self._baud = False, baud
        return data if abs(baud - self._baud) <= _TOLERANCE * self._baud else None

    def say(self, data: bytes) -> None:
        """Send bytes."""
        if data and not self.silent:
            self._out.append(Sent(self.now + self.reply_s, data, self._baud, self._parity))

    # --- its pins ------------------------------------------------------------------------------------

    def set_lines(self, now: float, *, dtr: bool, rts: bool) -> list[Sent] | None:
        """Learn the control lines.

        RTS alone holds the reset pin, DTR alone the boot pin. Both or none hold neither, as with the usual
        two transistors; with both, the capacitor at the reset pin keeps it as it was.
        """
        if not self.options.lines:
            return None
        if dtr and rts:
            return None
        self._boot_pin = dtr
        was_held, self._held_in_reset = self._held_in_reset, rts
        if was_held == rts or self.faults.lasts("no-reset"):
            return None
        return self.hold(now) if rts else self.release(now)

    def hold(self, now: float) -> list[Sent]:
        """Hold the reset pin."""
        self.power_on(now)
        self.timeline.run(now)
        self.now = now
        self._stop("reset")
        self.tell("held in reset")
        return self._drain()

    def release(self, now: float, *, boot: bool | None = None) -> list[Sent]:
        """Let the reset pin go.

        Args:
            now: the time.
            boot: the level of the boot pin, where a person holds its button; None: as the lines have it.
        """
        self._held_in_reset = False
        self.silent = self._is_mute
        self.restart(now, boot=boot)
        return self._drain()

    def press(self, now: float, *, boot: bool) -> list[Sent]:
        """Press the reset button once, with or without the boot button."""
        self.power_on(now)
        self.timeline.run(now)
        return self.release(now, boot=boot)

    def power_cut(self, now: float) -> list[Sent]:
        """Take the supply away for a moment."""
        self.power_on(now)
        self.timeline.run(now)
        return self.release(now) if not self._held_in_reset else []

    @property
    def may_load(self) -> bool:
        """True if the boot pin asked for the loader when the reset ended."""
        return self._sampled

    def first_moment(self, now: float) -> None:
        """Begin to live: the application or the loader has been running for a while."""
        self._first_version = self.application() or ""
        self.restart(now)
        if self.faults.strike("boot-garbage"):
            self.say(self.random.randbytes(5))
        else:
            self.timeline.run(now + 60.0)  # it has been running for a while
            self._out.clear()
            self.now = now

    # --- programs ------------------------------------------------------------------------------------

    def restart(self, now: float, *, boot: bool | None = None) -> None:
        """Begin to run after a reset."""
        self.now = now
        self._stop("reset")
        self.resets += 1
        self.pieces = 0
        strap = self.options.boot == "loader"
        pin = (self._boot_pin or strap) if boot is None else boot
        self._sampled = pin and self.faults.lasts("boot-mode") is None
        self.timeline.at(now + self.start_s, lambda then: self._run(self.boot(), then))

    def _stop(self, mode: Mode) -> None:
        self.timeline.forget()
        self._program = None
        self._needed = 0.0
        self._held.clear()
        self.mode, self.version = mode, ""

    def _run(self, program: Program, now: float) -> None:
        """Begin a program."""
        self._stop(self.mode)
        self.now = now
        self._program = program
        self._step(None)

    def enter(self, mode: Mode, version: str = "") -> None:
        """Note which program runs."""
        self.mode, self.version = mode, version
        texts = {"loader": "the loader runs", "hung": "hangs"}
        self.tell(texts.get(mode, f"now runs {version}"))

    def take(self, data: bytes, now: float) -> None:
        """Take bytes that the UART has read."""
        if self.silent or self._program is None:
            return
        self.now = now
        self._held += data
        if isinstance(self._needed, float):
            del self._held[self.fifo :]
            return
        self._go_on()

    def _go_on(self) -> None:
        """Give the program what it waits for, as often as that is there."""
        while self._program is not None and not isinstance(self._needed, float):
            if isinstance(self._needed, int):
                size = self._needed if len(self._held) >= self._needed else 0
            else:
                size = self._held.find(self._needed) + 1
                if not size and len(self._held) > _LONGEST:
                    self._held.clear()
            if not size:
                return
            piece = bytes(self._held[:size])
            del self._held[:size]
            self._step(piece)

    def _step(self, piece: bytes | None) -> None:
        program = self._program
        assert program is not None
        try:
            needed = next(program) if piece is None else program.send(piece)
        except StopIteration as ended:
            self._end(ended.value)
        except (PowerCut, Interrupted) as event:
            self.tell("the supply failed" if isinstance(event, PowerCut) else "resets")
            self._out.clear()
            self.restart(self.now)
        else:
            self._wait(needed)

    def _wait(self, needed: Need) -> None:
        """Wait for what the program has yielded."""
        self._waits += 1
        number = self._waits
        self._needed = needed[0] if isinstance(needed, tuple) else needed
        if isinstance(needed, float):
            self.timeline.at(self.now + needed, self._resume)
        elif isinstance(needed, tuple):
            self.timeline.at(self.now + needed[1], lambda then: self._give_up(number, then))

    def _give_up(self, number: int, now: float) -> None:
        """End a wait whose time is over, if it is still the same one."""
        if number == self._waits:
            self._resume(now)

    def _resume(self, now: float) -> None:
        self.now = now
        self._needed = 0
        self._step(b"")
        self._go_on()

    def _end(self, following: Next) -> None:
        """Do what comes after a program has returned."""
        if following == "reset":
            self.restart(self.now)
        elif following == "app":
            self._start_application()
        else:
            self._stop("reset")
            self.enter("hung")

    @property
    def may_run_old(self) -> bool:
        """True if the fault ``old-app`` has the core run the old application, whatever is in flash."""
        return True

    def _start_application(self) -> None:
        version = self.application()
        if self._first_version and version != self._first_version and version is not None:
            if self.may_run_old and self.faults.lasts("old-app"):
                version = self._first_version
            elif self.faults.lasts("dead-app"):
                version = None
        self._stop("reset")
        self.set_uart(self.app_baud)
        self.auto_rate = False
        if version is None:
            self.enter("hung")
            return
        self.enter("app", version)
        self._run_on(self.run_application(version))

    def _run_on(self, program: Program) -> None:
        self._program = program
        self._step(None)

    # --- faults --------------------------------------------------------------------------------------

    def meet(self, command: str, piece: int | None = None) -> Literal["", "unheard", "nack"]:
        """Count a command and return how faults treat it.

        Raises:
            Interrupted: the chip resets instead.
        """
        self.commands += 1
        position = {f"c{self.commands}", command} | ({str(piece)} if piece is not None else set())
        self._position = frozenset(position)
        if self.faults.strike("mute-after", frozenset({str(self.commands - 1)})):
            self._is_mute = self.silent = True
        if self.faults.strike("unplug-at", self._position):
            self.unplugged = True
        if self.faults.strike("silent-at", self._position):
            self.silent = True
        if self.faults.strike("reset-at", self._position):
            raise Interrupted
        if self.silent or self.faults.strike("lose-command", self._position):
            return "unheard"
        return "nack" if self.faults.strike("nack", self._position) else ""

    def finish(self, data: bytes) -> Generator[float, bytes, None]:
        """Send the last acknowledgement of the command, unless a fault is in its way."""
        if late := self.faults.strike("late-reply", self._position):
            yield float(late.args[1])
        if not self.faults.strike("lose-reply", self._position):
            self.say(data)

    def heal(self, now: float) -> None:
        """Take away every fault that is still to strike, and reset a chip that one silenced."""
        self.faults.clear()
        was_silent, self.silent, self._is_mute = self.silent, False, False
        if was_silent:
            self.power_on(now)
            self.timeline.run(now)
            self.restart(now)
