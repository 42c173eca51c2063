"""The state of a job: its table, its journal, and every crash on the way."""

import re
import sqlite3

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from atota.clock import SimulatedClock, StopToken
from atota.errors import (
    AtotaError,
    ConfigError,
    Interrupted,
    LimitReached,
    LinkLost,
    Outcome,
    RebootTimeout,
    WriteFailed,
)
from atota.journal.facts import PriorRun, UndoFact, VersionsFact
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.settings.spec import JobSpec
from atota.update import state as state_module
from atota.update.events import JobResult
from atota.update.job_journal import JobJournal, prior_run
from atota.update.state import MEANINGS, TRANSITIONS, AfterCrash, JobMachine, JobState
from atota.values import Identity

S = JobState
BEGUN = frozenset({S.MAY_HAVE_STARTED, S.STARTED, S.CONFIRMED, S.ENDED_OLD, S.ENDED_UNKNOWN})
"""The states in which the update may have begun."""
IMEI = "490154203237518"


# -- the table -----------------------------------------------------------------------------------------


def test_every_state_has_its_transitions_and_its_meaning() -> None:
    assert set(TRANSITIONS) == set(MEANINGS) == set(S)
    assert all(after <= set(S) for after in TRANSITIONS.values())


def test_the_docstring_names_every_transition_and_no_other() -> None:
    listed = (state_module.__doc__ or "").partition("The transitions, and the reason of each:")[2]
    names = "|".join(state.name for state in S)
    group = rf"(?:{names})(?:, (?:{names}))*"
    told = {
        (JobState[before], JobState[after])
        for befores, afters in re.findall(rf"({group}) -> ({group})(?=[:.])", listed)
        for before in befores.split(", ")
        for after in afters.split(", ")
    }
    assert told == {(before, after) for before, afters in TRANSITIONS.items() for after in afters}


def test_what_may_have_begun_is_neither_undone_nor_interrupted_nor_forgotten() -> None:
    for state, meaning in MEANINGS.items():
        assert meaning.may_undo == (state not in BEGUN), state
        assert meaning.must_not_interrupt == (state in BEGUN), state
        assert (meaning.after_crash is AfterCrash.CONFIRM) == (state in BEGUN), state


@pytest.mark.parametrize("before", S)
def test_no_transition_outside_the_table_is_possible(before: JobState) -> None:
    for after in set(S) - TRANSITIONS[before] - {before}:
        written: list[JobState] = []
        machine = JobMachine(written.append, StopToken())
        machine.state = before
        with pytest.raises(AssertionError, match="cannot go from"):
            machine.to(after)
        assert (machine.state, written) == (before, []), "it was written"


@pytest.mark.parametrize("before", S)
def test_a_transition_is_written_before_it_is_held(before: JobState) -> None:
    for after in TRANSITIONS[before] | {before}:
        held: list[tuple[JobState, JobState]] = []
        machine = JobMachine(lambda state: held.append((state, machine.state)), StopToken())  # noqa: B023
        machine.state = before
        with machine:
            machine.to(after)
            assert machine.state is after
        assert held == [(after, before)]


@pytest.mark.parametrize("state", S)
def test_a_failed_job_ends_its_state_only_where_nothing_was_started(state: JobState) -> None:
    machine = JobMachine(lambda _: None, StopToken())
    machine.state = state
    machine.fail()
    assert machine.state is (state if state in BEGUN or state is S.FAILED else S.FAILED)


def test_a_job_inherits_only_before_its_first_transition() -> None:
    machine = JobMachine(lambda _: None, StopToken())
    machine.to(S.CHANGED)
    with pytest.raises(AssertionError):
        machine.inherit(S.WRITING)


