"""Records for people: the list, and the page of one, made to be filed."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text

from atota.cli.view.output import plain, styled
from atota.cli.view.tables import Fitting
from atota.cli.view.times import local_moment
from atota.clock import utc_iso
from atota.errors import Outcome
from atota.journal.model import PastJob, Record, SentReport
from atota.update.state import MEANINGS
from atota.values import Identity, mask

Line = str | Text

_MEANING = {
    "updated": "the new version was read back from the module",
    "updated-unreported": "the new version was read back; the platform was not told within the job",
    "already-current": "the module ran the wanted version already; nothing was written",
    "no-task": "the platform had no task for this module; nothing was written",
}
_ADAPTER = (("chip", ""), ("usb_id", "usb "), ("serial_number", "serial number "), ("location", "at "))
_LONG_ID = 14


def short_id(record: Record) -> str:
    """Return a record's id for people, which `records show` takes, too."""
    return record.id if len(record.id) <= _LONG_ID else f"{record.run[:8]}-{record.attempt}"


def duration(elapsed_ms: int | None) -> str:
    """Return a duration in words."""
    if elapsed_ms is None:
        return "-"
    if elapsed_ms < 1000:
        return f"{elapsed_ms} ms"
    minutes, seconds = divmod(elapsed_ms / 1000, 60)
    return f"{minutes:.0f} min {seconds:.0f} s" if minutes else f"{seconds:.1f} s"


def list_table(records: list[Record], *, show_imei: bool = False) -> Fitting:
    """Return a table of records; the IMEI masked, and the version that the module is known to run."""
    table = Table(box=None, header_style="bold")
    for heading in ("record", "ended", "module", "IMEI", "version", "outcome"):
        table.add_column(heading, no_wrap=heading != "module", overflow="fold")
    for record in records:
        table.add_row(
            plain(short_id(record)),
            local_moment(record.ended_at),
            plain(_module(record)),
            plain((record.imei or "-") if show_imei else mask(record.imei)),
            plain(_known_version(record)),
            _outcome(record),
        )
    return Fitting(table, "record", "ended", "outcome")


def unended_line(past: PastJob, *, show_imei: bool = False) -> str:
    """Return a job that has no record yet: it runs, or its process died."""
    who = past.latest(Identity) or Identity()
    imei = who.imei if show_imei and who.imei else mask(who.imei)
    where = f"{who.model or 'a module'}, IMEI {imei}, on {past.opened.port}"
    began = local_moment(past.opened_at)
    stage = f" in stage {past.stages[-1].stage}" if past.stages else ""
    if past.is_alive:
        return f"{past.id}  began {began}, runs{stage}: {where}"
    seen = local_moment(past.last_seen, seconds=True)
    return f"{past.id}  began {began}, died {seen}{stage}: {where}; the next job closes it as interrupted"


def unended_fields(past: PastJob) -> dict[str, Any]:
    """Return a job that has no record yet, as JSON has it."""
    who = past.latest(Identity) or Identity()
    return {
        "id": past.id,
        "command": past.opened.command,
        "port": past.opened.port,
        "imei": who.imei,
        "model": who.model,
        "state": "running" if past.is_alive else "died",
        "stage": past.stages[-1].stage if past.stages else None,
        "started_at": utc_iso(past.opened_at),
        "last_seen_at": utc_iso(past.last_seen),
        "pid": past.pid,
    }


def _module(record: Record) -> str:
    model = record.model or "-"
    return model if record.nature in (None, "real") else f"{model} ({record.nature})"


def _known_version(record: Record) -> str:
    """Return the version that the module is known to run since then; unknown once an update was started."""
    if record.version_after is not None:
        return record.version_after
    return "unknown" if _may_have_changed(record) else record.version_before or "-"


def _may_have_changed(record: Record) -> bool:
    """True if the module may run another version than before, and nothing says which."""
    if record.state is None:  # written before records had a state
        return not Outcome(record.outcome).is_settled
    return MEANINGS[record.state].must_not_interrupt and record.outcome != Outcome.OLD_VERSION


