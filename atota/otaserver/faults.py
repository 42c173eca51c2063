"""Injected faults of the local platform: mistakes on purpose, by name, composed by ``+``.

    cut-after:50%                  break the connection once half of the package is sent
    http-500:2@download+slow:2000  two downloads answered 500; the bodies at 2000 bytes a second

A fault is ``NAME[:ARGUMENT][:TIMES][@CALL]``. ``TIMES`` limits how often it strikes (without it: always, but
once for ``cut-after``); ``@CALL`` limits it to one of version, read-version, check, tasking, token, download,
progress, report, devinfo, in every API: ``token`` is also STUDIO's and FUSE's question for the status of a
task. `KNOWN` lists them all.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from atota.errors import UsageError
from atota.names import near
from atota.otaserver.tasks import Task

CALLS = (
    "version",
    "read-version",
    "check",
    "tasking",
    "token",
    "download",
    "progress",
    "report",
    "devinfo",
)
_TOKEN_CALLS = ("token", "download", "progress", "report")


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount: a percentage of the package, bytes of it, or a count of requests."""

    value: int
    unit: Literal["percent", "bytes", "requests"]

    def bytes_of(self, total: int) -> int | None:
        """The amount in bytes of a package of ``total`` bytes, or None if it counts requests."""
        if self.unit == "requests":
            return None
        return total * self.value // 100 if self.unit == "percent" else self.value


Argument = int | float | Amount | None
_AMOUNT = re.compile(r"([0-9]{1,12})(%|b?)")


def _amount(bare: Literal["bytes", "requests"]) -> Callable[[str], Argument]:
    def read(text: str) -> Argument:
        match = _AMOUNT.fullmatch(text)
        if match is None or (match[2] == "%" and int(match[1]) > 100):
            raise ValueError(text)
        units: dict[str, Literal["percent", "bytes", "requests"]] = {"%": "percent", "b": "bytes", "": bare}
        return Amount(int(match[1]), units[match[2]])

    return read


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(text)
    return int(text)


def _positive(text: str) -> int:
    value = _count(text)
    if value < 1:
        raise ValueError(text)
    return value


def _seconds(text: str) -> int:
    return _count(text.removeprefix("-")) * (-1 if text.startswith("-") else 1)