def test_one_request_to_stop_is_only_noted_while_the_target_may_be_updating() -> None:
    stop = StopToken()
    with JobMachine(lambda _: None, stop) as machine:
        machine.to(S.CHANGED)
        machine.to(S.MAY_HAVE_STARTED)
        stop.set()
        assert (stop.is_noted, stop.is_set) == (True, False)
        machine.to(S.STARTED)
        assert not stop.is_set, "the shield is not put up twice"
        stop.set()
        assert stop.is_set
    stop = StopToken()
    with JobMachine(lambda _: None, stop) as machine:
        machine.to(S.CHANGED)
        machine.to(S.MAY_HAVE_STARTED)
        machine.to(S.CHANGED)
        stop.set()
        assert stop.is_set


@pytest.mark.parametrize("state", S)
def test_an_interrupted_job_gives_the_advice_of_its_state(state: JobState) -> None:
    machine = JobMachine(lambda _: None, StopToken())
    machine.state = state
    words = "Leave the module powered" if state in BEGUN else "still runs what it ran before"
    assert words in machine.advice


# -- the journal ---------------------------------------------------------------------------------------


class Desk:
    """One process: its journal, the job's pages, the machine. What is on the disk outlives it."""

    def __init__(self, disk: sqlite3.Connection, run: str, prior: PriorRun | None = None) -> None:
        self.clock = SimulatedClock()
        self.is_broken = False
        self.dies_after: int | None = None
        self.warnings: list[str] = []
        self.journal = Journal.on(
            disk, clock=self.clock, owner=run, before_write=self._before, after_write=self._after
        )
        self.stop = StopToken()
        self.pages = JobJournal(
            self.journal,
            Opened(run=run, attempt=1, command="flash", port="p"),
            clock=self.clock,
            may_fail=lambda: self.machine.must_not_interrupt,
            warn=self.warnings.append,
        )
        self.machine = JobMachine(self.pages.state, self.stop)
        self.pages.begin(JobSpec(port="p"), Identity(imei=IMEI), None, prior)

    def _before(self, _table: str) -> None:
        if self.is_broken:
            raise ConfigError("the journal cannot be used")

    def _after(self, _table: str) -> None:
        if self.dies_after is not None:
            raise PowerFailedError


class PowerFailedError(BaseException):
    """The process is gone."""


@pytest.fixture
def disk() -> sqlite3.Connection:
    return sqlite3.connect(":memory:")


def on_disk(disk: sqlite3.Connection) -> PriorRun | None:
    reader = Journal.on(disk, clock=SimulatedClock(), owner="the next one")
    return prior_run(reader.past(imei=IMEI))


WAYS = {
    S.CHANGED: (),
    S.WRITING: (S.CHANGED,),
    S.WRITTEN: (S.CHANGED, S.WRITING),
    S.MAY_HAVE_STARTED: (S.CHANGED, S.WRITING, S.WRITTEN),
}


@pytest.mark.parametrize("state", WAYS)
def test_a_journal_that_fails_before_the_start_ends_the_job(
    disk: sqlite3.Connection, state: JobState
) -> None:
    desk = Desk(disk, "r")
    for before in WAYS[state]:
        desk.machine.to(before)
    desk.is_broken = True
    held = desk.machine.state
    with pytest.raises(ConfigError):
        desk.machine.to(state)
    assert desk.machine.state is held
    assert desk.warnings == []
    assert desk.machine.may_undo


def test_a_journal_that_fails_at_the_end_is_a_warning(disk: sqlite3.Connection) -> None:
    desk = Desk(disk, "r")
    desk.machine.to(S.CHANGED)
    desk.is_broken = True
    desk.machine.fail()
    assert desk.machine.state is S.FAILED
    assert desk.warnings == ["this job's record ends here: the journal cannot be used"]
    prior = on_disk(disk)
    assert prior is not None
    assert prior.state is S.CHANGED


@pytest.mark.parametrize("state", sorted(TRANSITIONS[S.MAY_HAVE_STARTED]))
def test_a_journal_that_fails_after_the_start_is_a_warning(disk: sqlite3.Connection, state: JobState) -> None:
    desk = Desk(disk, "r")
    desk.machine.to(S.MAY_HAVE_STARTED)
    desk.is_broken = True
    desk.machine.to(state)
    assert desk.machine.state is state
    assert desk.warnings == ["this job's record ends here: the journal cannot be used"]
    desk.pages.fact(VersionsFact())
    assert len(desk.warnings) == 1
    prior = on_disk(disk)
    assert prior is not None
    assert prior.state is S.MAY_HAVE_STARTED