def sections(record: Record, label: SentReport | None = None) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Yield the parts of a record that have names and values, each with its title; values that it has.

    ``label`` is the print of the unit's label.
    """
    for title, rows in (
        ("Module", _module_rows(record)),
        ("Versions", _version_rows(record)),
        ("Station", _station_rows(record, label)),
        ("Package", _package_rows(record)),
        ("Port", _port_rows(record)),
        ("Job", _job_rows(record)),
    ):
        pairs = [(name, value) for name, value in rows if value not in (None, "")]
        if pairs:
            yield title, pairs


def page(record: Record, reports: Sequence[SentReport] = (), label: SentReport | None = None) -> Text:
    """Return a whole record: the verdict first, then its subject, then its course and its reports."""
    lines: list[Line] = [styled("[bold]Record {}[/]", record.id), "", *_verdict(record), *_trouble(record)]
    for title, pairs in sections(record, label):
        lines += _section(title, [_pair(name, value) for name, value in pairs])
    lines += _section("Stages", _stages(record))
    lines += _section("Warnings", [f"  {plain(line)}" for line in record.warnings])
    lines += _section("Told to the platform", [f"  {plain(line)}" for line in record.told])
    lines += _section("Final reports", [report_lines(sent) for sent in reports])
    return Text("\n").join(line if isinstance(line, Text) else Text(line) for line in lines)


def report_lines(sent: SentReport) -> str:
    """Return one report: what it says, since when it waits, and what has become of it."""
    named = (("status", sent.document.get("status")), ("version", sent.document.get("version")))
    what = plain(" and ".join(f"{name} {value}" for name, value in named if value is not None))
    queued = f"  {local_moment(sent.at, seconds=True)}  queued: {what}"
    if sent.how is None or sent.ended_at is None:
        return f"{queued}\n  it still waits"
    word = "delivered" if sent.how == "delivered" else "not taken, and not sent again"
    return f"{queued}\n  {local_moment(sent.ended_at, seconds=True)}  {word}: {plain(sent.detail)}"


def _section(title: str, lines: Sequence[Line]) -> list[Line]:
    return ["", styled("[bold]{}[/]", title), *lines] if lines else []


def _pair(name: str, value: object) -> Text:
    return styled("[dim]{}[/]{}", f"  {name:<18}", value)


def _outcome(record: Record) -> Text:
    return styled(f"[{_colour(record)}]{{}}[/]", record.outcome)


def _colour(record: Record) -> str:
    return {0: "green", 10: "green", 14: "yellow"}.get(record.exit_code, "red")


def span(record: Record) -> str:
    """Return the beginning, the end and the duration of a job."""
    began, ended = (local_moment(at, seconds=True) for at in (record.started_at, record.ended_at))
    return f"{began} to {ended}, {duration(record.duration_ms)}"


def meaning(record: Record) -> str:
    """Return the meaning of a record's outcome in words."""
    message = record.error.message if record.error is not None else ""
    return _MEANING.get(record.outcome) or message or "no reason was written down"


def _verdict(record: Record) -> Iterator[Text]:
    colour = _colour(record)
    words = (record.outcome, meaning(record), record.exit_code)
    yield styled(f"  [bold {colour}]{{}}[/]: {{}}[dim]  (exit {{}})[/]", *words)
    yield styled("  {}", span(record))


def _trouble(record: Record) -> Iterator[Text]:
    """Yield the trouble beyond the verdict's own line, what was tried, and what to do next."""
    error = record.error
    if not error:
        return
    if record.outcome in _MEANING:
        yield styled("  but:   {}", error.message)
    for index, line in enumerate(error.tried):
        yield styled("  [dim]{}[/]{}", "       " if index else "tried: ", line)
    if error.hint:
        yield styled("  [bold]next:[/]  {}", error.hint)


def _module_rows(record: Record) -> Iterator[tuple[str, Any]]:
    yield "nature", record.nature if record.nature != "real" else None
    yield "manufacturer", record.manufacturer
    yield "model", record.model
    yield "IMEI", record.imei
    yield "serial number", record.serial
    yield "revision", record.revision
    yield "full version", record.full_version
    yield "dialect", record.dialect
    yield "its file, sha256", record.dialect_digest
    method = " ".join(filter(None, (record.method, record.evidence and f"({record.evidence})")))
    yield "method", method


