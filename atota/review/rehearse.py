"""Plays a profile against the simulated modules that speak it: a whole job each, in simulated time.

Which modules those are, their own answers decide, just as for a real one: the profile is theirs if, of all
built-in ones and itself, it is the one that the answers show.
"""

import functools
import re
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from atota.clock import Clock, SimulatedClock
from atota.dialects import loader
from atota.dialects.common import Send
from atota.dialects.model import Dialect, sends
from atota.errors import AtotaError
from atota.module import identify
from atota.module.baud import find_baud
from atota.module.module import Module
from atota.module.session import Session
from atota.settings.spec import Allowed, JobSpec, LocalPackage
from atota.sim.link import SimLink, make_module
from atota.sim.options import Options
from atota.sim.package import build_package
from atota.sim.persona import Persona
from atota.sim.personas.catalogue import PERSONAS, find_persona
from atota.update.job import Job
from atota.values import Digests

_SIZE = 6144
_ANY_PORT = "http://127.0.0.1:0"
_LIMIT_S = 6 * 3600.0
"""Simulated time; nothing that a module does takes so long."""


class Played(msgspec.Struct, frozen=True):
    """One job with the profile against one simulated module.

    ``trouble`` says why it did not end ``updated``; ``unsent`` are the commands that it did not need.
    """

    persona: str
    outcome: str
    seconds: float
    trouble: str | None
    unsent: tuple[Send, ...]

    @property
    def good(self) -> bool:
        """Whether it ended as it must: the module runs the new version, and was asked for it."""
        return self.trouble is None


def personas_of(dialect: Dialect) -> tuple[Persona, ...]:
    """The simulated modules whose answers show this dialect, among the built-in ones."""
    others = [known for known in loader.all_built_in() if known.name != dialect.name]
    known = (*others, dialect)
    return tuple(p for p in PERSONAS if identify.recognise(*_answers(p.name), among=known) is dialect)


def play(dialect: Dialect, persona: Persona | str) -> Played:
    """Bring a simulated module to its next version with this profile, and judge by its true state.

    Raises:
        UsageError: there is no such simulated module.
    """
    who = find_persona(persona) if isinstance(persona, str) else persona
    target = next_version(who.version)
    data = build_package(model=who.name, base=who.version, target=target, size=_SIZE)
    push = target if who.way.name == "platform" else ""
    module = make_module(who.name, Options(push=push, fetch=lambda _url: data))
    link = _Overheard(SimLink(module, SimulatedClock(), baud=who.baud, latency_s=0.001))
    with tempfile.TemporaryDirectory(prefix="atota-rehearsal-") as folder:
        path = Path(folder) / "package.bin"
        path.write_bytes(data)
        digests = Digests.of(data)
        spec = JobSpec(
            port=link.name,
            package=LocalPackage(path, digests.md5, target, digests.sha256),
            allowed=Allowed(unproven=True),
            timeout_s=_LIMIT_S,
            serve_url=_ANY_PORT,  # for those that fetch packages themselves
        )
        result = Job(spec, opener=lambda *_, **options: _opened(link, dialect, options)).run()
    trouble = str(result.error) if result.error is not None else None
    if trouble is None and result.outcome != "updated":
        trouble = f"it ended as {result.outcome}"
    if trouble is None and module.version != target:
        trouble = f"the job said updated, but the module runs {module.version}"
    unsent = tuple(send for send in sends(dialect) if not any(map(send.matches, link.lines)))
    return Played(who.name, result.outcome, link.clock.monotonic(), trouble, unsent)


def next_version(version: str) -> str:
    """A version of the same pattern that is newer: its last number goes up by one."""
    last = list(re.finditer(r"\d+", version))[-1]
    return f"{version[: last.start()]}{int(last[0]) + 1:0{len(last[0])}}{version[last.end() :]}"


def _opened(link: "_Overheard", dialect: Dialect, options: dict[str, Any]) -> Module:
    return Module(link, dialect=dialect, stop=options["stop"], listener=options["listener"])


@functools.cache
def _answers(persona: str) -> tuple[str, str, str]:
    """What a simulated module says of manufacturer, model and version; nothing if it cannot be asked."""
    link = SimLink(make_module(persona), SimulatedClock(), baud=find_persona(persona).baud)
    with Session(link, loader.stranger()) as session:
        try:
            find_baud(session)
            manufacturer, model, version = (
                "\n".join("\n".join(reply.lines) for reply in map(session.command, commands) if reply.ok)
                for commands in (("AT+CGMI",), ("AT+CGMM", "ATI"), ("AT+CGMR",))
            )
        except AtotaError:
            return "", "", ""
    return manufacturer, model, version


class _Overheard:
    """A link that remembers the command lines that went out on it."""

    def __init__(self, inner: SimLink) -> None:
        self.name = inner.name
        self.clock: Clock = inner.clock
        self.lines: set[str] = set()
        self._inner = inner

    @property
    def baud(self) -> int:
        return self._inner.baud

    def read(self, timeout_s: float) -> bytes:
        return self._inner.read(timeout_s)

    def write(self, data: bytes) -> None:
        if data.startswith(b"AT") and data.endswith(b"\r"):
            self.lines.add(data[:-1].decode("latin-1"))
        self._inner.write(data)

    def set_baud(self, baud: int) -> None:
        self._inner.set_baud(baud)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        self._inner.set_lines(dtr=dtr, rts=rts)

    def close(self) -> None:
        self._inner.close()
