"""A job on another kind of target and another kind of platform: the seams hold, the promises, too."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atota.clock import SimulatedClock, StopToken
from atota.errors import Interrupted, LinkLost, ModuleError, NoAnswer, RebootTimeout, SlotLost, WriteFailed
from atota.journal.facts import KINDS, kind_of
from atota.journal.model import PastJob
from atota.journal.store import Journal
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.settings.spec import JobSpec, LocalPackage
from atota.update.events import JobEvent, JobResult, StageEvent
from atota.update.job import Job
from atota.update.state import JobState
from atota.values import Digests, Refusal
from tests.update.chip import NEW, OLD, PACKAGE, Chip, ChipOpener, Killed, Shelf

S = JobState


class Lab:
    """One chip, one shelf and one disk, and the processes that work on them."""

    def __init__(self, folder: Path, *, from_shelf: bool) -> None:
        self.chip = Chip()
        self.shelf = Shelf()
        self.disk = sqlite3.connect(":memory:")
        self.clock = SimulatedClock()
        self.stop = StopToken()
        self.on_event: Callable[[JobEvent], None] = lambda _: None
        self.events: list[JobEvent] = []
        self._is_dead = False
        self._processes = 0
        self._folder = folder
        self._from_shelf = from_shelf
        self._file = folder / "p.bin"
        self._file.write_bytes(PACKAGE)

    def run(self, **spec: Any) -> JobResult | None:
        """One job in a process of its own; None if it was killed."""
        self.events, self.stop, self._is_dead = [], StopToken(), False
        self._processes += 1
        journal = Journal.on(
            self.disk, clock=self.clock, owner=f"{self._processes}", before_write=lambda _: self.alive()
        )
        if self._from_shelf:
            job = JobSpec(port="chip", dev_id="1", **spec)
        else:
            package = LocalPackage(self._file, Digests.of(PACKAGE).md5, NEW)
            job = JobSpec(port="chip", package=package, **spec)
        try:
            return Job(
                job,
                platform=self.shelf if self._from_shelf else None,
                downloader=Downloader(self.shelf, self.clock, Cache(self._folder))
                if self._from_shelf
                else None,
                listener=self.listen,
                stop=self.stop,
                clock=self.clock,
                journal=journal,
                targets=ChipOpener(self.chip),
            ).run()
        except Killed:
            return None

    def listen(self, event: JobEvent) -> None:
        self.alive()
        self.events.append(event)
        self.on_event(event)

    def alive(self) -> None:
        if self._is_dead:
            raise Killed

    def kill(self) -> None:
        self._is_dead = True
        raise Killed

    def at(self, stage: str, action: Callable[[], object]) -> None:
        """Do something as a stage begins, once."""

        def on_event(event: JobEvent) -> None:
            if isinstance(event, StageEvent) and (event.stage, event.state) == (stage, "started"):
                self.on_event = lambda _: None
                action()

        self.on_event = on_event

    def past(self) -> PastJob:
        past = Journal.on(self.disk, clock=self.clock).past(port="chip")
        assert past is not None
        return past

    @property
    def stages(self) -> list[str]:
        return [e.stage for e in self.events if isinstance(e, StageEvent) and e.state == "started"]


@pytest.fixture(params=[False, True], ids=["flash", "update"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    return Lab(tmp_path, from_shelf=request.param)


def ended(lab: Lab, outcome: str, version: str, *, told: list[str]) -> JobResult:
    """Run one job, and hold its promises against the truth."""
    result = lab.run()
    assert result is not None
    assert result.outcome == outcome, result.error
    assert lab.chip.version == version
    assert all(lab.chip.starts), "something was started that was not the package"
    assert lab.shelf.told == (told if lab._from_shelf else [])
    return result


SUCCESS = ["101", "201", f"version {NEW}"]


def test_a_chip_is_updated(lab: Lab) -> None:
    result = ended(lab, "updated", NEW, told=SUCCESS)
    assert (result.version_before, result.version_after) == (OLD, NEW)
    assert lab.past().states == [
        S.CHANGED, S.WRITING, S.WRITTEN, S.MAY_HAVE_STARTED, S.STARTED, S.CONFIRMED,
    ]  # fmt: skip
    again = lab.run()
    assert again is not None
    assert again.outcome == ("no-task" if lab._from_shelf else "already-current")
    assert len(lab.chip.starts) == 1


def test_the_start_is_on_the_disk_before_the_chip_is_told(lab: Lab) -> None:
    seen: list[list[JobState]] = []
    lab.chip.faults["activate"] = [lambda: seen.append(lab.past().states)]
    ended(lab, "updated", NEW, told=SUCCESS)
    assert [states[-1] for states in seen] == [S.MAY_HAVE_STARTED]


def test_an_update_that_ends_with_the_old_version_is_no_success(lab: Lab) -> None:
    lab.chip.is_faulty = True
    ended(lab, "old-version", OLD, told=["101", "206"])
    assert lab.past().states[-1] is S.ENDED_OLD
    assert not lab.chip.is_locked, "what was started is not undone"


@pytest.mark.parametrize("call", ["prepare", "write", "validate"])
@pytest.mark.parametrize("lost", [SlotLost("it restarted"), LinkLost("unplugged"), NoAnswer("silence")])
def test_a_slot_that_is_lost_is_written_again(lab: Lab, call: str, lost: Exception) -> None:
    lab.chip.faults[call] = [lost, lost]
    result = ended(lab, "updated", NEW, told=SUCCESS)
    assert len(result.warnings) == 2
    assert lab.past().states.count(S.CHANGED) == 3


def test_a_slot_that_is_lost_too_often_ends_the_job(lab: Lab) -> None:
    lab.chip.faults["write"] = [SlotLost("it restarted")] * 3
    ended(lab, "write-failed", OLD, told=[])
    assert lab.chip.is_locked
    assert lab.past().states[-1] is S.FAILED


def test_a_start_that_is_lost_is_made_again(lab: Lab) -> None:
    lab.chip.ignores_starts = 1
    ended(lab, "updated", NEW, told=SUCCESS)
    assert lab.past().states[3:5] == [S.MAY_HAVE_STARTED, S.CHANGED]


def test_a_port_that_is_gone_is_the_end_and_the_next_job_goes_on(lab: Lab) -> None:
    lab.chip.faults["write"] = [lambda: None, lambda: setattr(lab.chip, "is_gone", True)]
    result = ended(lab, "port", OLD, told=[])
    assert result.error is not None
    assert lab.past().states[-1] is S.WRITING, "it did not settle its task"
    lab.chip.is_gone = False
    assert ended(lab, "updated", NEW, told=SUCCESS).resumes == result.record_id


@pytest.mark.parametrize("has_taken_it", [True, False])
def test_a_port_that_is_gone_in_the_start_is_not_undone(lab: Lab, has_taken_it: bool) -> None:
    def lose() -> None:
        if has_taken_it:
            lab.chip.start()
        lab.chip.is_gone = True
        raise LinkLost("unplugged")

    lab.chip.faults["activate"] = [lose]
    result = lab.run()
    assert result is not None
    assert result.outcome == "port"
    assert result.error is not None
    assert "Leave the module powered" in result.error.hint
    assert lab.past().states[-1] is S.MAY_HAVE_STARTED
    lab.chip.is_gone = False
    ended(lab, "updated", NEW, told=["101", "201", f"version {NEW}"] if has_taken_it else ["101", *SUCCESS])
    assert len(lab.chip.starts) == 1


def test_a_refused_start_is_undone(lab: Lab) -> None:
    lab.chip.faults["activate"] = [WriteFailed("no")]
    ended(lab, "write-failed", OLD, told=["101"])
    assert lab.past().states[-2:] == [S.WRITTEN, S.FAILED]
    assert lab.chip.is_locked


def test_a_chip_that_must_not_be_written_is_not(lab: Lab) -> None:
    lab.chip.refusal = Refusal("it is worn out", "Replace it.")
    result = ended(lab, "refused", OLD, told=[])
    assert (
        (result.error.message, result.error.hint) == ("it is worn out", "Replace it.")
        if result.error
        else False
    )
    assert "prepare" not in lab.chip.calls


@pytest.mark.parametrize(
    ("stage", "state", "words"),
    [
        ("write", S.CHANGED, "still runs what it ran before"),
        ("validate", S.WRITING, "still runs what it ran before"),
        ("activate", S.WRITTEN, "still runs what it ran before"),
        ("reboot", S.STARTED, "Leave the module powered"),
        ("confirm", S.STARTED, "Leave the module powered"),
    ],
)
def test_an_interruption_gives_the_advice_of_its_state(
    lab: Lab, stage: str, state: JobState, words: str
) -> None:
    call = {"reboot": "wait", "activate": ""}.get(stage, stage)

    def interrupt() -> None:
        for _ in range(2):  # where the target must not be interrupted, one is only noted
            lab.stop.set()
        lab.chip.faults[call] = [lambda: raise_interrupted(lab)]

    lab.at(stage, interrupt)
    result = lab.run()
    assert result is not None
    assert result.outcome == "interrupted"
    assert result.error is not None
    assert f"(in stage {stage})" in result.error.message
    assert words in result.error.hint
    assert lab.past().states[-1] is (S.WRITING if stage == "write" else state)
    assert lab.chip.is_locked == (state not in (S.STARTED,))


def raise_interrupted(lab: Lab) -> None:
    if lab.stop.is_set:
        raise Interrupted("stopped by the user")


@pytest.mark.parametrize("stage", ["reboot", "confirm", "report"])
def test_one_request_to_stop_does_not_interrupt_an_update(lab: Lab, stage: str) -> None:
    lab.at(stage, lambda: lab.stop.set())
    for call in ("wait", "confirm"):
        lab.chip.faults[call] = [lambda: raise_interrupted(lab)]
    ended(lab, "updated", NEW, told=SUCCESS)


@pytest.mark.parametrize(
    "stage", ["identify", "plan", "verify", "prepare", "write", "validate", "activate", "reboot", "confirm"]
)
def test_a_job_that_was_killed_is_finished_by_the_next(lab: Lab, stage: str) -> None:
    lab.at(stage, lab.kill)
    assert lab.run() is None
    result = ended(lab, "updated", NEW, told=["101", *SUCCESS] if stage == "activate" else SUCCESS)
    assert (result.version_before, result.version_after) == (OLD, NEW)
    assert len(lab.chip.starts) == 1
    assert ("write" in lab.stages) == (stage not in ("reboot", "confirm"))


def test_a_write_that_was_cut_off_goes_on_behind_what_the_chip_has(lab: Lab) -> None:
    lab.chip.faults["write"] = [*[lambda: None] * 9, lab.kill]
    assert lab.run() is None
    whole = len(lab.chip.slot)
    assert 0 < whole < len(PACKAGE)
    lab.chip.calls.clear()
    ended(lab, "updated", NEW, told=SUCCESS)
    assert lab.chip.calls.count("write") <= (len(PACKAGE) - whole) // 256 + 2


def test_a_chip_that_does_not_come_back_is_looked_for_by_the_next_job(lab: Lab) -> None:
    lab.chip.faults["wait"] = [RebootTimeout("it does not come back")]
    first = lab.run()
    assert first is not None
    assert first.outcome == "unknown-after-reboot"
    assert lab.past().states[-1] is S.ENDED_UNKNOWN
    lab.chip.faults["identify"] = [ModuleError("silence")]
    ended(lab, "updated", NEW, told=SUCCESS)
    assert "await_return" in lab.chip.calls
    assert len(lab.chip.starts) == 1


def test_a_chip_that_starts_by_itself_may_have_begun_once_it_is_ready(tmp_path: Path) -> None:
    lab = Lab(tmp_path, from_shelf=True)
    lab.chip.starts_itself = True
    lab.chip.faults["prepare"] = [lab.kill]
    assert lab.run() is None
    assert lab.past().states == [S.MAY_HAVE_STARTED]
    lab.chip.version = NEW  # meanwhile
    result = ended(lab, "updated", NEW, told=["201", f"version {NEW}"])
    assert result.version_before == OLD


def test_a_chip_that_starts_by_itself_is_updated(tmp_path: Path) -> None:
    lab = Lab(tmp_path, from_shelf=True)
    lab.chip.starts_itself = True
    lab.at("reboot", lab.kill)
    assert lab.run() is None
    assert set(lab.past().states) == {S.MAY_HAVE_STARTED, S.STARTED}
    result = ended(lab, "updated", NEW, told=["201", f"version {NEW}"])
    assert result.version_before == OLD
    assert not lab.chip.is_locked


def test_the_record_says_what_the_platform_was_told(lab: Lab) -> None:
    result = ended(lab, "updated", NEW, told=SUCCESS)
    record = Journal.on(lab.disk, clock=lab.clock).record(result.record_id)
    words = ["101: package downloaded", "201: upgraded", f"version {NEW}"] if lab._from_shelf else []
    assert record.told == result.told == words
    assert record.state is S.CONFIRMED


def test_every_kind_of_fact_but_a_station_s_is_written_by_some_job(tmp_path: Path) -> None:
    lab = Lab(tmp_path, from_shelf=True)
    transcript = tmp_path / "t.txt"
    transcript.write_text("a conversation")
    lab.chip.faults["write"] = [SlotLost("it restarted"), lambda: setattr(lab.chip, "is_gone", True)]
    assert lab.run(transcript=transcript) is not None
    kinds = {kind_of(row.fact) for row in lab.past().facts}
    lab.chip.is_gone = False
    ended(lab, "updated", NEW, told=SUCCESS)
    assert kinds | {kind_of(row.fact) for row in lab.past().facts} == set(KINDS) - {"station", "release"}
