"""Versions that are coarser than the firmware: the full name is read, compared, shown and written down."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from atota.clock import Clock
from atota.journal.facts import ConfirmedFact, VersionsFact
from atota.journal.store import Journal
from atota.settings.spec import Allowed
from atota.sim.options import Options
from atota.testing.bench import Bench
from atota.update import plan
from atota.update.events import JobResult
from atota.update.plan import AlreadyCurrent, Goal, Proceed
from atota.values import Change, Identity, Versions
from tests.update.streams import ALL

SHORT = "BG95M3LAR02A03"
OLD, NEW = f"{SHORT}_01.012.01.012", f"{SHORT}_01.204.01.204"
SARA = "L0.0.00.00.05.06"
EC25 = "EC25EFAR06A06M4G"
EC25_OLD, EC25_NEW = f"{EC25}_20.200.20.200", f"{EC25}_20.202.20.202"
EC800M = "EC800MCNLAR06A03M08"


MakeJournal = Callable[[Clock], Journal]


@pytest.fixture
def journals(tmp_path: Path) -> Iterator[MakeJournal]:
    with ExitStack() as stack:
        yield lambda clock: stack.enter_context(closing(Journal(tmp_path / "journal.db", clock=clock)))


def texts(version: str | None, full: str | None = None) -> Versions:
    return Versions(version=version, revision=version, full=full)


# -- names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "goal", "change"),
    [
        (texts(SHORT, OLD), texts(SHORT, NEW), NEW, Change.UPDATED),
        (texts(SHORT, OLD), texts(SHORT, NEW), SHORT, Change.UPDATED),
        (texts(SHORT, OLD), texts(SHORT, OLD), NEW, Change.NONE),
        (texts(SHORT, OLD), texts(SHORT, OLD), SHORT, Change.UNTOLD),
        (texts(SHORT), texts(SHORT), NEW, Change.UNTOLD),
        (texts(SHORT), texts(SHORT), SHORT, Change.UNTOLD),
        (texts(SHORT, OLD), texts(SHORT), NEW, Change.UNTOLD),
        (texts(SHORT, OLD), texts(SHORT, f"{SHORT}_01.100.01.100"), NEW, Change.ANOTHER),
        (texts("A1"), texts("A1"), "A2", Change.NONE),
        (texts("A1"), texts("A2"), "A2", Change.UPDATED),
        (texts("A1"), texts("A3"), "A2", Change.ANOTHER),
        (texts(None), texts("A3"), "A2", Change.ANOTHER),
        (texts(SARA, f"{SARA},A.02.00"), texts(SARA, f"{SARA},A.02.01"), "A.02.01", Change.UPDATED),
        (texts(SARA, f"{SARA},A.02.00"), texts(SARA, f"{SARA},A.02.01"), f"{SARA},A.02.01", Change.UPDATED),
        (texts(EC800M, f"{EC800M}_V01"), texts(EC800M, f"{EC800M}_V02"), EC800M, Change.UPDATED),
        (texts(EC800M, f"{EC800M}_V01"), texts(EC800M, f"{EC800M}_V02"), f"{EC800M}V02", Change.UPDATED),
        (texts(EC800M, f"{EC800M}_V01"), texts(EC800M, f"{EC800M}_V01"), f"{EC800M}V02", Change.NONE),
    ],
)
def test_a_change_is_told_by_the_finest_text(
    before: Versions, after: Versions, goal: str, change: Change
) -> None:
    assert after.change_from(before, goal) is change


@pytest.mark.parametrize(
    ("full", "names"),
    [
        (f"{SARA},A.02.00", [f"{SARA},A.02.00", "A.02.00", f"{SARA}_A.02.00"]),
        (f"{SARA}_V02", [f"{SARA}_V02", f"{SARA}V02", f"{SARA} V02", f"{SARA},V02"]),
    ],
)
def test_the_full_name_is_known_in_every_spelling(full: str, names: list[str]) -> None:
    versions = texts(SARA, full)
    assert [name for name in names if not versions.is_exactly(name)] == []
    assert versions.has(SARA)
    assert not versions.is_exactly(SARA)


# -- before the write --------------------------------------------------------------------------------


def decided(goal: str, full: str | None = OLD, *, base: str | None = None) -> plan.Decision:
    identity = Identity(version=SHORT, revision=SHORT, full_version=full)
    return plan.decide(identity, Goal(goal, goal, base=base), Allowed())


def test_the_short_name_of_another_build_is_not_already_current() -> None:
    decision = decided(SHORT)
    assert isinstance(decision, Proceed)
    assert OLD in decision.warnings[0]


def test_a_name_that_differs_in_case_only_is_refused() -> None:
    assert "differ in case only" in str(decided(SHORT.lower()))
    assert "differ in case only" in str(decided(SHORT.lower(), full=None))


def test_the_full_name_that_runs_is_already_current() -> None:
    assert isinstance(decided(OLD), AlreadyCurrent)
    assert isinstance(decided(SHORT, full=None), AlreadyCurrent)


def test_a_full_name_is_compared_with_the_full_version() -> None:
    assert isinstance(decided(NEW), Proceed)
    assert isinstance(decided(NEW, base=OLD), Proceed)
    assert "base version" in str(decided(NEW, base=f"{SHORT}_01.008.01.008"))
    assert "is older than" in str(decided(f"{SHORT}_01.006.01.006"))


# -- whole jobs --------------------------------------------------------------------------------------


def bench(tmp_path: Path, model: str, base: str, target: str, faults: str = "", **how: Any) -> Bench:
    codes = ("014", "01401")  # the platform's table has none of these modules: the user names a row
    options = Options(version=base)
    return Bench(model, faults=faults, options=options, target=target, codes=codes, folder=tmp_path, **how)


def ran(one: Bench, goal: str, **how: Any) -> JobResult:
    return one.run(allowed=ALL, model="BC28", expect_version=goal, **how)


CASES = [
    ("EC25", EC25_OLD, EC25_NEW, EC25),
    ("EC800M", f"{EC800M}_V01", f"{EC800M}_V02", EC800M),
    ("SARA-R410", f"{SARA},A.02.00", f"{SARA},A.02.01", SARA),
    ("SARA-R510", "03.15,A00.01", "03.15,A00.02", "03.15"),
    ("BG95", OLD, NEW, SHORT),
    ("BG96", "BG96MAR02A07M1G_01.007.01.007", "BG96MAR02A07M1G_01.008.01.008", "BG96MAR02A07M1G"),
]


@pytest.mark.parametrize("named", ["full", "short"])
@pytest.mark.parametrize(("model", "base", "target", "short"), CASES, ids=[case[0] for case in CASES])
def test_a_build_of_the_same_short_name_is_updated_by_either_name(
    tmp_path: Path, model: str, base: str, target: str, short: str, named: str
) -> None:
    with bench(tmp_path, model, base, target, task={"target": short}) as one:
        goal = target if named == "full" else short
        result = ran(one, goal)
        assert (result.outcome, result.version_after) == ("updated", goal), result.error
        assert one.module.version == target
        assert one.task.reported[-2:] == [101, 201]
        assert result.identity is not None
        assert result.identity.full_version == base
        assert result.identity.version == short


@pytest.mark.parametrize(("model", "base", "target", "short"), CASES, ids=[case[0] for case in CASES])
def test_a_build_that_an_earlier_job_confirmed_is_already_current_by_its_short_name(
    journals: MakeJournal, tmp_path: Path, model: str, base: str, target: str, short: str
) -> None:
    with bench(tmp_path, model, base, target, task={"target": short}) as one:
        journal = journals(one.clock)
        for outcome in ("updated", "already-current"):
            result = one.flash(allowed=ALL, expect_version=short, journal=journal)
            assert result.outcome == outcome, result.error
        record = journal.records()[-1]
        assert (record.version_after, record.full_version) == (short, base)
        assert record.full_version_after == target


@pytest.mark.parametrize("goal", [EC25_NEW, EC25])
def test_a_rolled_back_build_is_old_only_where_the_names_differ(tmp_path: Path, goal: str) -> None:
    with bench(tmp_path, "EC25", EC25_OLD, EC25_NEW, "rollback", task={"target": EC25}) as one:
        result = ran(one, goal)
        expected = ("old-version", 12) if goal == EC25_NEW else ("unknown-after-reboot", 11)
        assert (result.outcome, result.exit_code) == expected
        assert result.error is not None
        if goal == EC25:
            assert "cannot tell its old firmware from" in result.error.message
            assert "reported that the update succeeded" in result.error.message
            assert 206 not in one.task.reported


def test_where_no_full_version_is_printed_success_is_neither_old_nor_updated(tmp_path: Path) -> None:
    """EC21 answers neither QGMR nor CSUB: the goal's name is finer than all that it prints."""
    base = "EC21EFAR06A04M4G"
    with Bench("EC21", options=Options(accept_any=True, becomes=base), folder=tmp_path) as one:
        result = one.flash(allowed=ALL, expect_version=f"{base}_01.005.01.005")
        assert (result.outcome, result.exit_code) == ("unknown-after-reboot", 11)
        assert result.error is not None
        assert result.error.code == "reboot.same-name"
        assert "--expect-version" in result.error.hint


def test_what_nothing_could_tell_is_not_asked_again(journals: MakeJournal, tmp_path: Path) -> None:
    base = "EC21EFAR06A04M4G"
    with Bench("EC21", options=Options(accept_any=True, becomes=base), folder=tmp_path) as one:
        journal = journals(one.clock)
        one.flash(allowed=ALL, expect_version=f"{base}_01.005.01.005", journal=journal)
        one.flash(allowed=ALL, expect_version=f"{base}_01.005.01.005", journal=journal)
        assert len(one.module.starts) == 2


def test_the_full_version_is_in_the_facts_of_the_journal(journals: MakeJournal, tmp_path: Path) -> None:
    with bench(tmp_path, "EC25", EC25_OLD, EC25_NEW, task={"target": EC25}) as one:
        journal = journals(one.clock)
        result = ran(one, EC25_NEW, journal=journal)
        past = journal.past(id=result.record_id)
        assert past is not None
        assert (past.latest(VersionsFact) or VersionsFact()).before_full == EC25_OLD
        assert past.latest(ConfirmedFact) == ConfirmedFact(EC25_NEW, EC25_NEW)
