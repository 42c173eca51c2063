"""The page as HTML: the picture of the station as it is when the page is asked for.

Every text that came from a module, a scanner or a file is escaped. The ES module of the page changes the same
elements afterwards: a lane is one element with ``data-lane``, ``data-state`` and, once there is one,
``data-verdict``; a number of the header one with ``data-counter`` or ``data-figure``.
"""

import json
from html import escape

from atota.outcomes import Outcome
from atota.station.page.advice import outcome_words
from atota.station.page.words import GLYPHS, Words, state_words, verdict_words, words
from atota.station.view import Counters, LaneView, Language, Notice, StationView

_COLUMNS = ((1, 1), (2, 2), (8, 4), (16, 4), (32, 8), (64, 8))
"""Lanes up to this number, and the columns that show them without scrolling on a screen of 16:9."""


def page(view: StationView, scripts: str) -> str:
    """Return the operator page; ``scripts`` is the path of its script and style."""
    texts = words(view.language)
    parts = (
        _head(view, f"{view.name} · {texts['title']}", scripts),
        f'<body data-boot="{escape(view.boot)}">',
        f'<p id="stale" role="alert" hidden>{escape(texts["stale"])}</p>',
        _header(view, texts),
        _notices(view, texts),
        f'<main><ol id="lanes" class="columns-{_columns(len(view.lanes))}">',
        *(_lane(lane, view, texts) for lane in view.lanes),
        "</ol></main>",
        _footer(view, texts),
        _dialog(texts),
        '<p id="spoken" role="status" class="unseen"></p><p id="alarm" role="alert" class="unseen"></p>',
        f"<noscript><p>{escape(texts['no-script'])}</p></noscript>",
        f'<script type="application/json" id="words">{_json(view)}</script>',
        "</body></html>\n",
    )
    return "\n".join(parts)


def login(view: StationView, scripts: str) -> str:
    """Return the page that asks for the station's token."""
    texts = words(view.language)
    return "\n".join(
        (
            _head(view, view.name, scripts),
            f'<body class="login"><main><h1>{escape(view.name)}</h1><p>{escape(texts["login"])}</p>',
            f'<form id="login"><label>{escape(texts["token"])}',
            '<input name="token" type="password" autocomplete="current-password" required></label>',
            f"<button>{escape(texts['open'])}</button></form>",
            '<p id="answer" role="alert"></p></main></body></html>\n',
        )
    )


def _head(view: StationView, title: str, scripts: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="{view.language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f'<link rel="icon" href="data:,"><link rel="stylesheet" href="{scripts}/station.css">'
        f'<script type="module" src="{scripts}/station.js"></script></head>'
    )


def _header(view: StationView, texts: Words) -> str:
    batch = f"{texts['batch']} {view.batch}" if view.batch else ""
    operator = f"{texts['operator']} {view.operator}" if view.operator else ""
    return (
        f"<header><h1>{escape(view.name)}</h1>"
        f'<p><b data-figure="batch">{escape(batch)}</b> '
        f'<span data-figure="operator">{escape(operator)}</span></p>'
        f'<dl id="counters">{_counters(view.counters, texts)}</dl>'
        f'<p data-figure="line">{escape(line_text(view.counters, texts))}</p></header>'
    )


def _counters(counters: Counters, texts: Words) -> str:
    numbers = (
        ("passed", str(counters.passed)),
        ("failed", str(counters.failed)),
        ("station-error", str(counters.station_error)),
        ("retested", str(counters.retested)),
    )
    cells = [
        f'<div><dt>{escape(texts[name])}</dt><dd data-counter="{name}">{number}</dd></div>'
        for name, number in numbers
    ]
    quota = str(counters.quota) if counters.quota else "–"
    first = "–" if counters.first_pass_yield is None else f"{counters.first_pass_yield:.1%}"
    figures = (("quota", quota), ("first-pass", first), ("an-hour", f"{counters.units_an_hour:.0f}"))
    cells += [
        f'<div><dt>{escape(texts[name])}</dt><dd data-figure="{name}">{text}</dd></div>'
        for name, text in figures
    ]
    return "".join(cells)


def line_text(counters: Counters, texts: Words) -> str:
    """Return the state of the line in words; empty if the station has none."""
    if counters.is_online is None:
        return ""
    state = texts["online" if counters.is_online else "offline"]
    waiting = counters.waiting_records
    return f"{state}, {waiting} {texts['waiting']}" if waiting or not counters.is_online else state


