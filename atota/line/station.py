"""A station's connection to its line: the outbox, the purse, and the questions about one unit.

Lanes never wait for the line. While it is within reach, a unit is reserved there before anything is touched,
in `QUICK_S` at most. Otherwise the station's own copies decide: its tickets, and the units that were done
elsewhere. The module's own version stays the last lock.
"""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from atota.clock import Clock
from atota.errors import AtotaError, LimitReached, Refused, ServerError
from atota.journal.facts import JobState
from atota.journal.model import Record
from atota.journal.store import Journal
from atota.line.client import LineClient, LineKey
from atota.line.escrow import Escrow, Wish, purse_of
from atota.line.outbox import Activity, LineStatus, Outbox
from atota.line.protocol import Binding, Claim

QUICK_S = 2.0
OFFLINE_H, CYCLE_S = 8, 180
"""The stock of tickets and device ids: a shift without the line, at three minutes a job."""
_UNTOUCHED = frozenset({None, JobState.UNTOUCHED, JobState.CHANGED, JobState.WRITING, JobState.WRITTEN})
_NOT_STARTED = _UNTOUCHED | {JobState.FAILED}


class DoneElsewhere(LimitReached):
    """A unit that another station has done, has in work, or has bound to another label."""

    code = "unit-elsewhere"
    default_hint = "Take the unit out; a lead may run it again on purpose."


class NoTicket(LimitReached):
    """The station holds no ticket of the batch any more."""

    code = "no-ticket"
    default_hint = "Wait for the line to be within reach, or have the batch's quota raised."


class NoDeviceId(LimitReached):
    """The station holds no device id of the product that is not bound yet."""

    code = "no-device-id"
    default_hint = (
        "Wait for the line to be within reach, or import more of them there: `atota line devices import CSV`."
    )


class StationLine:
    """The connection of one station. A context manager that runs the outbox.

    Args:
        url: the line.
        key_file: holds the station's key.
        journal: the station's journal; the purse lies beside it.
        batch: the batch that the station works on.
        product: the product whose device ids the line hands out; None: the station names the devices.
        lanes: the number of its lanes.
        clock: the time.
        on_notice: receives sentences for people.
        ca_file: the certificate of a line that no public authority knows.

    Raises:
        ConfigError: the key file or the purse cannot be used.
    """

    def __init__(
        self,
        url: str,
        key_file: Path,
        journal: Journal,
        *,
        batch: str | None,
        product: str | None = None,
        lanes: int,
        clock: Clock,
        on_notice: Callable[[str], None] = lambda _text: None,
        ca_file: Path | None = None,
    ) -> None:
        key = LineKey.of_file(key_file)
        stock = lanes * OFFLINE_H * 3600 // CYCLE_S
        wish = Wish(
            batch=batch, tickets=stock if batch else 0, product=product, devices=stock if product else 0
        )
        self._batch = batch
        self._product = product
        self._activity: Callable[[], Activity] = Activity
        self._escrow = Escrow(purse_of(journal.path))
        self._client = LineClient(url, key, clock=clock, ca_file=ca_file)
        self._quick = LineClient(url, key, clock=clock, ca_file=ca_file, timeout_s=QUICK_S)
        self._outbox = Outbox(
            self._client,
            journal,
            clock=clock,
            on_notice=on_notice,
            activity=lambda: self._activity(),
            escrow=self._escrow,
            wish=lambda: wish,
        )
        for job in self._escrow.taken():  # the power failed meanwhile: the journal tells how far they came
            past = journal.past(id=job)
            if past is None or past.verdict is not None:
                self._settle(job, past.states[-1] if past is not None and past.states else None)

    def __enter__(self) -> Self:
        self._outbox.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._outbox.close()
        self._client.close()
        self._quick.close()
        self._escrow.close()

    def show(self, activity: Callable[[], Activity]) -> None:
        """Show the managers the work that ``activity`` returns."""
        self._activity = activity

    @property
    def status(self) -> LineStatus:
        """The state of the connection."""
        batch = self._batch
        tickets = None if batch is None or not self._escrow.is_limited(batch) else self._escrow.held(batch)
        return replace(self._outbox.status, tickets=tickets)

    def admit(self, imei: str | None, label: str | None, *, lane: int, job: str, is_again: bool) -> None:
        """Reserve a unit and take a ticket for it, before anything is touched.

        Raises:
            DoneElsewhere: another station has done it, or has it in work.
            NoTicket: the station holds none.
        """
        if imei is not None:
            self._reserve(imei, label, lane=lane, job=job, is_again=is_again)
        if self._batch is not None and not self._escrow.take(self._batch, job):
            raise NoTicket(f"no ticket of the batch {self._batch} is left on this station")

    def _reserve(self, imei: str, label: str | None, *, lane: int, job: str, is_again: bool) -> None:
        if self._outbox.status.is_online:
            try:
                answer = self._quick.claim(
                    Claim(imei=imei, serial=label, lane=lane, job=job, again=is_again, product=self._product)
                )
            except (ServerError, LimitReached):
                pass  # it is just going away: what is known here decides
            else:
                if not answer.ok:
                    raise DoneElsewhere(answer.why, hint=answer.hint)
                if answer.device is not None and self._product is not None:
                    self._escrow.adopt(self._product, [Binding(device=answer.device, imei=imei)])
                return
        unit = self._escrow.done(imei)
        if unit is not None and not is_again and unit.batch == self._batch:
            raise DoneElsewhere(f"the module was done by the station {unit.station} on {unit.done_at}")

    def device(self, imei: str | None) -> tuple[str, str] | None:
        """Return the product and the device id of a module, bound to it for ever; None: the line names none.

        Raises:
            NoDeviceId: the module has none yet, and the station holds none that is free.
            Refused: the module has no IMEI of its own, which an id could be bound to.
        """
        if self._product is None:
            return None
        if imei is None:
            raise Refused(
                "the module has no IMEI of its own, which a device id could be bound to",
                hint="Put the unit aside: its IMEI has to be written before its firmware.",
            )
        device = self._escrow.device(self._product, imei)
        if device is None:
            raise NoDeviceId(f"no device id of the product {self._product} is left on this station")
        return self._product, device

    def ended(self, job: str, record: Record | None) -> None:
        """Spend a job's ticket, or put it back if nothing was started; send the record soon."""
        if record is not None:
            self._settle(job, record.state)
        self._outbox.nudge()

    def _settle(self, job: str, state: JobState | None) -> None:
        try:
            if state in _NOT_STARTED:
                self._escrow.put_back(job)
            else:
                self._escrow.spend(job)
        except AtotaError:
            return  # the ticket stays taken: it is settled at the next start
