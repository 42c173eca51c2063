"""A job for the tests of the journal, written down by the code that writes real ones."""

from pathlib import Path
from typing import Any, cast

import pytest

from atota.clock import Clock, SimulatedClock
from atota.errors import Outcome, WriteFailed
from atota.journal.facts import (
    ConfirmedFact,
    CountersFact,
    ErrorFact,
    JobState,
    MethodFact,
    PackageFact,
    StateFact,
    TaskFact,
    TranscriptFact,
    VersionsFact,
    WarningFact,
    WrittenFact,
)
from atota.journal.model import Opened, Record
from atota.journal.store import JobEntry, Journal
from atota.link.ports import PortInfo
from atota.link.state import LineState
from atota.ota.base import Capabilities, Platform, Task
from atota.settings.board import Board
from atota.settings.spec import JobSpec
from atota.update.events import StageEvent
from atota.update.job_journal import JobJournal
from atota.update.report import Outbox
from atota.update.reporter import Reporter
from atota.values import Identity

IMEI = "490154203237518"
OTHER = "356938035643809"


TASK = Task(target="BC28JAR01A05", token="a-token", size=40960, md5="0" * 32)


class Accepting:
    """A platform that accepts every report."""

    server = "http://ota.test"
    capabilities = Capabilities()

    def report_step(self, *_: object) -> None: ...

    def report_version(self, *_: object, **__: object) -> None: ...


def opened(run: str = "run1", attempt: int = 1, **more: Any) -> Opened:
    return Opened(run=run, attempt=attempt, command="update", port="/dev/ttyUSB0", **more)


def write_job(journal: Journal, run: str, clock: Clock, *, imei: str = IMEI, attempt: int = 1) -> JobEntry:
    """An open job that has written its package into the module, as a job writes it down."""
    pages = JobJournal(
        journal, opened(run, attempt), clock=journal._clock, may_fail=lambda: False, warn=pytest.fail
    )
    adapter = PortInfo(device="/dev/ttyUSB0", chip="FTDI FT232R", serial_number="A50285BI")
    pages.on_event(StageEvent("open", "started"))
    clock.sleep(0.12)
    pages.on_event(StageEvent("open", "done", "", 120))
    pages.on_event(StageEvent("identify", "started"))
    clock.sleep(1.9)
    identity = Identity(
        manufacturer="Quectel",
        model="BC28",
        version="BC28JAR01A03",
        revision="BC28JAR01A03",
        imei=imei,
        serial="MPA19C1234567",
        dialect="quectel-hi2115",
        method="nfwupd",
        evidence="documented",
    )
    pages.on_event(StageEvent("identify", "done", "", 1900))
    pages.begin(JobSpec(port="/dev/ttyUSB0", board=Board(name="boards/bench.toml")), identity, adapter, None)
    pages.fact(MethodFact(name="quectel-hi2115", digest="d" * 64, method="nfwupd", block=512))
    pages.fact(VersionsFact(before="BC28JAR01A03", target="BC28JAR01A05", expected="BC28JAR01A05"))
    pages.fact(TaskFact(target="BC28JAR01A05", size=40960, kind="fota", retry=2))
    name = "BC28JAR01A03_TO_BC28JAR01A05.bin"
    pages.fact(PackageFact(name=name, size=40960, md5="0" * 32, sha256="1" * 64))
    pages.on_event(StageEvent("write", "started"))
    pages.line(LineState(rate=460800, block=512))
    pages.state(JobState.CHANGED)
    pages.state(JobState.WRITING)
    pages.written(20480, 40960, clock)
    clock.sleep(15)
    assert pages._entry is not None
    return pages._entry


def finish(entry: JobEntry, clock: Clock) -> Record:
    """End such a job well."""
    entry.fact(WrittenFact(done=40960, total=40960))
    entry.stage("write", "done", elapsed_ms=15000)
    for stage, seconds in (("validate", 4.0), ("activate", 0.2), ("reboot", 141.0), ("confirm", 0.4)):
        entry.stage(stage, "started")
        clock.sleep(seconds)
        entry.stage(stage, "done", elapsed_ms=round(1000 * seconds))
    for state in (JobState.WRITTEN, JobState.MAY_HAVE_STARTED, JobState.STARTED, JobState.CONFIRMED):
        entry.fact(StateFact(state))
    entry.fact(ConfirmedFact(version="BC28JAR01A05"))
    entry.fact(CountersFact(blocks=80, retries=1, longest_silence_ms=1250, boots=1))
    entry.fact(WarningFact(text="the module cannot tell its supply voltage"))

    outbox = Outbox(None, str, pytest.fail, entry.fact)
    reporter = Reporter(cast("Platform", Accepting()), "6523", "fota", outbox)
    reporter.ready(TASK, renew=None, pause=lambda error, _: pytest.fail(str(error)))
    reporter.updated(TASK, TASK.target)
    entry.stage("report", "skipped", "no platform")
    return entry.verdict(Outcome.UPDATED)


def fail(entry: JobEntry) -> Record:
    """End such a job badly."""
    entry.stage("write", "failed", "the module refuses block 41", 7000)
    error = WriteFailed(
        "the module refuses block 41: +CME ERROR: 4",
        hint="The module still runs its old firmware. Check supply and wiring.",
        tried=("block 41 three times", "a fresh write, twice"),
    )
    entry.fact(StateFact(JobState.FAILED))
    entry.fact(ErrorFact.of(error))
    entry.fact(TranscriptFact(path="/home/me/.local/share/atota/t.txt", sha256="a" * 64))
    return entry.verdict(Outcome.WRITE_FAILED)


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
