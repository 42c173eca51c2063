"""Labels and hooks: a dead printer or program loses nothing, and the verdict does not depend on them."""

import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atota.clock import SystemClock
from atota.errors import ConfigError, Outcome
from atota.journal.facts import StationFact
from atota.journal.model import Opened, Record
from atota.journal.store import Journal
from atota.station.desk import VerdictEvent
from atota.station.labels import PrinterError, filled, load_template, print_label, printer_problem
from atota.station.lane import Verdict
from atota.station.outbox import Outbox, Topic
from atota.values import Identity

READY = b"\x02030,0,0,1000,000,0,0,0,000,0,0,0\x03\r\n"


class Printer:
    """A printer on a port of this machine, which answers ~HS."""

    def __init__(self, status: bytes = READY) -> None:
        self.status = status
        self.labels: list[bytes] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                received = b""
                while data := connection.recv(4096):
                    received += data
                    if received == b"~HS":
                        connection.sendall(self.status)
                label = received.removeprefix(b"~HS")
                if label:
                    self.labels.append(label)

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def printer() -> Iterator[Printer]:
    made = Printer()
    yield made
    made.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite3", clock=SystemClock()) as opened:
        yield opened


def record_in(journal: Journal, run: str = "r") -> Record:
    entry = journal.open_job(Opened(run=run, attempt=1, command="update", port="sim://BC28"))
    entry.fact(Identity(imei="490154203237518", model="BC28^XZ"))
    entry.fact(StationFact(name="bench", lane=3, batch="B-1", serial="SN1"))
    return entry.verdict(Outcome.UPDATED)


def verdict(record: Record, kind: Verdict = Verdict.PASS) -> VerdictEvent:
    return VerdictEvent(
        lane=3, job=record.id, verdict=kind, outcome="updated", exit_code=0, record_id=record.id,
        imei=record.imei, serial="SN1",
    )  # fmt: skip


class Seen:
    def __init__(self) -> None:
        self.labels: list[str] = []
        self.warnings: list[tuple[Topic, str]] = []

    def outbox(
        self, journal: Journal, *, template: str | None = None, printer: str = "", hook: tuple[str, ...] = ()
    ) -> Outbox:
        return Outbox(
            journal,
            template=template,
            printer=printer,
            hook=hook,
            show_label=lambda _lane, _record, state: self.labels.append(state),
            warn=lambda topic, text: self.warnings.append((topic, text)),
            clock=SystemClock(),
        )


def wait_for(labels: list[bytes], count: int) -> None:
    end = SystemClock().monotonic() + 10
    while len(labels) < count and SystemClock().monotonic() < end:
        SystemClock().sleep(0.01)
    assert len(labels) == count


def test_a_label_holds_the_record_and_no_command_that_came_from_a_module(journal: Journal) -> None:
    label = filled("^XA^FD{imei} {serial} {model} {batch} {lane}^FS^XZ", record_in(journal))
    assert label == "^XA^FD490154203237518 SN1 BC28_XZ B-1 3^FS^XZ"


def test_an_unknown_field_of_a_template_is_named(tmp_path: Path) -> None:
    path = tmp_path / "unit.zpl"
    path.write_text("^XA{imie}^XZ")
    with pytest.raises(ConfigError) as caught:
        load_template(path)
    assert (caught.value.message.endswith("{imie} is not a field of a label"), caught.value.hint) == (
        True,
        "Did you mean {imei}?",
    )


def test_a_pass_prints_a_label_once(journal: Journal, printer: Printer) -> None:
    seen = Seen()
    outbox = seen.outbox(journal, template="^XA{serial}^XZ", printer=printer.url)
    record = record_in(journal)
    outbox.take(record, verdict(record))
    outbox.take(record_in(journal, "s"), verdict(record, Verdict.FAIL))
    outbox.deliver()
    outbox.deliver()
    wait_for(printer.labels, 1)
    assert printer.labels == [b"^XASN1^XZ"]
    assert seen.labels == ["queued", "printed"]
    assert journal.pending("label") == []


