"""The journal against a model of plain lists: processes open it, write, die, and find what others left."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from atota.clock import SimulatedClock
from atota.errors import AtotaError, LimitReached, Outcome
from atota.journal.store import JobEntry, Journal
from atota.values import Identity
from tests.journal.making import opened

PROCESSES = (0, 1, 2)
IMEIS = ("490154203237518", "356938035643809")
RUNS = ("a", "b")
RAM = Path("/dev/shm")

processes = st.sampled_from(PROCESSES)


@dataclass
class Job:
    """What the model knows of one."""

    id: str
    process: int | None
    rows: list[tuple[str, object]] = field(default_factory=list)
    outcome: Outcome | None = None

    @property
    def imeis(self) -> list[object]:
        return [value for kind, value in self.rows if kind == "module"]


class Journals(RuleBasedStateMachine):
    """Three processes on one journal; each is a `Journal` of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=RAM if RAM.is_dir() else None))
        self.clock = SimulatedClock()
        self.journals = {process: self.start() for process in PROCESSES}
        self.entries: dict[str, JobEntry] = {}
        self.jobs: list[Job] = []
        self.ended: list[Job] = []
        self.reports: list[int] = []
        self.settled: list[int] = []

    def start(self) -> Journal:
        return Journal(self.folder / "j.sqlite3", clock=self.clock)

    def teardown(self) -> None:
        for journal in self.journals.values():
            journal.close()
        shutil.rmtree(self.folder)

    @rule(process=processes, run=st.sampled_from(RUNS), attempt=st.integers(1, 3))
    def open_job(self, process: int, run: str, attempt: int) -> None:
        job = Job(f"{run}-{attempt}", process)
        if any(known.id == job.id for known in self.jobs):
            with pytest.raises(LimitReached):
                self.journals[process].open_job(opened(run, attempt))
            return
        self.entries[job.id] = self.journals[process].open_job(opened(run, attempt))
        self.jobs.append(job)

    def of_living(self) -> list[Job]:
        return [job for job in self.jobs if job.process is not None and job.outcome is None]

    @precondition(lambda self: self.of_living())
    @rule(
        data=st.data(), name=st.sampled_from(["write", "reboot"]), state=st.sampled_from(["started", "done"])
    )
    def stage(self, data: st.DataObject, name: str, state: str) -> None:
        job = data.draw(st.sampled_from(self.of_living()))
        self.entries[job.id].stage(name, state)
        job.rows.append((name, state))

    @precondition(lambda self: self.of_living())
    @rule(data=st.data(), imei=st.sampled_from(IMEIS))
    def module(self, data: st.DataObject, imei: str) -> None:
        job = data.draw(st.sampled_from(self.of_living()))
        self.entries[job.id].fact(Identity(imei=imei))
        job.rows.append(("module", imei))

    @precondition(lambda self: self.of_living())
    @rule(data=st.data(), outcome=st.sampled_from([Outcome.UPDATED, Outcome.WRITE_FAILED]))
    def verdict(self, data: st.DataObject, outcome: Outcome) -> None:
        job = data.draw(st.sampled_from(self.of_living()))
        record = self.entries[job.id].verdict(outcome)
        assert (record.id, record.outcome) == (job.id, outcome)
        self.close(job, outcome)

    def close(self, job: Job, outcome: Outcome) -> None:
        job.outcome = outcome
        self.ended.append(job)

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def write_into_a_job_that_ended(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.ended))
        if job.process is None:
            return
        with pytest.raises(AssertionError):
            self.entries[job.id].verdict(Outcome.UPDATED)
        with pytest.raises(AtotaError):
            self.entries[job.id].stage("write", "started")

    @rule(process=processes)
    def die(self, process: int) -> None:
        self.journals[process].close()
        self.journals[process] = self.start()
        for job in self.jobs:
            if job.process == process:
                job.process = None

    @rule(process=processes)
    def recover(self, process: int) -> None:
        dead = [job for job in self.jobs if job.process is None and job.outcome is None]
        assert [past.id for past in self.journals[process].recover()] == [job.id for job in dead]
        for job in dead:
            self.close(job, Outcome.INTERRUPTED)

    @precondition(lambda self: self.jobs)
    @rule(process=processes, data=st.data())
    def queue(self, process: int, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.jobs))
        self.reports.append(self.journals[process].queue(job.id, {"number": len(self.reports)}))

    @precondition(lambda self: self.reports)
    @rule(process=processes, data=st.data(), delivered=st.booleans())
    def settle(self, process: int, data: st.DataObject, delivered: bool) -> None:
        report = data.draw(st.sampled_from(self.reports))
        if report in self.settled:
            with pytest.raises(AtotaError):
                self.journals[process].settle(report, "delivered")
            return
        self.journals[process].settle(report, "delivered" if delivered else "obsolete")
        self.settled.append(report)

    @rule(seconds=st.integers(-3600, 3600))
    def the_clock_is_set(self, seconds: int) -> None:
        self.clock = SimulatedClock(self.clock.time() + seconds)
        for journal in self.journals.values():
            journal._clock = self.clock

    @invariant()
    def every_process_sees_the_same_and_it_is_right(self) -> None:
        for journal in self.journals.values():
            told = [(record.id, record.outcome) for record in journal.records()]
            assert told == [(job.id, job.outcome) for job in reversed(self.ended)]
            assert [report.id for report in journal.pending()] == [
                report for report in self.reports if report not in self.settled
            ]
        pending = self.journals[0].pending()
        assert [self.reports.index(report.id) for report in pending] == [
            r.document["number"] for r in pending
        ]

    @invariant()
    def every_job_is_as_it_was_written(self) -> None:
        journal = self.journals[0]
        for job in self.jobs:
            past = journal.past(id=job.id)
            assert past is not None
            rows: dict[int, tuple[str, object]] = {row.seq: (row.stage, row.state) for row in past.stages}
            rows |= {
                row.seq: ("module", row.fact.imei) for row in past.facts if isinstance(row.fact, Identity)
            }
            assert len(rows) == len(past.stages) + len(past.facts)
            assert [rows[seq] for seq in range(1, len(rows) + 1)] == job.rows
            assert past.is_alive == (job.process is not None and job.outcome is None)
            assert (past.verdict.outcome if past.verdict else None) == job.outcome

    @invariant()
    def a_module_is_found_by_its_newest_job(self) -> None:
        for imei in IMEIS:
            fits = [job.id for job in self.jobs if imei in job.imeis]
            past = self.journals[1].past(imei=imei)
            assert (past.id if past is not None else None) == (fits[-1] if fits else None)


TestJournals = Journals.TestCase
TestJournals.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