def _notices(view: StationView, texts: Words) -> str:
    notices = "".join(_notice(notice, texts) for notice in view.notices)
    return f'<section id="notices" aria-live="polite">{notices}</section>'


def _notice(notice: Notice, texts: Words) -> str:
    button = f"<button data-release>{escape(texts['release-station'])}</button>" if notice.may_release else ""
    role = ' role="alert"' if notice.level == "stop" else ""
    return (
        f'<p class="notice" data-notice="{escape(notice.key)}" data-level="{notice.level}"{role}>'
        f"<b>{escape(notice.text)}</b> <span>{escape(notice.hint)}</span> {button}</p>"
    )


def _lane(lane: LaneView, view: StationView, texts: Words) -> str:
    verdict = "" if lane.verdict is None else f' data-verdict="{lane.verdict}"'
    word = "" if lane.verdict is None else verdict_words(view.language)[lane.verdict]
    glyph = "" if lane.verdict is None else GLYPHS[lane.verdict]
    unit = lane.serial or lane.imei or ""
    return (
        f'<li data-lane="{lane.number}" data-state="{lane.state}"{verdict}>'
        f'<button class="more" aria-label="{escape(texts["details"].format(number=lane.number))}"></button>'
        f'<p class="top"><b class="number">{lane.number}</b>'
        f'<span class="word">{escape(word)}</span><span class="glyph" aria-hidden="true">{glyph}</span></p>'
        f'<p class="state">{escape(state_words(view.language)[lane.state])}</p>'
        f'<progress max="1" value="{lane.progress:.3f}" aria-label="{escape(texts["lane"])} {lane.number}">'
        "</progress>"
        f'<p class="advice">{escape(advice(lane, view.language))}</p>'
        f'<p class="sentence" lang="en">{escape(sentence(lane))}</p>'
        f'<p class="unit">{escape(unit[-8:])}</p></li>'
    )


def advice(lane: LaneView, language: Language) -> str:
    """Return the operator's sentence about the verdict in a tile; empty without one."""
    if lane.verdict is None or lane.outcome is None:
        return words(language)["done-before"] if lane.done_before else ""
    return outcome_words(language)[Outcome(lane.outcome)]


def sentence(lane: LaneView) -> str:
    """Return the one line of text in a tile."""
    texts = (lane.blocked, lane.problem, lane.done_before, lane.sentence, lane.waiting_for, lane.stage)
    return next(filter(None, texts), "")


def _footer(view: StationView, texts: Words) -> str:
    return (
        f'<footer><form id="scan"><label>{escape(texts["scan-field"])} '
        '<input name="text" autocomplete="off" spellcheck="false" maxlength="200"></label> '
        f"<button>{escape(texts['scan-button'])}</button></form>"
        f'<p>{escape(texts["scanned"])}: <b data-figure="scanned">{escape(view.scanned)}</b> '
        '<span id="answer" role="status"></span></p>'
        f'<button id="sound">{escape(texts["sound-on"])}</button></footer>'
    )


def _dialog(texts: Words) -> str:
    return (
        '<dialog id="lane" aria-labelledby="lane-title"><form method="dialog">'
        '<h2 id="lane-title"></h2><p id="lane-advice"></p><dl id="lane-facts"></dl>'
        '<p id="lane-sentence" lang="en"></p>'
        f'<p><label>{escape(texts["reason"])} <input name="reason" maxlength="200"></label> '
        f'<label>{escape(texts["by"])} <input name="by" maxlength="60"></label></p>'
        f'<p><button type="button" data-do="removed">{escape(texts["removed"])}</button> '
        f'<button type="button" data-do="again">{escape(texts["again"])}</button> '
        f'<button type="button" data-do="release">{escape(texts["release"])}</button> '
        f'<button type="button" data-do="on">{escape(texts["switch-on"])}</button> '
        f'<button type="button" data-do="off">{escape(texts["switch-off"])}</button> '
        f"<button>{escape(texts['close'])}</button></p></form></dialog>"
    )


def _json(view: StationView) -> str:
    texts = {
        "page": words(view.language),
        "states": {str(state): text for state, text in state_words(view.language).items()},
        "verdicts": {str(verdict): text for verdict, text in verdict_words(view.language).items()},
        "outcomes": {str(outcome): text for outcome, text in outcome_words(view.language).items()},
        "glyphs": {str(verdict): text for verdict, text in GLYPHS.items()},
    }
    return json.dumps(texts, ensure_ascii=False).replace("<", "\\u003c")


def _columns(lanes: int) -> int:
    return next((columns for most, columns in _COLUMNS if lanes <= most), 8)
