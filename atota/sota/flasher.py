"""The seam between a chip as a target and one way of writing it.

The calls come in this order: `unfit` and `check` before anything is touched, then `connect`, `inspect`,
`write`, `validate`, `activate`. Everything before `write` leaves the old application intact.
"""

from collections.abc import Callable
from pathlib import Path

from atota.errors import WriteFailed
from atota.settings.chip import Chip
from atota.settings.spec import Allowed
from atota.sota.wire import Wire
from atota.values import Refusal

Progress = Callable[[int, int], None]

LOST = (
    "The application in the chip is not whole now, and its bootloader still takes a new one. "
    "Mend the reason that is given, then run the same command again."
)
INTACT = "The chip still runs its old application. Mend the reason that is given, then run it again."


class Flasher:
    """One way of writing a chip.

    Args:
        chip: the chip's description, whole.
        wire: its port.
        note: gets what happens while a call takes long.
        on_line: gets lines that a program prints.

    Attributes:
        transfer_baud: the rate that the user wants for the transfer; None: the flasher's own choice.
        meets_application: the application itself may take the package: it is asked before any line is driven.
        may_run: the chip may run the package before `activate`.
        block: bytes in one block; None: the flasher does not cut the package.
        blocks: blocks that were acknowledged.
        retries: blocks that were sent again.
        has_erased: the old application may be damaged.
        state_words: the state of a chip whose application tells no version, for messages.
    """

    transfer_baud: int | None = None
    may_run = False
    meets_application = False
    block: int | None = None

    def __init__(
        self, chip: Chip, wire: Wire, note: Callable[[str], None], on_line: Callable[[str], None]
    ) -> None:
        self.chip = chip
        self.wire = wire
        self.note = note
        self.on_line = on_line
        self.blocks = 0
        self.retries = 0
        self.has_erased = False
        self.state_words = ""

    @property
    def overwrites(self) -> bool:
        """True if the package is written over the running application."""
        return True

    @property
    def validates(self) -> bool:
        """True if there is something to compare between `write` and `activate`."""
        return True

    @property
    def needs_entry(self) -> bool:
        """True if the bootloader is entered from here."""
        return True

    def unfit(self) -> Refusal | None:
        """Return why this machine or this description cannot write the chip; None if it can."""
        return None

    def tools(self) -> str:
        """Return the programs that it runs, and their versions where they tell them."""
        return ""

    def check(self, data: bytes, version: str) -> None:
        """Refuse a package that is not an application image for this chip with this version.

        Raises:
            PackageError: it is not.
        """

    def connect(self) -> None:
        """Meet the bootloader, which was just entered.

        Raises:
            NoAnswer: it does not answer.
        """

    def inspect(self, data: bytes, allowed: Allowed) -> None:
        """Read what decides if and where the package may be written.

        Raises:
            Refused: the chip is protected, or not the one that the profile names.
            PackageError: the package does not fit.
        """

    def write(self, package: Path, data: bytes, on_progress: Progress) -> None:
        """Write the package.

        Raises:
            SlotLost: what was written is in doubt; it is written anew.
            WriteFailed: the bootloader refuses it.
        """
        raise NotImplementedError

    def validate(self) -> None:
        """Compare the flash with the package.

        Raises:
            SlotLost: they differ.
            WriteFailed: the bootloader says that it is not valid.
        """

    def activate(self) -> None:
        """Tell the bootloader to start the package, where the control lines do not suffice."""

    def running_version(self) -> str | None:
        """Return the version that the running application tells by the flasher's own protocol."""
        return None

    @property
    def old_slot_pattern(self) -> tuple[str, str] | None:
        """Return a pattern of the boot text for the place that it boots, and the text of the new place."""
        return None

    def failure(self, message: str, last_lines: tuple[str, ...] = ()) -> WriteFailed:
        """Make the error of a write that the chip refuses, with the true state of its application.

        Args:
            message: the problem.
            last_lines: the last lines of the program that failed.
        """
        is_lost = self.overwrites and self.has_erased
        return WriteFailed(message, hint=LOST if is_lost else INTACT, tried=last_lines)