def _error_byte(text: str) -> int:
    value = _count(text)
    if not 1 <= value <= 6:
        raise ValueError(text)
    return value


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault: its syntax and its help; ``default`` None makes the argument needed."""

    syntax: str
    help: str
    read: Callable[[str], Argument] | None = None
    default: Argument = None
    times: int | None = None


_KINDS = (
    FaultKind("http-500[:TIMES]", "answer with HTTP status 500"),
    FaultKind("http-401[:TIMES]", "answer with HTTP status 401"),
    FaultKind("http-404[:TIMES]", "answer with HTTP status 404"),
    FaultKind("http-407[:TIMES]", "answer with HTTP status 407, as a proxy does"),
    FaultKind("html[:TIMES]", "answer with a web page and status 200, as a captive portal does"),
    FaultKind("redirect[:TIMES]", "answer 302 with the address of a login page"),
    FaultKind("errno:N[:TIMES]", "answer with this errno, without any side effect", _count),
    FaultKind("unknown-errno[:TIMES]", "answer with errno 99, which no document lists"),
    FaultKind("no-data[:TIMES]", "a check succeeds but has no data"),
    FaultKind("null-data[:TIMES]", "a check succeeds but its data is null"),
    FaultKind("quoted-code[:TIMES]", "the errno or code of every reply comes as a string"),
    FaultKind("quoted-numbers[:TIMES]", "the task's numbers come as strings"),
    FaultKind("shuffled-keys[:TIMES]", "the keys of every reply come in the opposite order"),
    FaultKind("upper-md5[:TIMES]", "the task's md5 in upper-case hex"),
    FaultKind("wrong-md5[:TIMES]", "the task's md5 is that of another file"),
    FaultKind("long-target[:TIMES]", "the task's target has 21 characters"),
    FaultKind("delta-type[:TIMES]", "the task says that its package is a delta"),
    FaultKind("large-tid[:TIMES]", "STUDIO, FUSE: a check brings a task id above 31 bits"),
    FaultKind("wrong-size[:TIMES]", "the task's size is one byte too large"),
    FaultKind("no-ipport[:TIMES]", "cdn=true brings no ipPort"),
    FaultKind("ipport-no-port[:TIMES]", "ipPort is an address without a port"),
    FaultKind(
        "short-body[:TIMES]", "a download brings half of what it should, with a Content-Length to match"
    ),
    FaultKind(
        "cut-after:PERCENT%|BYTES[:TIMES]",
        "break the connection each time so much of the package was sent since the last break",
        _amount("bytes"),
        times=1,
    ),
    FaultKind("slow:BYTES_PER_S[:TIMES]", "send a download's body at this rate", _positive),
    FaultKind("endless-body[:TIMES]", "a download's body never ends and has no Content-Length"),
    FaultKind("wrong-range[:TIMES]", "Content-Range is one byte further than the body"),
    FaultKind("ignore-range[:TIMES]", "answer a ranged request with 200 and the whole file"),
    FaultKind("one-byte-error:N[:TIMES]", "answer a download with the one-byte error N (1-6)", _error_byte),
    FaultKind("ota-errno:N[:TIMES]", "STUDIO, FUSE: refuse a download with Ota-Errno N (1-6)", _error_byte),
    FaultKind("no-ota-errno[:TIMES]", "STUDIO, FUSE: a download has no Ota-Errno header"),
    FaultKind(
        "expired-token[:N]",
        "the token or task id expires after N requests that carry it (default 1); a check brings a new one",
        _count,
        default=1,
    ),
    FaultKind(
        "cancelled-after:PERCENT%|BYTESb|REQUESTS",
        "the operator cancels the task once so much was sent, or after so many requests that carry its token",
        _amount("requests"),
    ),
    FaultKind(
        "paused:N", "from the first request with its token on, the task is paused for N calls", _positive
    ),
    FaultKind(
        "close-after:N", "close the connection after N requests (the platform itself: 1000)", _positive
    ),
    FaultKind("clock-skew:SECONDS", "the platform's clock is ahead, or behind if negative", _seconds),
)
KNOWN: dict[str, FaultKind] = {re.split(r"[:\[]", kind.syntax)[0]: kind for kind in _KINDS}


@dataclass(slots=True)
class Fault:
    """One fault in force. ``left`` counts down; ``seen`` and ``fired`` are its memory, by device and type."""

    name: str
    argument: Argument
    left: int | None
    call: str | None
    seen: dict[str, int] = field(default_factory=dict)
    fired: set[str] = field(default_factory=set)

    @property
    def number(self) -> int:
        """The argument where it is a number."""
        return int(self.argument) if isinstance(self.argument, int | float) else 0

    def applies(self, call: str) -> bool:
        """True if it is still in force for ``call``."""
        return self.left != 0 and self.call in (None, call)

    def use(self) -> None:
        """Count one stroke."""
        if self.left is not None:
            self.left -= 1

    def count(self, key: str, by: int = 1) -> int:
        """Add to the memory of ``key`` and return its new value."""
        self.seen[key] = self.seen.get(key, 0) + by
        return self.seen[key]


class Faults:
    """The faults that a platform has been given; it asks at each place where one may strike."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self._faults = faults

    def __repr__(self) -> str:
        return f"Faults({'+'.join(fault.name for fault in self._faults)!r})"

    @classmethod
    def parse(cls, text: str) -> "Faults":
        """Read faults joined with ``+``; empty text means none.

        Raises:
            UsageError: a name is not known (the text lists those that are) or an argument is wrong.
        """
        parts = [part.strip() for part in text.split("+")] if text.strip() else []
        return cls(tuple(_parse_one(part) for part in parts))

    @property
    def skew_s(self) -> float:
        """Seconds that the platform's clock is ahead."""
        return float(sum(fault.number for fault in self._faults if fault.name == "clock-skew"))

    @property
    def requests_per_connection(self) -> int | None:
        """The fault ``close-after``, or None."""
        return min((fault.number for fault in self._faults if fault.name == "close-after"), default=None)

    def take(self, name: str, call: str) -> Fault | None:
        """Return the fault ``name`` if it strikes this ``call``, and count it."""
        for fault in self._faults:
            if fault.name == name and fault.applies(call):
                fault.use()
                return fault
        return None

    def before_call(self, task: Task, call: str, now: float) -> None:
        """Pause or cancel ``task`` or let its token expire, as is due before a call on it."""
        key = f"{task.dev_id}/{task.spec.type}"
        for fault in self._faults:
            if fault.name == "paused" and fault.applies(call):
                _pause(fault, task, key, bearing=call in _TOKEN_CALLS)
            if call not in _TOKEN_CALLS or key in fault.fired or not fault.applies(call):
                continue
            if fault.name == "expired-token" and fault.count(key) > fault.number:
                fault.fired.add(key)
                task.expire_token(now)
            if fault.name == "cancelled-after" and _reached(fault, key):
                fault.fired.add(key)
                task.cancel()

    def cut(self, task: Task, length: int) -> int | None:
        """Return the bytes of a body of ``length`` after which the connection breaks, or None."""
        total = len(task.package.data)
        key = f"{task.dev_id}/{task.spec.type}"
        cuts: list[int] = []
        for fault in self._faults:
            limit = fault.argument.bytes_of(total) if isinstance(fault.argument, Amount) else None
            if limit is None or key in fault.fired or not fault.applies("download"):
                continue
            before = fault.seen.get(key, 0)
            if fault.name == "cut-after" and fault.count(key, length) > limit:
                fault.use()
                fault.seen[key] = 0
                cuts.append(limit - before)
            elif fault.name == "cancelled-after" and fault.count(key, length) >= limit:
                fault.fired.add(key)
                task.cancel()
                cuts.append(limit - before)
        return min((cut for cut in cuts if cut < length), default=None)


