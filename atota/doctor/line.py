"""The line between adapter and module: who answers at which rate, how fast, and how often not.

`exchange` and `scan_rates` gather, with ``AT`` and a question of the identification only; the ``judge_``
functions make findings of the numbers.
"""

from collections import Counter
from collections.abc import Sequence
from statistics import median

import msgspec

from atota.doctor.findings import Finding, State
from atota.errors import Desynchronised, LinkError, LinkLost, ModuleRebooted, NoAnswer
from atota.module.baud import find_baud
from atota.module.response import Response
from atota.module.session import Session

DEFAULT_EXCHANGES = 50
_SHORT, _LONG = "AT", "AT+CGMR"
_TURN_BYTES = len(b"AT\r") + len(b"\r\nOK\r\n")
_ECHO_BYTES = len(b"AT\r")
_ANSWER_S = 3.0
"""Modules answer queries within 300 ms by their manuals; the version text of some has 200 bytes."""
_HOPELESS = 5
"""So many questions in a row without an answer, and the rest need not be asked."""
_TRY_S = 0.4
_TRIES = 2
_CALM_S = 0.1
_BACK_TRIES = 3
_SLOW_S = 0.3
"""What manuals of these modules give as the longest answer to a query."""
_LATE_S = 1.0
_FEW = 0.02
"""The share of lost answers up to which an update only gets slower (ours): each is asked for again."""
_WIRING = "Shorten the wires, join the grounds, check the level (1.8 or 3.3 V), or try another adapter."