@pytest.mark.parametrize(
    ("state", "outcome", "left"),
    [
        (S.WRITING, Outcome.INTERRUPTED, S.WRITING),
        (S.WRITTEN, Outcome.TIMEOUT, S.WRITTEN),
        (S.STARTED, Outcome.PORT, S.STARTED),
        (S.ENDED_UNKNOWN, Outcome.UNKNOWN_AFTER_REBOOT, S.MAY_HAVE_STARTED),
        (S.CONFIRMED, Outcome.UPDATED, None),
        (S.ENDED_OLD, Outcome.OLD_VERSION, None),
        (S.FAILED, Outcome.WRITE_FAILED, None),
    ],
)
def test_a_job_that_ends_without_settling_its_task_is_read_like_one_that_was_cut_off(
    disk: sqlite3.Connection, state: JobState, outcome: Outcome, left: JobState | None
) -> None:
    journal = Journal.on(disk, clock=SimulatedClock(), owner="r")
    pages = JobJournal(
        journal,
        Opened(run="r", attempt=1, command="flash", port="p"),
        clock=SimulatedClock(),
        may_fail=lambda: False,
        warn=pytest.fail,
    )
    pages.begin(JobSpec(port="p"), Identity(imei=IMEI), None, None)
    pages.state(S.MAY_HAVE_STARTED)
    pages.state(state)
    cut_off = on_disk(disk)
    assert cut_off is not None
    assert pages._entry is not None
    pages._entry.verdict(outcome)
    prior = on_disk(disk)
    assert (prior.state if prior is not None else None) is left
    assert prior in (None, cut_off)


def test_a_run_goes_on_after_an_attempt_that_died_before_its_identity_was_written(
    disk: sqlite3.Connection,
) -> None:
    journal = Journal.on(disk, clock=SimulatedClock(), owner="r")
    journal.open_job(Opened(run="r", attempt=1, command="flash", port="p")).fact(Identity(imei=IMEI))
    prior = on_disk(disk)
    assert prior is not None
    journal.open_job(Opened(run="r", attempt=2, command="flash", port="p"))
    later = Journal.on(disk, clock=SimulatedClock(), owner="another")
    later.recover()
    pages = JobJournal(
        later,
        Opened(run="new", attempt=1, command="flash", port="p"),
        clock=SimulatedClock(),
        may_fail=lambda: False,
        warn=pytest.fail,
    )
    pages.begin(JobSpec(port="p"), Identity(imei=IMEI), None, prior)
    assert (pages.id, pages.opened.resumes) == ("r-3", "r-1")


def test_a_job_whose_verdict_found_no_room_is_dead_for_the_next_one_of_its_process(
    disk: sqlite3.Connection,
) -> None:
    full: list[str] = []

    def before_write(_table: str) -> None:
        if full:
            raise LimitReached("the disk is full")

    journal = Journal.on(disk, clock=SimulatedClock(), owner="r", before_write=before_write)
    pages = JobJournal(
        journal,
        Opened(run="r", attempt=1, command="flash", port="p"),
        clock=SimulatedClock(),
        may_fail=lambda: False,
        warn=full.append,
    )
    pages.begin(JobSpec(port="p"), Identity(imei=IMEI), None, None)
    full.append("now")
    pages.end(JobSpec(port="p"), JobResult(outcome=Outcome.UPDATED, exit_code=0))
    full.clear()
    past = journal.past(imei=IMEI)
    assert past is not None
    assert not past.is_alive
    assert [closed.id for closed in journal.recover()] == ["r-1"]


# -- every way, every crash ----------------------------------------------------------------------------

ERRORS = (Interrupted("Ctrl-C"), LinkLost("the port"), RebootTimeout("no answer"))


