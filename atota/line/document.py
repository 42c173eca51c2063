"""The HTML of the managers' page, made whole on the server. Every text from outside is escaped."""

import datetime as dt
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from atota.line.tables.disk import LOW
from atota.line.tables.figures import BatchFigures, BatchState, Conflict, LaneHour
from atota.line.tables.people import Role, may
from atota.line.tables.stations import StationState
from atota.line.words import Words
from atota.station.view import Language

_BAR = 200
_CLOCK_MS = 2000


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The things around a page's body: its language, its files, the person who sees it."""

    language: Language
    texts: Words
    static: str
    who: str = ""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All that the first page shows; ``free`` is the free part of the database's disk."""

    stations: Sequence[StationState]
    batches: Sequence[BatchState]
    figures: Sequence[BatchFigures]
    conflicts: Sequence[Conflict]
    quarantined: Sequence[tuple[Any, ...]]
    totals: tuple[Any, ...]
    free: float | None = None


def document(title: str, body: str, frame: Frame, *, is_live: bool = True) -> str:
    """Return a whole page."""
    texts = frame.texts
    live = " data-live" if is_live else ""
    leave = (
        f'<form data-api="/api/logout" data-reload="1"><button>{escape(texts["log-out"])}</button></form>'
        if frame.who
        else ""
    )
    return (
        f'<!DOCTYPE html>\n<html lang="{frame.language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f'<link rel="icon" href="data:,"><link rel="stylesheet" href="{frame.static}/line.css">'
        f'<script type="module" src="{frame.static}/line.js"></script>'
        f'</head><body><p id="stale" role="alert" hidden>{escape(texts["stale"])}</p>'
        f'<header><h1><a href="/">atota line</a></h1>'
        f'<form data-goto="/unit" role="search"><label>{escape(texts["find-label"])}'
        f'<input name="q" maxlength="64" required></label><button>{escape(texts["find"])}</button></form>'
        f'<div class="who"><span>{escape(frame.who)}</span>{leave}</div></header>'
        f'<p id="said" role="status" data-silent="{escape(texts["silent-line"])}"></p>'
        f"<main{live}>{body}</main></body></html>\n"
    )


def login(frame: Frame) -> str:
    """Return the page for people who have not logged in."""
    texts = frame.texts
    form = (
        f'<form data-api="/api/login" data-reload="1"><label>{escape(texts["name"])}'
        f'<input name="name" autocomplete="username" required></label><label>{escape(texts["pin"])}'
        '<input name="pin" type="password" autocomplete="current-password" required></label>'
        f"<button>{escape(texts['log-in'])}</button></form>"
    )
    title = texts["log-in"]
    return document(title, f"<h2>{escape(title)}</h2>{form}", frame, is_live=False)


def overview(shown: Overview, role: Role, texts: Words) -> str:
    """Return the first page's body."""
    records, quarantined, conflicts, forks, waiting, hold = shown.totals
    parts = []
    if hold:
        parts.append(_notice(f"{texts['no-grants']}: {hold}"))
    if shown.free is not None and shown.free < LOW:
        parts.append(_notice(texts["disk-low"].format(free=percent(shown.free))))
    counters = (
        ("records", records, "records"),
        ("waiting", waiting, "waiting"),
        ("conflicts", conflicts, "conflicts"),
        ("quarantined", quarantined, "in-quarantine"),
        ("forks", forks, "forks"),
    )
    parts.append(
        '<ul class="counters">'
        + "".join(
            f'<li><b data-counter="{name}">{number}</b> {escape(texts[word])}</li>'
            for name, number, word in counters
        )
        + "</ul>"
    )
    parts.append(stations(shown.stations, texts))
    parts.append(f"<h2>{escape(texts['batches'])}</h2>" + _batches(shown.figures, shown.batches, texts))
    parts.append(_exports(None, texts))
    if may(role, "lead"):
        parts.append(_batch_form(texts))
    parts.append(_conflicts(shown.conflicts, texts))
    if shown.quarantined:
        rows = [
            (journal, seq, reason, text, _time(at)) for journal, seq, reason, text, at in shown.quarantined
        ]
        heads = _heads(texts, "journal", "number", "reason", "text", "received")
        parts.append(f"<h2>{escape(texts['quarantine'])}</h2>" + table(heads, rows, texts))
    if may(role, "engineer"):
        parts.append(_engineer_forms(texts))
    return "".join(parts)


