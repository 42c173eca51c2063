"""A record as one HTML file: to print, to file, to send. It loads nothing from elsewhere."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from atota.cli.view.output import plain
from atota.cli.view.record import duration, meaning, report_lines, sections, span
from atota.cli.view.times import local_moment
from atota.journal.model import Record, SentReport

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem }
h1 { font-size: 1.3rem } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem }
table { border-collapse: collapse }
th, td { padding: .15rem 1.2rem .15rem 0; text-align: left; vertical-align: top }
th { font-weight: normal; color: #555 } td { overflow-wrap: anywhere }
.verdict { border-left: .5rem solid; padding: .4rem .8rem; font-size: 1.1rem }
.good { border-color: #17803d } .bad { border-color: #b42318 } .unsure { border-color: #b58105 }
"""
_KINDS = {0: "good", 10: "good", 11: "unsure", 14: "unsure"}


def html_page(record: Record, reports: Sequence[SentReport] = (), label: SentReport | None = None) -> str:
    """Return the whole page."""
    kind = _KINDS.get(record.exit_code, "bad")
    verdict = f"<b>{_text(record.outcome)}</b>: {_text(meaning(record))} (exit {record.exit_code})"
    body = [
        f"<h1>Record {_text(record.id)}</h1>",
        f'<p class="verdict {kind}">{verdict}<br>{_text(span(record))}</p>',
        *_trouble(record),
    ]
    for title, pairs in sections(record, label):
        body += _part(title, _table(pairs))
    body += _part("Stages", _stages(record))
    body += _part("Warnings", _list(record.warnings))
    body += _part("Told to the platform", _list(record.told))
    body += _part("Final reports", _list(report_lines(sent) for sent in reports))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>atota record {_text(record.id)}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _text(value: object) -> str:
    return escape(plain(value))


def _part(title: str, content: str) -> Iterator[str]:
    if content:
        yield from (f"<h2>{_text(title)}</h2>", content)


def _trouble(record: Record) -> Iterator[str]:
    error = record.error
    if error is not None:
        if error.message and error.message != meaning(record):
            yield f"<p>{_text(error.message)}</p>"
        yield from _part("Tried", _list(error.tried))
        if error.hint:
            yield f"<p><b>Next:</b> {_text(error.hint)}</p>"


def _table(pairs: Iterable[tuple[str, Any]]) -> str:
    rows = (f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in pairs)
    return f"<table>{''.join(rows)}</table>"


def _stages(record: Record) -> str:
    if not record.stages:
        return ""
    head = "".join(f"<th>{name}</th>" for name in ("began", "stage", "state", "took", ""))
    rows = (
        (
            local_moment(one.at, seconds=True),
            one.stage,
            "cut off" if one.state == "started" else one.state,
            duration(one.elapsed_ms),
            one.detail,
        )
        for one in record.stages
    )
    cells = ("".join(f"<td>{_text(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{_text(line.strip())}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""
