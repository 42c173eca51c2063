"""Whole jobs on modules that show another documented variant of their flow, or lack the room."""

from collections.abc import Callable
from typing import Any

import pytest

from atota.sim.faults import FaultPlan
from tests.update.streams import ALL, made

MakeBench = Callable[..., Any]


def test_a_module_that_wants_the_validation_before_the_start_is_updated(make_bench: MakeBench) -> None:
    """Quectel's manual has code 5 alone; a BC28 with a B500 firmware refuses it until code 2 has looked."""
    bench = make_bench("BC28", "validate-first")
    result = bench.run()
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("updated", 0), result.error
    assert bench.module.starts == ["PACKAGE_OK"]
    assert [text for text in result.warnings if "PACKAGE_NOT_VALIDATION" in text] == result.warnings
    assert len(result.warnings) == 1
    assert bench.state == "done"


@pytest.mark.parametrize(
    ("model", "outcome"),
    [("BC28", "updated"), ("M5310-A", "updated"), ("BC95-B8", "updated"), ("SARA-N200", "write-failed")],
)
def test_a_start_is_tried_again_only_where_its_refusal_names_the_validation(
    make_bench: MakeBench, model: str, outcome: str
) -> None:
    """The SARA-N2 answers error 50 without a text, which may mean anything."""
    bench = make_bench(model, "refuse-start:1")
    result = bench.flash(allowed=ALL)
    bench.judge(result)
    assert result.outcome == outcome, result.error


def test_a_bad_package_is_not_started_by_the_other_order(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", "validate-first", made_for="ANOTHER")
    result = bench.flash(allowed=ALL)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert result.error is not None
    assert "another base version" in result.error.message
    assert "supply" not in result.error.hint
    assert not bench.module.starts


@pytest.mark.parametrize(
    ("model", "limit"),
    [("BC28", 128), ("M5310-A", 64), ("NB86-G", 32), ("SIM7000C", 3000), ("SIM7020C", 200)],
)
def test_a_length_that_is_refused_at_the_first_block_is_shortened(
    make_bench: MakeBench, model: str, limit: int
) -> None:
    bench = made(make_bench, model, f"refuse-length:{limit}")
    result = bench.flash(allowed=ALL)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("updated", 0), result.error
    assert result.warnings
    assert all("refuses pieces of" in text for text in result.warnings)


def test_a_file_that_is_still_there_is_deleted_and_the_package_uploaded(make_bench: MakeBench) -> None:
    bench = make_bench("EC21", "refuse-start:2")
    assert bench.flash(allowed=ALL).outcome == "write-failed"
    assert bench.module.slot  # the file of the first job
    bench.module.faults.clear()
    bench.module.faults = FaultPlan(["refuse-erase:1"])
    result = bench.flash(allowed=ALL)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("updated", 0), result.error
    assert result.warnings == ["the module still has a file of that name (+CME ERROR: 407): deleting it"]


@pytest.mark.parametrize(("model", "size"), [("SIM7000C", 23_000_000), ("EC21", 9_000_000)])
def test_a_package_without_room_is_refused_before_its_first_byte(
    make_bench: MakeBench, model: str, size: int
) -> None:
    bench = make_bench(model, size=size)
    result = bench.flash(allowed=ALL)
    bench.judge(result)
    assert (result.outcome, result.exit_code) in (("refused", 6), ("bad-package", 7))
    assert result.error is not None
    assert "bytes" in result.error.message
    assert "supply" not in result.error.hint
    assert not result.blocks
    assert not bench.module.slot


def test_a_slot_that_ends_before_the_package_is_told_so(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", size=600_000)
    result = bench.flash(allowed=ALL)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert result.error is not None
    assert "after it took 524288 bytes" in result.error.message
    assert "slot seems to end there" in result.error.message
    assert "supply" not in result.error.hint


def test_a_package_larger_than_a_documented_slot_is_refused_at_once(make_bench: MakeBench) -> None:
    for model, size in (("SIM7020C", 600_000), ("EC616", 600_000)):
        bench = make_bench(model, size=size)
        result = bench.flash(allowed=ALL)
        bench.judge(result)
        assert (result.outcome, result.exit_code) == ("bad-package", 7)
        assert result.blocks in (None, 0)
        assert not bench.module.flash.erases


def test_a_file_for_a_module_that_only_its_platform_updates_is_refused_at_once(make_bench: MakeBench) -> None:
    bench = made(make_bench, "M5311")
    result = bench.flash(allowed=ALL)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert "only its platform" in result.error.message
    assert "console" in result.error.hint
    assert bench.link.clock.monotonic() < 60
    assert not bench.module.starts