class Jobs(RuleBasedStateMachine):
    """Runs on one module, with a model of the truth: has it been changed, may its update have begun?

    `written_states` is what is on the disk, `is_changed` and `may_have_begun` what was done to the module.
    What is done follows its transition, so a crash between the two leaves it undone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.disk = sqlite3.connect(":memory:")
        self.runs = 0
        self.is_changed = self.may_have_begun = self.is_settled = False
        self.is_inherited = False
        self.undo: tuple[str, ...] = ()
        self.begun_for = VersionsFact()
        self.desk: Desk | None = None

    def teardown(self) -> None:
        self.disk.close()

    # -- a process begins and ends ---------------------------------------------------------------

    @initialize()
    def first_run(self) -> None:
        self.begin()

    @precondition(lambda self: self.desk is None)
    @rule()
    def begin(self) -> None:
        """As `Job._run` does it."""
        prior = on_disk(self.disk)
        self.runs += 1
        self.is_settled = False
        self.desk = Desk(self.disk, f"run{self.runs}", prior)
        self.machine.__enter__()
        duty = AfterCrash.NOTHING if prior is None else MEANINGS[prior.state].after_crash
        self.is_inherited = duty is not AfterCrash.NOTHING
        self.undo = prior.undo if prior is not None and duty is AfterCrash.WRITE_AGAIN else ()
        if prior is not None and self.is_inherited:
            self.machine.inherit(prior.state)

    def plan(self) -> VersionsFact:
        """Write the versions down, as a job does before it touches anything."""
        assert self.desk is not None
        versions = VersionsFact(target=f"version of run {self.runs}")
        self.desk.pages.fact(versions)
        return versions

    @property
    def machine(self) -> JobMachine:
        assert self.desk is not None
        return self.desk.machine

    def go(self, state: JobState, *, dies: bool) -> bool:
        """Make a transition; False if the power fails between its write and its hold."""
        assert self.desk is not None
        if not dies:
            self.machine.to(state)
            self.is_inherited = False
            return True
        self.desk.dies_after = 1
        with pytest.raises(PowerFailedError):
            self.machine.to(state)
        self.crash()
        return False

    @precondition(lambda self: self.desk is not None)
    @rule()
    def crash(self) -> None:
        self.desk = None

    @precondition(lambda self: self.desk is not None)
    @rule(error=st.sampled_from(ERRORS))
    def end_unsettled(self, error: AtotaError) -> None:
        self.end(error)
        self.is_settled = False

    def end(self, error: AtotaError) -> None:
        assert self.desk is not None
        if error.outcome.is_settled:
            self.machine.fail()
        self.machine.__exit__(None, None, None)
        assert self.desk.pages._entry is not None
        self.desk.pages._entry.verdict(error.outcome)
        self.desk = None

    @precondition(lambda self: self.desk is not None and self.machine.may_undo)
    @rule()
    def end_settled_with_nothing_started(self) -> None:
        """Everything is taken back, then the job ends."""
        self.is_changed = False
        self.end(WriteFailed("the module refuses"))
        self.is_settled = True

    @precondition(lambda self: self.desk is not None and self.machine.state in (S.CONFIRMED, S.ENDED_OLD))
    @rule()
    def end_settled_after_the_update(self) -> None:
        assert self.desk is not None
        outcome = Outcome.UPDATED if self.machine.state is S.CONFIRMED else Outcome.OLD_VERSION
        self.machine.__exit__(None, None, None)
        assert self.desk.pages._entry is not None
        self.desk.pages._entry.verdict(outcome)
        self.desk = None
        self.is_settled = True
        self.is_changed = self.may_have_begun = False

    # -- what a job does -------------------------------------------------------------------------

    def is_in(self, *states: JobState) -> bool:
        return self.desk is not None and self.machine.state in states

    @precondition(lambda self: self.is_in(S.UNTOUCHED, S.CHANGED, S.WRITING, S.WRITTEN))
    @rule(dies=st.booleans())
    def prepare(self, dies: bool) -> None:
        self.plan()
        if self.go(S.CHANGED, dies=dies):
            assert self.desk is not None
            if not self.undo:
                self.undo = ("AT+CFUN=1",)
                self.desk.pages.fact(UndoFact(self.undo))
            self.is_changed = True

    @precondition(lambda self: self.is_in(S.CHANGED))
    @rule(dies=st.booleans())
    def write(self, dies: bool) -> None:
        self.go(S.WRITING, dies=dies)

    @precondition(lambda self: self.is_in(S.CHANGED, S.WRITING) and not self.is_inherited)
    @rule(dies=st.booleans())
    def written(self, dies: bool) -> None:
        self.go(S.WRITTEN, dies=dies)

    @precondition(lambda self: self.is_in(S.UNTOUCHED, S.CHANGED, S.WRITING, S.WRITTEN))
    @rule(dies=st.booleans())
    def start(self, dies: bool) -> None:
        """The start command, or a target that starts by itself once it is made ready."""
        versions = self.plan()
        if self.go(S.MAY_HAVE_STARTED, dies=dies):
            self.may_have_begun = True
            self.begun_for = versions

    @precondition(lambda self: self.is_in(S.MAY_HAVE_STARTED) and not self.is_inherited)
    @rule(dies=st.booleans())
    def says_that_it_starts(self, dies: bool) -> None:
        self.go(S.STARTED, dies=dies)

    @precondition(lambda self: self.is_in(S.MAY_HAVE_STARTED) and not self.is_inherited)
    @rule(dies=st.booleans(), after=st.sampled_from([S.WRITTEN, S.CHANGED]))
    def refused_or_lost(self, dies: bool, after: JobState) -> None:
        """It is known by now that the update has not begun."""
        self.may_have_begun = False
        self.go(after, dies=dies)

    @precondition(lambda self: self.is_in(S.MAY_HAVE_STARTED, S.STARTED))
    @rule(dies=st.booleans(), after=st.sampled_from([S.CONFIRMED, S.ENDED_OLD, S.ENDED_UNKNOWN]))
    def came_back(self, dies: bool, after: JobState) -> None:
        self.go(after, dies=dies)

    @precondition(lambda self: self.is_in(S.MAY_HAVE_STARTED, S.STARTED) and self.is_inherited)
    @rule(dies=st.booleans())
    def did_not_take_place(self, dies: bool) -> None:
        self.is_changed = self.may_have_begun = False
        self.go(S.UNTOUCHED, dies=dies)

    @precondition(lambda self: self.is_in(S.CONFIRMED))
    @rule(dies=st.booleans())
    def was_not_what_this_job_is_for(self, dies: bool) -> None:
        """It is reported before."""
        self.is_changed = self.may_have_begun = False
        self.go(S.UNTOUCHED, dies=dies)

    # -- what always holds -----------------------------------------------------------------------

    @invariant()
    def the_journal_never_claims_less_than_was_done(self) -> None:
        prior = on_disk(self.disk)
        duty = AfterCrash.NOTHING if prior is None else MEANINGS[prior.state].after_crash
        if self.is_settled and self.desk is None:
            assert prior is None
            return
        if self.may_have_begun:
            assert prior is not None
            assert duty is AfterCrash.CONFIRM
            assert prior.versions == self.begun_for
        elif self.is_changed:
            assert prior is not None
            assert duty is not AfterCrash.NOTHING
            assert prior.undo == ("AT+CFUN=1",)

    @invariant()
    def what_may_have_begun_is_not_undone(self) -> None:
        if self.desk is not None:
            assert not (self.machine.may_undo and self.may_have_begun)
            assert self.machine.must_not_interrupt or not self.may_have_begun

    @invariant()
    def the_shield_is_up_exactly_while_the_target_must_not_be_interrupted(self) -> None:
        if self.desk is not None and not self.is_inherited:
            assert (self.desk.stop._needed > 1) == self.machine.must_not_interrupt


TestJobs = Jobs.TestCase
TestJobs.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
