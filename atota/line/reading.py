"""Read a record, as a station sent it, into the columns of the line's table.

A record that says too little or something impossible is bad: it goes into quarantine with its text, and stops
nothing. Definitions, which station and line share:

- a *unit* is a module by its IMEI, else by its serial number;
- *countable* and *passed* attempts are those of `atota.journal.attempts`; an attempt of a golden unit, which
  proves the station and not itself, is not countable;
- the *failure key* is that of `atota.journal.attempts`.
"""

import datetime as dt
from typing import Any

import msgspec

from atota.errors import Outcome
from atota.files import prepared
from atota.journal import attempts

_EXITS = {outcome.value: outcome.exit_code for outcome in Outcome}
_STORABLE_MS = 2**62


class BadRecord(Exception):
    """A record that cannot be understood."""


class _Stage(msgspec.Struct):
    stage: str = ""
    state: str = ""


class _Error(msgspec.Struct):
    code: str = ""


class _Bench(msgspec.Struct):
    """The station's part of a record."""

    name: str | None = None
    lane: int | None = None
    batch: str | None = None
    operator: str | None = None
    serial: str | None = None
    is_golden: bool = False


class _Read(msgspec.Struct):
    """The fields of a record that the line looks at; all else is kept, and not looked at."""

    outcome: str
    id: str | None = None
    exit_code: int | None = None
    imei: str | None = None
    serial: str | None = None
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    duration_ms: int | None = None
    version_before: str | None = None
    version_after: str | None = None
    tool_version: str | None = None
    previous: str | None = None
    stages: list[_Stage] = []
    error: _Error | None = None
    batch: str | None = None
    lane: int | None = None
    operator: str | None = None
    station: _Bench | str | None = None


class Columns(msgspec.Struct, kw_only=True):
    """A row of the table of records, with the digest that the record carries.

    ``label`` is the serial number on the label, if it was scanned.
    """

    journal: str
    seq: int
    digest: str
    id: str | None
    station: str
    lane: int | None
    batch: str | None
    unit: str | None
    imei: str | None
    serial: str | None
    label: str | None
    outcome: str
    exit_code: int
    is_countable: bool
    is_passed: bool
    failure: str | None
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    at: dt.datetime
    duration_ms: int | None
    version_before: str | None
    version_after: str | None
    operator: str | None
    tool_version: str | None
    document: str
    previous: str | None


def previous_of(raw: msgspec.Raw) -> str | None:
    """Return the digest that a record carries; None if it carries none."""
    try:
        return msgspec.json.decode(raw, type=prepared(_Linked)).previous
    except msgspec.MsgspecError:
        return None


class _Linked(msgspec.Struct):
    previous: str | None = None


def columns(
    raw: msgspec.Raw,
    *,
    journal: str,
    seq: int,
    digest: str,
    station: str,
    now: dt.datetime,
    offset: dt.timedelta,
) -> Columns:
    """Return the row of a record, JSON; ``offset`` is the server's time less the station's.

    Raises:
        BadRecord: it is not a record.
    """
    try:
        record = msgspec.json.decode(raw, type=prepared(_Read))
        document = bytes(raw).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRecord(str(error)) from None
    if "\\u0000" in document:
        raise BadRecord("a text of it holds the character U+0000")
    if record.outcome not in _EXITS and record.exit_code is None:
        raise BadRecord(f"the outcome {record.outcome!r} is unknown, and it has no exit code")
    exit_code = record.exit_code if record.exit_code is not None else _EXITS[record.outcome]
    bench = _bench(record)
    unit = record.imei or record.serial or bench.serial
    ended = _aware(record.ended_at)
    is_passed = attempts.is_passed(exit_code)
    code = record.error.code if record.error is not None else None
    return Columns(
        journal=journal,
        seq=seq,
        digest=digest,
        id=record.id,
        station=bench.name or station,
        lane=bench.lane,
        batch=bench.batch,
        unit=unit,
        imei=record.imei,
        serial=record.serial,
        label=bench.serial,
        outcome=record.outcome,
        exit_code=exit_code,
        is_countable=not bench.is_golden and attempts.is_countable(unit, exit_code, record.stages),
        is_passed=is_passed,
        failure=None if is_passed else attempts.failure_key(record.outcome, code, record.stages),
        started_at=_aware(record.started_at),
        ended_at=ended,
        at=now if ended is None else min(ended + offset, now),
        duration_ms=_storable(record.duration_ms),
        version_before=record.version_before,
        version_after=record.version_after,
        operator=bench.operator,
        tool_version=record.tool_version,
        document=document,
        previous=record.previous,
    )


def _bench(record: _Read) -> _Bench:
    """Return the station's part of a record; other programs' records may have it at the top."""
    bench = record.station if isinstance(record.station, _Bench) else _Bench()
    return _Bench(
        name=record.station if isinstance(record.station, str) else bench.name,
        lane=bench.lane if bench.lane is not None else record.lane,
        batch=bench.batch or record.batch,
        operator=bench.operator or record.operator,
        serial=record.serial if record.station is None else bench.serial,
        is_golden=bench.is_golden,
    )


def _aware(moment: dt.datetime | None) -> dt.datetime | None:
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)


def _storable(number: Any) -> int | None:
    return number if isinstance(number, int) and -_STORABLE_MS < number < _STORABLE_MS else None
