"""The admission of units to the work: who is it, was it done, may it run, and what is its name.

All lanes share one `Admissions`. A unit is claimed by one lane at a time: two modules with one IMEI are
clones, and neither the platform nor the journal could tell them apart.
"""

import threading
from collections.abc import Callable
from typing import Protocol

import msgspec

from atota.clock import Clock, StopToken, SystemClock
from atota.errors import Interrupted, LimitReached, Outcome, Refused
from atota.journal.model import Record
from atota.journal.store import Journal
from atota.settings.chip import CHIP_PROTOCOLS
from atota.station.devices import Device, Devices
from atota.station.lane import Verdict
from atota.station.tally import Tally, verdict_of
from atota.values import Identity, is_imei, is_unique_imei, mask


class UnitDone(LimitReached):
    """A unit that was done before; it runs again only on purpose."""

    code = "unit-done"
    default_hint = "Take it out. If it has to run again, ask for it on the page, with the reason."


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A unit, by the numbers of its module, or of its chip; ``imei`` only if it is the module's own."""

    imei: str | None = None
    serial: str | None = None
    is_chip: bool = False

    @property
    def key(self) -> str:
        """The name that tells it from all others."""
        return self.imei or self.serial or ""

    def is_same(self, other: "Unit") -> bool:
        """True if both have one number; the module and the chip of one board may share their label."""
        return (self.key, self.is_chip) == (other.key, other.is_chip)

    @classmethod
    def of(cls, identity: Identity) -> "Unit":
        """Return the unit of a module or a chip.

        Raises:
            Refused: it has no number of its own.
        """
        imei = identity.imei if identity.imei is not None and is_unique_imei(identity.imei) else None
        is_chip = identity.method in CHIP_PROTOCOLS
        if is_chip and not identity.serial:
            raise Refused(
                "the chip told no number of its own, and no label was scanned",
                hint="Scan the label of the unit before it is put in.",
            )
        if imei is None and not identity.serial:
            raise Refused(
                f"the module has no number of its own: its IMEI is {mask(identity.imei)}",
                hint="Put the unit aside: its IMEI has to be written before its firmware.",
            )
        return cls(imei=imei, serial=identity.serial, is_chip=is_chip)


class Line(Protocol):
    """The line that a station belongs to, as its lanes see it; nothing here waits for a network for long."""

    @property
    def status(self) -> "LineState":
        """The state of the connection."""
        ...

    def admit(self, imei: str | None, label: str | None, *, lane: int, job: str, is_again: bool) -> None:
        """Reserve a unit for a job.

        Raises:
            LimitReached: it was done elsewhere, is in work there, or the quota is used up.
        """
        ...

    def device(self, imei: str | None) -> tuple[str, str] | None:
        """Return the product and the device id that the line gives a module; None: it names no devices.

        Raises:
            LimitReached: the station holds none.
            Refused: the module has no IMEI.
        """
        ...

    def ended(self, job: str, record: Record | None) -> None:
        """Take the end of a job."""
        ...


class LineState(Protocol):
    """The state of the connection to a line."""

    @property
    def is_online(self) -> bool:
        """True if the line is within reach."""
        ...

    @property
    def since(self) -> float:
        """Since when it is so, seconds since the epoch."""
        ...

    @property
    def waiting(self) -> int:
        """The number of records that it does not have yet."""
        ...

    @property
    def tickets(self) -> int | None:
        """The tickets that are left here; None: the line limits nothing."""
        ...


