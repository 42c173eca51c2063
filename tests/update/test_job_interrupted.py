"""A job that is stopped, runs out of time or loses its port, and the one after it."""

from collections.abc import Callable
from typing import Any

import pytest

from atota.clock import StopToken
from atota.sim.link import SimLink
from atota.sim.modules import make_module
from atota.sim.options import Options
from atota.update.events import STAGES, JobEvent, Note, Progress, StageEvent

MakeBench = Callable[..., Any]
BEFORE = STAGES[: STAGES.index("activate") + 1]
MODELS = ("BC28", "M5310-A", "BC95-B8", "SARA-N200")
TWO = ("M5310-A", "SARA-N200")  # one that erases and validates, one that does neither


def at(stage: str, do: Callable[[], None]) -> Callable[[JobEvent], None]:
    def listener(event: JobEvent) -> None:
        if isinstance(event, StageEvent) and event.stage == stage and event.state == "started":
            do()

    return listener


@pytest.mark.parametrize("stage", BEFORE)
@pytest.mark.parametrize("model", TWO)
def test_a_stop_up_to_the_start_of_activate_starts_nothing(
    make_bench: MakeBench, model: str, stage: str
) -> None:
    bench, stop = make_bench(model), StopToken()
    result = bench.run(stop=stop, listener=at(stage, stop.set))
    if stage not in bench.stages():
        assert stage == "validate"  # where the boot does it
        return
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("interrupted", 130)
    assert result.error is not None
    assert "still runs what it ran" in result.error.hint
    if bench.link is not None:
        assert not bench.module.starts
        assert bench.module.version == bench.base
        assert bench.module.settings.values[b"CFUN"] == b"1", "the radio was not given back"
    assert 101 not in bench.reported or stage == "activate"
    again = bench.run()
    bench.judge(again)
    assert again.outcome == "updated"
    assert bench.state == "done"


@pytest.mark.parametrize("stage", ["reboot", "confirm", "report"])
@pytest.mark.parametrize("model", MODELS)
def test_one_stop_after_the_start_lets_the_job_end(make_bench: MakeBench, model: str, stage: str) -> None:
    bench, stop = make_bench(model), StopToken()
    result = bench.run(stop=stop, listener=at(stage, stop.set))
    bench.judge(result)
    assert result.outcome == "updated"
    assert bench.state == "done"


@pytest.mark.parametrize("model", MODELS)
def test_a_second_stop_in_the_reboot_ends_it_with_what_to_check(make_bench: MakeBench, model: str) -> None:
    bench, stop = make_bench(model), StopToken()

    def twice(event: JobEvent) -> None:
        if isinstance(event, Progress) and event.stage == "reboot":
            stop.set()

    result = bench.run(stop=stop, listener=twice)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("interrupted", 130)
    assert result.error is not None
    assert "ten minutes" in result.error.hint
    assert "atota identify" in result.error.hint
    bench.clock.sleep(600)  # what the hint says
    again = bench.run()
    bench.judge(again)
    assert again.outcome == "already-current"
    assert bench.state == "done"


def test_a_second_stop_in_the_report_cannot_make_an_updated_module_something_else(
    make_bench: MakeBench,
) -> None:
    bench, stop = make_bench(), StopToken()

    def twice() -> None:
        stop.set()
        stop.set()

    result = bench.run(stop=stop, listener=at("report", twice))
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("updated-unreported", 14)
    assert result.version_after == bench.target


@pytest.mark.parametrize("model", TWO)
@pytest.mark.parametrize("seconds", [0.5, 3.0, 8.0, 12.0, 15.0])
def test_the_time_limit_of_the_job(make_bench: MakeBench, model: str, seconds: float) -> None:
    bench = make_bench(model)
    result = bench.run(timeout_s=seconds)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("timeout", 124)
    assert result.error is not None
    if not bench.module.starts:
        assert "still runs what it ran" in result.error.hint
        assert bench.module.settings.values[b"CFUN"] == b"1"
    else:
        assert "ten minutes" in result.error.hint
        bench.clock.sleep(600)
    again = bench.run()
    bench.judge(again)
    assert again.outcome in ("updated", "already-current")
    assert bench.state == "done"


