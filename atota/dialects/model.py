"""The structs of a dialect profile, ``profiles/*.toml``; those of the method are in `atota.dialects.methods`.

A profile is data; unknown keys, wrong types and impossible values are errors with a path. A difference
between two families of modules is a value here; behaviour that is not data is the code of a method. Every
command that a profile sends names its source in ``sources``.
"""

import re
from typing import TYPE_CHECKING, Annotated, Literal, Union

import msgspec

from atota.at import errors27007
from atota.at.events import Final
from atota.at.syntax import BootRule, FinalRule, Syntax, UrcRule
from atota.dialects import error_tables
from atota.dialects.common import (
    Ask,
    Command,
    MethodSpec,
    Pattern,
    Profiled,
    ReadForm,
    Send,
    first_group,
    texts,
)
from atota.dialects.registry import method_specs
from atota.dialects.watch import ReportingSpec, Watch
from atota.values import Evidence


class Recognise(Profiled, frozen=True, kw_only=True):
    """Patterns by which the module's own responses show this dialect: every pattern given must be found.

    ``manufacturer`` is searched in the response to ``AT+CGMI``, ``model`` in those to ``AT+CGMM`` and
    ``ATI``, ``version`` in that to ``AT+CGMR`` (lines joined by line feeds).
    """

    manufacturer: Annotated[str, Pattern()] | None = None
    model: Annotated[str, Pattern()] | None = None
    version: Annotated[str, Pattern()] | None = None


class RaiseBaud(Profiled, frozen=True, kw_only=True):
    """The command that raises the rate for the transfer: unstored, so that a reboot undoes it.

    ``command`` takes ``{baud}`` and ``{fallback_s}``: the seconds after which a module that receives
    nothing at the new rate returns to the old one. The final result comes at the old rate. ``bauds`` are the
    documented rates; ``default`` is used where a line cannot be proven, or lost a slot. ``proof`` is a query
    with an answer that stays the same, by which a rate is proven.
    """

    command: Annotated[str, Command("baud ?fallback_s")]
    bauds: tuple[int, ...]
    default: int = 115200
    fallback_s: int
    proof: Annotated[str, Command()] | None = None
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
    """A safe command, and the place of a field in its response: the first group of ``pattern``.

    The queries of one field are tried in order until one matches. ``full_version`` is finer than ``version``
    and ``revision``, and is never sent to the platform. ``completes``: the response has only the rest of it,
    which stands behind the text of that field.
    ``unit`` is that of a voltage in the
    response; the field itself is in millivolts.
    """

    field: Literal[
        "manufacturer",
        "model",
        "version",
        "revision",
        "full_version",
        "imei",
        "serial",
        "signal",
        "supply_mv",
        "battery_percent",
    ]
    send: Annotated[str, Command()]
    pattern: Annotated[str, Pattern(1)]
    completes: Literal["version", "revision"] | None = None
    unit: Literal["mV", "V"] = "mV"
    source: str

    def find(self, lines: tuple[str, ...]) -> str | None:
        """Return the field's text in the response, a voltage in millivolts; None without a match."""
        text = first_group(self.pattern, lines)
        return _millivolts(text) if self.unit == "V" else text


def _millivolts(volts: str | None) -> str | None:
    """Return ``3.9`` as ``3900``; None if it is not a decimal number of volts."""
    match = re.fullmatch(r"([0-9]{1,2})(?:\.([0-9]{1,3})[0-9]*)?", volts or "", re.ASCII)
    return None if match is None else str(int(match[1] + (match[2] or "").ljust(3, "0")))


class Step(Profiled, frozen=True, kw_only=True):
    """A command before the write, and the one that undoes it if the write is given up.

    It is sent only if the response to ``ask`` matches ``when``.
    """

    send: Annotated[str, Command()]
    undo: Annotated[str, Command()] | None = None
    ask: ReadForm | None = None
    when: Annotated[str, Pattern()] | None = None
    why: str
    source: str


