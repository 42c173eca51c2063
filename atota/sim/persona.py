"""What a persona may say: the literal behaviour of one kind of module, as data.

Byte strings may hold ``{version}``, ``{imei}``, ``{serial}``, ``{csq}``, ``{supply}``, ``{baud}`` and, in a
setting, ``{value}``; everything else is sent as it stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Setting:
    """A command that sets a value: ``AT+NAME=value``, ``AT+NAME?``, ``AT+NAME=?``.

    Attributes:
        values: what the set form takes; empty: anything.
        read, test: the answers to ``?`` and ``=?``; None: that form is an error.
        stored: kept in NVM, so a reboot leaves it alone.
        seconds: how long the set form takes.
    """

    values: tuple[bytes, ...]
    default: bytes
    read: bytes | None
    test: bytes | None
    stored: bool = False
    seconds: float = 0.01


@dataclass(frozen=True, slots=True)
class Natspeed:
    """The rules of AT+NATSPEED.

    Attributes:
        most: how many parameters the set form takes.
        deep_sleep_from: from this rate on a line says that deep sleep is off; None: never.
    """

    bauds: tuple[int, ...]
    most: int
    read: bytes
    test: bytes
    deep_sleep_from: int | None = None


@dataclass(frozen=True, slots=True)
class Nfwupd:
    """The rules of AT+NFWUPD.

    Attributes:
        test: the answer to ``=?``.
        prefix: how an answer begins, with or without a space.
        erase: code 0 exists; without it sn 0 clears the slot.
        names: codes 3 and 4 exist.
        status: code 2 tells a status; without it a bare ``OK`` whatever is in the slot.
        validate_first: code 5 is refused until code 2 found the package good; otherwise the boot checks.
        refusal_line: code 5 says why it refuses before the error.
        wrap: bytes of the buffer in which a status line is made, its ending zero included; None: ample.
        refuses_while_validating: commands are answered with error 51 meanwhile (else: not heard).
    """

    test: bytes
    prefix: bytes
    erase: bool
    names: bool
    status: bool
    validate_first: bool
    refusal_line: bool
    most: int
    multiple: int = 1
    wrap: int | None = None
    refuses_while_validating: bool = False
    busy_code: int = 51
    capacity: int = 512 * 1024
    erase_s: float = 4.0
    block_s: float = 0.03
    validate_s: float = 6.0
    start_s: float = 0.3


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of boot text: after ``wait_s``, ``data`` at ``baud`` (None: the module's rate)."""

    wait_s: float
    data: bytes
    baud: int | None = None


@dataclass(frozen=True, slots=True)
class Boot:
    """How the module starts.

    Attributes:
        steps: a plain start, up to the reboot cause.
        update: a start that applies an update.
        ending: what follows; ``{cause}`` stands for the cause.
        update_cause: the cause after AT+NFWUPD=5, whatever became of the update.
        first_baud: the rate of the boot text; None: the stored one.
        switch_s: how long after the ending it stays at ``first_baud``.
        update_clears_nvm: an update puts every stored setting back, the rate included.
    """

    steps: tuple[Step, ...]
    update: tuple[Step, ...]
    ending: bytes
    update_cause: bytes
    ending_wait_s: float = 0.2
    first_baud: int | None = None
    switch_s: float = 0.0
    update_clears_nvm: bool = False


@dataclass(frozen=True, slots=True)
class Persona:
    """A simulated kind of module.

    Attributes:
        answers: whole commands (upper case) and their information lines; each ends with ``OK``.
        settings: by name without ``AT+``.
        nconfig: switches of AT+NCONFIG and their defaults.
        line_limit: characters of a command line, CR included; ``line_error`` beyond it.
        guard_s: what arrives this soon after a final result is not heard.
        final_each: commands joined with ``;`` get a final result each, not one together.
        urcs: unsolicited lines for the faults that send some.
        sources: where the behaviour is from.
    """

    name: str
    vendor: str
    chip: str
    version: str
    answers: Mapping[bytes, tuple[bytes, ...]]
    settings: Mapping[bytes, Setting]
    natspeed: Natspeed
    nfwupd: Nfwupd
    boot: Boot
    sources: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    nconfig: Mapping[bytes, bytes] = field(default_factory=dict)
    nconfig_line: bytes = b"+NCONFIG:{key},{value}"
    imei: str = "490154203237518"  # the example IMEI of 3GPP 23.003 with its check digit
    serial: str = "00000000000000000000000000000000"
    csq: int = 20
    supply_mv: int = 3612
    baud: int = 9600
    line_limit: int = 2763
    line_error: int = 50
    ate: bool = False
    clac: bool = False
    unknown_code: int = 4
    guard_s: float = 0.0
    final_each: bool = False
    reply_s: float = 0.01
    wake_s: float = 0.1
    idle_s: float = 10.0
    urcs: tuple[bytes, ...] = (b"+CSCON:1", b"+CEREG:1", b"+CSCON:0", b"+NPSMR:1")