def _reached(fault: Fault, key: str) -> bool:
    amount = fault.argument
    return isinstance(amount, Amount) and amount.unit == "requests" and fault.count(key) > amount.value


def _pause(fault: Fault, task: Task, key: str, *, bearing: bool) -> None:
    if key not in fault.fired:
        if not bearing:
            return
        fault.fired.add(key)
        task.pause()
    if fault.count(key) == fault.number + 1:
        task.resume()


def _parse_one(text: str) -> Fault:
    body, _, call = text.partition("@")
    name, *arguments = body.split(":")
    kind = KNOWN.get(name)
    if kind is None:
        meant = near(name, KNOWN)
        guess = f"Did you mean {' or '.join(meant)}? " if meant else ""
        raise UsageError(
            f"unknown fault {name!r} of the platform; known are {', '.join(KNOWN)}",
            hint=f"{guess}Write them as NAME[:ARGUMENT], several joined with +.",
        )
    if ("@" in text and call not in CALLS) or len(arguments) > kind.syntax.count(":"):
        raise _wrong_argument(text, kind)
    try:
        argument = kind.default
        if kind.read is not None and (arguments or argument is None):
            argument = kind.read(arguments.pop(0) if arguments else "")
        times = _count(arguments.pop(0)) if arguments else kind.times
    except ValueError:
        raise _wrong_argument(text, kind) from None
    return Fault(name, argument, times, call or None)


def _wrong_argument(text: str, kind: FaultKind) -> UsageError:
    return UsageError(
        f"the fault {text!r} is not of the form {kind.syntax}[@CALL]",
        hint=f"It means: {kind.help}. CALL is one of {', '.join(CALLS)}.",
    )
