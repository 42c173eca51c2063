"""The vocabulary of personas: the literal behaviour of one kind of module, as data.

Byte strings may hold ``{version}``, ``{imei}``, ``{serial}``, ``{csq}``, ``{supply}``, ``{baud}``, ``{ipr}``
(0: autobaud) and, in a setting, ``{value}``; everything else is sent as it stands. ``{short}`` is the version
up to its first ``_`` or ``,``, and ``{rest}`` what follows: modules print the two by commands of their own.
How a module is added: `atota.sim.updater`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from atota.sim.boot import Boot
from atota.sim.updater import Way


@dataclass(frozen=True, slots=True)
class Setting:
    """A command that sets a value: ``AT+NAME=value``, ``AT+NAME?``, ``AT+NAME=?``.

    Attributes:
        values: the values that the set form takes; empty: any.
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
class Ipr:
    """The rules of AT+IPR.

    Attributes:
        bauds: the values that the set form takes; 0 among them is autobaud.
        stored: kept at once; otherwise only by AT&W.
        at_once: in force after the result; otherwise from the next start on.
    """

    bauds: tuple[int, ...]
    test: bytes
    read: bytes = b"+IPR: {ipr}"
    stored: bool = True
    at_once: bool = True


@dataclass(frozen=True, slots=True)
class Autobaud:
    """A module that takes its rate from the first ``AT`` or ``at``; before, it speaks at its default rate.

    Attributes:
        bauds: the rates it can tell.
        lost: how many of the first characters are lost; their line is lost with them.
        silent: no boot text as long as the rate is not fixed.
    """

    bauds: tuple[int, ...]
    lost: int = 1
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Restart:
    """A command that restarts the module: its lines, an ``OK`` unless ``bare``, ``tail`` behind it."""

    lines: tuple[bytes, ...] = ()
    bare: bool = False
    tail: bytes = b""


@dataclass(frozen=True, slots=True)
class Persona:
    """A simulated kind of module.

    Attributes:
        answers: whole commands (upper case) and their information lines; each ends with ``OK``.
        settings: by name without ``AT+``.
        way: its way of updating.
        nconfig: switches of AT+NCONFIG and their defaults.
        restarts: commands that restart it, without ``AT``; the boot text may name ``restart_cause``.
        line_limit: characters of a command line, CR included; ``line_error`` beyond it.
        line_timeout_s: a line without its end is an error after so long; None: never.
        guard_s: bytes that arrive this soon after a final result are lost.
        ignores_strays: bytes before an AT are ignored, and a line without one is not an error (V.250).
        unknown_code: the error of an unknown command; `atota.sim.reply.PLAIN`: always ``ERROR``.
        value_code: the error of a setting's value that is not allowed.
        refusal_code, busy_code: the errors of the faults that refuse a piece or say busy.
        cme_texts: the texts of error numbers under AT+CMEE=2.
        sleep: a setting and its values with which it sleeps when idle.
        final_each: commands joined with ``;`` get a final result each, not one together.
        version_rest: ``{rest}`` of a version that has none itself.
        urcs: unsolicited lines for the faults that send some.
        sources: where the behaviour is from.
    """

    name: str
    vendor: str
    chip: str
    version: str
    answers: Mapping[bytes, tuple[bytes, ...]]
    settings: Mapping[bytes, Setting]
    way: Way
    boot: Boot
    sources: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    natspeed: Natspeed | None = None
    ipr: Ipr | None = None
    autobaud: Autobaud | None = None
    restarts: Mapping[bytes, Restart] = field(default_factory=dict)
    restart_cause: bytes = b"REBOOT_CAUSE_APPLICATION_AT"
    nconfig: Mapping[bytes, bytes] = field(default_factory=dict)
    nconfig_line: bytes = b"+NCONFIG:{key},{value}"
    version_rest: bytes = b""
    imei: str = "490154203237518"  # the example IMEI of 3GPP 23.003 with its check digit
    serial: str = "00000000000000000000000000000000"
    csq: int = 20
    supply_mv: int = 3612
    baud: int = 9600
    line_limit: int = 2763
    line_error: int = 50
    ate: bool = False
    echo: bool = False
    ignores_strays: bool = False
    clac: bool = False
    unknown_code: int = 4
    value_code: int = 50
    refusal_code: int = 50
    busy_code: int = 51
    cme_texts: Mapping[int, bytes] = field(default_factory=dict)
    sleep: tuple[bytes, tuple[bytes, ...]] | None = None
    line_timeout_s: float | None = None
    guard_s: float = 0.0
    final_each: bool = False
    reply_s: float = 0.01
    wake_s: float = 0.1
    idle_s: float = 10.0
    urcs: tuple[bytes, ...] = (b"+CSCON:1", b"+CEREG:1", b"+CSCON:0", b"+NPSMR:1")
