"""The options of one simulated module, and the bytes it sends."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Self

import msgspec

Parity = Literal["N", "E", "O"]
"""None, even or odd: pyserial's letters."""


class Sent(msgspec.Struct, frozen=True):
    """Bytes that a device begins to send at ``when``, at its rate ``baud`` and with its ``parity``."""

    when: float
    data: bytes
    baud: int
    parity: Parity = "N"


@dataclass(frozen=True, slots=True)
class Options:
    """The differences between two modules of one persona. None: as the persona has it.

    Attributes:
        version: the firmware that runs.
        baud: the stored rate, at which the module is.
        asleep: it sleeps when idle, from the beginning on; the bytes that wake it are lost.
        reset: the control line that is wired to its reset pin, if any.
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
