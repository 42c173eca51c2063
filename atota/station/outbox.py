"""The outbox of a station: labels to print and records for hook programs, none of which a crash may lose.

A verdict queues its documents in the journal. A thread of its own delivers them in their order, and settles
each one once; where a printer or a program fails, it tries again later, and the lanes never wait. A station
that was killed between a record and its documents queues them at its next start. A hook gets
the record as JSON on its standard input, and ten seconds; its end says nothing about the unit.
"""

import subprocess
import threading
from collections.abc import Callable
from typing import Literal

import msgspec

from atota.clock import SharedClock, StopToken, SystemClock
from atota.errors import AtotaError, ConfigError, Outcome
from atota.journal.model import QueuedReport, Record
from atota.journal.store import Journal
from atota.station.config import StationConfig
from atota.station.desk import VerdictEvent
from atota.station.labels import filled, load_template, print_label
from atota.station.lane import Verdict
from atota.station.station import Station
from atota.station.tally import verdict_of
from atota.station.view import Notice

HOOK_LIMIT_S = 10.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
_LOOKED_BACK = 256
"""Records that are looked at after a kill: each of at most 64 lanes can miss the documents of one."""
Topic = Literal["label", "hook"]
ShowLabel = Callable[[int, str, str], None]
_TOPICS: tuple[Topic, ...] = ("label", "hook")


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that waits: the record that it is about, and the lane of its unit."""

    topic: Topic
    record: str
    lane: int


class HookError(ConfigError):
    """A hook program that failed."""

    code = "hook"
    default_hint = "Run the program by hand with a record on its standard input; it is called again later."


class Outbox:
    """The deliveries of one station.

    Args:
        journal: where they wait.
        template: the label's template; None: no labels.
        printer: the label's printer.
        hook: the program for records; empty: none.
        show_label: told the state of a label: lane, record, state.
        warn: told a failure in words; an empty text once it is over.
        clock: the station's time.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        template: str | None,
        printer: str,
        hook: tuple[str, ...],
        show_label: ShowLabel,
        warn: Callable[[Topic, str], None],
        clock: SharedClock,
    ) -> None:
        self._journal = journal
        self._template = template
        self._printer = printer
        self._hook = hook
        self._show_label = show_label
        self._warn = warn
        self._clock = clock
        self._wake = threading.Event()
        self._stop = StopToken()
        self._pauses: dict[Topic, tuple[float, float]] = {}
        self._ended = threading.Event()
        self._ended.set()  # it has not begun

    def start(self) -> None:
        """Begin with what an earlier run has left."""
        self._ended = self._clock.start(self._run, "station-outbox")

    def end(self) -> None:
        """End; what waits is delivered by the next run."""
        self._stop.set()
        self._wake.set()
        while not self._clock.wait(self._ended, SystemClock.slice_s):
            pass

    def take(self, record: Record, event: VerdictEvent) -> None:
        """Queue the deliveries of a verdict."""
        for topic in self._topics(event.verdict):
            if topic == "label":
                self._show_label(event.lane, record.id, "queued")
            self._queue(topic, record.id, event.lane)
        self._wake.set()

    def recover(self, station: str) -> None:
        """Queue the deliveries of a station's verdicts after which it was killed.

        A topic of which the station has no document yet is new, and concerns no older unit.
        """
        topics = self._topics(Verdict.PASS)
        recent = self._journal.records(station=station, limit=_LOOKED_BACK) if topics else []
        for topic in topics:
            known = [bool(self._journal.reports_of(record.id, topic)) for record in recent]
            since_first = recent[: len(known) - known[::-1].index(True)] if True in known else []
            for record, is_known in reversed(list(zip(since_first, known, strict=False))):
                outcome = Outcome(record.outcome)
                if is_known or record.station is None or outcome is Outcome.INTERRUPTED:
                    continue  # a job that was cut off has no verdict
                if topic in self._topics(verdict_of(outcome)):
                    self._queue(topic, record.id, record.station.lane)

    def _topics(self, verdict: Verdict) -> list[Topic]:
        topics: list[Topic] = ["hook"] if self._hook else []
        if self._template is not None and verdict is Verdict.PASS:
            topics.append("label")
        return topics

    def _queue(self, topic: Topic, record: str, lane: int) -> None:
        document = Document(topic=topic, record=record, lane=lane)
        try:
            self._journal.queue(record, msgspec.to_builtins(document))
        except AtotaError as error:
            self._warn(topic, error.message)

    def deliver(self) -> None:
        """Deliver what waits and is due, each topic up to its first failure."""
        for topic in _TOPICS:
            pause_s, due_at = self._pauses.get(topic, (FIRST_PAUSE_S, 0.0))
            if self._clock.monotonic() < due_at:
                continue
            try:
                self._deliver_all(topic)
            except AtotaError as error:
                self._pauses[topic] = min(2 * pause_s, LONGEST_PAUSE_S), self._clock.monotonic() + pause_s
                self._warn(topic, error.message)
            else:
                if self._pauses.pop(topic, None) is not None:
                    self._warn(topic, "")

    def _deliver_all(self, topic: Topic) -> None:
        if (self._template is None) if topic == "label" else not self._hook:
            return
        for queued in self._journal.pending(topic):
            if self._stop.is_set:
                return
            self._deliver(queued)
            self._journal.settle(queued.id, "delivered")

    def _deliver(self, queued: QueuedReport) -> None:
        document = msgspec.convert(queued.document, Document)
        record = self._journal.record(document.record)
        if document.topic == "hook":
            call_hook(self._hook, record)
            return
        assert self._template is not None
        try:
            print_label(self._printer, filled(self._template, record))
        except AtotaError:
            self._show_label(document.lane, record.id, "failed")
            raise
        self._show_label(document.lane, record.id, "printed")

    def _run(self) -> None:
        while not self._stop.is_set:
            try:
                self.deliver()
            except Exception as error:  # noqa: BLE001 - the edge of the thread: deliveries wait in the journal
                self._warn("hook", f"this is a bug of ours: {type(error).__name__}: {error}")
            self._clock.wait(self._wake, FIRST_PAUSE_S)
            self._wake.clear()


