"""Things that go wrong, by name and position, so that a failing run can be repeated and composed.

A fault is written ``name[:arg[:arg]]``; several are joined with ``+``. A *position* (``POS``) is one of

- ``12``: the piece number 12 of the package, from 0: the segment number (sn) of AT+NFWUPD, elsewhere how many
  pieces are stored already. A piece that comes again has the same number;
- ``c7``: the seventh command line that the module took, from 1;
- ``prepare``, ``erase``, ``validate``, ``start``: the first command that does that in the module's way of
  updating (``AT+NFWUPD=0``, ``=2``, ``=5``; ``AT+CFSINIT``, ``AT+CFSGFIS``, ``AT+CFOTA``...).

A *byte number* counts, from 1, the bytes from the host that reached the module, or those from the module that
reached the host's wire. ``TIMES`` is how often the fault strikes; a fault without it strikes once, unless its
description says always.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Self

from atota.errors import UsageError
from atota.names import advice

_STATUS = re.compile(r"PACKAGE_[A-Z_]+")


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault: its syntax and its effect."""

    usage: str
    help: str


_ALWAYS = (
    "bad-above",
    "urc-before-reply",
    "urc-inside-reply",
    "urc-behind-reply",
    "damaged-echo",
    "refuse-erase",
    "refuse-start",
    "refuse-validate",
    "refuse-md5",
    "fail-download",
)

BYTE_FAULTS = (
    ("drop-byte:BYTE", "byte number BYTE from the host never arrives"),
    ("flip-byte:BYTE", "one bit of byte number BYTE from the host is turned over"),
    ("double-byte:BYTE", "byte number BYTE from the host arrives twice"),
    ("drop-back:BYTE", "byte number BYTE from the device never reaches the host"),
    ("flip-back:BYTE", "one bit of byte number BYTE from the device is turned over"),
    ("double-back:BYTE", "byte number BYTE from the device reaches the host twice"),
)
"""The faults of bytes on the wire, which every device has."""

_TABLE = (
    *BYTE_FAULTS,
    ("lose-command:POS[:TIMES]", "the command line is not heard: no echo, no effect, no reply"),
    ("lose-reply:POS[:TIMES]", "the command is carried out, its reply is never sent"),
    ("late-reply:POS:SECONDS", "the reply comes SECONDS later; the module is busy (deaf) until then"),
    ("cut-reply:POS[:TIMES]", "the command is carried out, only the first half of its reply is sent"),
    ("double-reply:POS[:TIMES]", "the reply is sent twice"),
    ("noise:POS", "20 to 40 bytes before the reply, as of another rate"),
    ("reboot-at-block:POS", "a watchdog reboot instead of the command"),
    ("brownout-at-block:POS", "a power dip instead of the command: power-on reset"),
    ("refuse-block:POS[:TIMES]", "an error (50; the family's own) at once and nothing is written"),
    ("refuse-length:BYTE", "blocks and pieces of more than BYTE bytes are refused, whatever the manual says"),
    ("busy:POS[:TIMES]", "the persona's busy error (51 or 529) and nothing is done"),
    ("no-prompt:POS[:TIMES]", "the prompt is never sent; the module waits for the bytes all the same"),
    ("late-prompt:POS:SECONDS", "the prompt comes SECONDS later; bytes before it are lost"),
    ("close-window:POS[:TIMES]", "the time for the bytes is over half-way: error, nothing is stored"),
    ("refuse-data:POS[:TIMES]", "all bytes are taken, then an error, nothing is stored"),
    ("short-write:POS[:TIMES]", "the piece is taken, the last byte of it is not stored"),
    (
        "lose-ack:POS[:TIMES]",
        "the acknowledgement of KiB or packet POS of a transfer is never sent",
    ),
    ("reboot-in-data:POS", "a watchdog reboot half-way through the bytes"),
    ("silent-at:POS", "from this command on neither a byte in nor out, until a hardware reset"),
    ("mute", "never a byte in or out, whatever is done"),
    ("mute-after:COMMANDS", "after so many command lines never a byte in or out, whatever is done"),
    ("unplug-at:POS", "the adapter is pulled out when this command has arrived; the module keeps its power"),
    ("refuse-erase[:TIMES]", "the erase ran and failed: error 4 (always, without TIMES)"),
    ("refuse-validate[:STATUS]", "the package is never good (STATUS: PACKAGE_VALIDATION_FAILURE and so on)"),
    ("refuse-start[:TIMES]", "the command that starts the update is refused (always, without TIMES)"),
    (
        "validate-first",
        "AT+NFWUPD=5 wants code 2 first, as on Hi2115 B500, also where the manual has 5 alone",
    ),
    ("refuse-md5[:TIMES]", "the module finds that digest or checksum differ (always, without TIMES)"),
    ("fail-download[:TIMES]", "what the module downloads by itself never arrives (always, without TIMES)"),
    ("reboot-in-download", "a watchdog reboot half-way through a download of the module's own"),
    ("reboot-in-update", "a power dip half-way through the update; it goes on with the next start"),
    ("stuck-update", "the update begins and never ends; a hardware reset begins it again"),
    ("cut-urc[:TIMES]", "a line about the update that the module began by itself loses its second half"),
    ("fail-update", "the update begins and fails; the module reports it and runs the old version"),
    ("quiet-update", "no line about the update is ever sent"),
    ("rollback", "the update reboot takes place and the old version comes back"),
    (
        "stay-dead-after-update",
        "from the start of the update on its port is dead, whatever is done; the update goes on",
    ),
    ("back-at-baud:RATE", "after the update the stored rate is RATE"),
    ("echo", "echo is on"),
    ("damaged-echo[:TIMES]", "echo is on, one character of a line is wrong in it (always, without TIMES)"),
    ("urc-storm[:SECONDS]", "an unsolicited line every SECONDS (0.2)"),
    ("urc-before-reply[:TIMES]", "an unsolicited line right before a reply (always, without TIMES)"),
    ("urc-inside-reply[:TIMES]", "an unsolicited line before the final result (always, without TIMES)"),
    ("urc-behind-reply[:TIMES]", "an unsolicited line right behind a reply (always, without TIMES)"),
    (
        "bad-above:RATE[:BYTES]",
        "above RATE bit/s one bit of about every BYTES-th byte (100) is turned over, both ways (always)",
    ),
    (
        "resumed-update",
        "a power cut was in the middle of an update: with the module's first moment it goes on by itself",
    ),
    ("boot-garbage", "the module is just being powered on when the port is opened: noise and a boot banner"),
)