def away(states: Sequence[StationState], problem: str, texts: Words) -> str:
    """Return the first page's body while the database does not answer."""
    return _notice(f"{texts['database-away']} ({problem})") + stations(states, texts)


def stations(states: Sequence[StationState], texts: Words) -> str:
    """Return the stations' tiles."""
    tiles = "".join(_station(state, texts) for state in states)
    there = texts["there"].format(
        live=sum(state.state == "live" for state in states),
        all=sum(state.state != "revoked" for state in states),
    )
    title = f"{escape(texts['stations'])}: {escape(there)}" if states else escape(texts["stations"])
    parts = [f"<h2>{title}</h2><ul class=tiles>{tiles}</ul>"]
    if not states:
        parts.append(f"<p>{escape(texts['no-station'])}: <code>atota line station add NAME</code></p>")
    return "".join(parts)


def _station(one: StationState, texts: Words) -> str:
    lines = [texts[one.state].format(age=_age(one.seen_s_ago or 0.0, texts))]
    if one.tool_version is not None:
        lines += [
            texts["at-work"].format(running=one.running, lanes=one.lanes),
            texts["backlog"].format(backlog=one.backlog),
            f"atota {one.tool_version}",
        ]
    if one.clock_offset_ms is not None and abs(one.clock_offset_ms) > _CLOCK_MS:
        lines.append(texts["clock"].format(seconds=f"{one.clock_offset_ms / 1000:+.0f}"))
    if one.forked_journals:
        lines.append(texts["copied"])
    if one.note:
        lines.append(one.note)
    words = "<br>".join((f"<b>{escape(lines[0])}</b>", *map(escape, lines[1:])))
    name = escape(one.name)
    return f'<li data-station="{name}" data-state="{one.state}"><strong>{name}</strong>{words}</li>'


def _batches(figures: Sequence[BatchFigures], states: Sequence[BatchState], texts: Words) -> str:
    by_name = {state.batch: state for state in states}
    numbers = {one.batch: one for one in figures}
    rows = []
    for name in dict.fromkeys([*numbers, *by_name]):
        one, state = numbers.get(name, BatchFigures(batch=name)), by_name.get(name)
        link = f'<a href="/batch/{quote(name, safe="")}">{escape(name)}</a>'
        quota = (None, None, None) if state is None else (state.quota, state.granted, state.spent)
        rows.append(
            (
                Html(link),
                None if state is None else texts[state.state],
                *(one.units, one.passed, one.failed),
                *(Number(percent(one.first_pass_yield)), Number(percent(one.final_yield)), one.retested),
                *quota,
            )
        )
    heads = ("batch", "state", "units", "passed", "failed", "first-pass", "final", "retested", "quota")
    return table(_heads(texts, *heads, "granted", "spent"), rows, texts)


def batch(
    figures: BatchFigures, hours: Sequence[LaneHour], grants: Sequence[tuple[Any, ...]], texts: Words
) -> str:
    """Return the body of a batch's page."""
    numbers = (
        ("units", figures.units),
        ("passed", figures.passed),
        ("failed", figures.failed),
        ("first-pass", percent(figures.first_pass_yield)),
        ("final", percent(figures.final_yield)),
        ("retested", figures.retested),
        ("attempts", figures.attempts),
        ("station-endings", figures.station_endings),
        ("median", seconds(figures.cycle_median_ms)),
        ("p95", seconds(figures.cycle_p95_ms)),
    )
    most = max((cause.count for cause in figures.pareto), default=1)
    causes = [
        (
            cause.key,
            cause.count,
            Html(
                f'<svg class="bar" width="{_BAR * cause.count // most}" height="12" aria-hidden="true"></svg>'
            ),
        )
        for cause in figures.pareto
    ]
    lanes = [
        (one.hour[:16].replace("T", " "), one.station, one.lane, one.passed, one.attempts) for one in hours
    ]
    given = [(*row[:6], _time(row[6]), _time(row[7])) for row in grants]
    grants_heads = ("grant", "station", "tickets", "spent", "returned", "written-off", "granted", "settled")
    parts = (
        f"<h2>{escape(texts['batch'].capitalize())} {escape(figures.batch)}</h2>",
        table(
            _heads(texts, "figure", "value"),
            [(texts[name], Number(str(number))) for name, number in numbers],
            texts,
        ),
        _exports(figures.batch, texts),
        f"<h2>{escape(texts['failures'])}</h2>",
        table(_heads(texts, "failure-key", "attempts", "share"), causes, texts),
        f"<h2>{escape(texts['units-an-hour'])}</h2>",
        table(_heads(texts, "hour", "station", "lane", "passed", "attempts"), lanes, texts),
        f"<h2>{escape(texts['grants'])}</h2>",
        table(_heads(texts, *grants_heads), given, texts),
    )
    return "".join(parts)


