"""The module: its identity, its supply, and its reboots while it was queried."""

import re
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from atota.at.events import BootDone, Event, Urc
from atota.at.params import whole_number
from atota.dialects import loader
from atota.dialects.model import Dialect, Query
from atota.doctor.findings import Finding, finding
from atota.errors import NO_CAUSE
from atota.module.identify import Findings
from atota.module.query import send_query
from atota.module.session import Session
from atota.values import Identity, version_problem

_finding = partial(finding, "module")

_READINGS = 3
_PAUSE_S = 0.3
_DIP_MV = 200
"""Readings of a good supply differ by less with the radio at work: our figure, no manual gives one."""
_POWER = re.compile(r"POWER_?ON|PMU|BROWN|VBAT|UNDER.?VOLT", re.IGNORECASE)
"""Reboot causes of HiSilicon's modules (SECURITY_PMU_POWER_ON_RESET) and other words for a low supply."""
_LOW_SUPPLY = re.compile(r"UNDER.?VOLTAGE", re.IGNORECASE)
"""SIMCom: "UNDER-VOLTAGE WARNNING", "UNDER-VOLTAGE POWER DOWN" (SIM800 hardware design V1.10, 4.2.2.3)."""
_WEAK = 5
"""CSQ 5 is -103 dBm (27.007 8.5): below it little gets through."""
_SUPPLY_NEXT = (
    "Give the module a supply of its own with short wires and a large capacitor: a transmit burst takes "
    "several hundred mA, which a USB adapter's 3.3 V pin cannot give."
)

_RESET_NEXT = "See what resets it: its watchdog, a reset line, another program?"


class Observer:
    """Collects the boots and the complaints of a module while it is queried.

    Attributes:
        early: causes of the boots before its first response (None: not given).
        late: causes of the boots afterwards.
        warnings: its own lines about a low supply.
    """

    def __init__(self, session: Session) -> None:
        self.early: list[str | None] = []
        self.late: list[str | None] = []
        self.warnings: list[str] = []
        self._boots = self.early
        self._before: Callable[[Event], None] | None = session.listener
        session.listener = self._on_event

    def answered(self) -> None:
        """Count boots as late from now on."""
        self._boots = self.late

    def _on_event(self, event: Event) -> None:
        if isinstance(event, BootDone):
            self._boots.append(event.cause)
        elif isinstance(event, Urc) and _LOW_SUPPLY.search(event.text):
            self.warnings.append(event.text)
        if self._before is not None:
            self._before(event)


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """The module's readings of its supply: millivolts, in order, and percent of its battery."""

    readings_mv: tuple[int, ...] = ()
    battery_percent: int | None = None


def read_supply(session: Session, identity: Identity) -> Supply:
    """Query the voltage a few times, where the dialect has a query for it.

    Raises:
        NoAnswer: the module stopped answering.
        ModuleRebooted: it rebooted each time.
    """
    readings = [identity.supply_mv] if identity.supply_mv is not None else []
    queries = [one for one in session.dialect.identify if one.field == "supply_mv"]
    if identity.supply_mv is None:  # the queries of every module found none: the dialect's own are left
        general = loader.load("3gpp").identify
        queries = [query for query in queries if query not in general]
    while queries and len(readings) < _READINGS:
        session.listen(_PAUSE_S)
        value = _voltage(session, queries)
        if value is None:
            break
        readings.append(value)
    return Supply(readings_mv=tuple(readings), battery_percent=identity.battery_percent)


def _voltage(session: Session, queries: list[Query]) -> int | None:
    """Return the first voltage found, in millivolts, and leave the query that found it in ``queries``."""
    responses: dict[str, tuple[str, ...]] = {}
    for query in queries:
        if query.send not in responses:
            response = send_query(session, query.send)
            responses[query.send] = response.lines if response is not None and response.ok else ()
        value = whole_number(query.find(responses[query.send]))
        if value is not None:
            queries[:] = [query]
            return value
    return None