@dataclass(frozen=True, slots=True)
class FaultTable:
    """The faults that one kind of device knows.

    Attributes:
        always: those that strike again and again, unless they say how often.
        position: the form of a ``POS``; ``positions`` are examples of it.
    """

    kinds: Mapping[str, FaultKind]
    always: tuple[str, ...]
    position: re.Pattern[str]
    positions: str

    @classmethod
    def of(
        cls, rows: Iterable[tuple[str, str]], always: tuple[str, ...], position: str, positions: str
    ) -> Self:
        """Make a table of pairs of syntax and effect."""
        kinds = {re.split(r"[:\[]", usage)[0]: FaultKind(usage, text) for usage, text in rows}
        return cls(kinds, always, re.compile(position), positions)


MODULE_FAULTS = FaultTable.of(
    _TABLE,
    _ALWAYS,
    r"[0-9]+|c[1-9][0-9]*|prepare|erase|validate|start",
    "12, c7, prepare, erase, validate, start",
)
KNOWN_FAULTS = MODULE_FAULTS.kinds


@dataclass(slots=True)
class Fault:
    """One fault and how often it may still strike."""

    name: str
    args: tuple[str, ...]
    left: float

    @property
    def text(self) -> str:
        """The fault as it was written."""
        return ":".join((self.name, *self.args))


POSITIONS: tuple[FaultKind, ...] = (
    FaultKind(
        "12", "the piece number 12 of the package, from 0; a piece that comes again has the same number"
    ),
    FaultKind("c7", "the seventh command line that the module took, from 1"),
    FaultKind("prepare", "the first command that makes the slot ready, in the module's way of updating"),
    FaultKind("erase", "the first command that erases the slot"),
    FaultKind("validate", "the first command that has the package checked"),
    FaultKind("start", "the first command that starts the update"),
)
"""The forms of POS."""


def _bad(text: str, why: str, table: FaultTable) -> UsageError:
    name = text.partition(":")[0].strip()
    kind = table.kinds.get(name)
    form = f"Write {kind.usage}." if kind is not None else advice(name, table.kinds, known="Known faults")
    return UsageError(f"fault {text!r}: {why}", hint=f"{form} `atota sim faults` explains each fault.")


def _number(text: str, value: str, table: FaultTable, *, real: bool = False) -> float:
    pattern = r"[0-9]{1,9}(\.[0-9]{1,9})?" if real else r"[1-9][0-9]{0,11}"
    if not re.fullmatch(pattern, value) or (real and float(value) <= 0):
        raise _bad(text, f"{value!r} is not a number above zero", table)
    return float(value)


