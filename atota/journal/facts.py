"""Facts that a job writes down: typed, since the next run and the record rely on them after a crash.

A fact's kind is the name under which the journal stores it; `KINDS` maps the kinds to their types. The stored
form is the struct as JSON, without its kind. Every kind has a writer in ``atota/update``; a meta test proves
that. Fields are only ever added, with defaults, so that older journals stay readable.
"""

import enum
from typing import Any, Final

import msgspec

from atota.errors import AtotaError
from atota.files import prepared
from atota.link.state import LineState
from atota.values import Identity, Versions


class JobState(enum.StrEnum):
    """The progress of a job with its target; `atota.update.state` holds the theory and the transitions."""

    UNTOUCHED = "untouched"
    CHANGED = "changed"
    WRITING = "writing"
    WRITTEN = "written"
    MAY_HAVE_STARTED = "may-have-started"
    STARTED = "started"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    ENDED_OLD = "ended-old"
    ENDED_UNKNOWN = "ended-unknown"


class StateFact(msgspec.Struct, frozen=True):
    """A transition of the job's state, written before the state is held."""

    state: JobState


class TaskFact(msgspec.Struct, frozen=True, kw_only=True):
    """The platform's task, without its token, and the platform, device and type that it belongs to.

    ``dev_id`` is the device's one name on the platform, ``handle`` the task's, where it is not a secret, and
    ``api`` the platform's in `atota.ota.registry`; older records have neither. ``size`` is in bytes;
    ``kind``, ``signal``, ``power``, ``retry`` and ``interval`` (seconds) are the platform's own values.
    """

    target: str = ""
    size: int = 0
    md5: str = ""
    kind: str = ""
    signal: int = 0
    power: int = 0
    retry: int = 0
    interval: int = 0
    server: str = ""
    dev_id: str = ""
    type: str = "fota"
    api: str = ""
    handle: str = ""


