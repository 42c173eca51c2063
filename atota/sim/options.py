"""The options of one simulated module, and the bytes it sends."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Self

import msgspec

Parity = Literal["N", "E", "O"]
"""None, even or odd: pyserial's letters."""


class Sent(msgspec.Struct, frozen=True):
    """Bytes that a device begins to send at ``when``, at its rate ``baud`` and with its ``parity``."""

    when: float
    data: bytes
    baud: int
    parity: Parity = "N"


class OptionKind(NamedTuple):
    """An option of ``sim://`` URLs: its syntax and its effect."""

    usage: str
    help: str


WIRE_OPTIONS = (
    ("fault=NAME[:ARGUMENT]", "a fault; give it again, or join several with +"),
    ("seed=NUMBER", "the seed of its noise and its pauses: the same seed repeats a run (0)"),
    ("speed=max|real|FACTOR", "its time: simulated (max), the machine's, or so many times as fast (max)"),
    ("latency_ms=NUMBER", "milliseconds that its bytes are on their way (1)"),
    ("timer_ms=NUMBER", "the latency timer of its USB adapter in milliseconds; 0: without (0)"),
    ("id=NAME", "opened again under this name in one program, it is the same device"),
)
"""The options of every simulated device."""
_KINDS = (
    *WIRE_OPTIONS,
    ("baud=RATE", "its stored rate, to which it is fixed; without it many take the rate of the first AT"),
    ("version=TEXT", "the version that it runs"),
    ("imei=DIGITS", "its IMEI, fifteen digits; without it each one has its own"),
    ("accept=any&becomes=VERSION", "any bytes are a good package, which brings VERSION"),
    ("becomes=VERSION", "the version that the package of `accept=any` brings"),
    ("push=VERSION", "the version that the platform pushes, where the platform drives the update"),
    ("csq=NUMBER", "the signal that it reports, 0 to 31, or 99 for unknown"),
    ("echo=0|1", "1: echo is on (0)"),
    ("asleep=0|1", "1: it sleeps when idle, and loses the bytes that wake it (0)"),
    ("reset=rts|dtr", "the control line that is wired to its reset pin"),
    ("power=rts|dtr", "the control line that switches its supply: asserted is on"),
    ("network=0|1", "0: it has no network (1)"),
)


def kinds_of(table: Iterable[tuple[str, str]]) -> dict[str, OptionKind]:
    """Return the options of a table of syntaxes and effects, by their names."""
    return {usage.partition("=")[0]: OptionKind(usage, text) for usage, text in table}


KNOWN_OPTIONS = kinds_of(_KINDS)
"""The options of a simulated module."""


@dataclass(frozen=True, slots=True)
class Options:
    """The differences between two modules of one persona. None: as the persona has it.

    Attributes:
        version: the firmware that runs.
        baud: the stored rate, at which the module is.
        asleep: it sleeps when idle, from the beginning on; the bytes that wake it are lost.
        reset: the control line that is wired to its reset pin, if any.
        power: the control line that switches its supply, if any: asserted is on.
        network: there is one to attach to.
        push: the version that the platform wants it to run, where the platform drives the update.
        fetch: downloads a URL, where the module downloads by itself; None: every URL is unreachable.
        accept_any: any bytes are a good package, which makes the module run ``becomes``.
    """

    version: str | None = None
    imei: str | None = None
    csq: int | None = None
    baud: int | None = None
    echo: bool = False
    asleep: bool = False
    reset: Literal["", "rts", "dtr"] = ""
    power: Literal["", "rts", "dtr"] = ""
    accept_any: bool = False
    becomes: str = ""
    network: bool = True
    push: str = ""
    fetch: Callable[[str], bytes] | None = None
    seed: int = 0

    def as_a_module_of_its_own(self) -> Self:
        """Return these options with an IMEI that no other simulated module has, where they give none.

        A journal knows a module by its IMEI: the run of one simulated module is not another's.
        """
        return self if self.imei is not None else replace(self, imei=_new_imei())


_TYPE_CODE = "49015420"
"""The type allocation code of the example IMEI in 3GPP 23.003."""


def _new_imei() -> str:
    digits = f"{_TYPE_CODE}{secrets.randbelow(10**6):06}"
    # 3GPP 23.003 annex B: the check digit is Luhn's.
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[1::2])
    return f"{digits}{-(sum(map(int, digits[0::2])) + doubled) % 10}"