class Admissions:
    """The units at work, and the rules for the next one.

    Args:
        journal: what was done before.
        devices: the platform's names of the units.
        station, batch: the work that a unit is done for, once.
        quota: units of the batch that may pass; 0: no limit.
        max_active: lanes that may be at work at once; 0: no limit.
        tally: the sums so far.
        clock: the station's time.
    """

    def __init__(
        self,
        journal: Journal,
        devices: Devices,
        tally: Tally,
        *,
        station: str,
        batch: str | None,
        quota: int = 0,
        max_active: int = 0,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._devices = devices
        self._tally = tally
        self._station = station
        self._batch = batch
        self._quota = quota
        self._lock = threading.Lock()
        self._claims: dict[int, Unit] = {}
        self._labels: dict[int, tuple[str, bool]] = {}
        self._permits: set[Unit] = set()
        self._active: set[int] = set()
        self._slots = threading.BoundedSemaphore(max_active) if max_active else None

    def claim(self, lane: int, unit: Unit) -> None:
        """Take a unit for one lane, until `leave`.

        Raises:
            LimitReached: another lane has it.
        """
        with self._lock:
            other = next((number for number, held in self._claims.items() if held.is_same(unit)), lane)
            if other != lane:
                raise LimitReached(
                    f"lane {other} works on a unit with the same number, {mask(unit.key)}",
                    hint="Put both units aside: one of them is a clone of the other.",
                )
            self._claims[lane] = unit

    def earlier(self, unit: Unit) -> Record | None:
        """Return the last verdict on a unit in this work, if it stands and nothing permits another run."""
        with self._lock:
            if unit in self._permits:
                return None
        past = self._past(unit) or (self._journal.records(serial=unit.serial) if unit.serial else [])
        past = [record for record in past if (record.method in CHIP_PROTOCOLS) == unit.is_chip]
        return next((record for record in past if self._is_done(record)), None)

    def _past(self, unit: Unit) -> list[Record]:
        """Return the records of a unit by its own number, the newest first."""
        if unit.imei is not None:
            return self._journal.records(imei=unit.imei)
        if not unit.is_chip or unit.serial is None:
            return []
        found_records = self._journal.records(serial=unit.serial)
        return [record for record in found_records if record.serial == unit.serial]

    def _is_done(self, record: Record) -> bool:
        station = record.station
        if station is None or station.is_golden or station.batch != self._batch:
            return False
        if self._batch is None and station.name != self._station:
            return False
        return verdict_of(Outcome(record.outcome)) is not Verdict.STATION_ERROR

    def permit(self, unit: Unit) -> None:
        """Let a unit run once more."""
        with self._lock:
            self._permits.add(unit)

    def check_label(self, lane: int, unit: Unit, label: str) -> None:
        """Compare a label with its module and with all that is known of it; the lane has it until `leave`.

        Raises:
            Refused: it belongs to another unit; nothing was written.
            LimitReached: it was read for another lane, too, which is at work.
        """
        bound_label = label, unit.is_chip  # the module and the chip of one board may share it
        with self._lock:
            others = (n for n, held in self._labels.items() if held == bound_label and n != lane)
            other_lane = next(others, None)
            if other_lane is not None:
                raise LimitReached(
                    f"lane {other_lane} works on a unit with the same label, {label}",
                    hint="Take both units out, and scan each one's own label.",
                )
            self._labels[lane] = bound_label
        if unit.is_chip and label == unit.key:
            return  # its number is the label's: there is nothing to compare it with
        owner = self._devices.owner_of(label)
        if is_imei(label):
            is_own = unit.imei in (None, label)
        elif owner is not None and owner.imei and not unit.is_chip:
            is_own = owner.imei == unit.imei
        else:
            is_own = all(
                _label_of(record) != label or unit.key in (record.imei, record.serial)
                for record in self._journal.records(serial=label)
            )
        bound = next(
            (
                other
                for record in self._past(unit)
                if (other := _label_of(record)) is not None
                and verdict_of(Outcome(record.outcome)) is Verdict.PASS
            ),
            label,
        )
        if not is_own or bound != label:
            other = "" if bound == label else f"; its own is {bound}"
            raise Refused(
                f"the label {label} belongs to another unit than the module {mask(unit.key)}{other}",
                hint="Put the unit aside, and look for the one that the label belongs to.",
            )

    def attempts(self, unit: Unit) -> int:
        """Return how often a unit was run in this work."""
        return self._tally.attempts_of(unit.key)

    def device(self, unit: Unit, label: str | None) -> Device:
        """Return the platform's names of a unit; see `Devices.named`."""
        is_labelled_imei = unit.is_chip and label is not None and is_imei(label)
        return self._devices.named(label if is_labelled_imei else unit.imei, label, unit.serial)

    def begin(
        self, lane: int, unit: Unit, *, counts: bool, stop: StopToken, wait: Callable[[], None]
    ) -> None:
        """Let a lane begin its work; wait for a free slot where their number is limited.

        Raises:
            LimitReached: the quota is used up, or spoken for.
            Interrupted: the stop token was set.
        """
        with self._lock:
            if counts and self._quota and self._tally.passed + len(self._active) >= self._quota:
                raise LimitReached(
                    f"the quota of {self._quota} units is used up, with {len(self._active)} at work",
                    hint="Take the unit out; begin the next batch, or have the quota raised.",
                )
            if counts:
                self._active.add(lane)
            self._permits.discard(unit)
        while self._slots is not None and not self._slots.acquire(blocking=False):
            self._clock.sleep(SystemClock.slice_s)
            wait()
            if stop.is_set:
                with self._lock:
                    self._active.discard(lane)
                raise Interrupted("stopped while it waited for a free lane")

    def leave(self, lane: int, *, had_slot: bool) -> None:
        """End a lane's work."""
        with self._lock:
            self._active.discard(lane)
            self._claims.pop(lane, None)
            self._labels.pop(lane, None)
        if had_slot and self._slots is not None:
            self._slots.release()


def _label_of(record: Record) -> str | None:
    return record.station.serial if record.station is not None else None