def _check(text: str, name: str, args: tuple[str, ...], table: FaultTable) -> float:
    """Check the arguments by the usage line; return how often the fault may strike."""
    usage = table.kinds[name].usage
    kinds = re.findall(r":([A-Z]+)", usage)
    least = len(re.findall(r":([A-Z]+)", usage.split("[")[0]))
    if not least <= len(args) <= len(kinds):
        raise _bad(text, f"it is written {usage}", table)
    times = inf if name in table.always else 1
    for kind, value in zip(kinds, args, strict=False):
        if kind == "POS" and not table.position.fullmatch(value):
            raise _bad(text, f"{value!r} is not a position ({table.positions})", table)
        if kind == "STATUS" and not _STATUS.fullmatch(value):
            raise _bad(text, f"{value!r} is not a status (PACKAGE_...)", table)
        if kind in ("BYTE", "BYTES", "RATE", "COMMANDS"):
            _number(text, value, table)
        if kind == "SECONDS":
            _number(text, value, table, real=True)
        if kind == "TIMES":
            times = _number(text, value, table)
    return times


def parse_fault(text: str, table: FaultTable = MODULE_FAULTS) -> Fault:
    """Parse one fault of a table.

    Raises:
        UsageError: the name is unknown or an argument is wrong; the known faults are listed.
    """
    name, *args = text.strip().split(":")
    if name not in table.kinds:
        raise _bad(text, "unknown fault", table)
    return Fault(name, tuple(args), _check(text, name, tuple(args), table))


class FaultPlan:
    """The faults of one simulated device.

    Args:
        texts: each one or several faults joined with ``+``.
        table: the faults that it may have.

    Attributes:
        struck: the faults that have struck, in order, once for each time.
        shown: which of those that last (echo, mute, urc-storm, quiet-update, bad-above) have shown.
    """

    def __init__(self, texts: Iterable[str] = (), table: FaultTable = MODULE_FAULTS) -> None:
        self.faults = [parse_fault(one, table) for text in texts for one in re.split(r"[+ ]", text) if one]
        self.struck: list[str] = []
        self.shown: list[str] = []
        self._named: dict[str, list[Fault]] = {}
        for fault in self.faults:
            self._named.setdefault(fault.name, []).append(fault)
        self._inward, self._outward = self._bytes("-byte"), self._bytes("-back")

    def _bytes(self, ending: str) -> dict[int, str]:
        return {int(fault.args[0]): fault.name for fault in self.faults if fault.name.endswith(ending)}

    @property
    def text(self) -> str:
        """All faults in the form that `FaultPlan` and the URL take."""
        return "+".join(fault.text for fault in self.faults)

    def has(self, name: str) -> Fault | None:
        """The first fault of this name that may still strike."""
        for fault in self._named.get(name, ()):
            if fault.left > 0:
                return fault
        return None

    def lasts(self, name: str) -> Fault | None:
        """Return what `has` does, for a fault that lasts and that shows now."""
        fault = self.has(name)
        if fault is not None and fault.text not in self.shown:
            self.shown.append(fault.text)
        return fault

    def strike(self, name: str, keys: frozenset[str] | None = None) -> Fault | None:
        """Use a fault up once and return it, or None if none is due here.

        ``keys`` are the names of the present position; None for a fault that has no position.
        """
        for fault in self._named.get(name, ()):
            if fault.left > 0 and (keys is None or fault.args[0] in keys):
                fault.left -= 1
                self.struck.append(fault.text)
                return fault
        return None

    def reached(self, name: str, before: int, after: int) -> Fault | None:
        """Use up the fault whose byte number is above ``before`` and at most ``after``, if there is one."""
        for fault in self._named.get(name, ()):
            if fault.left > 0 and before < int(fault.args[0]) <= after:
                fault.left -= 1
                self.struck.append(fault.text)
                return fault
        return None

    def refuses_length(self, length: int) -> bool:
        """True if a block or piece of so many bytes is longer than ``refuse-length`` lets through."""
        fault = self.has("refuse-length")
        if fault is None or length <= int(fault.args[0]):
            return False
        self.struck.append(fault.text)
        return True

    def clear(self) -> None:
        """Take away every fault that is still to strike; the others stay in ``struck``."""
        for fault in self.faults:
            fault.left = 0
        self._inward.clear()
        self._outward.clear()

    def distort(self, data: bytes, count: int) -> bytes:
        """Apply the faults of bytes from the host to ``data``; ``count`` bytes came before it."""
        return self._distorted(self._inward, data, count) if self._inward else data

    def distort_back(self, data: bytes, count: int) -> bytes:
        """Distort bytes from the device, as `distort` does those from the host."""
        return self._distorted(self._outward, data, count) if self._outward else data

    def _distorted(self, kinds: dict[int, str], data: bytes, count: int) -> bytes:
        if not any(count < number <= count + len(data) for number in kinds):
            return data
        out = bytearray()
        for number, byte in enumerate(data, count + 1):
            name = kinds.pop(number, None)
            if name is not None:
                self.struck.append(f"{name}:{number}")
            kind = name and name.split("-")[0]
            out += {None: bytes([byte]), "drop": b"", "double": bytes([byte, byte])}.get(
                kind, bytes([byte ^ 1 << (number % 7)])
            )
        return bytes(out)
