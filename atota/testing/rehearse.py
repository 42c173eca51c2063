"""Rehearse a profile with the simulated modules of its family: a whole job each, in simulated time.

A simulated module is of the family if, of all built-in profiles and the rehearsed one, its own responses
show the rehearsed one: as for a real module.
"""

import functools
from collections.abc import Iterable

import msgspec

from atota.clock import SimulatedClock
from atota.dialects import loader
from atota.dialects.model import Dialect, sends
from atota.errors import AtotaError
from atota.link.base import Link
from atota.link.forward import ForwardingLink
from atota.module import identify
from atota.module.baud import find_baud
from atota.module.session import Session
from atota.review.review import Played
from atota.settings.spec import Allowed
from atota.sim.link import SimLink, make_module
from atota.sim.persona import Persona
from atota.sim.personas.catalogue import PERSONAS, find_persona
from atota.testing.bench import Bench

_SIZE = 6144
_LIMIT_S = 6 * 3600.0
"""Simulated time; no module takes so long."""


class Rehearsal:
    """The simulated modules, for `atota.review.review.review`."""

    def personas(self, dialect: Dialect, more: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the simulated modules of a dialect's family, and ``more`` that are named.

        Raises:
            UsageError: a name is unknown.
        """
        own = personas_of(dialect) if dialect.method is not None else ()
        return tuple(dict.fromkeys(persona.name for persona in (*own, *map(find_persona, more))))

    def play(self, dialect: Dialect, persona: str) -> Played:
        """Run one job with the profile; see `play`."""
        return play(dialect, persona)


def personas_of(dialect: Dialect) -> tuple[Persona, ...]:
    """Return the simulated modules whose responses show this dialect, among the built-in ones."""
    others = [known for known in loader.all_built_in() if known.name != dialect.name]
    known = (*others, dialect)
    fitting = [p for p in PERSONAS if identify.recognise(*_identity(p.name), among=known) is dialect]
    # Of several firmwares of one module the first.
    return tuple({(p.vendor, p.answers.get(b"AT+CGMM", p.name)): p for p in reversed(fitting)}.values())[::-1]


def play(dialect: Dialect, persona: str) -> Played:
    """Update a simulated module to its next version with this profile, and judge by its true state.

    Raises:
        UsageError: the simulated module is unknown.
    """
    commands = Commands()
    with Bench(persona, size=_SIZE, dialect=dialect, wrap=commands.listen_in) as bench:
        package = msgspec.structs.replace(bench.local_package(), stands_in=True)
        result = bench.flash(allowed=Allowed(unproven=True), timeout_s=_LIMIT_S, package=package)
        trouble = str(result.error) if result.error is not None else None
        if trouble is None and result.outcome != "updated":
            trouble = f"the job ended as {result.outcome}"
        if trouble is None and bench.module.version != bench.target:
            trouble = f"the job ended as updated, but the module runs {bench.module.version}"
        return Played(
            persona=bench.model,
            outcome=result.outcome,
            seconds=bench.clock.monotonic(),
            trouble=trouble,
            unsent=tuple(send for send in sends(dialect) if not any(map(send.matches, commands.lines))),
        )


class Commands:
    """The command lines that were sent on the links that it listens in on."""

    def __init__(self) -> None:
        self.lines: set[str] = set()

    def listen_in(self, link: Link) -> Link:
        """Return a link that passes everything on to this one."""
        return _Overheard(link, self.lines)


class _Overheard(ForwardingLink):
    def __init__(self, inner: Link, lines: set[str]) -> None:
        super().__init__(inner)
        self._lines = lines

    def write(self, data: bytes) -> None:
        if data.startswith(b"AT") and data.endswith(b"\r"):
            self._lines.add(data[:-1].decode("latin-1"))
        self.inner.write(data)


@functools.cache
def _identity(persona: str) -> tuple[str, str, str]:
    """Query a simulated module's manufacturer, model and version; empty if it does not respond."""
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
