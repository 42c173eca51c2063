"""Whole jobs with faults, judged against the true state of the simulated module and of the platform."""

from collections.abc import Callable
from typing import Any

import pytest

MakeBench = Callable[..., Any]
MODELS = ("BC28", "M5310-A", "BC95-B8", "SARA-N200")

# Fault → the outcomes that are right for it.
MENDED = (
    "drop-byte:700",
    "flip-byte:900",
    "double-byte:1200",
    "lose-reply:0",
    "lose-reply:1",
    "lose-reply:2",
    "lose-reply:7",
    "lose-reply:15",
    "lose-reply:7:3",
    "lose-reply:validate",
    "lose-reply:erase",
    "lose-reply:start",
    "lose-reply:c1",
    "lose-reply:c2",
    "lose-reply:c5",
    "lose-reply:c9",
    "lose-reply:c12",
    "lose-reply:c15",
    "late-reply:3:12",
    "late-reply:3:25",
    "late-reply:0:12",
    "late-reply:c4:9",
    "late-reply:start:20",
    "reboot-at-block:0",
    "reboot-at-block:5",
    "reboot-at-block:15",
    "reboot-at-block:validate",
    "reboot-at-block:c3",
    "brownout-at-block:9",
    "brownout-at-block:erase",
    "brownout-at-block:start",
    "brownout-at-block:7+brownout-at-block:3",
    "refuse-block:4:2",
    "busy:6:3",
    "busy:erase",
    "busy:validate:2",
    "busy:start:2",
    "back-at-baud:57600",
    "echo",
    "urc-storm:0.3",
    "urc-inside-reply",
    "boot-garbage",
    "lose-reply:4+refuse-block:9+echo",
    "refuse-erase:1",
)


# Each fault on two of the four, in turns; where it strikes at a step, on all of them.
PAIRS = [
    (model, fault)
    for place, fault in enumerate(MENDED)
    for model in (MODELS if fault.endswith(("start", "validate")) else MODELS[place % 2 :: 2])
]


@pytest.mark.parametrize(("model", "fault"), PAIRS)
def test_a_passing_fault_is_mended_in_the_same_job(make_bench: MakeBench, model: str, fault: str) -> None:
    bench = make_bench(model, fault)
    result = bench.run()
    bench.judge(result)
    assert result.outcome == "updated", (result.error, getattr(result.error, "tried", ""), result.warnings)
    assert bench.module.version == bench.target
    assert bench.state == "done"
    assert bench.reported[-2:] == [101, 201]


FINAL: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...] = (
    ("refuse-block:4", {}, ("updated",)),
    ("refuse-block:4:9", {}, ("write-failed",)),
    ("refuse-block:0:99", {}, ("write-failed",)),
    ("silent-at:0", {}, ("no-answer",)),
    ("silent-at:6", {}, ("no-answer",)),
    ("silent-at:c2", {}, ("no-answer",)),
    ("silent-at:start", {}, ("unknown-after-reboot",)),
    ("mute", {}, ("no-answer",)),
    ("unplug-at:c1", {}, ("port",)),
    ("unplug-at:c6", {}, ("port",)),
    ("unplug-at:0", {}, ("port",)),
    ("unplug-at:7", {}, ("port",)),
    ("unplug-at:start", {}, ("port",)),
    ("refuse-start", {}, ("write-failed",)),
    ("refuse-start:1", {}, ("updated", "write-failed")),  # by model: test_job_variants
    ("rollback", {}, ("old-version",)),
    ("stay-dead-after-update", {}, ("unknown-after-reboot",)),
    ("reboot-at-block:4+reboot-at-block:5+reboot-at-block:6", {}, ("write-failed",)),
)


@pytest.mark.parametrize(("fault", "spec", "outcomes"), FINAL, ids=[row[0] for row in FINAL])
@pytest.mark.parametrize("model", MODELS)
def test_a_final_fault_ends_with_its_own_outcome(
    make_bench: MakeBench, model: str, fault: str, spec: dict[str, Any], outcomes: tuple[str, ...]
) -> None:
    bench = make_bench(model, fault)
    result = bench.run(**spec)
    bench.judge(result)
    assert result.outcome in outcomes, (result.error, getattr(result.error, "tried", ""))
    if result.outcome != "updated":
        assert result.error is not None
        assert result.error.hint
        assert (
            result.exit_code
            == {
                "write-failed": 9,
                "no-answer": 5,
                "port": 4,
                "old-version": 12,
                "unknown-after-reboot": 11,
            }[result.outcome]
        )


@pytest.mark.parametrize("model", MODELS)
def test_a_package_that_the_module_finds_bad_is_never_applied(make_bench: MakeBench, model: str) -> None:
    bench = make_bench(model, "refuse-validate")
    result = bench.run()
    bench.judge(result)
    # Where the boot checks the package, it comes back as it was; else nothing was started.
    assert result.outcome == ("old-version" if bench.module.starts else "write-failed")
    assert bench.module.version == bench.base


@pytest.mark.parametrize("model", ["BC28", "M5310-A"])
def test_a_refused_erase_ends_the_job_before_a_block_is_written(make_bench: MakeBench, model: str) -> None:
    bench = make_bench(model, "refuse-erase")
    result = bench.run()
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert bench.module.updater.blocks == 0
    assert bench.module.settings.values[b"CFUN"] == b"1"


def test_a_question_spoilt_by_noise_does_not_make_an_updated_module_an_old_one(make_bench: MakeBench) -> None:
    """Found at random: ATI became ATII, and the version was taken from a line that no update changes."""
    bench = make_bench("BC28", "double-byte:36+boot-garbage", sim={"asleep": 1}, size=2048)
    result = bench.run()
    bench.judge(result)
    assert result.version_before == bench.base
    assert result.outcome == "updated"
