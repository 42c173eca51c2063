"""The whole examination of one port, check by check; what fails leaves the rest unknown, not unsaid.

Findings are yielded as they are made, so that an interruption keeps those that there are.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager

import msgspec

from atota.doctor import line, module, port, timing
from atota.doctor.findings import Finding, Group, blamed, unseen
from atota.errors import LinkError, LinkLost, ModuleError, NoAnswer, Refused
from atota.link.ports import PortInfo, latency_timer_ms
from atota.module.module import Module

Opener = Callable[[], AbstractContextManager[Module]]
Note = Callable[[str], None]

_LINE = ("answer",)
_MODULE = ("identity", "supply", "reboots")
_TIME = ("update",)
_REST: tuple[tuple[Group, tuple[str, ...]], ...] = (("line", _LINE), ("module", _MODULE), ("time", _TIME))


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the user wants examined.

    ``size``: bytes of the update whose time is told; ``baud``: the only rate to try, if one is given;
    ``transfer_baud``: the board's rate for transfers.
    """

    exchanges: int = line.DEFAULT_EXCHANGES
    size: int = timing.DEFAULT_SIZE
    baud: int | None = None
    transfer_baud: int | None = None


def examine_unopened(info: PortInfo, wishes: Wishes) -> Iterator[Finding]:
    """Examine a port without opening it."""
    yield from port.judge(port.facts_of(info))
    latency = port.judge_latency(info.device, info.latency_timer_ms, opened_ms=None, size=wishes.size)
    if latency is not None:
        yield latency


def examine_port(name: str, opener: Opener, wishes: Wishes, note: Note) -> Iterator[Finding]:
    """Examine a port and the module behind it.

    Args:
        name: the port.
        opener: opens the module on it.
        wishes: what is wanted.
        note: told what takes long.

    Raises:
        JobTimeout: the time limit of the session is over.
        Interrupted: the user wants the end.
        UsageError: the port's URL, the dialect or the model makes no sense.
        ConfigError: a file that the opener needs is wrong.
    """
    note(f"port {name}")
    findings = [port.judge_url(name)] if port.is_url(name) else list(port.judge(port.gather(name)))
    yield from findings
    blocker = next((finding for finding in findings if finding.state == "bad"), None)
    if blocker is not None:
        yield from _latency(name, wishes, opened=False)
        yield from _unopened(name, f"see {blocker.check} above")
        return
    try:
        opened = opener()
        with opened as found:
            says = f"opened at {found.session.link.baud} baud"
            yield Finding(group="port", check="opens", state="ok", says=says, port=name)
            yield from _latency(name, wishes, opened=True)
            yield from Examination(found, name, wishes, note).findings()
    except LinkLost as error:
        yield blamed("port", "stays", error, port=name)
    except LinkError as error:
        yield blamed("port", "opens", error, port=name)
        yield from _unopened(name, "see opens above")


def _latency(name: str, wishes: Wishes, *, opened: bool) -> Iterator[Finding]:
    if not port.is_url(name):
        now_ms = latency_timer_ms(name)
        found = port.judge_latency(name, now_ms, opened_ms=now_ms if opened else None, size=wishes.size)
        if found is not None:
            yield found


def _unopened(name: str, why: str) -> Iterator[Finding]:
    for group, checks in _REST:
        yield from unseen(group, checks, why, port=name)


class Examination:
    """Asks one module on an open port.

    Args:
        found: the opened module.
        name: its port.
        wishes: what is wanted.
        note: told what takes long.
    """

    def __init__(self, found: Module, name: str, wishes: Wishes, note: Note) -> None:
        self._module = found
        self._session = found.session
        self._name = name
        self._wishes = wishes
        self._note = note
        self._ears = module.Ears(found.session)

    @property
    def _fixed(self) -> bool:
        """Whether the rate is out of our hands."""
        return self._name.lower().startswith("socket:")

    def findings(self) -> Iterator[Finding]:
        """Make all of them.

        Raises:
            LinkLost: the port went away.
            JobTimeout: the time limit is over.
            Interrupted: the user wants the end.
        """
        self._note("finding the module's rate")
        try:
            self._module.find()
        except NoAnswer as error:
            yield line.judge_silence(error, port=self._name)
            for group, checks in _REST[1:]:
                yield from unseen(group, checks, "see answer above", port=self._name)
            return
        self._ears.answered()
        baud = self._session.link.baud
        yield from self._identity()
        seen = yield from self._line()
        yield from self._supply(seen)
        yield from self._rates(stays=seen.given_up)
        yield module.judge_reboots(self._ears, port=self._name)
        yield from self._time(seen, baud)

    def _identity(self) -> Iterator[Finding]:
        self._note("asking who it is")
        try:
            who = self._module.identify()
        except (ModuleError, Refused) as error:
            yield blamed("module", "identity", error, port=self._name)
            return
        assert self._module.findings is not None
        yield from module.judge_identity(self._module.findings, port=self._name)
        yield module.judge_signal(who, port=self._name)

    def _line(self) -> Generator[Finding, None, line.Exchanges]:
        self._note(f"{self._wishes.exchanges} questions and answers")
        seen = line.exchange(self._session, self._wishes.exchanges)
        for judge in (line.judge_round_trip, line.judge_errors, line.judge_noise):
            yield judge(seen, port=self._name)
        yield line.judge_echo(seen.echo, port=self._name)
        return seen

    def _rates(self, *, stays: bool) -> Iterator[Finding]:
        home = self._session.link.baud
        if self._fixed:
            why = "the far end of a socket:// port has a rate of its own, which is not seen from here"
            yield Finding(group="line", check="rates", state="unknown", says=why, port=self._name)
            return
        if self._wishes.baud is not None or stays:
            says = f"{home} baud answers; no other was tried"
            yield Finding(group="line", check="rates", state="ok", says=says, port=self._name)
            return
        self._note("trying the other rates")
        try:
            yield line.judge_rates(line.scan_rates(self._session), port=self._name)
        except NoAnswer as error:
            yield blamed("line", "rates", error, port=self._name)

    def _supply(self, seen: line.Exchanges) -> Iterator[Finding]:
        found = self._module.findings
        if found is None or seen.given_up:
            why = "see identity above" if found is None else "see errors above"
            yield from unseen("module", ("supply",), why, port=self._name)
            return
        try:
            told = module.read_supply(self._session, found.identity)
        except ModuleError as error:
            yield blamed("module", "supply", error, port=self._name)
            return
        yield module.judge_supply(told, port=self._name)

    def _time(self, seen: line.Exchanges, baud: int) -> Iterator[Finding]:
        found = self._module.findings
        if found is None:
            yield from unseen("time", _TIME, "see identity above", port=self._name)
            return
        yield from timing.judge_time(
            found.dialect,
            size=self._wishes.size,
            baud=baud,
            turn_s=timing.UNMEASURED_TURN_S if seen.turn_s is None else seen.turn_s,
            echo=bool(seen.echo),
            wanted=0 if self._fixed else self._wishes.transfer_baud,
            assumed=self._fixed,
            port=self._name,
        )
