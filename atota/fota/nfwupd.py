"""Hex blocks, acknowledged one by one: erase, download, validate, start, in numbered codes.

The numbers, lengths and texts in which firmwares differ come from the profile. What they share, and what
this file is built on (manuals of the family, and an Hi2115 firmware observed block by block):

* A block carries its number, its length in bytes, its bytes in hex and their XOR as two hex digits.
* The module takes block n+1 after block n, or block 0, which starts the stream anew. It takes no block
  twice. A refused block changes nothing and may be sent again.
* So an error on a block that was sent again after a lost answer says two things: refused, or stored the
  first time. The next block decides: if it is taken, the one before it was stored.
* Right after an erase or a reboot block 1 is taken as the first one too, and lands at offset 0. So while
  block 0 or 1 is in doubt nothing is concluded: the write begins again.
* A reboot loses number and offset: the write begins again.
* Code 2 answers ``OK`` whatever the verdict; the verdict is its text.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from atota.at.params import allowed_numbers
from atota.at.syntax import Command
from atota.clock import Deadline
from atota.dialects.model import BlockRule, Dialect, Nfwupd
from atota.errors import (
    Desynchronised,
    LinkError,
    ModuleError,
    ModuleRebooted,
    NoAnswer,
    PackageError,
    Refused,
    WriteFailed,
)
from atota.fota.base import Progress, SlotLost, Tally, read_head
from atota.module.query import send_query
from atota.module.response import Response
from atota.module.session import Session

ERASE, DOWNLOAD, VALIDATE, NAME, START = 0, 1, 2, 3, 5
_MOST_BLOCKS = 65536
"""Block numbers have 16 bits; what happens to a resend after they wrap is not documented."""
_BUSY_PAUSE_S = 1.0
_BUSY_LIMIT_S = 60.0
"""A module that stays busy for longer than its own erase takes is not going to become free."""
_NOT_YET_POLLS = 5
_LOOK_FOR_S = 6.0
_LOOK_FOR_BLOCKS = 4
"""How far beyond what is known to be stored an earlier run may have come: it notes that every two seconds."""
_ALIVE_S = 2.0


def xor8(data: bytes) -> int:
    """The XOR of all bytes: the number that they make is folded in halves down to one byte."""
    number, width = int.from_bytes(data, "big"), 8
    while width < 8 * len(data):
        width *= 2
    while width > 8:
        width //= 2
        number = (number >> width) ^ (number & ((1 << width) - 1))
    return number


def lengths(size: int, block: int, rule: BlockRule) -> list[int] | None:
    """Cut ``size`` bytes into blocks the firmware takes, ``block`` at a time; None if it can't be done."""
    whole, tail = divmod(size, block)
    plan = [block] * whole
    if tail and rule.allows(tail):
        return [*plan, tail]
    for length in sorted(rule.only, reverse=True):
        count, tail = divmod(tail, length) if length < block else (0, tail)
        plan += [length] * count
    return plan if not tail else None