def _version_rows(record: Record) -> Iterator[tuple[str, Any]]:
    if record.version_before or record.version_target or record.version_after:
        yield "before", record.version_before or "-"
        yield "target", record.version_target or "-"
        yield "after", record.version_after or "not read back"
        yield "after, in full", record.full_version_after


def label_state(label: SentReport) -> str:
    """Return the state of a unit's label, in the words of the station's page."""
    return "queued" if label.how is None else "printed"


def _printed(label: SentReport) -> str:
    at = label.at if label.ended_at is None else label.ended_at
    return f"{label_state(label)} {local_moment(at, seconds=True)}"


def _station_rows(record: Record, label: SentReport | None) -> Iterator[tuple[str, Any]]:
    station, release = record.station, record.release
    if station is not None:
        yield "station", station.name
        yield "lane", station.lane or None
        yield "batch", station.batch
        yield "operator", station.operator
        yield "label", station.serial
        yield "its print", _printed(label) if label is not None else None
        yield "scanned", station.scan
        yield "attempt", station.attempt if release is None else None
        yield "handling", duration(station.handling_ms) if station.handling_ms is not None else None
        yield "golden unit", "yes" if station.is_golden else None
    if release is not None:
        yield "released", release.stop
        yield "reason", release.reason
        yield "by", release.by


def _package_rows(record: Record) -> Iterator[tuple[str, Any]]:
    package, written = record.package, record.written
    if package is not None:
        yield "file", package.name
        yield "size", _bytes(package.size)
        yield "md5", package.md5
        yield "sha256", package.sha256
    if written is not None:
        yield "written", f"{_bytes(written.done)} of {_bytes(written.total)}"
    if package is not None or written is not None:
        yield "blocks", record.blocks
        yield "bytes a block", record.block
        yield "rate", f"{record.line.rate} baud" if record.line is not None else None
        yield "retries", record.retries
        yield "boots", record.boots
        yield "longest silence", duration(record.longest_silence_ms) if record.longest_silence_ms else None


def _bytes(size: object) -> str | None:
    return f"{size:,} bytes" if isinstance(size, int) else None


def _port_rows(record: Record) -> Iterator[tuple[str, Any]]:
    yield "port", record.port
    known = ((words, getattr(record.adapter, name, None)) for name, words in _ADAPTER)
    yield "adapter", ", ".join(f"{words}{value}" for words, value in known if value)
    yield "board", record.board


def _job_rows(record: Record) -> Iterator[tuple[str, Any]]:
    yield "command", record.command
    yield "run", f"{record.run}, attempt {record.attempt}"
    yield "goes on from", record.resumes
    yield (
        "task",
        ", ".join(f"{name} {value}" for name, value in _task_fields(record) if value not in (None, "")),
    )
    yield "atota", record.tool_version
    yield "host", record.host
    if record.transcript is not None:
        yield "transcript", record.transcript.path
        yield "its sha256", record.transcript.sha256


def _task_fields(record: Record) -> Iterator[tuple[str, Any]]:
    if record.task is not None:
        yield from msgspec.structs.asdict(record.task).items()


def _stages(record: Record) -> list[Line]:
    if not record.stages:
        return []
    lines: list[Line] = [styled("[dim]{}[/]", f"  {'began':<28}{'stage':<10}{'state':<9}{'took':>12}")]
    for one in record.stages:
        state = "cut off" if one.state == "started" else one.state
        colour = {"done": "green", "skipped": "dim"}.get(one.state, "red")
        head = f"  {local_moment(one.at, seconds=True):<28}{one.stage:<10}"
        tail = f"{duration(one.elapsed_ms):>12}  {one.detail}".rstrip()
        lines.append(styled(f"{{}}[{colour}]{{}}[/]{{}}", head, f"{state:<9}", tail))
    return lines
