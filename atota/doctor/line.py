"""The line between adapter and module: the rates that are answered, the round trip, the lost responses.

`exchange` and `scan_rates` gather, with ``AT`` and a query of the identification only; the ``judge_``
functions make findings of the numbers.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from statistics import median

import msgspec

from atota.doctor.findings import Finding, finding
from atota.errors import Desynchronised, LinkError, LinkLost, ModuleRebooted, NoAnswer, SelfUpdating
from atota.module.baud import find_baud
from atota.module.loopback import Looped
from atota.module.response import Response
from atota.module.session import Session

_finding = partial(finding, "line")

DEFAULT_EXCHANGES = 50
_SHORT, _LONG = "AT", "AT+CGMR"
_TURN_BYTES = len(b"AT\r") + len(b"\r\nOK\r\n")
_ANSWER_S = 3.0
"""Modules answer queries within 300 ms by their manuals; the version text of some has 200 bytes."""
_HOPELESS = 5
"""After this many queries in a row without a response the rest is not sent."""
_TRY_S = 0.4
_TRIES = 2
_CALM_S = 0.1
_BACK_TRIES = 3
_SLOW_S = 0.3
"""The longest time that manuals of these modules give for the response to a query."""
_LATE_S = 1.0
_FEW = 0.02
"""The share of lost responses up to which an update only gets slower (ours): each command is retried."""
_WIRING = "Shorten the wires, join the grounds, check the level (1.8 or 3.3 V), or try another adapter."


class Exchanges(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a number of queries.

    ``lost`` got no response in time, ``garbled`` another one than the same query otherwise got;
    ``noise_bytes`` belonged to no line. ``turns_s`` are the round trips of the short query and ``wire_s``
    the time of its bytes alone. ``boots``: the number of reboots; ``given_up``: the module fell silent.
    """

    count: int
    lost: int
    garbled: int
    noise_bytes: int
    turns_s: tuple[float, ...]
    wire_s: float
    echo: bool | None
    boots: int = 0
    given_up: bool = False

    @property
    def turn_s(self) -> float | None:
        """The time of a response beyond its bytes; None if none came."""
        return max(0.0, median(self.turns_s) - self.wire_s) if self.turns_s else None


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """The rates at which the module answered, bit/s; it was found and left at ``home``."""

    home: int
    answering: tuple[int, ...] = ()
    silent: tuple[int, ...] = ()
    impossible: tuple[int, ...] = ()


def exchange(session: Session, count: int) -> Exchanges:
    """Send ``count`` harmless queries, a short and a long one in turn, and count the responses.

    Raises:
        LinkLost: the port went away.
        JobTimeout: the time limit of the session is over.
        Interrupted: the stop token is set.
    """
    noise, boots = session.garbage_bytes, session.boots
    turns: list[float] = []
    responses: dict[str, list[tuple[bool, tuple[str, ...]]]] = {_SHORT: [], _LONG: []}
    lost = in_a_row = sent = 0
    while sent < count and in_a_row < _HOPELESS:
        query = (_SHORT, _LONG)[sent % 2]
        sent += 1
        response, took_s = _timed(session, query)
        if response is None:
            lost, in_a_row = lost + 1, in_a_row + 1
            continue
        in_a_row = 0
        responses[query].append((response.ok, response.lines))
        if query == _SHORT:
            turns.append(took_s)
    return Exchanges(
        count=sent,
        lost=lost,
        garbled=sum(_deviations(same) for same in responses.values()),
        noise_bytes=session.garbage_bytes - noise,
        turns_s=tuple(turns),
        wire_s=session.wire_s(_TURN_BYTES),
        echo=session.exchange.echo,
        boots=session.boots - boots,
        given_up=in_a_row >= _HOPELESS,
    )


def _timed(session: Session, query: str) -> tuple[Response | None, float]:
    """Return the response and its seconds; None if none came."""
    try:
        session.settle()  # the pause that the dialect wants does not belong to the round trip
        began = session.clock.monotonic()
        response = session.command(query, timeout_s=_ANSWER_S)
        return response, session.clock.monotonic() - began
    except (NoAnswer, ModuleRebooted):
        return None, 0.0
    except Desynchronised:
        session.listen(_ANSWER_S)
        session.reset_state()
        return None, 0.0


def _deviations(responses: Sequence[object]) -> int:
    """Return the number of responses that differ from the most frequent one."""
    return len(responses) - max(Counter(responses).values()) if responses else 0


def scan_rates(session: Session) -> Rates:
    """Try the other rates of the dialect, and leave module and line at the rate where they were.

    A module that takes its rate from every ``AT`` follows back, too.

    Raises:
        NoAnswer: it no longer answers at the rate at which it was found, nor at another.
        LinkLost: the port went away.
    """
    home = session.link.baud
    answering, silent, impossible = [home], list[int](), list[int]()
    for baud in session.dialect.uart.bauds:
        if baud == home:
            continue
        try:
            session.set_baud(baud)
        except LinkLost:
            raise
        except LinkError:
            impossible.append(baud)
            continue
        (answering if _answers(session, _TRIES) else silent).append(baud)
    session.set_baud(home)
    session.listen(_CALM_S)
    session.reset_state()
    if not _answers(session, _BACK_TRIES):
        find_baud(session, first=home)
    return Rates(home=home, answering=tuple(answering), silent=tuple(silent), impossible=tuple(impossible))


