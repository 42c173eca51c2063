"""The review of a profile without hardware: mistakes, rehearsal, backing by traces and documents."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from atota.dialects import layers, loader
from atota.dialects.checks import Mistake, mistakes
from atota.dialects.layers import Layer, place_of
from atota.dialects.model import Dialect, sends
from atota.dialects.texts import Send
from atota.errors import ConfigError
from atota.review.traces import Reading, read_traces
from atota.transcript.trace import Trace, read_trace

_WEAK = re.compile(r"inferred|guess|assum|practice|unknown|TODO", re.IGNORECASE)
"""Words of a source that is not a document."""


class Played(msgspec.Struct, frozen=True):
    """One job with the profile and one simulated module.

    ``trouble`` is the reason for which it did not end ``updated``; ``unsent`` are the commands that it did
    not need.
    """

    persona: str
    outcome: str
    seconds: float
    trouble: str | None
    unsent: tuple[Send, ...]

    @property
    def good(self) -> bool:
        """True if it ended as it must: the module runs the new version, and the job says so."""
        return self.trouble is None


class Rehearsal(Protocol):
    """The simulated modules that a profile is played against; `atota.testing.rehearse` has them."""

    def personas(self, dialect: Dialect, more: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the simulated modules of a dialect's family, and ``more`` that are named."""
        ...

    def play(self, dialect: Dialect, persona: str) -> Played:
        """Run one job with the profile and a simulated module."""
        ...


class Against(msgspec.Struct, frozen=True):
    """The profile and one simulated module: the job, and the reading of the module's traces.

    ``played`` is None if no job can be run (`Review.not_played`), ``reading`` without a folder of traces
    (an installed atota does not have one).
    """

    persona: str
    played: Played | None
    reading: Reading | None


class Review(msgspec.Struct, frozen=True):
    """The findings on one profile.

    ``not_played`` is the reason for which no job was run. ``weak`` are commands whose source is missing or
    not a document; ``unseen`` those without an example in a trace; ``unmatched`` the paths of patterns that
    match no line of a trace.
    """

    name: str
    file: str
    title: str
    hardware: str
    method: str
    mistakes: tuple[Mistake, ...]
    against: tuple[Against, ...] = ()
    not_played: str | None = None
    weak: tuple[Send, ...] = ()
    unseen: tuple[Send, ...] = ()
    unmatched: tuple[str, ...] = ()

    @property
    def wrong(self) -> bool:
        """True if the profile must be corrected."""
        return bool(self.mistakes) or any(
            one.played is not None and not one.played.good for one in self.against
        )


def every_profile() -> tuple[str, ...]:
    """Return the names of the built-in profiles and the files of the user's own."""
    return (*loader.names(), *map(str, loader.own_files().values()))


def review(
    name_or_file: str, *, rehearsal: Rehearsal, against: Iterable[str] = (), traces: Path | None = None
) -> Review:
    """Check a profile, and rehearse it if it has no mistakes.

    Args:
        name_or_file: the profile.
        rehearsal: the simulated modules to play it against.
        against: simulated modules of other families to play it against as well.
        traces: the folder with a folder of traces for each simulated module; None: they are not read.

    Raises:
        UsageError: the dialect or a simulated module is unknown.
    """
    try:
        chain = loader.layers(name_or_file)
    except ConfigError as error:
        problem, _, path = error.message.partition(": ")[2].rpartition(" - at ")
        mistake = Mistake(error.message.partition(": ")[0], problem or error.message, path.strip("`") or "$")
        return Review(Path(name_or_file).stem, name_or_file, "", "not seen", "", (mistake,))
    if problems := mistakes(chain):
        title, method = chain[0].tables.get("title"), layers.values(layers.merge(chain)).get("method")
        kind = method.get("kind") if isinstance(method, dict) else None
        return Review(chain[0].name, chain[0].label, str(title), "not seen", str(kind), tuple(problems))
    dialect = loader.load(name_or_file)
    return _rehearsed(chain, dialect, rehearsal, rehearsal.personas(dialect, against), traces)


def _rehearsed(
    chain: tuple[Layer, ...],
    dialect: Dialect,
    rehearsal: Rehearsal,
    personas: tuple[str, ...],
    folder: Path | None,
) -> Review:
    not_played = _not_played(dialect, personas)
    traces = {persona: list(_traces(persona, folder)) for persona in personas}
    against = tuple(
        Against(
            persona=persona,
            played=rehearsal.play(dialect, persona) if not_played is None else None,
            reading=read_traces(dialect, traces[persona]) if traces[persona] else None,
        )
        for persona in personas
    )
    whole = read_traces(dialect, [trace for one in traces.values() for trace in one])
    unread = [
        (path, f"{problem} (trace of {one.persona})")
        for one in against
        for path, problem in (one.reading.unread if one.reading is not None else ())
    ]
    return Review(
        name=dialect.name,
        file=chain[0].label,
        title=dialect.title,
        hardware=dialect.hardware,
        method=dialect.method.kind if dialect.method is not None else "none",
        mistakes=tuple(
            Mistake(file, problem, origin)
            for path, problem in dict.fromkeys(unread)
            for file, origin in [place_of(chain, path)]
        ),
        against=against,
        not_played=not_played,
        weak=tuple(send for send in sends(dialect) if _is_weak(dialect, send)),
        unseen=whole.unseen,
        unmatched=whole.unmatched,
    )


def _not_played(dialect: Dialect, personas: tuple[str, ...]) -> str | None:
    if dialect.method is None:
        return "the profile has no method"
    if not personas:
        return "no simulated module's responses show it"
    return None


def _traces(persona: str, folder: Path | None) -> Iterator[Trace]:
    if folder is not None:
        files = (folder / persona.lower()).glob("*.trace")
        for path in sorted(files, key=lambda path: (path.stem != "identify", path.stem)):
            yield read_trace(path)


def _is_weak(dialect: Dialect, send: Send) -> bool:
    return send.source is None or _WEAK.search(dialect.sources[send.source]) is not None