def judge_identity(findings: Findings, *, port: str | None = None) -> list[Finding]:
    """Report the identity, and the method that it has."""
    who = findings.identity
    name = " ".join(text for text in (who.manufacturer, who.model) if text) or "gives no name"
    finest = who.full_version or who.version or who.revision
    version = f", version {finest}" if finest else ""
    identity = _finding("identity", "ok", f"{name}{version}", port=port)
    if who.version is not None and (problem := version_problem(who.version)):
        next_ = "Give --fw-version: a name of the version that the platform knows."
        identity = _finding("identity", "warning", f"{name}{version}: {problem}", next_, port=port)
    if findings.mismatch is not None:
        next_ = "The responses win: name the right --model, or leave it out."
        identity = _finding("identity", "warning", findings.mismatch, next_, port=port)
    return [identity, _judge_method(findings.dialect, who, port)]


def _judge_method(dialect: Dialect, who: Identity, port: str | None) -> Finding:
    if dialect.method is None:
        says = f"unknown for modules of this dialect ({dialect.title})"
        next_ = "See `atota modules`; if you know how it is updated, `scripts/new-dialect` makes a profile."
        return _finding("method", "warning", says, next_, port=port)
    says = f"{who.method}, {who.evidence} ({dialect.title})"
    if who.evidence in ("documented", "family"):
        return _finding("method", "ok", says, port=port)
    next_ = "No document says that it works on this module: an update needs --allow-unproven."
    return _finding("method", "warning", says, next_, port=port)


def judge_supply(supply: Supply, *, port: str | None = None) -> Finding:
    """Judge the spread of the voltage: its limits differ by module, and stand in the data sheet."""
    readings = supply.readings_mv
    if not readings:
        battery = f"; battery {supply.battery_percent} %" if supply.battery_percent is not None else ""
        says = f"the module does not report its voltage{battery}"
        return _finding("supply", "unknown", says, "Measure at its supply pins while it sends.", port=port)
    low, high = min(readings), max(readings)
    says = f"{low} mV" if low == high else f"{low} to {high} mV"
    says += f" in {len(readings)} readings" if len(readings) > 1 else ""
    if high - low > _DIP_MV:
        return _finding("supply", "warning", f"unsteady: {says}", _SUPPLY_NEXT, port=port)
    return _finding("supply", "ok", says, port=port)


def judge_reboots(observer: Observer, *, port: str | None = None) -> Finding:
    """Judge boots and complaints: a module that reboots while it is queried does not survive an update."""
    if observer.late:
        causes = _causes(observer.late)
        power = any(_POWER.search(cause or "") for cause in observer.late)
        sign = "a sign of a brown-out: " if power else ""
        says = f"{sign}it rebooted {_times(len(observer.late))} while it was only queried ({causes})"
        next_ = _SUPPLY_NEXT if power or None in observer.late else _RESET_NEXT
        return _finding("reboots", "bad", says, next_, port=port)
    if observer.warnings:
        says = f"the module reports a low supply: {observer.warnings[0]}"
        return _finding("reboots", "bad", says, _SUPPLY_NEXT, port=port)
    if len(observer.early) > 1:
        says = f"it booted {_times(len(observer.early))} before it answered ({_causes(observer.early)})"
        return _finding("reboots", "warning", says, _SUPPLY_NEXT, port=port)
    if observer.early:
        says = f"it was just starting ({_causes(observer.early)}); "
        says += "if it does so each time, DTR or RTS is wired to its reset"
        return _finding("reboots", "ok", says, port=port)
    return _finding("reboots", "ok", "none while it was queried", port=port)


def judge_signal(findings: Findings, *, port: str | None = None) -> Finding:
    """Judge the signal; only some methods need the network."""
    who, method = findings.identity, findings.dialect.method
    is_needed = method is not None and method.networked
    if who.signal is None:
        if is_needed:
            next_ = "Check antenna and SIM card: this module fetches its package over the network."
            return _finding("signal", "warning", "none", next_, port=port)
        says = "none; an update over the wire needs no network"
        return _finding("signal", "ok", says, port=port)
    says = f"{who.signal} of 31"
    if who.signal < _WEAK and is_needed:
        next_ = "Check the antenna: this module fetches its package over the network."
        return _finding("signal", "warning", f"weak: {says}", next_, port=port)
    return _finding("signal", "ok", says, port=port)


def _causes(causes: Sequence[str | None]) -> str:
    return ", ".join(dict.fromkeys(cause or NO_CAUSE for cause in causes))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
