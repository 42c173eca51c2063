"""The HTML of the managers' page, made whole on the server. Every text from outside is escaped."""

import datetime as dt
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

import msgspec

from atota.line.tables.figures import BatchFigures, BatchState, Conflict, LaneHour
from atota.line.tables.people import Role, may

LIVE_S = 15.0
"""A station says that it is there every five seconds."""
_BAR = 200
_SVG = '<svg class="bar" width="{}" height="12" aria-hidden="true"></svg>'


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All that the first page shows."""

    stations: Sequence[tuple[Any, ...]]
    batches: Sequence[BatchState]
    figures: Sequence[BatchFigures]
    conflicts: Sequence[Conflict]
    quarantined: Sequence[tuple[Any, ...]]
    totals: tuple[Any, ...]


def station_state(row: Sequence[Any]) -> str:
    """Return ``live``, ``silent``, ``never`` or ``revoked``."""
    _, is_revoked, age_s, *_ = row
    if is_revoked:
        return "revoked"
    if age_s is None:
        return "never"
    return "live" if age_s < LIVE_S else "silent"


def document(title: str, body: str, static: str, *, who: str = "", is_live: bool = True) -> str:
    """Return a whole page."""
    live = " data-live" if is_live else ""
    leave = '<form data-api="/api/logout" data-reload="1"><button>Log out</button></form>' if who else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f'<link rel="icon" href="data:,"><link rel="stylesheet" href="{static}/line.css">'
        f'<script type="module" src="{static}/line.js"></script>'
        '</head><body><p id="stale" role="alert" hidden>CONNECTION LOST: these figures are old</p>'
        f'<header><h1><a href="/">atota line</a></h1><span>{escape(who)}</span>{leave}'
        '<form data-goto="/unit" role="search"><label>IMEI or serial number'
        '<input name="q" maxlength="64" required></label><button>Find a unit</button></form></header>'
        f'<p id="said" role="status"></p><main{live}>{body}</main></body></html>\n'
    )


def login(static: str) -> str:
    """Return the page for people who have not logged in."""
    form = (
        '<form data-api="/api/login" data-reload="1"><label>Name<input name="name" autocomplete="username"'
        ' required></label><label>PIN<input name="pin" type="password" autocomplete="current-password"'
        " required></label><button>Log in</button></form>"
    )
    return document("Log in", f"<h2>Log in</h2>{form}", static, is_live=False)


def overview(shown: Overview, role: Role) -> str:
    """Return the first page's body."""
    records, quarantined, conflicts, forks, waiting, hold = shown.totals
    parts = []
    if hold:
        parts.append(f'<p class="notice" role="alert">Nothing is granted: {escape(hold)}</p>')
    parts.append(
        f'<p><span data-counter="records">{records}</span> records,'
        f' <span data-counter="waiting">{waiting}</span> wait on stations,'
        f' <span data-counter="conflicts">{conflicts}</span> conflicts,'
        f' <span data-counter="quarantined">{quarantined}</span> in quarantine,'
        f' <span data-counter="forks">{forks}</span> forked journals</p>'
    )
    parts.append(f"<h2>Stations</h2><ul class=tiles>{''.join(map(_station, shown.stations))}</ul>")
    if not shown.stations:
        parts.append("<p>None yet: <code>atota line station add NAME</code></p>")
    parts.append("<h2>Batches</h2>" + _batches(shown.figures, shown.batches))
    if may(role, "lead"):
        parts.append(_batch_form())
    parts.append(_conflicts(shown.conflicts))
    if shown.quarantined:
        rows = [
            (journal, seq, reason, text, _time(at)) for journal, seq, reason, text, at in shown.quarantined
        ]
        parts.append("<h2>Quarantine</h2>" + table(("journal", "number", "reason", "text", "received"), rows))
    if may(role, "engineer"):
        parts.append(_engineer_forms())
    return "".join(parts)


def _station(row: tuple[Any, ...]) -> str:
    name, _, age_s, version, offset_ms, backlog, lanes, running, note, forks = row
    state = station_state(row)
    words = [state if age_s is None or state == "live" else f"{state} since {_age(age_s)}"]
    if version is not None:
        words += [f"{running} of {lanes} lanes at work", f"{backlog} records wait", f"atota {version}"]
    if offset_ms is not None and abs(offset_ms) > 2000:
        words.append(f"clock {offset_ms / 1000:+.0f} s")
    if forks:
        words.append("its disk was cloned or restored")
    if note:
        words.append(note)
    lines = "<br>".join(escape(word) for word in words)
    return (
        f'<li data-station="{escape(name)}" data-state="{state}"><strong>{escape(name)}</strong>{lines}</li>'
    )


def _batches(figures: Sequence[BatchFigures], states: Sequence[BatchState]) -> str:
    by_name = {state.batch: state for state in states}
    names = [one.batch for one in figures] + [
        name for name in by_name if name not in {f.batch for f in figures}
    ]
    numbers = {one.batch: one for one in figures}
    rows = []
    for name in names:
        one, state = numbers.get(name, BatchFigures(batch=name)), by_name.get(name)
        link = f'<a href="/batch/{quote(name, safe="")}">{escape(name)}</a>'
        quota = ("-", "-", "-") if state is None else (state.quota, state.granted, state.spent)
        rows.append(
            (
                Html(link),
                "-" if state is None else state.state,
                *(one.units, one.passed, one.failed),
                *(percent(one.first_pass_yield), percent(one.final_yield), one.retested),
                *quota,
            )
        )
    heads = ("batch", "state", "units", "passed", "failed", "first pass", "final", "retested", "quota")
    return table((*heads, "granted", "spent"), rows)