class VersionsFact(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of a job: what the target printed before, and what it prints once it is updated.

    ``target`` is the platform's or the user's name of the version, ``expected`` the text that the target
    prints.
    """

    before: str | None = None
    before_revision: str | None = None
    before_full: str | None = None
    target: str = ""
    expected: str = ""

    @property
    def printed_before(self) -> Versions:
        """The version texts that the target printed before the update."""
        return Versions(version=self.before, revision=self.before_revision, full=self.before_full)


class MethodFact(msgspec.Struct, frozen=True, kw_only=True):
    """The way in which the target is written.

    ``name`` and ``digest`` (SHA-256) are the dialect's; ``block`` is in bytes; ``window_s`` is how long the
    target waits for bytes that it asked for; ``allowed`` names the options that the user took the
    responsibility for.
    """

    name: str | None = None
    digest: str | None = None
    method: str | None = None
    block: int | None = None
    window_s: float = 0.0
    allowed: dict[str, bool] = {}


KNOWN_FOR_S: Final = 24 * 3600.0
"""How long a line is known: cables and adapters are replaced, and one bad moment must not last."""


def line_subject(adapter: str | None, port: str, board: str | None) -> str:
    """Return the name of a line: its adapter's serial number, else its port, and its board."""
    return f"{adapter or port} {board or ''}".rstrip()


class LineFact(msgspec.Struct, frozen=True, kw_only=True):
    """The line of a transfer: what the next job on the same adapter and board begins with.

    ``rate`` is in bit/s; ``block`` in bytes, None where blocks of several lengths were sent; ``bad`` lists
    the rates for which the line was too bad; ``block_s`` is how long the module itself took for a block, in
    seconds, once one was written whole. ``adapter`` is the adapter's serial number, ``port`` stands
    for it where it has none. ``since`` is the time of the first job of those that began with each other's
    word about the line, in seconds since the epoch.
    """

    rate: int
    block: int | None = None
    bad: tuple[int, ...] = ()
    block_s: float | None = None
    adapter: str | None = None
    port: str = ""
    board: str | None = None
    since: float = 0.0

    @property
    def state(self) -> LineState:
        """The state of the line."""
        return LineState(rate=self.rate, block=self.block, bad=self.bad, block_s=self.block_s)

    @property
    def subject(self) -> str:
        """The adapter and the board, as the journal looks the fact up."""
        return line_subject(self.adapter, self.port, self.board)


class PackageFact(msgspec.Struct, frozen=True, kw_only=True):
    """The verified package: file name, size in bytes, digests in lower-case hex."""

    name: str = ""
    size: int = 0
    md5: str = ""
    sha256: str = ""


class UndoFact(msgspec.Struct, frozen=True):
    """The commands that take back the settings that were changed, in the order of the changes."""

    undo: tuple[str, ...] = ()


class WrittenFact(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of the package that the target acknowledged, of bytes in all, in blocks of ``block`` bytes."""

    done: int = 0
    total: int = 0
    block: int | msgspec.UnsetType = msgspec.UNSET


class ConfirmedFact(msgspec.Struct, frozen=True):
    """The version that was read back after the update; ``full`` where the target has a finer text."""

    version: str | None = None
    full: str | None = None


class Told(msgspec.Struct, frozen=True):
    """A message that the platform took, in words."""

    what: str = ""


class WarningFact(msgspec.Struct, frozen=True):
    """A warning that people were given."""

    text: str = ""


class ErrorFact(msgspec.Struct, frozen=True, kw_only=True):
    """The error that ended the job."""

    code: str = ""
    message: str = ""
    hint: str = ""
    tried: tuple[str, ...] = ()
    retry: str = ""

    @classmethod
    def of(cls, error: AtotaError) -> "ErrorFact":
        """Return an error as records have it."""
        return cls(
            code=error.code,
            message=error.message,
            hint=error.hint,
            tried=tuple(error.tried),
            retry=error.retry.value,
        )


class CountersFact(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of the whole job: blocks, repeated blocks, longest silence in ms, boots of the module."""

    blocks: int | None = None
    retries: int | None = None
    longest_silence_ms: int | None = None
    boots: int | None = None


class TranscriptFact(msgspec.Struct, frozen=True, kw_only=True):
    """The kept transcript of the conversation: its file and the file's SHA-256."""

    path: str = ""
    sha256: str = ""


class StationFact(msgspec.Struct, frozen=True, kw_only=True):
    """The place of a job in a production station.

    ``serial`` is the label's serial number or IMEI, ``scan`` the whole code that was read. ``attempt`` counts
    the jobs of one unit in one batch. ``handling_ms`` is the time from the
    verdict before it in its lane to the plug. ``is_golden``: the unit proves the station, not itself.
    """

    name: str = ""
    lane: int = 0
    batch: str | None = None
    operator: str | None = None
    serial: str | None = None
    scan: str | None = None
    attempt: int = 1
    handling_ms: int | None = None
    is_golden: bool = False


class ReleaseFact(msgspec.Struct, frozen=True, kw_only=True):
    """The release of a stop by a person: the stop, the reason and the person's name."""

    stop: str = ""
    reason: str = ""
    by: str | None = None


class PriorRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was cut off, as the next one needs it; the next one writes it down in turn.

    Attributes:
        id: the job's name in the journal.
        run, attempt: the next attempt belongs to the same run.
        state: the state that it was cut off in.
        is_certain: True if the target itself had said that it starts.
        command: the command of the user.
        versions, package, task, method: what it had written down, as far as it came.
        undo: commands that take back what it changed.
        written: bytes of the package that the target had acknowledged.
        block: bytes in one of the blocks that it acknowledged last.
    """

    id: str
    run: str
    attempt: int
    state: JobState
    is_certain: bool = False
    command: str = ""
    versions: VersionsFact = VersionsFact()
    package: PackageFact = PackageFact()
    task: TaskFact | None = None
    method: MethodFact = MethodFact()
    undo: tuple[str, ...] = ()
    written: int = 0
    block: int | None = None


Fact = (
    Identity
    | PriorRun
    | StateFact
    | TaskFact
    | VersionsFact
    | MethodFact
    | LineFact
    | PackageFact
    | UndoFact
    | WrittenFact
    | ConfirmedFact
    | Told
    | WarningFact
    | ErrorFact
    | CountersFact
    | TranscriptFact
    | StationFact
    | ReleaseFact
)
KINDS: Final[dict[str, type[Fact]]] = {
    "module": Identity,
    "prior-run": PriorRun,
    "state": StateFact,
    "task": TaskFact,
    "target": VersionsFact,
    "dialect": MethodFact,
    "line": LineFact,
    "package": PackageFact,
    "changed": UndoFact,
    "written": WrittenFact,
    "confirmed": ConfirmedFact,
    "told": Told,
    "warning": WarningFact,
    "error": ErrorFact,
    "tally": CountersFact,
    "transcript": TranscriptFact,
    "station": StationFact,
    "release": ReleaseFact,
}
_KIND_OF: Final = {kind_type: kind for kind, kind_type in KINDS.items()}


def kind_of(fact: Fact) -> str:
    """Return the name under which the journal stores a fact."""
    return _KIND_OF[type(fact)]


def read_fact(kind: str, data: dict[str, Any]) -> Fact | None:
    """Return a stored fact as its struct; None for a kind that this version does not know.

    Raises:
        msgspec.ValidationError: the stored form does not fit the kind.
    """
    kind_type = KINDS.get(kind)
    return None if kind_type is None else msgspec.convert(data, prepared(kind_type))
