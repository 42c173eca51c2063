"""Everything that can be said of a profile without hardware: its mistakes, how it plays, what backs it."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from atota.dialects import loader
from atota.dialects.anatomy import Send, sends
from atota.dialects.checks import Mistake, mistakes
from atota.dialects.loader import Layer
from atota.dialects.model import Dialect
from atota.dialects.provenance import place_of
from atota.errors import ConfigError
from atota.review.rehearse import Played, personas_of, play
from atota.review.traces import Reading, read_traces
from atota.sim.persona import Persona
from atota.sim.personas.catalogue import find_persona

_WEAK = re.compile(r"inferred|guess|assum|practice|unknown|TODO", re.IGNORECASE)
"""How a source tells that it is no document."""


class Against(msgspec.Struct, frozen=True):
    """The profile against one simulated module: the job, and what it makes of the module's traces.

    ``played`` is None if no job can be run (`Review.not_played`), ``reading`` where the traces are not there
    (an installed atota has none).
    """

    persona: str
    played: Played | None
    reading: Reading | None


class Review(msgspec.Struct, frozen=True):
    """What is to be said of one profile.

    ``not_played`` says why no job was run. ``weak`` are commands whose source is no document or not stated;
    ``unseen`` those that stand in no trace; ``unmatched`` paths of patterns that fit no line of a trace.
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
        """Whether something has to be corrected."""
        return bool(self.mistakes) or any(
            one.played is not None and not one.played.good for one in self.against
        )


def every_profile() -> tuple[str, ...]:
    """The names of the built-in profiles and the files of the user's own."""
    return (*loader.names(), *map(str, loader.own_files().values()))


def traces_folder() -> Path | None:
    """Where the literal conversations lie in a source tree; None in an installed atota."""
    folder = Path(__file__).parents[2] / "tests" / "traces"
    return folder if folder.is_dir() else None


def review(name_or_file: str, *, against: Iterable[str] = (), traces: Path | None = None) -> Review:
    """Check a profile, and play it if it is right.

    Args:
        name_or_file: the profile.
        against: simulated modules to play it against besides those whose answers show it.
        traces: the folder with a folder of traces for each simulated module.

    Raises:
        UsageError: there is no such dialect or simulated module.
    """
    try:
        chain = loader.layers(name_or_file)
    except ConfigError as error:
        what, _, path = error.message.partition(": ")[2].rpartition(" - at ")
        mistake = Mistake(error.message.partition(": ")[0], what or error.message, path.strip("`") or "$")
        return Review(Path(name_or_file).stem, name_or_file, "", "not seen", "", (mistake,))
    found = mistakes(chain)
    if found:
        title, method = chain[0].tables.get("title"), loader.merged(chain).get("method")
        kind = method.get("kind") if isinstance(method, dict) else None
        return Review(chain[0].name, chain[0].label, str(title), "not seen", str(kind), tuple(found))
    return _played(chain, loader.load(name_or_file), [find_persona(name) for name in against], traces)


def _played(chain: tuple[Layer, ...], dialect: Dialect, more: list[Persona], traces: Path | None) -> Review:
    personas = list(personas_of(dialect)) if dialect.method is not None else []
    personas += [persona for persona in more if persona not in personas]
    why_not = _why_not(dialect, personas)
    texts = {persona.name: list(_texts(persona, traces)) for persona in personas}
    against = tuple(
        Against(
            persona=p.name,
            played=play(dialect, p) if why_not is None else None,
            reading=read_traces(dialect, texts[p.name]) if texts[p.name] else None,
        )
        for p in personas
    )
    whole = read_traces(dialect, [text for one in texts.values() for text in one])
    unread = [
        (path, f"{what} (trace of {one.persona})")
        for one in against
        for path, what in (one.reading.unread if one.reading is not None else ())
    ]
    return Review(
        name=dialect.name,
        file=chain[0].label,
        title=dialect.title,
        hardware=dialect.hardware,
        method=dialect.method.kind if dialect.method is not None else "none",
        mistakes=tuple(
            Mistake(file, what, place)
            for path, what in dict.fromkeys(unread)
            for file, place in [place_of(chain, path)]
        ),
        against=against,
        not_played=why_not,
        weak=tuple(send for send in sends(dialect) if _is_weak(dialect, send)),
        unseen=whole.unseen,
        unmatched=whole.unmatched,
    )


def _why_not(dialect: Dialect, personas: list[Persona]) -> str | None:
    if dialect.method is None:
        return "it has no method"
    if not personas:
        return "no simulated module's answers show it"
    return None


def _texts(persona: Persona, traces: Path | None) -> Iterator[str]:
    if traces is not None:
        files = (traces / persona.name.lower()).glob("*.trace")
        for path in sorted(files, key=lambda path: (path.stem != "identify", path.stem)):
            yield path.read_text("ascii")


def _is_weak(dialect: Dialect, send: Send) -> bool:
    return send.source is None or _WEAK.search(dialect.sources[send.source]) is not None