def unit(name: str, records: Sequence[dict[str, Any]], texts: Words) -> str:
    """Return the body of a unit's page: its whole history."""
    title = f"<h2>{escape(texts['unit'])} {escape(name)}</h2>"
    if not records:
        return f"{title}<p>{escape(texts['unknown-unit'])}</p>"
    rows = []
    for record in records:
        station = record.get("station")
        bench = station if isinstance(station, dict) else {}
        error = record.get("error")
        rows.append(
            (
                str(record.get("ended_at") or "")[:19].replace("T", " "),
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
    heads = ("ended", "station", "lane", "batch", "outcome", "version-before", "version-after")
    return title + table(_heads(texts, *heads, "operator", "error", "record"), rows, texts)


def _exports(batch: str | None, texts: Words) -> str:
    """Return the links to the records as files, of a batch or of all."""
    chosen = {} if batch is None else {"batch": batch}
    links = " · ".join(
        f'<a href="/export?{escape(urlencode({**chosen, "format": form}))}" download>{name}</a>'
        for form, name in (("csv", "CSV"), ("json", "JSON Lines"))
    )
    return f'<p class="exports">{escape(texts["export"])}: {links}</p>'


def _conflicts(conflicts: Sequence[Conflict], texts: Words) -> str:
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
            one.noticed_at[:19].replace("T", " "),
        )
        for one in conflicts
    ]
    heads = _heads(texts, "kind", "serial", "stations", "first-record", "second-record", "noticed")
    title = escape(texts["conflicts"].capitalize())
    return f"<h2>{title}</h2>" + table((heads[0], "IMEI", *heads[1:]), rows, texts)


def _batch_form(texts: Words) -> str:
    states = "".join(f'<option value="{name}">{escape(texts[name])}</option>' for name in ("open", "closed"))
    return (
        f'<form data-api="/api/batch"><label>{escape(texts["batch"])}<input name="batch" required'
        f' maxlength="64"></label><label>{escape(texts["quota"])}<input name="quota" type="number" min="0">'
        f'</label><label>{escape(texts["state"])}<select name="state">{states}</select></label>'
        f"<button>{escape(texts['set'])}</button></form>"
    )


def _engineer_forms(texts: Words) -> str:
    return (
        f'<h2>{escape(texts["engineer"].capitalize())}</h2><form data-api="/api/writeoff">'
        f'<label>{escape(texts["grant"])}<input name="grant" required></label>'
        f'<label>{escape(texts["reason"])}<input name="reason" required maxlength="200"></label>'
        f"<button>{escape(texts['write-off'])}</button></form>"
        f'<form data-api="/api/revoke"><label>{escape(texts["station"])}<input name="station" required>'
        f"</label><button>{escape(texts['revoke'])}</button></form>"
    )


def _notice(text: str) -> str:
    return f'<p class="notice" role="alert">{escape(text)}</p>'


class Html(str):
    """A cell that is HTML already."""

    __slots__ = ()


class Number(str):
    """A cell that is a number with its unit."""

    __slots__ = ()


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], texts: Words) -> str:
    """Return a table; its cells are escaped."""
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    if not body:
        return f"<p>{escape(texts['none'])}</p>"
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    whole = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{whole}</div>'


def _heads(texts: Words, *names: str) -> list[str]:
    return [texts[name] for name in names]


def _cell(value: object) -> str:
    if isinstance(value, Html):
        return f"<td>{value}</td>"
    if isinstance(value, int | float | Number):
        return f'<td class="number">{escape(str(value))}</td>'
    return f"<td>{'-' if value in (None, '') else escape(str(value)[:300])}</td>"


def percent(part: float | None) -> str:
    """Return a part of 1 in percent."""
    return "-" if part is None else f"{100 * part:.1f} %"


def seconds(value_ms: int | None) -> str:
    """Return milliseconds in seconds."""
    return "-" if value_ms is None else f"{value_ms / 1000:.1f} s"


def _age(age_s: float, texts: Words) -> str:
    if age_s < 120:
        return f"{age_s:.0f} {texts['s']}"
    return f"{age_s / 60:.0f} {texts['min']}" if age_s < 7200 else f"{age_s / 3600:.0f} {texts['h']}"


def _time(moment: dt.datetime | None) -> str:
    return "-" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")