def outbox_of(
    config: StationConfig, journal: Journal, station: Station, warn: Callable[[str], None]
) -> Outbox:
    """Return the outbox that a station file asks for, and let the station's verdicts go into it.

    Raises:
        ConfigError: the label's template is wrong.
    """
    table = config.file.label

    def tell(topic: Topic, text: str) -> None:
        if text:
            warn(text)
        hint = "It is tried again by itself; nothing is lost, and no verdict depends on it."
        station.hub.put_notice(Notice(key=topic, level="warning", text=text, hint=hint))

    outbox = Outbox(
        journal,
        template=load_template(config.beside(table.template)) if table is not None else None,
        printer=table.printer if table is not None else "",
        hook=config.file.hooks.record,
        show_label=station.show_label,
        warn=tell,
        clock=station.clock,
    )
    outbox.recover(config.file.name)
    station.on_record(outbox.take)
    return outbox


def call_hook(program: tuple[str, ...], record: Record) -> None:
    """Give a record to a program.

    Raises:
        HookError: it cannot be run, takes too long, or ends with another code than 0.
    """
    name = program[0]
    try:
        ended = subprocess.run(  # noqa: S603 - the user's own program, from the station file
            program, input=msgspec.json.encode(record), capture_output=True, timeout=HOOK_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise HookError(f"the hook {name} did not end in {HOOK_LIMIT_S:g} s") from error
    except OSError as error:
        raise HookError(f"the hook {name} cannot be run: {error.strerror}") from error
    if ended.returncode:
        words = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        raise HookError(f"the hook {name} ended with {ended.returncode}{': ' + words[-1] if words else ''}")
