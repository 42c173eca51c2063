"""Hex blocks, acknowledged one by one: erase, download, validate, start, in numbered codes.

The numbers, lengths and texts in which firmwares differ come from the profile. The rules that they share
(manuals of the family, and an Hi2115 firmware observed block by block), on which this file is built:

* A block carries its number, its length in bytes, its bytes in hex and their XOR as two hex digits.
* The module takes block n+1 after block n, or block 0, which starts the stream anew. It takes no block
  twice. A refused block changes nothing and may be sent again.
* So an error on a block that was sent again after a lost response has two meanings: refused, or stored the
  first time. The next block decides: if it is taken, the one before it was stored.
* Right after an erase or a reboot block 1 is taken as the first one too, and lands at offset 0. So while
  block 0 or 1 is in doubt no conclusion is drawn: the write begins again.
* A reboot loses number and offset: the write begins again.
* Code 2 answers ``OK`` whatever the verdict; the verdict is its text.
* The manuals have two orders: 2 then 5, or 5 alone and 2 afterwards. Firmwares do not keep to their manual:
  one whose code 5 answers that nothing was validated gets code 2 and then code 5 again.
* A length that the firmware does not take is refused at block 0, which may be sent again in another one.

An example, of twelve bytes in blocks of four (``<-``: the module)::

    -> AT+NFWUPD=0                       erase
    <- OK
    -> AT+NFWUPD=1,0,4,01020304,04       block 0: length, bytes, XOR
    <- OK
    -> AT+NFWUPD=1,1,4,A0B0C0D0,00
    <- OK
    -> AT+NFWUPD=1,2,4,FF00FF05,05
    <- OK
    -> AT+NFWUPD=2                       validate
    <- +NFWUPD:PACKAGE_OK
    <- OK
    -> AT+NFWUPD=5                       start
    <- OK
"""

import hashlib
import statistics
from pathlib import Path

from atota.at.params import allowed_numbers
from atota.clock import Deadline
from atota.dialects.common import OK_BYTES
from atota.dialects.methods.nfwupd import NfwupdSpec
from atota.dialects.model import Dialect
from atota.errors import (
    NO_CAUSE,
    Desynchronised,
    LinkError,
    ModuleError,
    ModuleRebooted,
    NoAnswer,
    PackageError,
    PackageTurnedDown,
    Refused,
    SlotLost,
    WriteFailed,
)
from atota.fota.base import Options, Progress, read_head, slot_lost_on_reboot
from atota.fota.blocks import BlockPlan, ErrorWatch, Stored
from atota.fota.nfwupd_commands import (
    BUSY_PAUSE_S,
    DOWNLOAD,
    ERASE,
    MOST_BLOCKS,
    NAME,
    START,
    VALIDATE,
    NfwupdCommands,
    lengths,
)
from atota.module.query import send_query
from atota.module.response import Response
from atota.module.session import Session

_NOT_YET_POLLS = 5
_STARTS = 2
_LOOK_FOR_S = 6.0
_LOOK_FOR_BLOCKS = 4
"""An earlier run may have stored a few blocks beyond its last note: it takes one every two seconds."""
_ALIVE_S = 2.0


