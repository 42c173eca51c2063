"""What the tests of the journal share: a job as the host writes one down."""

from pathlib import Path
from typing import Any, cast

import pytest

from atota.clock import Clock, SimulatedClock
from atota.journal.facts import (
    ConfirmedFact,
    CountersFact,
    MethodFact,
    TaskFact,
    Told,
    TranscriptFact,
    VersionsFact,
    WarningFact,
    WrittenFact,
)
from atota.journal.model import Opened, Record
from atota.journal.store import JobEntry, Journal
from atota.ota.base import Platform, Task
from atota.update.report import Outbox, Reporter
from atota.values import Identity

IMEI = "490154203237518"
OTHER = "356938035643809"


TASK = Task(target="BC28JAR01A05", token="a-token", size=40960, md5="0" * 32)


class Accepting:
    """A platform that accepts every report."""

    server = "http://ota.test"

    def report_step(self, *_: object) -> None: ...

    def report_version(self, *_: object, **__: object) -> None: ...


def opened(run: str = "run1", attempt: int = 1, **more: Any) -> Opened:
    return Opened(run=run, attempt=attempt, command="update", port="/dev/ttyUSB0", **more)


def write_job(journal: Journal, run: str, clock: Clock, *, imei: str = IMEI, attempt: int = 1) -> JobEntry:
    """An open job that has written its package into the module."""
    adapter = {"device": "/dev/ttyUSB0", "chip": "FTDI FT232R", "serial_number": "A50285BI"}
    book = journal.open_job(opened(run, attempt, adapter=adapter, board="boards/bench.toml"))
    book.stage("open", "started")
    clock.sleep(0.12)
    book.stage("open", "done", elapsed_ms=120)
    book.stage("identify", "started")
    clock.sleep(1.9)
    book.fact(
        Identity(
            manufacturer="Quectel",
            model="BC28",
            version="BC28JAR01A03",
            revision="BC28JAR01A03",
            imei=imei,
            serial="MPA19C1234567",
            dialect="quectel-hi2115",
            method="nfwupd",
            evidence="documented",
        ),
    )
    book.stage("identify", "done", elapsed_ms=1900)
    book.fact(MethodFact(name="quectel-hi2115", digest="d" * 64, method="nfwupd", block=512))
    book.fact(VersionsFact(before="BC28JAR01A03", target="BC28JAR01A05", expected="BC28JAR01A05"))
    book.fact(TaskFact(target="BC28JAR01A05", size=40960, kind="fota", retry=2))
    package = {"name": "BC28JAR01A03_TO_BC28JAR01A05.bin", "size": 40960, "md5": "0" * 32, "sha256": "1" * 64}
    book.fact("package", package)
    book.stage("write", "started")
    book.fact(WrittenFact(done=20480, total=40960))
    clock.sleep(15)
    return book


def finish(book: JobEntry, clock: Clock) -> Record:
    """End such a job well."""
    book.fact(WrittenFact(done=40960, total=40960))
    book.stage("write", "done", elapsed_ms=15000)
    for stage, seconds in (("validate", 4.0), ("activate", 0.2), ("reboot", 141.0), ("confirm", 0.4)):
        book.stage(stage, "started")
        clock.sleep(seconds)
        book.stage(stage, "done", elapsed_ms=round(1000 * seconds))
    book.fact(ConfirmedFact(version="BC28JAR01A05"))
    book.fact(CountersFact(blocks=80, retries=1, longest_silence_ms=1250, boots=1))
    book.fact(WarningFact(text="the module cannot tell its supply voltage"))

    def on_told(told: Told) -> None:
        book.fact(Told(what=told.what))

    outbox = Outbox(None, str, pytest.fail, on_told)
    reporter = Reporter(cast("Platform", Accepting()), "6523", "fota", outbox)
    reporter.ready(TASK, renew=None, pause=lambda error, _: pytest.fail(str(error)))
    reporter.updated(TASK, TASK.target)
    book.stage("report", "skipped", "no platform")
    return book.verdict("updated", 0)


def fail(book: JobEntry) -> Record:
    """End such a job badly."""
    book.stage("write", "failed", "the module refuses block 41", 7000)
    error = {
        "code": "write",
        "message": "the module refuses block 41: +CME ERROR: 4",
        "hint": "The module still runs its old firmware. Check supply and wiring.",
        "tried": ["block 41 three times", "a fresh write, twice"],
    }
    book.fact("error", error)
    book.fact(TranscriptFact(path="/home/me/.local/share/atota/t.txt", sha256="a" * 64))
    return book.verdict("write-failed", 9)


def filled(path: Path) -> list[Record]:
    """Make a journal with three records of two modules, the oldest first: updated, failed, cut off."""
    clock = SimulatedClock()
    with Journal(path, clock=clock) as journal:
        done = finish(write_job(journal, "3f9c2a71aaaa4d6f8f0b0c1d2e3f4a5b", clock), clock)
        clock.sleep(86_400)
        failed = fail(write_job(journal, "8b11aaaa71aa4d6f8f0b0c1d2e3f4a5b", clock, imei=OTHER))
        clock.sleep(86_400)
        write_job(journal, "8b11aaaa71aa4d6f8f0b0c1d2e3f4a5b", clock, imei=OTHER, attempt=2)
    with Journal(path, clock=clock) as journal:
        journal.recover()
        return [done, failed, journal.records()[0]]
