"""The module: who it is, how its supply is, and whether it fell over while it was asked."""

import re
from collections.abc import Callable, Sequence

import msgspec

from atota.at.events import BootDone, Event, Urc
from atota.dialects.model import Dialect
from atota.doctor.findings import Finding, State
from atota.module.identify import Findings
from atota.module.query import send_query
from atota.module.session import Session
from atota.values import Identity

_READINGS = 3
_PAUSE_S = 0.3
_DIP_MV = 200
"""By how much readings of a good supply may differ with the radio at work: ours, no manual gives it."""
_POWER = re.compile(r"POWER_?ON|PMU|BROWN|VBAT|UNDER.?VOLT", re.IGNORECASE)
"""Reboot causes of HiSilicon's modules (SECURITY_PMU_POWER_ON_RESET) and what others say of a low supply."""
_LOW_SUPPLY = re.compile(r"UNDER.?VOLTAGE", re.IGNORECASE)
"""SIMCom: "UNDER-VOLTAGE WARNNING", "UNDER-VOLTAGE POWER DOWN" (SIM800 hardware design V1.10, 4.2.2.3)."""
_WEAK = 5
"""CSQ 5 is -103 dBm (27.007 8.5): below it little gets through."""
_NETWORKED = ("url-pull", "watched")
_SUPPLY_NEXT = (
    "Give the module a supply of its own with short wires and a large capacitor: a transmit burst takes "
    "several hundred mA, which a USB adapter's 3.3 V pin cannot give."
)

_RESET_NEXT = "See what resets it: its watchdog, a reset line, another program?"


class Ears:
    """Hears what the module says by itself while it is asked.

    Attributes:
        early: causes of the boots before it was known to answer (None: not told).
        late: causes of those afterwards.
        warnings: its own lines about a low supply.
    """

    def __init__(self, session: Session) -> None:
        self.early: list[str | None] = []
        self.late: list[str | None] = []
        self.warnings: list[str] = []
        self._boots = self.early
        self._before: Callable[[Event], None] | None = session.listener
        session.listener = self._hear

    def answered(self) -> None:
        """From now on a boot is one too many."""
        self._boots = self.late

    def _hear(self, event: Event) -> None:
        if isinstance(event, BootDone):
            self._boots.append(event.cause)
        elif isinstance(event, Urc) and _LOW_SUPPLY.search(event.text):
            self.warnings.append(event.text)
        if self._before is not None:
            self._before(event)


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """What the module told of its supply: millivolts, in order, and percent of its battery."""

    readings_mv: tuple[int, ...] = ()
    battery_percent: int | None = None


def read_supply(session: Session, identity: Identity) -> Supply:
    """Ask a few times for the voltage, where the dialect knows how.

    Raises:
        NoAnswer: the module stopped answering.
        ModuleRebooted: it rebooted each time.
    """
    readings = [identity.supply_mv] if identity.supply_mv is not None else []
    query = next((one for one in session.dialect.identify if one.field == "supply_mv"), None)
    while query is not None and len(readings) < _READINGS:
        session.listen(_PAUSE_S)
        reply = send_query(session, query.send)
        value = query.find(reply.lines) if reply is not None and reply.ok else None
        if value is None:
            break
        readings.append(int(value))
    return Supply(readings_mv=tuple(readings), battery_percent=identity.battery_percent)


def judge_identity(found: Findings, *, port: str | None = None) -> list[Finding]:
    """Say who it is, and whether anything is known of it."""
    who = found.identity
    name = " ".join(text for text in (who.manufacturer, who.model) if text) or "does not tell its name"
    version = f", version {who.version or who.revision}" if who.version or who.revision else ""
    told = _finding("identity", "ok", f"{name}{version}", port=port)
    if found.mismatch is not None:
        next_ = "The answers win: name the right --model, or leave it out."
        told = _finding("identity", "warning", found.mismatch, next_, port=port)
    return [told, _judge_method(found.dialect, who, port)]


def _judge_method(dialect: Dialect, who: Identity, port: str | None) -> Finding:
    if dialect.method is None:
        says = f"none is known for what speaks like this ({dialect.title})"
        next_ = "See `atota modules`; if you know how it is updated, `scripts/new-dialect` makes a profile."
        return _finding("method", "warning", says, next_, port=port)
    says = f"{who.method}, {who.evidence} ({dialect.title})"
    if who.evidence in ("documented", "family"):
        return _finding("method", "ok", says, port=port)
    next_ = "No document says that it works on this module: an update needs --allow-unproven."
    return _finding("method", "warning", says, next_, port=port)


def judge_supply(told: Supply, *, port: str | None = None) -> Finding:
    """Judge the voltage by itself: the limits differ by module, and stand in its data sheet."""
    if not told.readings_mv:
        battery = f"; battery {told.battery_percent} %" if told.battery_percent is not None else ""
        says = f"the module does not tell its voltage{battery}"
        return _finding("supply", "unknown", says, "Measure at its supply pins while it sends.", port=port)
    low, high = min(told.readings_mv), max(told.readings_mv)
    says = f"{low} mV" if low == high else f"{low} to {high} mV"
    says += f" in {len(told.readings_mv)} readings" if len(told.readings_mv) > 1 else ""
    if high - low > _DIP_MV:
        return _finding("supply", "warning", f"unsteady: {says}", _SUPPLY_NEXT, port=port)
    return _finding("supply", "ok", says, port=port)


def judge_reboots(ears: Ears, *, port: str | None = None) -> Finding:
    """Judge boots and complaints: what falls over while it is only asked does not survive an update."""
    if ears.late:
        causes = _causes(ears.late)
        power = any(_POWER.search(cause or "") for cause in ears.late)
        sign = "a sign of a brown-out: " if power else ""
        says = f"{sign}it rebooted {_times(len(ears.late))} while it was only asked ({causes})"
        next_ = _SUPPLY_NEXT if power or None in ears.late else _RESET_NEXT
        return _finding("reboots", "bad", says, next_, port=port)
    if ears.warnings:
        says = f"the module itself says that its supply is low: {ears.warnings[0]}"
        return _finding("reboots", "bad", says, _SUPPLY_NEXT, port=port)
    if len(ears.early) > 1:
        says = f"it booted {_times(len(ears.early))} before it answered ({_causes(ears.early)})"
        return _finding("reboots", "warning", says, _SUPPLY_NEXT, port=port)
    if ears.early:
        says = f"it was just starting ({_causes(ears.early)}); "
        says += "if it does so each time, DTR or RTS is wired to its reset"
        return _finding("reboots", "ok", says, port=port)
    return _finding("reboots", "ok", "none while it was asked", port=port)


def judge_signal(who: Identity, *, port: str | None = None) -> Finding:
    """Judge the signal; only some methods need the network."""
    needed = who.method in _NETWORKED
    if who.signal is None:
        if needed:
            next_ = "Check antenna and SIM card: this module fetches its package over the network."
            return _finding("signal", "warning", "none", next_, port=port)
        says = "none; an update over the wire needs no network"
        return _finding("signal", "ok", says, port=port)
    says = f"{who.signal} of 31"
    if who.signal < _WEAK and needed:
        next_ = "Check the antenna: this module fetches its package over the network."
        return _finding("signal", "warning", f"weak: {says}", next_, port=port)
    return _finding("signal", "ok", says, port=port)


def _causes(causes: Sequence[str | None]) -> str:
    return ", ".join(dict.fromkeys(cause or "cause not told" for cause in causes))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _finding(check: str, state: State, says: str, next_: str = "", *, port: str | None) -> Finding:
    return Finding(group="module", check=check, state=state, says=says, next=next_, port=port)
