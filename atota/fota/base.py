"""What every method of filling a FOTA slot can do. Methods speak to a session and know no port."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from atota.errors import PackageError
from atota.errors import SlotLost as SlotLost
from atota.module.session import Session

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


class Tally(msgspec.Struct):
    """What a write took: blocks acknowledged, and how many had to be sent again."""

    blocks: int = 0
    retries: int = 0


class Method(Protocol):
    """One way of filling the slot and starting what is in it.

    The calls come in the order of this class. None of them touches the running firmware but `activate`.

    Attributes:
        tally: what the write took.
        streams: whether this machine sends the package; if not, the module gets it by itself.
        needs_address: whether `locate` has to tell where the module can fetch the package.
        may_start_early: whether the module starts the update by itself once it has, or thinks that it has,
            the whole package.
        percent: how far the module says that its update is.
        failure: what the module said went wrong with its update.
        note: tells people what happens while a call takes long; set by the caller.
        window_s: how long the module waits for bytes that it asked for; 0 if it never does.
    """

    tally: Tally
    streams: bool
    needs_address: bool
    may_start_early: bool
    percent: int | None
    failure: str | None
    note: Callable[[str], None]
    window_s: float

    @property
    def block(self) -> int | None:
        """Bytes in one block or piece; None where the package is not cut."""
        ...

    @property
    def validates(self) -> bool:
        """Whether the slot is validated before the start, not in the boot after it."""
        ...

    def locate(self, address: str) -> None:
        """Say where the module can fetch the package; a secret."""
        ...

    def hear(self, line: str) -> None:
        """Learn from an unsolicited line how the update goes."""
        ...

    def check(self, package: Path) -> None:
        """Refuse, before anything is touched, a package that the module would refuse.

        Raises:
            PackageError: its length or format is not for this method.
        """
        ...

    def probe(self, session: Session) -> None:
        """Ask, by harmless forms only, whether the module has this method.

        Raises:
            Refused: it has not.
        """
        ...

    def prepare(self, session: Session) -> None:
        """Make the slot ready; what was in it is gone.

        Raises:
            WriteFailed: the module would not.
        """
        ...

    def take_up(self, session: Session, package: Path, written: int) -> int | None:
        """Find out where the write of an earlier run can be gone on with; `write` then does so.

        Only where it can be proven that what the slot holds is the beginning of this package.

        Args:
            session: the conversation.
            package: the package, the same as then.
            written: bytes that the module had acknowledged; it may have taken more.

        Returns:
            The byte to go on from. None: nothing is proven, begin with `prepare`.
        """
        ...

    def write(self, session: Session, package: Path, progress: Progress) -> str | None:
        """Stream the package into the slot.

        Returns:
            The SHA-256 of the bytes that were sent, in lower-case hex: the file may have changed meanwhile.
            None: the file itself is to be looked at again.

        Raises:
            WriteFailed: the module refuses it.
            SlotLost: begin again with `prepare`.
            PackageError: the file cannot be read to the end that it had.
        """
        ...

    def validate(self, session: Session) -> None:
        """Have the module check what is in the slot; called only if ``validates``.

        Raises:
            WriteFailed: it is not valid.
        """
        ...

    def activate(self, session: Session) -> bool | None:
        """Start the update. From here on the module must be left alone until it comes back.

        Returns:
            False if the module went silent, as it does when it starts and also when the command was lost;
            else it said that it starts.

        Raises:
            WriteFailed: the module refused to start; it runs what it ran.
            SlotLost: it rebooted for another reason instead.
        """
        ...

    def close(self, session: Session) -> None:
        """Give back what `prepare` opened, when the update is given up before its start."""
        ...

    def result(self, session: Session) -> str | None:
        """What the module says of its last update, in words, if it can be asked; None if not."""
        ...


def read_head(package: Path, count: int) -> tuple[int, bytes]:
    """The size of a package and its first bytes.

    Raises:
        PackageError: it cannot be read, or is empty.
    """
    try:
        size = package.stat().st_size
        with package.open("rb") as file:
            head = file.read(count)
    except OSError as error:
        raise PackageError(f"the package {package} cannot be read: {error.strerror or error}") from error
    if not size:
        raise PackageError(f"the package {package} is empty")
    return size, head
