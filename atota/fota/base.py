"""The base of the methods of filling a FOTA slot. They speak to a session and know no port and no vendor."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from atota.dialects.common import MethodSpec
from atota.dialects.model import Dialect
from atota.dialects.watch import UNEXPLAINED
from atota.errors import ModuleRebooted, NoAnswer, PackageError, SlotLost, WriteFailed
from atota.module.response import Response
from atota.module.session import Session

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""
_HEAD_BYTES = 64


@contextmanager
def slot_lost_on_reboot(what: str) -> Iterator[None]:
    """Turn a reboot of the module into `SlotLost`: ``what``, and the cause."""
    try:
        yield
    except ModuleRebooted as error:
        raise SlotLost(f"{what} ({error.why})") from error


@contextmanager
def slot_lost_on_silence() -> Iterator[None]:
    """Turn a missing response into `SlotLost`."""
    try:
        yield
    except NoAnswer as error:
        raise SlotLost(error.message) from error


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The user's wishes for a write.

    ``block``: bytes a block or piece, if not the profile's own. ``read_back``: compare the written bytes with
    the package, where the module can be asked for them. ``push_limit_s``: how long an operator may take to
    push a package from the platform.
    """

    block: int | None = None
    read_back: bool = False
    push_limit_s: float = 1800.0


class Counters(msgspec.Struct):
    """The cost of a write: blocks acknowledged, and blocks that had to be sent again.

    ``block_s``: seconds that a block takes beyond the wire and the pause after its response; None: unknown.
    """

    blocks: int = 0
    retries: int = 0
    block_s: float | None = None