def batch(figures: BatchFigures, hours: Sequence[LaneHour], grants: Sequence[tuple[Any, ...]]) -> str:
    """Return the body of a batch's page."""
    rows = [
        ("units", figures.units),
        ("passed", figures.passed),
        ("failed", figures.failed),
        ("first-pass yield", percent(figures.first_pass_yield)),
        ("final yield", percent(figures.final_yield)),
        ("retested", figures.retested),
        ("attempts", figures.attempts),
        ("ended by the station's fault", figures.station_endings),
        ("cycle time, median", seconds(figures.cycle_median_ms)),
        ("cycle time, 95 %", seconds(figures.cycle_p95_ms)),
    ]
    most = max((cause.count for cause in figures.pareto), default=1)
    causes = [
        (
            cause.key,
            cause.count,
            Html(f'<svg class="bar" width="{_BAR * cause.count // most}" height="12"></svg>'),
        )
        for cause in figures.pareto
    ]
    lanes = [(one.hour[:16], one.station, one.lane, one.passed, one.attempts) for one in hours]
    given = [(*row[:6], _time(row[6]), _time(row[7])) for row in grants]
    parts = [f"<h2>Batch {escape(figures.batch)}</h2>", table(("figure", "value"), rows)]
    parts += ["<h2>Failures</h2>", table(("stage:outcome:code", "attempts", "share"), causes)]
    parts += [
        "<h2>Passed units an hour</h2>",
        table(("hour, UTC", "station", "lane", "passed", "attempts"), lanes),
    ]
    heads = ("grant", "station", "tickets", "spent", "returned", "written off", "granted", "settled")
    parts += ["<h2>Grants</h2>", table(heads, given)]
    return "".join(parts)


def unit(name: str, records: Sequence[dict[str, Any]]) -> str:
    """Return the body of a unit's page: its whole history."""
    if not records:
        return f"<h2>Unit {escape(name)}</h2><p>No record is known of it.</p>"
    rows = []
    for record in records:
        station = record.get("station")
        bench = station if isinstance(station, dict) else {}
        error = record.get("error")
        rows.append(
            (
                record.get("ended_at"),
                bench.get("name"),
                bench.get("lane"),
                bench.get("batch") or record.get("batch"),
                record.get("outcome"),
                record.get("version_before"),
                record.get("version_after"),
                bench.get("operator"),
                error.get("message") if isinstance(error, dict) else None,
                record.get("id"),
            )
        )
    heads = (
        "ended",
        "station",
        "lane",
        "batch",
        "outcome",
        "version before",
        "after",
        "operator",
        "error",
        "record",
    )
    return f"<h2>Unit {escape(name)}</h2>" + table(heads, rows)


def _conflicts(conflicts: Sequence[Conflict]) -> str:
    if not conflicts:
        return ""
    rows = [
        (
            one.kind,
            Html(f'<a href="/unit?q={quote(one.imei or "")}">{escape(one.imei or "-")}</a>'),
            one.serial,
            ", ".join(one.stations),
            one.first,
            one.second,
            one.noticed_at[:19],
        )
        for one in conflicts
    ]
    return "<h2>Conflicts</h2>" + table(
        ("kind", "IMEI", "serial", "stations", "first record", "second", "noticed"), rows
    )


def _batch_form() -> str:
    return (
        '<form data-api="/api/batch"><label>Batch<input name="batch" required maxlength="64"></label>'
        '<label>Quota<input name="quota" type="number" min="0"></label>'
        '<label>State<select name="state"><option>open<option>closed</select></label>'
        "<button>Set</button></form>"
    )


def _engineer_forms() -> str:
    return (
        '<h2>Engineer</h2><form data-api="/api/writeoff"><label>Grant<input name="grant" required></label>'
        '<label>Reason<input name="reason" required maxlength="200"></label><button>Write off</button></form>'
        '<form data-api="/api/revoke"><label>Station<input name="station" required></label>'
        "<button>Revoke its key</button></form>"
    )


class Html(str):
    """A cell that is HTML already."""

    __slots__ = ()


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; its cells are escaped."""
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    if not body:
        return "<p>none</p>"
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    whole = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{whole}</div>'


def _cell(value: object) -> str:
    if isinstance(value, Html):
        return f"<td>{value}</td>"
    if isinstance(value, int | float):
        return f'<td class="number">{value}</td>'
    return f"<td>{'-' if value in (None, '') else escape(str(value)[:300])}</td>"


def percent(part: float | None) -> str:
    """Return a part of 1 in percent."""
    return "-" if part is None else f"{100 * part:.1f} %"


def seconds(value_ms: int | None) -> str:
    """Return milliseconds in seconds."""
    return "-" if value_ms is None else f"{value_ms / 1000:.1f} s"


def _age(age_s: float) -> str:
    if age_s < 120:
        return f"{age_s:.0f} s"
    return f"{age_s / 60:.0f} min" if age_s < 7200 else f"{age_s / 3600:.0f} h"


def _time(moment: dt.datetime | None) -> str:
    return "-" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")