def test_the_time_limit_counts_waits_for_the_platform(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", "", "paused:3", interval=900)
    result = bench.run(timeout_s=600)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("timeout", 124)


@pytest.mark.parametrize("model", MODELS)
def test_the_wait_for_the_reboot_has_its_own_limit(make_bench: MakeBench, model: str) -> None:
    bench = make_bench(model, "stay-dead-after-update")
    result = bench.run(reboot_timeout_s=30.0)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("unknown-after-reboot", 11)
    assert result.stages_ms["reboot"] < 60_000
    assert result.error is not None
    assert any("silence" in line for line in result.error.tried)
    assert 206 not in bench.reported


POSITIONS = ("c1", "c3", "c9", "c13", "erase", "0", "1", "7", "15", "validate", "start")


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("model", TWO)
def test_an_unplugged_port_without_identity_ends_with_4_and_the_next_run_with_updated(
    make_bench: MakeBench, model: str, position: str
) -> None:
    bench = make_bench(model, f"unplug-at:{position}")
    result = bench.run()
    bench.judge(result)
    if bench.module.faults.struck:
        assert (result.outcome, result.exit_code) == ("port", 4)
        assert result.error is not None
        if position == "start":
            assert "ten minutes" in result.error.hint
            bench.clock.sleep(600)
        bench.clock.sleep(20)  # a module that validates hears nothing for a while
        again = bench.run()
        bench.judge(again)
        assert again.outcome in (("updated", "already-current") if position == "start" else ("updated",))
    assert bench.state == "done"


@pytest.mark.parametrize("position", ["erase", "0", "1", "7", "15", "validate", "start"])
@pytest.mark.parametrize("model", TWO)
def test_an_adapter_that_comes_back_under_another_name_is_found_within_the_job(
    make_bench: MakeBench, adapters: Callable[..., Any], model: str, position: str
) -> None:
    bench = make_bench(model, f"unplug-at:{position}")
    bench.adapter = adapters(4)
    result = bench.run()
    bench.judge(result)
    assert result.outcome == "updated", result.error
    assert bench.state == "done"
    if bench.module.faults.struck:
        notes = [event.text for event in bench.events if isinstance(event, Note)]
        assert any("back as /dev/ttyUSB7" in note for note in notes)


def test_an_adapter_that_goes_during_the_reboot_is_waited_for(
    make_bench: MakeBench, adapters: Callable[..., Any]
) -> None:
    bench = make_bench("SARA-N200")
    bench.adapter = adapters(3)
    pulled: list[JobEvent] = []

    def pull(event: JobEvent) -> None:
        if isinstance(event, Progress) and event.stage == "reboot" and event.done > 20 and not pulled:
            pulled.append(event)
            bench.module.unplugged = True

    result = bench.run(listener=pull)
    bench.judge(result)
    assert result.outcome == "updated"
    assert pulled


@pytest.mark.parametrize("position", ["7", "start"])
def test_an_adapter_that_comes_back_with_another_module_ends_the_job_and_leaves_it_alone(
    make_bench: MakeBench, adapters: Callable[..., Any], position: str
) -> None:
    bench = make_bench("BC28", f"unplug-at:{position}")
    bench.adapter = adapters(2)
    another = make_module("BC28", Options(imei="490154203237526"))
    exchanged: list[str] = []

    def exchange(event: JobEvent) -> None:
        if isinstance(event, Note) and "adapter to come back" in event.text:
            assert bench.link is not None
            exchanged.append(event.text)
            bench.module = another
            bench.link = SimLink(another, bench.clock, baud=9600)
            bench.link.close()

    result = bench.run(listener=exchange)
    assert exchanged
    assert (result.outcome, result.exit_code) == ("port", 4)
    assert result.error is not None
    assert result.error.code == "link.exchanged"
    assert bench.module.version == bench.base
    assert not bench.module.starts


def test_an_adapter_that_stays_away_ends_with_4_after_a_minute(
    make_bench: MakeBench, adapters: Callable[..., Any]
) -> None:
    bench = make_bench("BC28", "unplug-at:7")
    bench.adapter = adapters(10_000)
    result = bench.run()
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("port", 4)
    assert result.error is not None
    assert "waited 60 s" in result.error.tried[0]
    assert bench.clock.monotonic() > 60


def test_an_adapter_that_goes_again_and_again_is_given_up(
    make_bench: MakeBench, adapters: Callable[..., Any]
) -> None:
    bench = make_bench("BC28", "unplug-at:3+unplug-at:4+unplug-at:5+unplug-at:6")
    bench.adapter = adapters(0)
    result = bench.run()
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("port", 4)


@pytest.mark.parametrize("model", MODELS)
def test_a_stop_while_waiting_for_the_adapter(
    make_bench: MakeBench, adapters: Callable[..., Any], model: str
) -> None:
    bench, stop = make_bench(model, "unplug-at:7"), StopToken()
    bench.adapter = adapters(10_000)

    def listener(event: JobEvent) -> None:
        if isinstance(event, Note) and "waiting 60 s" in event.text:
            stop.set()

    result = bench.run(stop=stop, listener=listener)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("interrupted", 130)
