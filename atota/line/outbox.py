"""The outbox: sends a station's records to the line, in a thread of its own. The lanes go on without it.

No second queue exists: the journal is the outbox, and the line's ``next_seq`` is its cursor. Nothing on
disk says what was sent; the outbox asks.

For each history of the journal, the oldest first::

    ask the line for next_seq and head
      ├ head is the digest of our record next_seq - 1    → send from next_seq, 64 records at a time
      ├ it is another, or next_seq lies behind our last  → a fork: find the last record that both have (by
      │                                                    halving), open a new history behind it, go on there
      └ everything is there                              → the next history; at the end: nothing waits

A gap (the database was restored from a backup) sets the cursor back; another database asks for everything. An
answer that was lost is asked for again by sending the same records again.
"""

import math
import random
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec

from atota._version import __version__
from atota.clock import Clock, Deadline, StopToken
from atota.errors import AtotaError, ServerError, ServerUnreachable
from atota.journal.chain import History
from atota.journal.store import Journal
from atota.line.client import JournalRefused, LineClient
from atota.line.escrow import Escrow, Wish
from atota.line.protocol import BATCH_BYTES, BATCH_RECORDS, Batch, Cursor, Presence

IDLE_S = 1.0
FLUSH_S = 5.0
PRESENCE_S = 5.0
RECHECK_S = 30.0
"""How often a journal that has nothing to send asks for its cursor: a database may have been restored."""
_BACK_OFF_S = 60.0


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """The station's work, for the managers' page."""

    lanes: int = 0
    running: int = 0
    note: str = ""


class LineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the connection to the line.

    ``since`` is the time, seconds since the epoch, since which it is so; ``waiting`` counts the records that
    the line does not have; ``tickets`` those that the station holds, None: its work needs none; ``problem``
    is the last one, for people.
    """

    is_online: bool
    since: float
    waiting: int
    tickets: int | None = None
    problem: str = ""
    hint: str = ""


class Outbox:
    """The outbox of one station.

    `run` is the loop, usually in a thread (`with outbox:`); `step` is one piece of it.

    Args:
        client: the line.
        journal: the station's journal.
        clock: the time.
        on_notice: receives a sentence for people: a new journal was opened, and why.
        activity: returns the station's work.
        escrow: the station's purse, kept filled and told; it is forfeited when this disk is a copy.
        wish: returns the stock that the purse should hold.
    """

    def __init__(
        self,
        client: LineClient,
        journal: Journal,
        *,
        clock: Clock,
        on_notice: Callable[[str], None] = lambda _text: None,
        activity: Callable[[], Activity] = Activity,
        escrow: Escrow | None = None,
        wish: Callable[[], Wish] = Wish,
    ) -> None:
        self._client = client
        self._journal = journal
        self._clock = clock
        self._on_notice = on_notice
        self._activity = activity
        self._escrow = escrow
        self._wish = wish
        self._stop = StopToken()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self.run, name="line-outbox", daemon=True)
        self._identity = ""
        self._next: dict[str, int] = {}
        self._failures = 0
        self._presence_at = -math.inf
        self._recheck_at = -math.inf
        self._status = LineStatus(is_online=False, since=clock.time(), waiting=self._count_waiting())

    @property
    def status(self) -> LineStatus:
        """The state of the connection."""
        return self._status

    @property
    def identity(self) -> str:
        """The identity of the line's database, once it has answered."""
        return self._identity

    def nudge(self) -> None:
        """Send soon: a record was written."""
        self._wake.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the thread. What waits is sent within `FLUSH_S` if the line answers, else by the next run."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        limit = Deadline(self._clock, FLUSH_S)
        while self._failures == 0 and self._count_waiting() and not limit.expired:
            self.step()

    def run(self) -> None:
        """Send until `close` is called."""
        while not self._stop.is_set:
            pause = self.step()
            if pause > 0:
                self._wake.wait(min(pause, _BACK_OFF_S))
                self._wake.clear()

    def step(self) -> float:
        """Do one piece of work; return the pause before the next, in seconds."""
        try:
            has_more = self._send_some()
            if self._clock.monotonic() >= self._presence_at:
                self._tell_presence()
                self._sync_purse()
                self._presence_at = self._clock.monotonic() + PRESENCE_S
        except AtotaError as error:
            return self._failed(error)
        except Exception as error:  # noqa: BLE001 - a bug here must not end the thread that would show it
            return self._failed(ServerUnreachable(f"this is a bug of ours: {type(error).__name__}: {error}"))
        self._failures = 0
        self._set_status(is_online=True)
        return 0.0 if has_more else IDLE_S

    def _failed(self, error: AtotaError) -> float:
        self._failures += 1
        self._set_status(is_online=False, problem=error.message, hint=error.hint)
        return back_off(self._failures, random.random())  # noqa: S311 - jitter

    def _set_status(self, *, is_online: bool, problem: str = "", hint: str = "") -> None:
        before = self._status
        since = before.since if before.is_online == is_online else self._clock.time()
        waiting = self._count_waiting()
        self._status = LineStatus(
            is_online=is_online, since=since, waiting=waiting, problem=problem, hint=hint
        )

    # -- records ----------------------------------------------------------------------------

    def _send_some(self) -> bool:
        """Send one batch of the oldest history that is not complete; True if more waits."""
        if self._clock.monotonic() >= self._recheck_at:
            histories = self._journal.histories()
            self._next.pop(histories[-1].id, None)
            self._recheck_at = self._clock.monotonic() + RECHECK_S
        for history in self._journal.histories():
            if history.id not in self._next:
                self._ask(history)
            if self._next.get(history.id, 0) <= self._last_seq(history):
                self._send(history)
                return True
        return False

    def _ask(self, history: History) -> None:
        cursor = self._client.cursor(history.id)
        self._note(cursor)
        last = self._last_seq(history)  # after the answer: another process may write and send, too
        known = cursor.next_seq - 1
        if history.is_open and (
            known > last or (known and self._journal.digest_at(history.after + known) != cursor.head)
        ):
            self._fork(history, cursor.next_seq)
            return
        self._next[history.id] = cursor.next_seq

    def _send(self, history: History) -> None:
        first = self._next.get(history.id)
        if first is None:  # a fork was found: the new history is asked about next
            return
        records, previous = self._batch(history, first)
        batch = Batch(first_seq=first, records=records, previous=previous, time=self._clock.time())
        try:
            cursor = self._client.send(history.id, batch)
        except JournalRefused as refusal:
            if refusal.is_fork and history.is_open:
                self._fork(history, refusal.next_seq)
            elif (
                refusal.is_fork
            ):  # it ended at a record that both had, and the line has another one there now
                self._next[history.id] = self._last_seq(history) + 1
                self._on_notice(f"the line refuses records of the old journal {history.id}; they stay here")
            else:  # the database has forgotten records, and perhaps whole histories
                self._next.clear()
            return
        self._next[history.id] = cursor.next_seq
        self._note(cursor)

    def _batch(self, history: History, first: int) -> tuple[list[msgspec.Raw], str]:
        number = history.after + first - 1
        limit = BATCH_RECORDS
        if history.last is not None:
            limit = min(limit, history.last - number)
        records: list[msgspec.Raw] = []
        size = 0
        for link in self._journal.links(number, limit):
            document = link.document.encode()
            size += len(document)
            if records and size > BATCH_BYTES:
                break
            records.append(msgspec.Raw(document))
        return records, self._journal.digest_at(number)

    def _note(self, cursor: Cursor) -> None:
        if cursor.identity and cursor.identity != self._identity:
            if self._identity:  # another database: what the last one had says nothing
                self._next.clear()
            self._identity = cursor.identity

    def _fork(self, history: History, next_seq: int) -> None:
        """Open a new history behind the last record that the line and this journal share."""
        low, high = 0, min(self._last_seq(history), next_seq - 1)
        while low < high:
            middle = (low + high + 1) // 2
            digest = self._client.cursor(history.id, middle).digest
            if digest == self._journal.digest_at(history.after + middle):
                low = middle
            else:
                high = middle - 1
        if low == next_seq - 1:
            raise ServerError(
                f"the line refuses record {next_seq} of the journal {history.id}, and knows no other one",
                hint="Install the same atota on the line's server and on the station.",
            )
        after = history.after + low
        lost = self._last_seq(history) - low
        why = (
            f"the line knows other records behind record {after}: this disk was cloned or restored;"
            f" a new journal was opened, {lost} records belong to it"
        )
        if self._escrow is not None:
            self._escrow.forfeit()
        self._journal.open_history(after=after, why=why)
        self._next.pop(history.id, None)
        self._on_notice(why)

    def _last_seq(self, history: History) -> int:
        return (self._journal.last_number() if history.last is None else history.last) - history.after

    def _count_waiting(self) -> int:
        """Count the records that the line does not have; all of a history that it was not asked about."""
        return sum(
            max(0, self._last_seq(history) + 1 - self._next.get(history.id, 1))
            for history in self._journal.histories()
        )

    # -- purse and presence ----------------------------------------------------------------

    def _is_told(self) -> bool:
        return self._escrow is None or self._escrow.is_told(self._identity)

    def _sync_purse(self) -> None:
        if self._escrow is None:
            return
        was_told = self._is_told()
        self._escrow.sync(self._client, self._identity, self._wish())
        if not was_told and self._is_told():
            self._tell_presence()  # a line that is being rebuilt waits for this word

    def _tell_presence(self) -> None:
        activity = self._activity()
        here = self._client.presence(
            Presence(
                tool_version=__version__,
                time=self._clock.time(),
                backlog=self._count_waiting(),
                lanes=activity.lanes,
                running=activity.running,
                note=activity.note,
                identity=self._identity,
                is_told=self._is_told(),
                seen=0 if self._escrow is None else self._escrow.newest_grant,
            )
        )
        self._note(Cursor(next_seq=1, identity=here.identity))


def back_off(failures: int, chance: float) -> float:
    """Return the pause after a number of failures in a row: full jitter between 0 and 1, 2, 4 … 60 s.

    ``chance`` is between 0 and 1. The first pause of a fleet that lost its server together is spread, too.
    """
    return max(0.1, chance * min(_BACK_OFF_S, math.pow(2.0, min(failures, 7) - 1)))
