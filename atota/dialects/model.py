"""What a dialect profile may say: the Structs of ``profiles/*.toml``.

A profile is data; unknown keys, wrong types and impossible values are errors with a path. What differs
between two families of modules is a value here; what data cannot say is a hook (there is none yet).
Every command that a profile sends names its source in ``sources``.
"""

from typing import Literal

import msgspec

from atota.at.syntax import BootRule, FinalRule, Syntax, UrcRule
from atota.dialects.parts import Ask, Profiled, Way, first_group
from atota.dialects.streams import (
    AckUpload,
    FileAppend,
    FlashWrite,
    PushedStream,
    RawStream,
    UrlPull,
    Watched,
    XmodemUpload,
)
from atota.values import Evidence


class Recognise(Profiled, frozen=True, kw_only=True):
    """How the module's own answers show that it speaks this dialect: every pattern given must be found.

    ``manufacturer`` is searched in the answer to ``AT+CGMI``, ``model`` in those to ``AT+CGMM`` and
    ``ATI``, ``version`` in that to ``AT+CGMR`` (lines joined by line feeds).
    """

    manufacturer: str | None = None
    model: str | None = None
    version: str | None = None


class RaiseBaud(Profiled, frozen=True, kw_only=True):
    """How the rate is raised for the transfer: unstored, so that a reboot undoes it.

    ``command`` takes ``{baud}`` and ``{fallback_s}``: the seconds after which a module that hears
    nothing at the new rate goes back to the old one. The result comes at the old rate.
    """

    command: str
    bauds: tuple[int, ...]
    default: int = 115200
    fallback_s: int
    source: str


class Uart(Profiled, frozen=True, kw_only=True):
    """The serial line: rates in bit/s, in the order in which they are worth trying.

    ``after_update`` lists the rates at which the module may come back after an update.
    """

    bauds: tuple[int, ...]
    after_update: tuple[int, ...] = ()
    pause_after_final_s: float = 0.0
    command_line_limit: int = 2048
    wake_attempts: int = 3
    raising: RaiseBaud | None = None


class Query(Profiled, frozen=True, kw_only=True):
    """A safe command and where in its answer a field stands: the first group of ``pattern``.

    The queries of one field are tried in order until one matches.
    """

    field: Literal[
        "manufacturer",
        "model",
        "version",
        "revision",
        "imei",
        "serial",
        "signal",
        "supply_mv",
        "battery_percent",
    ]
    send: str
    pattern: str
    source: str

    def find(self, lines: tuple[str, ...]) -> str | None:
        """The field's text in the answer, or None."""
        return first_group(self.pattern, lines)


class Step(Profiled, frozen=True, kw_only=True):
    """A command before the write, and the one that takes it back if the write is given up.

    It is sent only if the answer to ``ask`` matches ``when``.
    """

    send: str
    undo: str | None = None
    ask: str | None = None
    when: str | None = None
    why: str
    source: str


class BlockRule(Profiled, frozen=True, kw_only=True):
    """The lengths in bytes that one block may have.

    ``default`` is used unless the user asks for another; ``largest`` and ``multiple`` bound it, or
    ``only`` lists what is allowed. ``tail_any``: the last block may have any length.
    """

    default: int
    largest: int
    multiple: int = 1
    only: tuple[int, ...] = ()
    source: str

    def allows(self, length: int) -> bool:
        """Whether one block may have ``length`` bytes."""
        if self.only:
            return length in self.only
        return 0 < length <= self.largest and length % self.multiple == 0


class NfwupdTimes(Profiled, frozen=True, kw_only=True):
    """Limits in seconds. The module has none of its own, so these only bound how long we wait."""

    erase_s: float
    block_s: float
    validate_s: float
    start_s: float


