"""The sums of a batch, from its records: yields, retests, failures by their cause, times.

Definitions
-----------
- A *unit* is an IMEI, else a serial number.
- *Countable* and *passed* attempts, and the *failure key*, are those of `atota.journal.attempts`.
- *First-pass yield*: units whose first countable attempt passed, by the units with a countable attempt.
- *Final yield*: the same by the last countable attempt. *Retests*: units with more than one.
- *Cycle*: the time of one attempt. *Handling*: from a verdict to the next plug in that lane.
"""

from collections import Counter, deque
from collections.abc import Iterable
from datetime import datetime
from statistics import median

import msgspec

from atota.errors import Outcome
from atota.journal.attempts import failure_key, is_countable, is_passed, is_station_fault
from atota.journal.model import Record
from atota.station.lane import Verdict

UPH_WINDOW_S = 900.0


def verdict_of(outcome: Outcome) -> Verdict:
    """Return the verdict on a unit whose job ended so."""
    if is_passed(outcome.exit_code):
        return Verdict.PASS
    return Verdict.STATION_ERROR if is_station_fault(outcome.exit_code) else Verdict.FAIL


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One job; ``unit`` is empty if it is not countable. ``ended_at`` in seconds since the epoch."""

    unit: str
    verdict: Verdict
    key: str
    ended_at: float
    duration_ms: int | None = None
    handling_ms: int | None = None


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the Pareto of failures."""

    key: str
    count: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of a batch. Yields are 0 to 1, and None without units; times are medians."""

    batch: str | None = None
    units: int = 0
    attempts: int = 0
    passed: int = 0
    failed: int = 0
    station_errors: int = 0
    retested: int = 0
    first_pass_yield: float | None = None
    final_yield: float | None = None
    cycle_ms: float | None = None
    handling_ms: float | None = None
    units_an_hour: float = 0.0
    pareto: tuple[Cause, ...] = ()


class Tally:
    """The sums so far, kept as attempts come: lanes read them at any moment, and a batch may be large."""

    def __init__(self) -> None:
        self._last: dict[str, Verdict] = {}
        self._attempts: Counter[str] = Counter()
        self._causes: Counter[str] = Counter()
        self._cycles: list[int] = []
        self._handlings: list[int] = []
        self._passes_at: deque[float] = deque()
        self._passed = self._passed_first = self._retested = 0
        self.attempts = 0
        self.station_errors = 0

    def add(self, attempt: Attempt) -> None:
        """Count one attempt; they come in their order."""
        self.attempts += 1
        if attempt.verdict is Verdict.STATION_ERROR or not attempt.unit:
            self.station_errors += attempt.verdict is Verdict.STATION_ERROR
            if attempt.verdict is Verdict.FAIL:
                self._causes[attempt.key] += 1
            return
        unit, is_pass = attempt.unit, attempt.verdict is Verdict.PASS
        before = self._last.get(unit)
        self._passed_first += before is None and is_pass
        self._passed += is_pass - (before is Verdict.PASS)
        self._last[unit] = attempt.verdict
        self._attempts[unit] += 1
        self._retested += self._attempts[unit] == 2
        if is_pass:
            self._passes_at.append(attempt.ended_at)
        else:
            self._causes[attempt.key] += 1
        if attempt.duration_ms is not None:
            self._cycles.append(attempt.duration_ms)
        if attempt.handling_ms is not None:
            self._handlings.append(attempt.handling_ms)

    def attempts_of(self, unit: str) -> int:
        """Return the countable attempts of a unit."""
        return self._attempts[unit]

    @property
    def passed(self) -> int:
        """Units whose last countable attempt passed."""
        return self._passed

    @property
    def failed(self) -> int:
        """Units whose last countable attempt failed."""
        return len(self._last) - self.passed

    @property
    def retested(self) -> int:
        """Units with more than one countable attempt."""
        return self._retested

    @property
    def first_pass_yield(self) -> float | None:
        """The share of the units that passed at once."""
        return self._passed_first / len(self._last) if self._last else None

    def units_an_hour(self, now: float) -> float:
        """Return the rate of passes in the last quarter of an hour."""
        while self._passes_at and self._passes_at[0] < now - UPH_WINDOW_S:
            self._passes_at.popleft()
        return len(self._passes_at) * 3600 / UPH_WINDOW_S

    def summary(self, batch: str | None = None) -> Summary:
        """Return all sums."""
        units = len(self._last)
        span_s = self._passes_at[-1] - self._passes_at[0] if len(self._passes_at) > 1 else 0.0
        return Summary(
            batch=batch,
            units=units,
            attempts=self.attempts,
            passed=self.passed,
            failed=self.failed,
            station_errors=self.station_errors,
            retested=self.retested,
            first_pass_yield=self.first_pass_yield,
            final_yield=self.passed / units if units else None,
            cycle_ms=median(self._cycles) if self._cycles else None,
            handling_ms=median(self._handlings) if self._handlings else None,
            units_an_hour=(len(self._passes_at) - 1) * 3600 / span_s if span_s else 0.0,
            pareto=tuple(Cause(key=key, count=count) for key, count in self._causes.most_common()),
        )


def attempt_of(record: Record) -> Attempt:
    """Return a record's attempt."""
    station, unit = record.station, unit_of(record) or ""
    code = record.error.code if record.error is not None else None
    return Attempt(
        unit=unit if is_countable(unit, record.exit_code, record.stages) else "",
        verdict=verdict_of(Outcome(record.outcome)),
        key=failure_key(record.outcome, code, record.stages),
        ended_at=datetime.fromisoformat(record.ended_at).timestamp(),
        duration_ms=record.duration_ms,
        handling_ms=station.handling_ms if station is not None else None,
    )


def unit_of(record: Record) -> str | None:
    """Return the unit of a record: its IMEI, else a serial number."""
    label = record.station.serial if record.station is not None else None
    return record.imei or record.serial or label


def counts(record: Record) -> bool:
    """True if a record belongs into the sums of a batch: a unit's job, and not a golden one's."""
    return record.release is None and record.station is not None and not record.station.is_golden


def tally_of(records: Iterable[Record]) -> Tally:
    """Return the sums of records, which come the oldest first."""
    tally = Tally()
    for record in records:
        if counts(record):
            tally.add(attempt_of(record))
    return tally
