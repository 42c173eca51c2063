"""What the streaming methods promise beyond their outcome: no stop does harm, no byte is left to chance."""

from collections.abc import Callable
from typing import Any

import pytest

from atota.clock import StopToken
from atota.sim.package import build_package
from atota.update.events import JobEvent, Progress
from tests.update.streams import STREAMS, flashed, made

MakeBench = Callable[..., Any]


# -- Ctrl-C in the write ------------------------------------------------------------------------------


@pytest.mark.parametrize("model", STREAMS)
def test_a_stop_in_the_write_starts_nothing_and_the_next_run_goes_on(
    make_bench: MakeBench, model: str
) -> None:
    bench, stop = made(make_bench, model), StopToken()

    def listener(event: JobEvent) -> None:
        if isinstance(event, Progress) and event.stage == "write" and event.done * 2 >= event.total:
            stop.set()

    result = flashed(bench, stop=stop, listener=listener)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("interrupted", 130)
    assert result.error is not None
    assert "still runs what it ran" in result.error.hint
    assert not bench.module.starts
    assert bench.module.version == bench.base
    again = flashed(bench)
    bench.judge(again)
    assert again.outcome == "updated", again.error
    assert bench.module.starts == ["PACKAGE_OK"]


@pytest.mark.parametrize("model", STREAMS[:5])
def test_a_time_limit_in_the_middle_of_a_payload_leaves_the_module_able_to_talk(
    make_bench: MakeBench, model: str
) -> None:
    for seconds in (8.5, 9.5, 11.0, 12.0):
        bench = made(make_bench, model)
        result = flashed(bench, timeout_s=seconds)
        bench.judge(result)
        assert (result.outcome, result.exit_code) == ("timeout", 124)
        if bench.module.starts:
            bench.clock.sleep(600)
        again = flashed(bench)
        bench.judge(again)
        assert again.outcome in ("updated", "already-current"), (seconds, again.error)
        assert set(bench.module.starts) == {"PACKAGE_OK"}


# -- what the methods promise -------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["flip-byte:5000", "double-byte:5000", "flip-byte:900"])
def test_read_back_finds_what_the_size_does_not_tell(make_bench: MakeBench, fault: str) -> None:
    bench = make_bench("SIM7000C", fault, size=12_000)
    result = flashed(bench, read_back=True)
    bench.judge(result)
    assert result.outcome == "updated", result.error
    assert any("read back" in text for text in result.warnings)
    assert bench.module.starts == ["PACKAGE_OK"]


def test_read_back_of_a_good_file_needs_no_second_write(make_bench: MakeBench) -> None:
    bench = make_bench("SIM7000C", size=12_000)
    result = flashed(bench, read_back=True)
    bench.judge(result)
    assert (result.outcome, result.warnings) == ("updated", [])


def test_pieces_fit_into_the_modules_window_at_9600_baud(make_bench: MakeBench) -> None:
    bench = make_bench("SIM7000C", size=30_000, sim={"baud": 9600})
    result = flashed(bench)
    bench.judge(result)
    assert (result.outcome, result.retries) == ("updated", 0)
    assert result.blocks >= 4  # 9600 baud carry less than 9600 bytes in its ten seconds


def test_a_longer_package_of_an_earlier_run_is_no_part_of_the_new_one(make_bench: MakeBench) -> None:
    bench = make_bench("SIM7000C", "refuse-start:1", size=9000)
    assert flashed(bench).outcome == "write-failed"
    bench.package = build_package(model="SIM7000C", base=bench.base, target=bench.target, size=4096)
    result = flashed(bench)
    bench.judge(result)
    assert result.outcome == "updated", result.error
    assert not result.warnings


def test_what_the_partition_cannot_hold_is_refused_before_the_erase(make_bench: MakeBench) -> None:
    bench = make_bench("SIM7020C", size=580 * 1024 + 32)
    result = flashed(bench)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("bad-package", 7)
    assert "erased" not in bench.module.history


def test_after_a_reboot_in_the_data_the_write_goes_on_where_it_was(make_bench: MakeBench) -> None:
    bench = make_bench("SIM7000C", "reboot-in-data:2", size=30_000, sim={"baud": 9600})
    result = flashed(bench)
    bench.judge(result)
    assert result.outcome == "updated", result.error
    first = [what for what in bench.module.history if what == "piece 0"]
    assert len(first) == 1