def test_a_label_waits_for_a_printer_that_is_off(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atota.station.outbox.FIRST_PAUSE_S", 0.0)
    seen = Seen()
    with socket.create_server(("127.0.0.1", 0)) as server:
        off = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    outbox = seen.outbox(journal, template="{serial}", printer=off)
    record = record_in(journal)
    outbox.take(record, verdict(record))
    outbox.deliver()
    assert seen.labels == ["queued", "failed"]
    assert "cannot be reached" in seen.warnings[0][1]
    again = Printer()
    try:
        later = seen.outbox(journal, template="{serial}", printer=again.url)
        later.deliver()
        wait_for(again.labels, 1)
    finally:
        again.close()
    assert seen.labels[-1] == "printed"


@pytest.mark.parametrize(("flags", "words"), [(b"1,0", "is out of paper"), (b"0,1", "is paused")])
def test_a_printer_that_says_why_it_does_not_print_gets_no_label(flags: bytes, words: str) -> None:
    stopped = Printer(b"\x02030," + flags + b",1000,000,0,0,0,000,0,0,0\x03\r\n")
    try:
        with pytest.raises(PrinterError, match=words):
            print_label(stopped.url, "^XA^XZ")
        problem = printer_problem(stopped.url)
        assert problem is not None
        assert words in problem
        assert stopped.labels == []
    finally:
        stopped.close()


def test_a_hook_gets_the_record_as_json(journal: Journal, tmp_path: Path) -> None:
    target = tmp_path / "record.json"
    program = (
        sys.executable,
        "-c",
        f"import sys; open({str(target)!r}, 'wb').write(sys.stdin.buffer.read())",
    )
    seen = Seen()
    outbox = seen.outbox(journal, hook=program)
    record = record_in(journal)
    outbox.take(record, verdict(record))
    outbox.deliver()
    document = json.loads(target.read_text())
    assert (document["id"], document["imei"], document["station"]["lane"]) == (record.id, record.imei, 3)
    assert journal.pending("hook") == []


def test_a_hook_that_fails_loses_no_record(journal: Journal) -> None:
    seen = Seen()
    failing = (sys.executable, "-c", "import sys; sys.exit('no MES today')")
    outbox = seen.outbox(journal, hook=failing)
    record = record_in(journal)
    outbox.take(record, verdict(record))
    outbox.deliver()
    assert seen.warnings == [("hook", f"the hook {sys.executable} ended with 1: no MES today")]
    assert [queued.document["record"] for queued in journal.pending("hook")] == [record.id]


def test_the_platform_never_sees_the_documents_of_a_station(journal: Journal) -> None:
    record = record_in(journal)
    Seen().outbox(journal, hook=("true",)).take(record, verdict(record))
    assert journal.pending() == []
    assert journal.reports_of(record.id) == []


def test_a_hook_that_is_missing_is_told(journal: Journal) -> None:
    seen = Seen()
    outbox = seen.outbox(journal, hook=("/nowhere/hook",))
    record = record_in(journal)
    outbox.take(record, verdict(record))
    outbox.deliver()
    assert "cannot be run: No such file" in seen.warnings[0][1]


def test_a_kill_between_a_record_and_its_documents_costs_no_delivery(journal: Journal) -> None:
    """A first run queues what its verdicts ask for, and dies after the record of a further unit."""
    outbox = Seen().outbox(journal, template="^XA{serial}^XZ", printer="tcp://127.0.0.1:9", hook=("true",))
    record_in(journal, "before-hooks-were-asked-for")
    told = record_in(journal, "told")
    outbox.take(told, verdict(told))
    lost = record_in(journal, "lost")
    outbox.recover("bench")
    outbox.recover("bench")
    for topic in ("label", "hook"):
        assert [queued.document["record"] for queued in journal.pending(topic)] == [told.id, lost.id]


def test_a_topic_that_is_new_concerns_no_older_unit(journal: Journal) -> None:
    record_in(journal)
    Seen().outbox(journal, hook=("true",)).recover("bench")
    assert journal.pending("hook") == []


def test_an_interrupted_job_has_no_verdict_to_deliver(journal: Journal) -> None:
    outbox = Seen().outbox(journal, hook=("true",))
    told = record_in(journal, "told")
    outbox.take(told, verdict(told))
    entry = journal.open_job(Opened(run="cut", attempt=1, command="update", port="sim://BC28"))
    entry.fact(StationFact(name="bench", lane=3, batch="B-1", serial="SN2"))
    entry.verdict(Outcome.INTERRUPTED)
    outbox.recover("bench")
    assert len(journal.pending("hook")) == 1