def _answers(session: Session, tries: int) -> bool:
    return any(session.is_alive(_TRY_S) for _ in range(tries))


def judge_rates(rates: Rates, *, port: str | None = None) -> Finding:
    """Report the rates at which the module answers."""
    others = [baud for baud in rates.answering if baud != rates.home]
    says = f"{rates.home} baud answers"
    if others:
        says = f"answers at {_list(rates.answering)} baud: it takes its rate from each command"
    if rates.silent:
        says += f"; not at {_list(rates.silent)}"
    if rates.impossible:
        says += f"; this port cannot run at {_list(rates.impossible)}"
    return _finding("rates", "ok", says, port=port)


def judge_round_trip(seen: Exchanges, *, port: str | None = None) -> Finding:
    """Judge the time of the shortest query."""
    if not seen.turns_s:
        return _finding("round trip", "unknown", "not measured: no response came", port=port)
    usual, worst = median(seen.turns_s), max(seen.turns_s)
    says = (
        f"median {_ms(usual)}, worst {_ms(worst)} of {len(seen.turns_s)}; "
        f"{_ms(seen.wire_s)} of it are the bytes on the wire"
    )
    if usual - seen.wire_s > _SLOW_S:
        next_ = "Look for what delays: a network port, a virtual machine, the adapter's latency timer."
        return _finding("round trip", "warning", f"slow: {says}", next_, port=port)
    if worst > _LATE_S:
        next_ = "The module may sleep, or be busy with the network: keep it awake during an update."
        return _finding("round trip", "warning", f"late now and then: {says}", next_, port=port)
    return _finding("round trip", "ok", says, port=port)


def judge_errors(seen: Exchanges, *, port: str | None = None) -> Finding:
    """Judge the number of lost or damaged responses."""
    wrong = seen.lost + seen.garbled
    if not wrong:
        says = f"none: {seen.count} of {seen.count} queries were answered well"
        return _finding("errors", "ok", says, port=port)
    parts = (
        f"{seen.lost} got no response within {_ANSWER_S:g} s" if seen.lost else "",
        f"{seen.garbled} a damaged one" if seen.garbled else "",
    )
    says = f"of {seen.count} queries {' and '.join(part for part in parts if part)}"
    if seen.given_up:
        next_ = "The module stopped answering: check its supply, and whether it falls asleep."
        return _finding("errors", "bad", f"{says}; the last {_HOPELESS} in a row", next_, port=port)
    few = wrong <= max(1, seen.count * _FEW)
    return _finding("errors", "warning" if few else "bad", says, _advice(seen), port=port)


def judge_noise(seen: Exchanges, *, port: str | None = None) -> Finding:
    """Judge bytes that belong to no line."""
    if not seen.noise_bytes:
        return _finding("noise", "ok", "none", port=port)
    says = f"{seen.noise_bytes} unreadable bytes came in between"
    return _finding("noise", "warning", says, _advice(seen), port=port)


def judge_echo(echo: bool | None, *, port: str | None = None) -> Finding:
    """Report the echo; on and off are both fine."""
    if echo is None:
        return _finding("echo", "unknown", "not learned: no response came", port=port)
    says = "on: every byte of a command comes back" if echo else "off"
    return _finding("echo", "ok", says, port=port)


def judge_silence(error: NoAnswer, *, port: str | None = None) -> Finding:
    """Report the received bytes, and their meaning, where nothing answered."""
    if isinstance(error, SelfUpdating):
        says = f"{error.message}: {'; '.join(error.tried)}"
        return _finding("answer", "bad", says, error.hint, port=port)
    if isinstance(error, Looped):
        return _finding("answer", "bad", error.message, error.hint, port=port)
    says = f"{error.message}: {_by_rate(error.tried)}" if error.tried else error.message
    if any("noise" in line for line in error.tried):
        next_ = (
            "Something sends at another rate than these, or the level is wrong: check the module's rate "
            "(-b RATE), TX/RX levels and ground; a module sends in its boot, too: wait and try again."
        )
    elif any("text" in line for line in error.tried):
        next_ = "It sends and does not receive: check the wire from the adapter's TX to the module's RX."
    else:
        next_ = (
            "Check that the module has power and is switched on (PWRKEY), TX and RX are crossed, and "
            "ground is joined; in deep sleep it needs its wake-up or reset line."
        )
    return _finding("answer", "bad", says, next_, port=port)


def _advice(seen: Exchanges) -> str:
    return "It rebooted meanwhile, which causes this: see the reboots." if seen.boots else _WIRING


def _by_rate(tried: Sequence[str]) -> str:
    """Return the observations with the rates of each: "silence at 9600, 115200 baud"."""
    rates: dict[str, list[str]] = {}
    for text in tried:
        rate, _, what = text.partition(" baud: ")
        rates.setdefault(what, []).append(rate)
    return "; ".join(f"{what} at {', '.join(at)} baud" if what else at[0] for what, at in rates.items())


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
