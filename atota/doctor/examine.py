"""The whole examination of one port, check by check; after a failure the rest is reported as unknown.

Findings are yielded as they are made, so that an interruption keeps the earlier ones.
"""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from functools import cached_property

import msgspec

from atota.doctor import line, module, port, timing
from atota.doctor.findings import Finding, Group, blamed, unseen
from atota.errors import LinkError, LinkLost, ModuleError, NoAnswer, Refused
from atota.link.ports import PortInfo, latency_timer_ms, list_ports, rate_doubt
from atota.link.state import LineState
from atota.module.module import Module

Opener = Callable[[], AbstractContextManager[Module]]
Note = Callable[[str], None]

_LINE = ("answer",)
_MODULE = ("identity", "supply", "reboots")
_TIME = ("update",)
_REST: tuple[tuple[Group, tuple[str, ...]], ...] = (("line", _LINE), ("module", _MODULE), ("time", _TIME))


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The user's request for an examination.

    ``size``: bytes of the update whose time is estimated; ``baud``: the only rate to try, if one is given;
    ``transfer_baud``: the board's rate for transfers; ``known``: the state of the line in the last job on it.
    """

    exchanges: int = line.DEFAULT_EXCHANGES
    size: int = timing.DEFAULT_SIZE
    baud: int | None = None
    transfer_baud: int | None = None
    known: LineState | None = None


def examine_unopened(info: PortInfo, request: Request) -> Iterator[Finding]:
    """Examine a port without opening it."""
    yield from port.judge(port.facts_of(info))
    latency = port.judge_latency(info.device, info.latency_timer_ms, opened_ms=None, size=request.size)
    if latency is not None:
        yield latency


def examine_port(name: str, opener: Opener, request: Request, note: Note) -> Iterator[Finding]:
    """Examine a port and the module behind it.

    Args:
        name: the port.
        opener: opens the module on it.
        request: the user's request.
        note: called with the name of a check that takes long.

    Raises:
        JobTimeout: the time limit of the session is over.
        Interrupted: the stop token is set.
        UsageError: the port's URL, the dialect or the model is unknown.
        ConfigError: a file that the opener needs is wrong.
    """
    note(f"port {name}")
    findings = [port.judge_url(name)] if port.is_url(name) else list(port.judge(port.gather(name)))
    yield from findings
    blocker = next((finding for finding in findings if finding.state == "bad"), None)
    if blocker is not None:
        yield from _latency(name, request, opened=False)
        yield from _unopened(name, f"see {blocker.check} above")
        return
    try:
        with opener() as module_:
            says = f"opened at {module_.session.link.baud} baud"
            yield Finding(group="port", check="opens", state="ok", says=says, port=name)
            yield from _latency(name, request, opened=True)
            yield from Examination(module_, name, request, note).findings()
    except LinkLost as error:
        yield blamed("port", "stays", error, port=name)
    except LinkError as error:
        yield blamed("port", "opens", error, port=name)
        yield from _unopened(name, "see opens above")


def _latency(name: str, request: Request, *, opened: bool) -> Iterator[Finding]:
    if not port.is_url(name):
        now_ms = latency_timer_ms(name)
        finding = port.judge_latency(name, now_ms, opened_ms=now_ms if opened else None, size=request.size)
        if finding is not None:
            yield finding


def _unopened(name: str, why: str) -> Iterator[Finding]:
    for group, checks in _REST:
        yield from unseen(group, checks, why, port=name)


class Examination:
    """The examination of one module on an open port.

    Args:
        opened: the opened module.
        name: its port.
        request: the user's request.
        note: called with the name of a check that takes long.
    """

    def __init__(self, opened: Module, name: str, request: Request, note: Note) -> None:
        self._module = opened
        self._session = opened.session
        self._name = name
        self._request = request
        self._note = note
        self._observer = module.Observer(opened.session)

    @cached_property
    def _doubt(self) -> str | None:
        """The reason for which the rate of the port is not that of a wire; None if it is."""
        real = os.path.realpath(self._name)
        known = () if port.is_url(self._name) else list_ports()
        info = next((one for one in known if os.path.realpath(one.device) == real), None)
        return rate_doubt(self._name, info)

    def findings(self) -> Iterator[Finding]:
        """Yield all findings.

        Raises:
            LinkLost: the port went away.
            JobTimeout: the time limit has passed.
            Interrupted: the stop token is set.
        """
        self._note("finding the module's rate")
        try:
            self._module.find()
        except NoAnswer as error:
            yield line.judge_silence(error, port=self._name)
            for group, checks in _REST[1:]:
                yield from unseen(group, checks, "see answer above", port=self._name)
            return
        self._observer.answered()
        baud = self._session.link.baud
        yield from self._identity()
        seen = yield from self._line()
        yield from self._supply(seen)
        yield from self._rates(stays=seen.given_up)
        yield module.judge_reboots(self._observer, port=self._name)
        yield from self._time(seen, baud)

    def _identity(self) -> Iterator[Finding]:
        self._note("identifying the module")
        try:
            self._module.identify()
        except (ModuleError, Refused) as error:
            yield blamed("module", "identity", error, port=self._name)
            return
        assert self._module.findings is not None
        yield from module.judge_identity(self._module.findings, port=self._name)
        yield module.judge_signal(self._module.findings, port=self._name)

    def _line(self) -> Generator[Finding, None, line.Exchanges]:
        self._note(f"{self._request.exchanges} queries and responses")
        seen = line.exchange(self._session, self._request.exchanges)
        for judge in (line.judge_round_trip, line.judge_errors, line.judge_noise):
            yield judge(seen, port=self._name)
        yield line.judge_echo(seen.echo, port=self._name)
        return seen

    def _rates(self, *, stays: bool) -> Iterator[Finding]:
        home = self._session.link.baud
        if self._doubt is not None:
            yield Finding(group="line", check="rates", state="unknown", says=self._doubt, port=self._name)
            return
        if self._request.baud is not None or stays:
            says = f"{home} baud answers; no other was tried"
            yield Finding(group="line", check="rates", state="ok", says=says, port=self._name)
            return
        self._note("trying the other rates")
        try:
            yield line.judge_rates(line.scan_rates(self._session), port=self._name)
        except NoAnswer as error:
            yield blamed("line", "rates", error, port=self._name)

    def _supply(self, seen: line.Exchanges) -> Iterator[Finding]:
        findings = self._module.findings
        if findings is None or seen.given_up:
            why = "see identity above" if findings is None else "see errors above"
            yield from unseen("module", ("supply",), why, port=self._name)
            return
        try:
            supply = module.read_supply(self._session, findings.identity)
        except ModuleError as error:
            yield blamed("module", "supply", error, port=self._name)
            return
        yield module.judge_supply(supply, port=self._name)

    def _time(self, seen: line.Exchanges, baud: int) -> Iterator[Finding]:
        findings = self._module.findings
        if findings is None:
            yield from unseen("time", _TIME, "see identity above", port=self._name)
            return
        if self._doubt is not None:
            says = f"cannot be computed: {self._doubt}"
            yield Finding(group="time", check="update", state="unknown", says=says, port=self._name)
            return
        yield from timing.judge_time(
            findings.dialect,
            size=self._request.size,
            baud=baud,
            turn_s=timing.UNMEASURED_TURN_S if seen.turn_s is None else seen.turn_s,
            target=self._request.transfer_baud,
            port=self._name,
            known=self._request.known,
        )