class Exchanges(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a number of questions.

    ``lost`` got no answer in time, ``garbled`` another one than the same question otherwise got;
    ``noise_bytes`` belonged to nothing. ``turns_s`` are the round trips of the short question and
    ``wire_s`` what its bytes alone take. ``boots``: how often it rebooted; ``given_up``: it fell silent.
    """

    asked: int
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
        """What an answer takes beyond its bytes; None if none came."""
        return max(0.0, median(self.turns_s) - self.wire_s) if self.turns_s else None


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """At which rates the module answered, bit/s; ``home`` is where it was found and left."""

    home: int
    answering: tuple[int, ...] = ()
    silent: tuple[int, ...] = ()
    impossible: tuple[int, ...] = ()


def exchange(session: Session, count: int) -> Exchanges:
    """Ask ``count`` harmless questions, a short and a long one in turn, and count what comes.

    Raises:
        LinkLost: the port went away.
        JobTimeout: the time limit of the session is over.
        Interrupted: the user wants the end.
    """
    noise, boots = session.garbage_bytes, session.boots
    turns: list[float] = []
    answers: dict[str, list[tuple[bool, tuple[str, ...]]]] = {_SHORT: [], _LONG: []}
    lost = in_a_row = asked = 0
    while asked < count and in_a_row < _HOPELESS:
        question = (_SHORT, _LONG)[asked % 2]
        asked += 1
        reply, took_s = _asked(session, question)
        if reply is None:
            lost, in_a_row = lost + 1, in_a_row + 1
            continue
        in_a_row = 0
        answers[question].append((reply.ok, reply.lines))
        if question == _SHORT:
            turns.append(took_s)
    return Exchanges(
        asked=asked,
        lost=lost,
        garbled=sum(_odd_ones(given) for given in answers.values()),
        noise_bytes=session.garbage_bytes - noise,
        turns_s=tuple(turns),
        wire_s=session.wire_s(_TURN_BYTES + (_ECHO_BYTES if session.exchange.echo else 0)),
        echo=session.exchange.echo,
        boots=session.boots - boots,
        given_up=in_a_row >= _HOPELESS,
    )


def _asked(session: Session, question: str) -> tuple[Response | None, float]:
    """The reply and the seconds that it took; None if none came."""
    try:
        session.settle()  # the pause that the dialect wants is no part of the round trip
        began = session.clock.monotonic()
        reply = session.command(question, timeout_s=_ANSWER_S)
        return reply, session.clock.monotonic() - began
    except (NoAnswer, ModuleRebooted):
        return None, 0.0
    except Desynchronised:
        session.listen(_ANSWER_S)
        session.reset_state()
        return None, 0.0


def _odd_ones(answers: Sequence[object]) -> int:
    """How many differ from the most frequent one."""
    return len(answers) - max(Counter(answers).values()) if answers else 0


def scan_rates(session: Session) -> Rates:
    """Try the other rates of the dialect, and leave module and line at the rate where they were.

    A module that takes its rate from every ``AT`` follows back, too.

    Raises:
        NoAnswer: it does not answer any more at the rate at which it was found, nor at another.
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
    """Say at which rates the module answers."""
    others = [baud for baud in rates.answering if baud != rates.home]
    says = f"{rates.home} baud answers"
    if others:
        says = f"answers at {_list(rates.answering)} baud: it takes the rate from whoever asks"
    if rates.silent:
        says += f"; not at {_list(rates.silent)}"
    if rates.impossible:
        says += f"; this port cannot run at {_list(rates.impossible)}"
    return _finding("rates", "ok", says, port=port)


def judge_round_trip(seen: Exchanges, *, port: str | None = None) -> Finding:
    """Judge how long the shortest question takes."""
    if not seen.turns_s:
        return _finding("round trip", "unknown", "not measured: no answer came", port=port)
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
    """Judge how many answers were lost or damaged."""
    wrong = seen.lost + seen.garbled
    if not wrong:
        says = f"none: {seen.asked} of {seen.asked} questions were answered well"
        return _finding("errors", "ok", says, port=port)
    parts = (
        f"{seen.lost} got no answer within {_ANSWER_S:g} s" if seen.lost else "",
        f"{seen.garbled} a damaged one" if seen.garbled else "",
    )
    says = f"of {seen.asked} questions {' and '.join(part for part in parts if part)}"
    if seen.given_up:
        next_ = "The module stopped answering: check its supply, and whether it falls asleep."
        return _finding("errors", "bad", f"{says}; the last {_HOPELESS} in a row", next_, port=port)
    few = wrong <= max(1, seen.asked * _FEW)
    return _finding("errors", "warning" if few else "bad", says, _advice(seen), port=port)


def judge_noise(seen: Exchanges, *, port: str | None = None) -> Finding:
    """Judge bytes that belong to no line of anything."""
    if not seen.noise_bytes:
        return _finding("noise", "ok", "none", port=port)
    says = f"{seen.noise_bytes} bytes that are no text came in between"
    return _finding("noise", "warning", says, _advice(seen), port=port)


def judge_echo(echo: bool | None, *, port: str | None = None) -> Finding:
    """Say whether the module sends back what it is sent; both are fine."""
    if echo is None:
        return _finding("echo", "unknown", "not learned: no answer came", port=port)
    says = "on: every byte of a command comes back, which takes its time" if echo else "off"
    return _finding("echo", "ok", says, port=port)


def judge_silence(error: NoAnswer, *, port: str | None = None) -> Finding:
    """Say what was heard, and what that means, where nothing answered."""
    says = f"{error.message}: {_heard(error.tried)}" if error.tried else error.message
    if any("noise" in line for line in error.tried):
        next_ = (
            "Something talks at a rate that none of these is, or the level is wrong: check the module's rate "
            "(-b RATE), TX/RX levels and ground; a module in its boot talks, too: wait and try again."
        )
    elif any("text" in line for line in error.tried):
        next_ = "It talks and does not listen: check the wire from the adapter's TX to the module's RX."
    else:
        next_ = (
            "Check that the module has power and is switched on (PWRKEY), TX and RX are crossed, and "
            "ground is joined; in deep sleep it needs its wake-up or reset line."
        )
    return _finding("answer", "bad", says, next_, port=port)


def _advice(seen: Exchanges) -> str:
    return "It rebooted meanwhile, which does that: see there." if seen.boots else _WIRING


def _heard(tried: Sequence[str]) -> str:
    """What was heard at each rate, the rates of the same together: "silence at 9600, 115200 baud"."""
    rates: dict[str, list[str]] = {}
    for text in tried:
        rate, _, what = text.partition(" baud: ")
        rates.setdefault(what, []).append(rate)
    return "; ".join(f"{what} at {', '.join(at)} baud" if what else at[0] for what, at in rates.items())


def _finding(check: str, state: State, says: str, next_: str = "", *, port: str | None) -> Finding:
    return Finding(group="line", check=check, state=state, says=says, next=next_, port=port)


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
