"""The job after one that was cut off: what it takes up, what it does anew, and what it only waits for."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atota.clock import SimulatedClock
from atota.journal.facts import JobState, StateFact, VersionsFact
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.update.events import JobResult, Note, StageEvent
from atota.values import Identity
from scripts.simulate_parts.scenario import Scenario
from scripts.simulate_parts.world import World

MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    worlds: list[World] = []

    def make(model: str = "BC28", *faults: str, **how: Any) -> World:
        folder = tmp_path / str(len(worlds))
        folder.mkdir()
        worlds.append(World(Scenario(seed=1, model=model, faults=faults, **how), folder))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


def again(world: World, *, pause_s: float = 5.0, power_cycle: bool = False, **change: Any) -> JobResult:
    """The next job on the same world, with nothing going wrong any more."""
    world.clock.sleep(pause_s)
    world.heal(power_cycle=power_cycle)
    world.change = change
    result = world.attempt()
    assert result is not None
    return result


def notes(world: World) -> str:
    return "\n".join(event.text for event in world.events if isinstance(event, Note))


def stages(world: World) -> list[str]:
    return [e.stage for e in world.events if isinstance(e, StageEvent) and e.state == "started"]


def sent(world: World, what: bytes) -> int:
    return bytes(world.spoken).count(what)


# -- the write ---------------------------------------------------------------------------------------


def test_a_write_goes_on_where_the_module_stopped(make_world: MakeWorld) -> None:
    world = make_world("NB86-G", "h/kill-command:100", size=40_960)
    assert world.attempt() is None
    stored = sent(world, b"AT+NFWUPD=1,")
    world.spoken.clear()
    result = again(world)
    assert result.outcome == "updated"
    assert "continuing behind them" in notes(world)
    assert sent(world, b"AT+NFWUPD=0\r") == 0, "the slot was erased"
    assert sent(world, b"AT+NFWUPD=1,") < 160 - stored + 30
    assert world.started_whole == [True]


@pytest.mark.parametrize("commands", range(27, 34))
def test_blocks_0_and_1_are_never_gone_on_with(make_world: MakeWorld, commands: int) -> None:
    world = make_world("NB86-G", f"h/kill-command:{commands}", size=4096)
    assert world.attempt() is None
    stored = sent(world, b"AT+NFWUPD=1,")
    world.spoken.clear()
    assert again(world).outcome == "updated"
    if stored <= 2:
        assert "continuing behind them" not in notes(world)
        assert sent(world, b"AT+NFWUPD=0\r") == 1
    assert world.started_whole == [True]


def test_a_module_that_rebooted_meanwhile_is_written_anew(make_world: MakeWorld) -> None:
    world = make_world("NB86-G", "h/kill-command:100", size=40_960)
    assert world.attempt() is None
    world.spoken.clear()
    assert again(world, power_cycle=True).outcome == "updated"
    assert "continuing behind them" not in notes(world)
    assert sent(world, b"AT+NFWUPD=0\r") == 1
    assert world.started_whole == [True]


UNPROVEN = ("BC28", "BC95-B8", "SARA-N200", "EC616", "ENS22", "SIM7020C", "EC21", "SARA-R410")


@pytest.mark.parametrize("model", UNPROVEN)
def test_where_nothing_proves_the_slot_it_is_written_anew(make_world: MakeWorld, model: str) -> None:
    world = make_world(model, "h/kill-stage:write", size=4096)
    assert world.attempt() is None
    assert again(world).outcome == "updated"
    assert "continuing behind them" not in notes(world)
    assert world.started_whole == [True]


@pytest.mark.parametrize("read_back", [True, False])
def test_a_file_is_gone_on_with_only_if_it_is_read_back(make_world: MakeWorld, read_back: bool) -> None:
    world = make_world("SIM7000C", "h/kill-command:42", size=40_960, read_back=read_back)
    assert world.attempt() is None
    assert world.module.slot, "it was killed before anything was written"
    assert again(world, pause_s=20.0).outcome == "updated"
    assert ("continuing behind them" in notes(world)) == read_back
    assert world.started_whole == [True]


def test_what_was_changed_is_given_back_when_the_next_job_has_nothing_to_do(make_world: MakeWorld) -> None:
    world = make_world("BC28", "h/kill-stage:write")
    assert world.attempt() is None
    assert world.module.settings.values[b"CFUN"] == b"0"
    world.task.cancel()
    assert again(world).outcome == "no-task"
    assert world.module.settings.values[b"CFUN"] == b"1"


# -- the update that was started ---------------------------------------------------------------------


@pytest.mark.parametrize("model", ["BC28", "M5310-A", "SARA-N200", "SIM7000C", "ME3616", "BC26"])
@pytest.mark.parametrize("pause_s", [0.0, 20.0, 700.0])
def test_an_update_that_was_started_is_only_confirmed(
    make_world: MakeWorld, model: str, pause_s: float
) -> None:
    world = make_world(model, "h/kill-stage:reboot")
    assert world.attempt() is None
    requests = len(world.requests)
    result = again(world, pause_s=pause_s)
    assert (result.outcome, result.version_before, result.version_after) == (
        "updated",
        world.base,
        world.target,
    )
    assert not {"check", "download", "prepare", "write", "activate"} & set(stages(world))
    assert len(world.module.starts) == 1
    assert world.task.state.value == "done"
    assert len(world.requests) - requests <= 3, "more was asked than the task query and the reports"
    assert result.resumes is not None
    assert result.record_id == result.resumes[:-1] + "2", "it is another attempt of the same run"


def test_a_job_killed_before_its_report_only_reports(make_world: MakeWorld) -> None:
    world = make_world("BC28", "h/kill-stage:report")
    assert world.attempt() is None
    assert world.module.version == world.target
    result = again(world)
    assert result.outcome == "updated"
    assert stages(world) == ["open", "identify", "report", "confirm"]
    assert world.task.reported.count(201) == 1


def test_a_start_that_surely_happened_and_brought_nothing_is_the_old_version(make_world: MakeWorld) -> None:
    world = make_world("BC28", "m/rollback", "h/kill-stage:reboot")
    assert world.attempt() is None
    world.clock.sleep(300)
    world.module.tick(world.clock.monotonic())
    result = again(world)
    assert (result.outcome, result.exit_code) == ("old-version", 12)
    assert 206 in world.task.reported


def test_a_start_that_was_never_sent_is_made_by_the_next_job(make_world: MakeWorld) -> None:
    world = make_world("BC28", "h/kill-stage:activate")
    assert world.attempt() is None
    assert not world.module.starts
    result = again(world)
    assert result.outcome == "updated"
    assert "cut off while the slot was written" in notes(world), (
        "it may have started only from the command on"
    )
    assert world.started_whole == [True]


def test_a_start_that_may_have_been_sent_is_looked_for_before_it_is_made(make_world: MakeWorld) -> None:
    whole = make_world("BC28")
    assert whole.attempt() is not None
    past = whole.journal().past(port="/dev/ttyUSB0")
    assert past is not None
    (seq,) = (row.seq for row in past.facts if row.fact == StateFact(JobState.MAY_HAVE_STARTED))
    world = make_world("BC28", f"h/kill-journal:{1 + seq}")  # the first write is the job's own row
    assert world.attempt() is None
    assert not world.module.starts
    result = again(world)
    assert result.outcome == "updated"
    assert "did not take place" in notes(world)
    assert world.started_whole == [True]


@pytest.mark.parametrize("write", range(1, 9))
def test_a_job_that_finished_for_another_and_was_killed_still_reports(
    make_world: MakeWorld, write: int
) -> None:
    world = make_world("BC28", "h/kill-stage:reboot")
    assert world.attempt() is None
    world.clock.sleep(300)
    world.heal(power_cycle=False)
    world._arm((f"kill-journal:{8 + write}",))
    killed = world.attempt()
    result = again(world)
    if killed is None:
        assert (result.outcome, result.version_before) == ("updated", world.base)
    assert world.task.state.value == "done"
    assert len(world.module.starts) == 1


def test_what_was_changed_is_taken_back_by_the_third_job_too(make_world: MakeWorld) -> None:
    world = make_world("BC28", "h/kill-stage:write")
    assert world.attempt() is None
    world.heal(power_cycle=False)
    world._kill_stages = ["write"]
    assert world.attempt() is None
    assert world.module.settings.values[b"CFUN"] == b"0"
    world.task.cancel()
    assert again(world).outcome == "no-task"
    assert world.module.settings.values[b"CFUN"] == b"1"


def test_a_job_that_had_taken_over_and_was_killed_hands_on_what_it_knew(make_world: MakeWorld) -> None:
    world = make_world("BC28", "h/kill-stage:reboot")
    assert world.attempt() is None
    world.heal(power_cycle=False)
    world._kill_stages = ["confirm"]
    assert world.attempt() is None
    result = again(world, pause_s=300)
    assert (result.outcome, result.version_before) == ("updated", world.base)
    assert result.record_id.endswith("-3")


def test_another_package_is_not_mixed_up_with_the_update_of_the_run_before(make_world: MakeWorld) -> None:
    world = make_world("EC616", "h/kill-stage:reboot")
    assert world.attempt() is None
    result = again(world, pause_s=1.0, flash_target="V0040_BASELINE_0011X")
    assert "is confirmed: " + world.target in notes(world)
    assert result.outcome in ("old-version", "write-failed"), "the package is made for the old version"


# -- who may take over -------------------------------------------------------------------------------


def test_a_job_whose_process_lives_is_not_taken_over(make_world: MakeWorld) -> None:
    world = make_world("BC28", "h/kill-stage:write")
    assert world.attempt() is None
    world.others_alive = True
    result = again(world)
    assert (result.outcome, result.exit_code) == ("limit", 13)
    assert result.error is not None
    assert "another atota works on this module" in result.error.message
    assert "490154203237518" not in result.error.message


def test_a_run_that_is_named_must_be_there(make_world: MakeWorld) -> None:
    world = make_world()
    result = again(world, resume="0123456789ab")
    assert (result.outcome, result.exit_code) == ("usage", 2)


def test_a_run_that_is_named_is_gone_on_with(make_world: MakeWorld) -> None:
    world = make_world("BC28", "h/kill-stage:reboot")
    assert world.attempt() is None
    past = world.journal().past(port="/dev/ttyUSB0")
    assert past is not None
    result = again(world, resume=past.run)
    assert result.outcome == "updated"
    assert result.resumes == past.id


def test_a_full_disk_before_the_start_ends_the_job_and_after_it_only_the_record(
    make_world: MakeWorld,
) -> None:
    early, late = make_world("BC28", "h/disk-full:20"), make_world("BC28", "h/disk-full:37")
    refused = early.attempt()
    assert refused is not None
    assert (refused.outcome, refused.exit_code) == ("limit", 13)
    assert not early.module.starts
    seen_through = late.attempt()
    assert seen_through is not None
    assert seen_through.outcome == "updated"
    assert any("this job's record ends here" in text for text in seen_through.warnings)


def test_a_journal_of_another_process_is_recovered_when_the_next_job_starts(make_world: MakeWorld) -> None:
    world = make_world("BC28", "h/kill-stage:write")
    assert world.attempt() is None
    again(world)
    journal = Journal.on(world.database, clock=SimulatedClock())
    told = [(record.outcome, record.attempt) for record in journal.records()]
    assert told == [("updated", 2), ("interrupted", 1)]


def test_two_modules_with_the_same_placeholder_are_not_taken_for_one(make_world: MakeWorld) -> None:
    world = make_world("BC28", imei="000000000000000")
    journal = world.journal()
    entry = journal.open_job(Opened(run="a" * 12, attempt=1, command="update", port="/dev/ttyUSB0"))
    entry.fact(Identity(imei="000000000000000"))
    entry.fact(VersionsFact(before=world.base, target=world.target, expected=world.target))
    entry.fact(StateFact(JobState.MAY_HAVE_STARTED))
    entry.fact(StateFact(JobState.STARTED))
    result = again(world)
    assert result.outcome == "updated", "the other module's start made a verdict about this one"