class Nfwupd(NfwupdCommands):
    """The method for one module. Between two commands nothing is open; only the reboot shows the update.

    Raises:
        Refused: the firmware does not take blocks of this length.
    """

    spec: NfwupdSpec

    def __init__(self, dialect: Dialect, spec: NfwupdSpec, options: Options) -> None:
        super().__init__(dialect, spec, options)
        self._block = self.block = options.block or spec.blocks.largest
        self._errors = ErrorWatch()
        self._own_s: list[float] = []
        self._codes: frozenset[int] = frozenset()
        self._first = 0
        self._is_shortened = False
        if not spec.blocks.allows(self._block):
            raise Refused(
                f"blocks of {self._block} bytes are not taken by {dialect.title}",
                hint=f"Leave the block length out: {spec.blocks.default} works.",
            )

    def be_careful(self) -> None:
        """Send blocks that every firmware of the family takes, as an attempt before lost the slot."""
        if self.options.block is None:
            self._block = self.block = min(self._block, self.spec.blocks.default)

    def check(self, package: Path) -> None:
        """Refuse a package of a wrong kind or of a length that the firmware cannot be given."""
        size, rule = self.size_of(package), self.spec.blocks
        plan = lengths(size, self._block, rule)
        if plan is None:
            unit = min(rule.only) if rule.only else rule.multiple
            raise PackageError(
                f"{package.name} has {size} bytes; this firmware takes only multiples of {unit}",
                hint="Padding would change what the signature covers: ask the vendor for the right file.",
            )
        if len(plan) > MOST_BLOCKS:
            raise PackageError(
                f"{package.name} needs {len(plan)} blocks; their numbers end at {MOST_BLOCKS - 1}"
            )

    def probe(self, session: Session) -> None:
        """Ask for the test form, which lists the codes of this firmware."""
        response = send_query(session, f"{self.spec.command}=?")
        if response is None:
            raise Refused(f"this module does not answer {self.spec.command}=?, but answers others")
        self._codes = allowed_numbers(" ".join(response.lines)) if response.ok else frozenset()
        needed = {DOWNLOAD, START, *([VALIDATE] if self.spec.validates else [])}
        if not needed <= self._codes:
            answer = " ".join(response.lines) or self.final_words(response)
            raise Refused(
                f"this module has no usable {self.spec.command}: it answered {answer!r} to the test form",
                hint="Firmwares before B657SP1 lack it, and a module of this name may hide another chip.",
            )
        if self.spec.erase == "required" and ERASE not in self._codes:
            raise Refused(
                f"{self.dialect.title} should offer an erase (code 0), but this module offers the codes "
                + ", ".join(map(str, sorted(self._codes))),
                hint="A module of this name may hide another chip. `atota identify` shows what it answers.",
            )

    def prepare(self, session: Session) -> None:
        """Erase the slot, where the firmware has a code for it; else block 0 starts the stream anew."""
        self.counters.blocks = self._first = 0
        if not self._codes:
            self.probe(session)
        if ERASE not in self._codes:
            return
        for attempt in range(1, self.spec.attempts + 1):
            try:
                with slot_lost_on_reboot("the module rebooted during the erase"):
                    response = self.unless_busy(session, self.command(ERASE), self.spec.times.erase_s)
            except NoAnswer:
                # An erase may be repeated: a second one clears the same.
                if attempt == self.spec.attempts:
                    raise
                continue
            if response.ok:
                return
            if self.dialect.is_permanent(response.final):
                break
            self.counters.retries += 1
        raise self.failed("the module refused to erase its FOTA slot", response)

    def resume_at(self, session: Session, package: Path, written: int) -> int | None:
        """Find the block that the module waits for, by offering one after the other.

        It takes only the one behind the last that it stored, and refuses every other from 2 on, also
        after a reboot; so each block that it takes is in its place. Blocks 0 and 1 are never offered: a
        module that has forgotten its count would put them at the beginning of a slot that was not erased.
        """
        size, _ = read_head(package, 0)
        plan = lengths(size, self._block, self.spec.blocks)
        number = written // self._block
        if not self.spec.take_up or not self.spec.validates or plan is None or number < 2:
            return None
        limit = Deadline(session.clock, _LOOK_FOR_S)
        offered = 0
        with package.open("rb") as file:
            file.seek(number * self._block)
            while number < len(plan) and (offered < _LOOK_FOR_BLOCKS or not limit.expired):
                command = self.download(number, file.read(plan[number]))
                try:
                    response = self.unless_busy(session, command, self.spec.times.block_s)
                except ModuleError:
                    return None
                offered, number = offered + 1, number + 1
                if response.ok:
                    self._first = number
                    return sum(plan[:number])
        return None

    def write(self, session: Session, package: Path, progress: Progress) -> str | None:
        """Send every block, strictly one at a time, except those that `resume_at` found stored."""
        size, _ = read_head(package, 0)
        plan = BlockPlan(size, self._block, self.spec.blocks, is_fixed=self.options.block is not None)
        if not plan.lengths:
            raise PackageError(f"{package.name} has another length than when it was checked")
        sent = hashlib.sha256()
        number, done, doubtful = 0, 0, False
        boots, noise = session.boots, session.garbage_bytes
        with package.open("rb") as file:
            while number < len(plan.lengths):
                chunk = file.read(plan.lengths[number])
                if len(chunk) != plan.lengths[number]:
                    raise PackageError(f"{package.name} became shorter while it was written into the module")
                if number >= self._first:
                    stored = self._block_stored(session, plan, number, chunk, doubtful=doubtful)
                    if stored is Stored.TOO_LONG:
                        self._shorten(plan, number)
                        file.seek(done)
                        continue
                    doubtful = stored is Stored.IN_DOUBT
                if session.boots != boots:
                    raise SlotLost(
                        f"the module rebooted before block {number} ({session.last_boot_cause or NO_CAUSE})"
                    )
                if number == 1 and session.garbage_bytes != noise:
                    # At another rate a reboot is noise; after one, block 1 is taken as the first.
                    raise SlotLost(
                        "there was noise on the line at blocks 0 and 1: a reboot can look like that"
                    )
                sent.update(chunk)
                done += len(chunk)
                number += 1
                self.counters.blocks = number
                progress(done, size)
        self.counters.block_s = statistics.median(self._own_s) if self._own_s else None
        if doubtful:
            raise SlotLost(
                "the response to the last block was lost, and no block follows that could prove it"
            )
        return sent.hexdigest()

    def validate(self, session: Session) -> None:
        """Ask for the verdict on the slot, which is the text of the response, not its ``OK``."""
        for _ in range(_NOT_YET_POLLS):
            response = self._judged(session, VALIDATE)
            status = self.status_of(response)
            if not response.ok:
                raise self.failed("the module refused to validate the package", response)
            if status is None and self.spec.bare_ok_is_valid:
                return
            if status is not None and status.startswith(self.spec.valid):
                return
            if status is None or not status.startswith(self.spec.not_yet):
                break
            if NAME in self._codes:
                # Observed on Hi2115: asking for the package's name makes the firmware look at the package.
                self._judged(session, NAME)
            session.listen(BUSY_PAUSE_S)
        text = status or ""
        words = self.spec.status_words(text)
        if text.startswith(self.spec.unread):
            self.warn(
                f"the module leaves the check of the package to its boot ({text}): starting without a verdict"
            )
            return
        if text.startswith(self.spec.empty):
            raise SlotLost(f"the module has lost the package: {text}" + (f" ({words})" if words else ""))
        raise PackageTurnedDown(
            f"the module does not accept the package: {status or 'no verdict'}"
            + (f" ({words})" if words else ""),
            is_final=(status or "").startswith(self.spec.mismatch) and bool(self.spec.mismatch),
        )

    def activate(self, session: Session) -> bool:
        """Start. The response is ``OK``, or the reboot itself; after a silence the command is sent again.

        A module that wants the package validated first gets that, once, whatever the flow of its profile.
        """
        silences, is_validated = 0, False
        while silences < _STARTS:
            try:
                response = self.unless_busy(session, self.command(START), self.spec.times.start_s)
            except ModuleRebooted as error:
                if error.cause is not None and not self._is_update(error.cause):
                    message = f"the module rebooted instead of starting the update ({error.why})"
                    raise SlotLost(message) from error
                return error.cause is not None
            except (NoAnswer, Desynchronised):
                if not session.is_alive(_ALIVE_S) or session.booting:
                    return False
                silences += 1
                continue  # it still answers, so it did not start: the command or its response was lost
            status = self.status_of(response) or ""
            if response.ok or status.startswith(self.spec.started):
                return True
            if is_validated or not status.startswith(self.spec.unvalidated):
                raise self.failed("the module refused to start the update", response)
            is_validated = True
            self.warn(
                f"the module wants the package validated before the start ({status}): "
                "validating it, then starting again"
            )
            self.validate(session)
        raise WriteFailed(
            "the module did not answer the start of the update, and did not reboot",
            hint=SlotLost.default_hint,
        )

    def result(self, session: Session) -> str | None:
        """Return the status of the last update, which the flow that checks in the boot reports here."""
        try:
            response = session.command(self.command(VALIDATE), timeout_s=self.spec.times.validate_s)
        except (ModuleError, LinkError):
            return None
        status = self.status_of(response)
        if status is None:
            return None
        words = self.spec.status_words(status)
        return f"{status} ({words})" if words else status

    def _block_stored(
        self, session: Session, plan: BlockPlan, number: int, chunk: bytes, *, doubtful: bool
    ) -> Stored:
        """Send one block until the module has it. ``doubtful``: the one before may not have been stored."""
        command = self.download(number, chunk)
        # A shorter length is offered once: either it is the right one, or the length was not the reason.
        attempts = 1 if self._is_shortened and not number else self.spec.attempts
        began = session.clock.monotonic()
        is_unanswered, attempt = False, 0
        while attempt < attempts:
            attempt += 1
            try:
                with slot_lost_on_reboot(f"the module rebooted at block {number}"):
                    response = self.unless_busy(session, command, self.spec.times.block_s)
            except NoAnswer as error:
                if self.has_rebooted():
                    raise SlotLost(f"the module rebooted at block {number} ({NO_CAUSE})") from error
                if number > 1 and self._is_slowed_down(number, attempt):
                    attempt = 0
                elif attempt == attempts or number <= 1:
                    raise SlotLost(f"block {number} got no response: {error.message}") from error
                is_unanswered = True
                self.counters.retries += 1
                continue
            if response.ok:
                if attempt == 1:
                    known_s = session.wire_s(len(command.text) + 1 + OK_BYTES)
                    known_s += self.dialect.uart.pause_after_final_s
                    self._own_s.append(session.clock.monotonic() - began - known_s)
                return Stored.YES
            if self.dialect.is_permanent(response.final):
                raise self.failed(f"the module refused block {number}", response)
            self.counters.retries += 1
            if not is_unanswered and self._is_slowed_down(number, attempt):
                attempt = 0
        if is_unanswered:
            return Stored.IN_DOUBT  # refused, or stored before: the next block decides
        if doubtful:
            raise SlotLost(f"block {number - 1} was lost: the module refuses block {number}")
        if plan.can_shorten(number):
            return Stored.TOO_LONG
        raise self.block_failure(number, attempts, sum(plan.lengths[:number]), len(chunk), response)

    def _is_slowed_down(self, number: int, attempt: int) -> bool:
        """Note an error at a block; True if errors have become frequent, and the rate could be lowered.

        Blocks 0 and 1 keep the rate: at another one a module that rebooted would take them as the first.
        """
        if number <= 1 or not self._errors.are_frequent(number, attempt):
            return False
        try:
            return self.slow_down()
        except ModuleError as error:
            raise SlotLost(f"the module was lost while its rate was lowered: {error.message}") from error

    def _shorten(self, plan: BlockPlan, number: int) -> None:
        """Send the rest in smaller blocks; the journal knows it before the module does."""
        length = plan.lengths[number]
        plan.shorten(number)
        if number == 0:
            self._block, self._is_shortened = self.shorten(length, plan.block), True
        else:
            self.warn(f"the module refuses block {number}; sending the rest in smaller blocks")
            self.block = None
            self.on_block_changed()

    def _is_update(self, cause: str) -> bool:
        reboot = self.dialect.reboot
        return reboot is not None and cause in reboot.update_causes

    def _judged(self, session: Session, code: int) -> Response:
        """Send a command that may be sent again: its response may be lost."""
        for _ in range(self.spec.attempts - 1):
            try:
                return self._once_judged(session, code)
            except NoAnswer:
                self.counters.retries += 1
        return self._once_judged(session, code)

    def _once_judged(self, session: Session, code: int) -> Response:
        with slot_lost_on_reboot("the module rebooted during the validation"):
            return self.unless_busy(session, self.command(code), self.spec.times.validate_s)