class HexBlocks:
    """The method for one module.

    Args:
        dialect: the profile; its method must be of this kind.
        block: bytes a block, if not the profile's default.

    Raises:
        Refused: the firmware does not take blocks of this length.
    """

    def __init__(self, dialect: Dialect, *, block: int | None = None) -> None:
        if not isinstance(dialect.method, Nfwupd):
            raise Refused(f"the dialect {dialect.name} has no such method")
        self._dialect = dialect
        self._method = dialect.method
        self.block = block or dialect.method.blocks.default
        self._codes: frozenset[int] = frozenset()
        self._first = 0
        self.tally = Tally()
        self.note: Callable[[str], None] = lambda _: None
        if not self._method.blocks.allows(self.block):
            raise Refused(
                f"blocks of {self.block} bytes are not taken by {dialect.title}",
                hint=f"Leave the block length out: {self._method.blocks.default} works.",
            )

    streams = True
    needs_address = False
    may_start_early = False
    percent: int | None = None
    failure: str | None = None
    window_s = 0.0

    def locate(self, address: str) -> None:
        """Nothing: the package is sent from here."""

    def hear(self, line: str) -> None:
        """Nothing: these firmwares tell of the update only by their reboot."""

    def close(self, session: Session) -> None:
        """Nothing is open between two commands."""

    @property
    def validates(self) -> bool:
        """Whether the slot is validated before the start, not in the boot after it."""
        return self._method.flow == "validate-then-start"

    def check(self, package: Path) -> None:
        """Refuse a package of a wrong kind or of a length that the firmware cannot be given."""
        size, head = read_head(package, 64)
        for magic, why in self._method.refused_magic.items():
            if head.startswith(magic.encode()):
                raise PackageError(f"{package.name}: {why}")
        plan = lengths(size, self.block, self._method.blocks)
        if plan is None:
            unit = (
                self._method.blocks.multiple
                if not self._method.blocks.only
                else min(self._method.blocks.only)
            )
            raise PackageError(
                f"{package.name} has {size} bytes; this firmware takes only multiples of {unit}",
                hint="Padding would change what the signature covers: ask the vendor for the right file.",
            )
        if len(plan) > _MOST_BLOCKS:
            raise PackageError(
                f"{package.name} needs {len(plan)} blocks; their numbers end at {_MOST_BLOCKS - 1}"
            )

    def probe(self, session: Session) -> None:
        """Ask for the test form: which codes does this firmware have?"""
        reply = send_query(session, f"{self._method.command}=?")
        if reply is None:
            raise Refused(f"this module does not answer {self._method.command}=?, though it answers others")
        self._codes = allowed_numbers(" ".join(reply.lines)) if reply.ok else frozenset()
        needed = {DOWNLOAD, START, *([VALIDATE] if self.validates else [])}
        if not needed <= self._codes:
            said = " ".join(reply.lines) or str(reply.final)
            raise Refused(
                f"this module has no usable {self._method.command}: it answered {said!r} to the test form",
                hint="Firmwares before B657SP1 lack it, and a module of this name may hide another chip.",
            )
        if self._method.erase == "required" and ERASE not in self._codes:
            raise Refused(
                f"{self._dialect.title} should offer an erase (code 0), but this module offers the codes "
                + ", ".join(map(str, sorted(self._codes))),
                hint="A module of this name may hide another chip. `atota identify` shows what it answers.",
            )

    def prepare(self, session: Session) -> None:
        """Erase the slot, where the firmware has a code for it; else block 0 starts the stream anew."""
        self.tally.blocks = self._first = 0
        if not self._codes:
            self.probe(session)
        if ERASE not in self._codes:
            return
        for attempt in range(1, self._method.attempts + 1):
            try:
                reply = self._unless_busy(session, self._command(ERASE), self._method.times.erase_s)
            except ModuleRebooted as error:
                raise SlotLost(
                    f"the module rebooted during the erase ({error.cause or 'cause not told'})"
                ) from error
            except NoAnswer:
                # An erase may be repeated: it only clears what it clears.
                if attempt == self._method.attempts:
                    raise
                continue
            if reply.ok:
                return
            self.tally.retries += 1
        raise self._failed("the module refused to erase its FOTA slot", reply)

    def take_up(self, session: Session, package: Path, written: int) -> int | None:
        """Find the block that the module waits for, by offering it one after the other.

        It takes just the one behind the last that it stored, and refuses every other from 2 on, also
        after a reboot; so whatever it takes is in its place. Blocks 0 and 1 are never offered: a module
        that has forgotten its count would put them at the beginning of a slot that was not erased.
        """
        size, _ = read_head(package, 0)
        plan = lengths(size, self.block, self._method.blocks)
        number = written // self.block
        if not self._method.take_up or not self.validates or plan is None or number < 2:
            return None
        limit = Deadline(session.clock, _LOOK_FOR_S)
        offered = 0
        with package.open("rb") as file:
            file.seek(number * self.block)
            while number < len(plan) and (offered < _LOOK_FOR_BLOCKS or not limit.expired):
                try:
                    reply = self._unless_busy(
                        session,
                        self._download(number, file.read(plan[number])),
                        self._method.times.block_s,
                    )
                except ModuleError:
                    return None
                offered, number = offered + 1, number + 1
                if reply.ok:
                    self._first = number
                    return sum(plan[:number])
        return None

    def write(self, session: Session, package: Path, progress: Progress) -> str | None:
        """Send every block, strictly one at a time; those that `take_up` found to be stored are left out."""
        size, _ = read_head(package, 0)
        plan = lengths(size, self.block, self._method.blocks)
        if not plan:
            raise PackageError(f"{package.name} has another length than when it was checked")
        sent = hashlib.sha256()
        first, done, doubtful = self._first, 0, False
        boots, noise = session.boots, session.garbage_bytes
        with package.open("rb") as file:
            for number, length in enumerate(plan):
                chunk = file.read(length)
                if len(chunk) != length:
                    raise PackageError(f"{package.name} became shorter while it was written into the module")
                if number >= first:
                    doubtful = self._block_stored(session, number, chunk, doubtful)
                if session.boots != boots:
                    raise SlotLost(f"the module rebooted before block {number} ({session.last_boot_cause})")
                if number == 1 and session.garbage_bytes != noise:
                    # At another rate a reboot is noise; after one, block 1 is taken as the first.
                    raise SlotLost(
                        "there was noise on the line at blocks 0 and 1: a reboot can look like that"
                    )
                sent.update(chunk)
                done += length
                self.tally.blocks = number + 1
                progress(done, size)
        if doubtful:
            raise SlotLost("the answer to the last block was lost, and no block follows that could prove it")
        return sent.hexdigest()

    def validate(self, session: Session) -> None:
        """Ask for the verdict on the slot. Its ``OK`` says nothing: its text does."""
        for _ in range(_NOT_YET_POLLS):
            reply = self._judged(session, VALIDATE)
            status = self._status(reply)
            if not reply.ok:
                raise self._failed("the module refused to validate the package", reply)
            if status is None and self._method.bare_ok_is_valid:
                return
            if status is not None and status.startswith(self._method.valid):
                return
            if status is None or not status.startswith(self._method.not_yet):
                break
            if NAME in self._codes:
                # Observed on Hi2115: asking for the package's name makes the firmware look at the package.
                self._judged(session, NAME)
            session.listen(_BUSY_PAUSE_S)
        words = self._method.status_words(status or "")
        raise WriteFailed(
            f"the module does not accept the package: {status or 'no verdict'}"
            + (f" ({words})" if words else ""),
            hint="The module still runs its old firmware. Check that the package is made for its version.",
        )

    def activate(self, session: Session) -> bool:
        """Start. The answer is ``OK``, or the reboot itself; silence is asked about once."""
        for _ in range(2):
            try:
                reply = self._unless_busy(session, self._command(START), self._method.times.start_s)
            except ModuleRebooted as error:
                if error.cause is not None and not self._is_update(error.cause):
                    message = f"the module rebooted instead of starting the update ({error.cause})"
                    raise SlotLost(message) from error
                return error.cause is not None
            except (NoAnswer, Desynchronised):
                if not session.is_alive(_ALIVE_S) or session.booting:
                    return False
                continue  # it still talks, so it did not start: the command or its answer was lost
            if reply.ok:
                return True
            raise self._failed("the module refused to start the update", reply)
        raise WriteFailed("the module did not answer the start of the update, and did not reboot")

    def result(self, session: Session) -> str | None:
        """The status of the last update; the flow that checks in the boot tells it here."""
        try:
            reply = session.command(self._command(VALIDATE), timeout_s=self._method.times.validate_s)
        except (ModuleError, LinkError):
            return None
        status = self._status(reply)
        if status is None:
            return None
        words = self._method.status_words(status)
        return f"{status} ({words})" if words else status

    def _block_stored(self, session: Session, number: int, chunk: bytes, doubtful: bool) -> bool:
        """Send one block until the module has it. ``doubtful``: the one before may not have been stored.

        Returns:
            Whether this one is now in doubt itself.
        """
        command = self._download(number, chunk)
        unanswered = False
        for attempt in range(1, self._method.attempts + 1):
            try:
                reply = self._unless_busy(session, command, self._method.times.block_s)
            except ModuleRebooted as error:
                raise SlotLost(
                    f"the module rebooted at block {number} ({error.cause or 'cause not told'})"
                ) from error
            except NoAnswer as error:
                if attempt == self._method.attempts or number <= 1:
                    raise SlotLost(f"block {number} got no answer: {error.message}") from error
                unanswered = True
                self.tally.retries += 1
                continue
            if reply.ok:
                return False
            self.tally.retries += 1
        if unanswered:
            return True  # refused, or stored before: the next block decides
        if doubtful:
            raise SlotLost(f"block {number - 1} was lost: the module refuses block {number}")
        raise self._failed(f"the module refused block {number} {self._method.attempts} times", reply)

    def _download(self, number: int, chunk: bytes) -> Command:
        fields = f"{number},{len(chunk)},{chunk.hex().upper()},{xor8(chunk):02X}"
        return self._command(DOWNLOAD, fields)

    def _command(self, code: int, fields: str = "") -> Command:
        name = self._method.command
        prefix = self._method.answer.rstrip(":")
        text = f"{name}={code}" + (f",{fields}" if fields else "")
        return Command(text=text, prefixes=(prefix,), free_text=False)

    def _is_update(self, cause: str) -> bool:
        reboot = self._dialect.reboot
        return reboot is not None and cause in reboot.update_causes

    def _judged(self, session: Session, code: int) -> Response:
        """Ask what may be asked twice: its answer may be lost."""
        for _ in range(self._method.attempts - 1):
            try:
                return self._once_judged(session, code)
            except NoAnswer:
                self.tally.retries += 1
        return self._once_judged(session, code)

    def _once_judged(self, session: Session, code: int) -> Response:
        try:
            return self._unless_busy(session, self._command(code), self._method.times.validate_s)
        except ModuleRebooted as error:
            raise SlotLost(f"the module rebooted during the validation ({error.cause})") from error

    def _unless_busy(self, session: Session, command: Command, timeout_s: float) -> Response:
        """Send a command; as long as the answer is "busy", wait and send it again, within bounds."""
        waited = 0.0
        while True:
            reply = session.command(command, timeout_s=timeout_s)
            if reply.final.code not in self._method.busy_codes or waited >= _BUSY_LIMIT_S:
                return reply
            session.listen(_BUSY_PAUSE_S)
            waited += _BUSY_PAUSE_S
            self.tally.retries += 1

    def _status(self, reply: Response) -> str | None:
        for line in reply.lines:
            if line.startswith(self._method.answer):
                return line[len(self._method.answer) :].strip()
        return None

    def _failed(self, what: str, reply: Response) -> WriteFailed:
        status = self._status(reply)
        code = self._dialect.error_words(reply.final.code)
        words = self._method.status_words(status) if status else code
        said = f"{status}, {reply.final}" if status else str(reply.final)
        return WriteFailed(f"{what}: {said}" + (f" ({words})" if words else ""))