if TYPE_CHECKING:
    Method = MethodSpec  # nothing in the program asks for the type of a spec: its flags and calls suffice
else:
    Method = Union[method_specs()]  # noqa: UP007 - the members are known at run time only


class Reboot(Profiled, frozen=True, kw_only=True):
    """The reboot that carries out the update: limits and usual length in seconds, causes that prove it.

    ``seen_s`` is the length of a real one, by which times are estimated; ``usual_s`` has a margin. Progress
    that the module reports begins ``limit_s`` anew, but the wait never gets longer than ``longest_s`` (None:
    it is not extended).
    """

    limit_s: float
    usual_s: float
    seen_s: float | None = None
    longest_s: float | None = None
    update_causes: tuple[str, ...] = ()
    source: str


DEFAULT_REBOOT = Reboot(limit_s=600.0, usual_s=120.0, source="inferred")
"""For profiles without limits: u-blox and China Mobile modules are given ten minutes."""


class Grammar(Profiled, frozen=True, kw_only=True):
    """The part of a profile that the parser and the exchange work by."""

    urcs: tuple[UrcRule, ...] = ()
    finals: tuple[FinalRule, ...] = ()
    boot: BootRule | None = None
    ignored_bytes: tuple[int, ...] = ()


class Dialect(Profiled, frozen=True, kw_only=True):
    """The language of one family of modules: a whole profile, with everything it inherits filled in.

    ``probe`` is a test form whose response shows this dialect in a module that nothing else identifies; a
    method found only by it is unproven. ``evidence`` says why its method is believed to work on a module
    that the catalogue does not have.
    ``errors`` are the family's own words for numbers, before those of its ``error_tables``, and for its own
    final results (``+CIS ERROR: 601``);
    ``permanent_errors``: those of ``errors`` after which the same command would be refused again.
    ``self_update``: the lines of an update that the module, or a platform, carries out without the method.
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
    setup: tuple[Annotated[str, Command()], ...] = ()
    identify: tuple[Query, ...] = ()
    errors: dict[str, str] = msgspec.field(default_factory=dict)
    permanent_errors: tuple[int, ...] = ()
    error_tables: tuple[str, ...] = ()
    prepare: tuple[Step, ...] = ()
    self_update: tuple[Watch, ...] = ()
    method: Method | None = None
    reboot: Reboot | None = None
    weights: dict[str, float] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        error_tables.require_known(self.error_tables)

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

    @property
    def watches(self) -> tuple[Watch, ...]:
        """The lines by which the module reports on an update, whichever way it was started."""
        own = (self.method.watch,) if isinstance(self.method, ReportingSpec) else ()
        return (*own, *self.self_update)

    def error_words(self, final: Final) -> str:
        """Return the meaning of a refusal: by the profile, its tables, or 27.007; empty if none has it."""
        code = final.code
        if code is None or final.kind != "CME":
            name = final.kind if code is None else f"{final.kind}: {code}"
            return self.errors.get(name, "") or errors27007.words(final.kind, code)
        own = self.errors.get(str(code), "") or error_tables.meaning(self.error_tables, code)
        return own or errors27007.words(final.kind, code)

    def is_permanent(self, final: Final) -> bool:
        """True if the same command would be refused again: by the profile, its tables, or 27.007."""
        code = final.code
        if code is None or final.kind != "CME":
            return False
        if str(code) in self.errors:
            return code in self.permanent_errors
        if error_tables.meaning(self.error_tables, code):
            return error_tables.is_permanent(self.error_tables, code)
        return code in errors27007.PERMANENT


def sends(dialect: Dialect) -> list[Send]:
    """Return every command that the profile sends, in the order of its parts."""
    fields = [text for text in texts(dialect, Command) if not text.role.bare]
    commands = [Send(text.path, text.value, text.source) for text in fields]
    if (method := dialect.method) is not None:
        commands += [Send(f"$.method{path}", text, method.source) for path, text in method.sends()]
    return commands
