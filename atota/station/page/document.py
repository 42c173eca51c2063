"""The page as HTML: the picture of the station as it is when the page is asked for.

Every text that came from a module, a scanner or a file is escaped. The ES module of the page changes the same
elements afterwards: a lane is one element with ``data-lane``, ``data-state`` and, once there is one,
``data-verdict``; a number of the header one with ``data-counter`` or ``data-figure``.
"""

import json
from html import escape

from atota.outcomes import Outcome
from atota.station.lane import AT_WORK, LaneState
from atota.station.page.advice import outcome_words
from atota.station.page.words import GLYPHS, Words, stage_words, state_words, verdict_words, words
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
        f"<header><div><h1>{escape(view.name)}</h1>"
        f'<p><b data-figure="batch">{escape(batch)}</b> '
        f'<span data-figure="operator">{escape(operator)}</span></p></div>'
        f'<p data-figure="line" data-online="{_online(view.counters)}">'
        f"{escape(line_text(view.counters, texts))}</p>"
        f'<dl id="counters">{_counters(view.counters, texts)}</dl></header>'
    )


def _online(counters: Counters) -> str:
    return "" if counters.is_online is None else str(counters.is_online).lower()


def _counters(counters: Counters, texts: Words) -> str:
    numbers = (
        ("passed", counters.passed),
        ("failed", counters.failed),
        ("station-error", counters.station_error),
        ("retested", counters.retested),
    )
    cells = [
        f'<div><dt>{escape(texts[name])}</dt><dd><b data-counter="{name}">{number}</b>'
        + (f'<span data-figure="quota">{quota_text(counters)}</span>' if name == "passed" else "")
        + "</dd></div>"
        for name, number in numbers
    ]
    first = "–" if counters.first_pass_yield is None else f"{counters.first_pass_yield:.1%}"
    for name, text in (("first-pass", first), ("an-hour", f"{counters.units_an_hour:.0f}")):
        cells.append(f'<div><dt>{escape(texts[name])}</dt><dd><b data-figure="{name}">{text}</b></dd></div>')
    return "".join(cells)


def quota_text(counters: Counters) -> str:
    """Return the quota as it stands behind the units that passed."""
    return f" / {counters.quota}" if counters.quota else ""


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
    button = ""
    if notice.may_release:
        lane = "" if notice.lane is None else str(notice.lane)
        text = texts["release-station"] if notice.lane is None else texts["release-lane"].format(number=lane)
        button = f'<button data-release="{lane}">{escape(text)}</button>'
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
        f'<p class="top"><b class="number">{lane.number}</b><span class="share">{share(lane)}</span>'
        f'<span class="word">{escape(word)}</span><span class="glyph" aria-hidden="true">{glyph}</span></p>'
        f'<p class="line"><span class="state">{escape(state_text(lane, view.language))}</span> '
        f'<span class="unit">{escape(unit[-8:])}</span></p>'
        f'<progress max="1" value="{lane.progress:.3f}" aria-label="{escape(texts["lane"])} {lane.number}">'
        "</progress>"
        f'<p class="sentence">{escape(advice(lane, view.language) or sentence(lane, texts))}</p></li>'
    )


def share(lane: LaneView) -> str:
    """Return the share of the job that is done; empty while there is no job, or it waits for a person."""
    is_shown = lane.state in AT_WORK and lane.state is not LaneState.WANTING_SCAN
    return f"{lane.progress * 100:.0f}%" if is_shown else ""


def state_text(lane: LaneView, language: Language) -> str:
    """Return the state of a lane with the stage of its job."""
    word = state_words(language)[lane.state]
    if lane.stage is None or lane.state is not LaneState.RUNNING:
        return word
    return f"{word} · {stage_words(language).get(lane.stage, lane.stage)}"


def advice(lane: LaneView, language: Language) -> str:
    """Return the operator's sentence about the verdict in a tile; empty without one."""
    if lane.verdict is None or lane.outcome is None:
        return words(language)["done-before"] if lane.done_before else ""
    return outcome_words(language)[Outcome(lane.outcome)]


def sentence(lane: LaneView, texts: Words) -> str:
    """Return the one line of text in a tile: the reason, the thing waited for, or where to plug."""
    if lane.verdict is None and (text := lane.blocked or lane.problem or lane.done_before):
        return text
    if lane.state in AT_WORK and lane.waiting_for:
        return texts["waiting-for"].format(thing=lane.waiting_for)
    if lane.state is LaneState.EMPTY and "://" not in lane.place:
        return lane.place
    return lane.sentence


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
        '<h2 id="lane-title"></h2><p id="lane-sentence"></p><p id="lane-hint"></p><dl id="lane-facts"></dl>'
        f"{_why(texts)}"
        f'<p class="doing"><button type="button" data-do="removed">{escape(texts["removed"])}</button> '
        f'<button type="button" data-do="again">{escape(texts["again"])}</button> '
        f'<button type="button" data-do="release">{escape(texts["release"])}</button> '
        f'<button type="button" data-do="on">{escape(texts["switch-on"])}</button> '
        f'<button type="button" data-do="off">{escape(texts["switch-off"])}</button> '
        f"<button autofocus>{escape(texts['close'])}</button></p></form></dialog>"
        '<dialog id="stop" aria-labelledby="stop-title"><form method="dialog">'
        f'<h2 id="stop-title">{escape(texts["release-station"])}</h2><p id="stop-sentence"></p>'
        f"{_why(texts)}"
        f'<p class="doing"><button type="button" data-stop>{escape(texts["release"])}</button> '
        f"<button>{escape(texts['close'])}</button></p></form></dialog>"
    )


def _why(texts: Words) -> str:
    """Return the fields of a reason, which is recorded, and of the lead who gives it."""
    return (
        f'<p class="why"><label>{escape(texts["reason"])} <input name="reason" maxlength="200"></label> '
        f'<label>{escape(texts["by"])} <input name="by" maxlength="60"></label></p>'
    )


def _json(view: StationView) -> str:
    texts = {
        "page": words(view.language),
        "stages": stage_words(view.language),
        "states": {str(state): text for state, text in state_words(view.language).items()},
        "verdicts": {str(verdict): text for verdict, text in verdict_words(view.language).items()},
        "outcomes": {str(outcome): text for outcome, text in outcome_words(view.language).items()},
        "glyphs": {str(verdict): text for verdict, text in GLYPHS.items()},
    }
    return json.dumps(texts, ensure_ascii=False).replace("<", "\\u003c")


def _columns(lanes: int) -> int:
    return next((columns for most, columns in _COLUMNS if lanes <= most), 8)