class Method(ABC):
    """One way of filling the slot and starting its content.

    The calls come in the order of this class. None of them touches the running firmware but `activate`. The
    facts that hold before any call are in ``spec``.

    Args:
        dialect: the profile.
        spec: its method.
        options: the user's wishes.

    Attributes:
        spec: the method as the profile describes it, with the flags that the program asks.
        counters: the cost of the write.
        block: bytes in one block or piece; None where the package is not cut.
        percent: the module's own figure of the progress of its update.
        failure: the module's own report of a failure.
        is_mismatch: that failure names the package as one for another module or version.
        has_succeeded: the module itself reported that the update succeeded.
        has_left: the module reported that it has left its firmware for the update.
        note: tells people about a call that takes long; set by the caller.
        slow_down: lowers the rate, as errors have become frequent; True if it could. Set by the caller.
        has_rebooted: asked after a silence; True if the module is at its first rate again, not at the raised
            one. Set by the caller.
        on_block_changed: called after ``block`` changed, before the module gets such a block.
        warn: tells people, and the record, that the module shows another documented variant of its flow than
            its profile names, and that this one is taken; set by the caller.
        window_s: how long the module waits for bytes that it asked for; 0 if it never does.
    """

    spec: MethodSpec
    block: int | None = None
    window_s: float = 0.0

    def __init__(self, dialect: Dialect, spec: MethodSpec, options: Options) -> None:
        self.dialect = dialect
        self.spec = spec
        self.options = options
        self.counters = Counters()
        self.percent: int | None = None
        self.failure: str | None = None
        self.is_mismatch = self.has_succeeded = self.has_left = False
        self.note: Callable[[str], None] = lambda _: None
        self.warn: Callable[[str], None] = lambda _: None
        self.slow_down: Callable[[], bool] = lambda: False
        self.has_rebooted: Callable[[], bool] = lambda: False
        self.on_block_changed: Callable[[], None] = lambda: None

    def be_careful(self) -> None:
        """Prefer what always works to what is fast: an attempt before lost the slot."""

    def set_url(self, url: str) -> None:
        """Set the address from which the module can fetch the package; a secret."""

    def on_line(self, line: str) -> None:
        """Read the progress or the end of the update from an unsolicited line."""

    @property
    def room(self) -> int | None:
        """The largest package that the slot takes, in bytes; None where no document says it."""
        return self.spec.slot.bytes if self.spec.slot is not None else None

    @property
    def progress(self) -> object:
        """The module's own figures of its progress: they change as long as it gets on."""
        return self.percent

    @property
    def holds_package(self) -> bool:
        """True if the slot is known to hold the package byte for byte, once it is written."""
        return False

    def check(self, package: Path) -> None:
        """Refuse, before anything is touched, a package that the module would refuse.

        Raises:
            PackageError: its length or format is not for this method.
        """
        self.size_of(package)

    def probe(self, session: Session) -> None:
        """Ask, by harmless forms only, if the module has this method.

        Raises:
            Refused: it has not.
        """

    def prepare(self, session: Session) -> None:
        """Make the slot ready for a `write` from the first byte on, or from where the last `write` ended.

        A method whose `write` clears the slot does nothing here; others lose the slot's content.

        Raises:
            WriteFailed: the module refused.
            SlotLost: the module rebooted.
        """
        self.counters.blocks = 0

    def resume_at(self, session: Session, package: Path, written: int) -> int | None:
        """Find out where the write of an earlier run can be resumed; `write` then does so.

        Only where it can be proven that the slot holds the beginning of this package.

        Args:
            session: the conversation.
            package: the package, the same as then.
            written: bytes that the module had acknowledged; it may have taken more.

        Returns:
            The byte to resume at. None: nothing is proven, begin with `prepare`.
        """
        return None

    @abstractmethod
    def write(self, session: Session, package: Path, progress: Progress) -> str | None:
        """Stream the package into the slot.

        Returns:
            The SHA-256 of the bytes that were sent, in lower-case hex: the file may have changed meanwhile.
            None: the caller must check the file itself again.

        Raises:
            WriteFailed: the module refuses it.
            SlotLost: begin again with `prepare`.
            PackageError: the file cannot be read to the end that it had.
        """

    def validate(self, session: Session) -> None:
        """Have the module check the slot; called only if ``spec.validates``.

        Raises:
            WriteFailed: its content is not valid.
        """

    @abstractmethod
    def activate(self, session: Session) -> bool | None:
        """Start the update. From here on the module must be left alone until it comes back.

        Returns:
            False if the module fell silent, as it does when it starts and also when the command was lost;
            else it said that it starts.

        Raises:
            WriteFailed: the module refused to start; it runs its old firmware.
            SlotLost: it rebooted for another reason instead.
        """

    def close(self, session: Session) -> None:
        """Close everything that `prepare` opened, when the update is given up before its start."""

    def result(self, session: Session) -> str | None:
        """Return the module's own words on its last update, or None."""
        return None

    # -- for the methods themselves -----------------------------------------------------------

    def size_of(self, package: Path) -> int:
        """Return the package's size in bytes, if it is not a file for another tool.

        Raises:
            PackageError: it is empty, unreadable, for another tool, or larger than the module's slot.
        """
        size, head = read_head(package, _HEAD_BYTES)
        for magic, why in self.spec.refused_magic.items():
            if head.startswith(magic.encode()):
                raise PackageError(f"{package.name}: {why}")
        room = self.room
        if room is not None and size > room:
            raise too_large(package, size, f"the module's FOTA slot holds {room}")
        return size

    def shorten(self, length: int, shorter: int | None) -> int:
        """Take shorter pieces, after the module refused the first one; return 0 if there are none."""
        if shorter is None or shorter >= length:
            return 0
        self.warn(f"the module refuses pieces of {length} bytes; sending pieces of {shorter} bytes instead")
        self.block = shorter
        self.on_block_changed()
        return shorter

    def final_words(self, response: Response) -> str:
        """Return a final result with its words: the family's, or those of 27.007."""
        final = response.final
        words = self.dialect.error_words(final) or (UNEXPLAINED if final.code is not None else "")
        return f"{final}" + (f" ({words})" if words and words.lower() != final.text.lower() else "")

    def refused(self, what: str, response: Response) -> SlotLost | WriteFailed:
        """Return the error for a refusal: only one that is not permanent is worth a fresh write."""
        kind = WriteFailed if self.dialect.is_permanent(response.final) else SlotLost
        return kind(f"{what}: {self.final_words(response)}", hint=WriteFailed.default_hint)


def too_large(package: Path, size: int, room: str) -> PackageError:
    """Return the error for a package that the module has no room for, whatever its state."""
    return PackageError(
        f"{package.name} has {size} bytes; {room}",
        hint="Nothing was written. Ask the vendor for a difference package that is smaller.",
    )


def read_head(package: Path, count: int) -> tuple[int, bytes]:
    """Return the size of a package and its first bytes.

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