class Nfwupd(Way, frozen=True, kw_only=True, tag_field="kind", tag="nfwupd"):
    """Hex blocks by ``AT+NFWUPD``: erase, download, validate, start.

    ``flow``: ``validate-then-start`` (code 2 before code 5) or ``start-then-ask`` (code 5 checks in the
    boot, code 2 afterwards tells the result). ``erase``: ``offered`` sends code 0 where the test form's
    range has it; ``required`` insists on it. ``bare_ok_is_valid``: code 2 answers no text but ``OK``.
    ``take_up``: the write of an earlier run may be gone on with. That needs a firmware that is known to
    take block n+1 after block n alone, to forget its count with a reboot, and to check the whole package's
    signature or hash before the start.
    """

    command: str
    answer: str
    flow: Literal["validate-then-start", "start-then-ask"]
    erase: Literal["offered", "required"] = "offered"
    bare_ok_is_valid: bool = False
    take_up: bool = False
    blocks: BlockRule
    valid: tuple[str, ...]
    not_yet: tuple[str, ...] = ()
    busy_codes: tuple[int, ...] = ()
    attempts: int = 3
    times: NfwupdTimes
    refused_magic: dict[str, str] = msgspec.field(default_factory=dict)
    statuses: dict[str, str] = msgspec.field(default_factory=dict)
    source: str

    def status_words(self, status: str) -> str:
        """What a status text means; firmwares cut the longest one, so it is matched from its start."""
        for name, words in self.statuses.items():
            if status.startswith(name):
                return words
        return ""


Method = (
    Nfwupd | FileAppend | FlashWrite | RawStream | AckUpload | PushedStream | UrlPull | Watched | XmodemUpload
)


class Reboot(Profiled, frozen=True, kw_only=True):
    """The reboot that carries out the update: limits and usual length in seconds, causes that prove it."""

    limit_s: float
    usual_s: float
    update_causes: tuple[str, ...] = ()
    source: str


DEFAULT_REBOOT = Reboot(limit_s=600.0, usual_s=120.0, source="inferred")
"""Where a profile says nothing: ten minutes is what u-blox and China Mobile modules are given."""


class Grammar(Profiled, frozen=True, kw_only=True):
    """What the parser and the exchange need to know."""

    urcs: tuple[UrcRule, ...] = ()
    finals: tuple[FinalRule, ...] = ()
    boot: BootRule | None = None
    ignored_bytes: tuple[int, ...] = ()


class Dialect(Profiled, frozen=True, kw_only=True):
    """How one family of modules talks: a whole profile, with everything it inherits filled in.

    ``probe`` is a test form whose answer shows this dialect in a module that nothing else identifies; a
    method found only by it is unproven. ``evidence`` says why its method is believed to work on a module
    that the catalogue does not have.
    ``platform_makes_deltas``: OneNET makes difference packages for this chip in a format of its own, which
    its SDK inside the module restores; the vendor's commands cannot take such a file.
    """

    name: str
    title: str
    extends: str | None = None
    hardware: Literal["seen", "not seen"] = "not seen"
    evidence: Evidence = "none"
    platform_makes_deltas: bool = False
    sources: dict[str, str]
    recognise: Recognise | None = None
    probe: Ask | None = None
    uart: Uart
    grammar: Grammar = Grammar()
    setup: tuple[str, ...] = ()
    identify: tuple[Query, ...] = ()
    errors: dict[str, str] = msgspec.field(default_factory=dict)
    prepare: tuple[Step, ...] = ()
    method: Method | None = None
    reboot: Reboot | None = None
    weights: dict[str, float] = msgspec.field(default_factory=dict)

    @property
    def syntax(self) -> Syntax:
        """The grammar as the parser takes it."""
        grammar = self.grammar
        return Syntax(
            urcs=grammar.urcs,
            finals=grammar.finals,
            boot=grammar.boot,
            ignored=bytes(grammar.ignored_bytes),
        )

    def error_words(self, code: int | None) -> str:
        """What the vendor's manual says of a CME error number; empty if it says nothing."""
        return self.errors.get(str(code), "")
