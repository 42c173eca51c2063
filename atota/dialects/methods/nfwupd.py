"""Hex blocks by ``AT+NFWUPD``: erase, download, validate, start."""

import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal, Self

import msgspec

from atota.dialects.common import OK_BYTES, Command, MethodSpec, Profiled, WirePlan, Word
from atota.dialects.ranges import halved

_CODES: Final = {0: "erase", 1: "download", 2: "validate", 5: "start"}
"""The codes of AT+NFWUPD that the method sends (M5310-A AT command manual, +NFWUPD)."""
_SHORTEST: Final = 32
"""Bytes of the shortest block that a manual lists (Cinterion ENS22-E AT command set; M5310-A manual)."""
_LONGEST_LINE_HEAD = len("=1,99999,9999,") + len(",FF\r")


class BlockRule(Profiled, frozen=True, kw_only=True):
    """The lengths in bytes that one block may have.

    A write begins with ``largest`` unless the user asks for another; ``default`` is taken by every firmware
    of the family, and used after a slot was lost. ``largest`` and ``multiple`` bound the lengths, or
    ``only`` lists the allowed ones. ``may_mix``: blocks of one package may have different lengths.
    """

    default: int
    largest: int
    multiple: int = 1
    only: tuple[int, ...] = ()
    may_mix: bool = False
    source: str

    def allows(self, length: int) -> bool:
        """True if one block may have ``length`` bytes."""
        if self.only:
            return length in self.only
        return 0 < length <= self.largest and length % self.multiple == 0

    def shorter(self, length: int) -> int | None:
        """Return the next shorter length that one block may have; None: there is none."""
        if self.only:
            return max((one for one in self.only if one < length), default=None)
        return halved(length, _SHORTEST, self.multiple)


class NfwupdTimes(Profiled, frozen=True, kw_only=True):
    """Limits in seconds. The module has none of its own, so these only bound how long we wait.

    ``store_s`` is not a limit: it is the usual time to store one block.
    """

    erase_s: float
    block_s: float
    validate_s: float
    start_s: float
    store_s: float | None = None


class NfwupdSpec(MethodSpec, frozen=True, kw_only=True, tag="nfwupd"):
    """Hex blocks by ``AT+NFWUPD``: erase, download, validate, start.

    ``flow``: ``validate-then-start`` (code 2 before code 5) or ``start-then-ask`` (code 5 checks in the
    boot, code 2 afterwards gives the result). ``erase``: ``offered`` sends code 0 where the test form's
    range has it; ``required`` insists on it. ``bare_ok_is_valid``: code 2 answers no text but ``OK``.
    ``mismatch`` lists the verdicts that name the package as one for another module or version.
    ``unread``: the texts of a code 2 that only reads the status: where it stays at one of them, code 5
    decides and the boot checks. ``unvalidated``: the texts with which code 5 asks for code 2 first, whatever
    the flow. ``started``: those with which it says that the update runs already. ``empty``: the texts of a
    slot that lost the package.
    ``take_up``: the write of an earlier run may be resumed. That needs a firmware that is known to
    take block n+1 after block n alone, to forget its count with a reboot, and to check the whole package's
    signature or hash before the start.
    """

    command: Annotated[str, Command(bare=True)]
    answer: Annotated[str, Word()]
    flow: Literal["validate-then-start", "start-then-ask"]
    erase: Literal["offered", "required"] = "offered"
    bare_ok_is_valid: bool = False
    take_up: bool = False
    blocks: BlockRule
    valid: tuple[Annotated[str, Word()], ...]
    not_yet: tuple[Annotated[str, Word()], ...] = ()
    mismatch: tuple[Annotated[str, Word()], ...] = ()
    unread: tuple[Annotated[str, Word()], ...] = ()
    unvalidated: tuple[Annotated[str, Word()], ...] = ()
    started: tuple[Annotated[str, Word()], ...] = ()
    empty: tuple[Annotated[str, Word()], ...] = ()
    busy_codes: tuple[int, ...] = ()
    attempts: int = 3
    times: NfwupdTimes
    statuses: dict[str, str] = msgspec.field(default_factory=dict)

    def with_block(self, block: int) -> Self:
        """Return the method with blocks of ``block`` bytes."""
        return msgspec.structs.replace(self, blocks=msgspec.structs.replace(self.blocks, largest=block))

    @property
    def store_s(self) -> float:
        """The usual time to store one block, in seconds."""
        return self.times.store_s or 0.0

    @property
    def validates(self) -> bool:
        """True if the slot is validated before the start, not in the boot after it."""
        return self.flow == "validate-then-start"

    @property
    def longest_block(self) -> int:
        """The longest block that the firmware takes."""
        return max(self.blocks.only) if self.blocks.only else self.blocks.largest

    def status_words(self, status: str) -> str:
        """Return the meaning of a status text; firmwares cut the longest, so its start must match."""
        for name, words in self.statuses.items():
            if status.startswith(name):
                return words
        return ""

    def sends(self) -> Iterator[tuple[str, str]]:
        """Yield the bare name's test form and numbered forms."""
        yield ".command (test)", f"{self.command}=?"
        for code, name in _CODES.items():
            fields = ",{number},{length},{data},{checksum}" if name == "download" else ""
            yield f".command ({name})", f"{self.command}={code}{fields}"

    def mistakes(self, line_limit: int) -> Iterator[tuple[str, str]]:
        """Yield the values that do not fit each other."""
        if not re.fullmatch(r"AT[+^%$#*&]\w+", self.command):
            yield ".command", f"{self.command!r} is not a command's bare name, such as 'AT+NFWUPD'"
        elif self.answer.rstrip(": ") != self.command[2:]:
            yield ".answer", f"{self.answer!r} does not begin as {self.command} answers"
        if not self.valid and not self.bare_ok_is_valid:
            yield ".valid", "No response is configured to mean 'package valid'"
        for status in self.valid:
            if status.startswith(self.not_yet) and self.not_yet:
                yield ".not_yet", f"{status} would mean both valid and not yet valid"
        yield from _block_mistakes(self.blocks)
        needed = len(self.command) + _LONGEST_LINE_HEAD + 2 * self.blocks.largest
        if needed > line_limit:
            what = f"{self.blocks.largest} bytes in hex need {needed} characters; a line has {line_limit}"
            yield ".blocks.largest", what

    def wire_plan(self, baud: int, size: int) -> WirePlan:
        """Cut the package into blocks of hex digits, each a command of its own."""
        block = self.blocks.largest
        number = len(str(size // block // 2))
        line = len(f"{self.command}=1,,{block},,XX\r") + number + 2 * block
        return WirePlan(piece=block, line=line, down=OK_BYTES, is_hex=True)


def _block_mistakes(rule: BlockRule) -> Iterator[tuple[str, str]]:
    for length in sorted({rule.default, *rule.only}):
        if length > rule.largest:
            yield ".blocks", f"{length} is above the largest, {rule.largest}"
    if rule.only and rule.default not in rule.only:
        yield ".blocks.default", f"{rule.default} is not in `only`"
    if rule.multiple > 0 and not rule.only:
        for name in ("default", "largest"):
            if getattr(rule, name) % rule.multiple:
                yield f".blocks.{name}", f"{getattr(rule, name)} is not a multiple of {rule.multiple}"
