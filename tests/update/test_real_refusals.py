"""A package that the module turns down before it reboots: 9 and 204, and what counts as such."""

from pathlib import Path
from typing import Any

import pytest

from atota.sim.options import Options
from atota.testing.bench import Bench
from atota.update.events import JobResult
from tests.update.streams import ALL

CODES = ("014", "01401")
"""The platform's table has none of these modules, so the user names a row."""


def ran(one: Bench) -> JobResult:
    return one.run(allowed=ALL, model=None if one.codes != CODES else "BC28")


@pytest.mark.parametrize("model", ["EC21", "EC25", "EC800M"])
def test_a_package_that_is_turned_down_without_a_reboot_is_a_failed_write(tmp_path: Path, model: str) -> None:
    how: dict[str, Any] = {"target": "EC25EFAR06A06M4H"} if model == "EC25" else {}
    with Bench(model, made_for="ANOTHER", codes=CODES, folder=tmp_path, **how) as one:
        result = ran(one)
        assert (result.outcome, result.exit_code) == ("write-failed", 9)
        assert one.task.reported[-1] == 204
        assert 206 not in one.task.reported
        assert (one.module.reboots, one.module.starts) == (0, [])
        assert result.error is not None
        assert "turned the package down before it rebooted" in result.error.message
        assert '"FOTA","END",50' in result.error.message
        assert "still runs its old firmware" in result.error.hint
        assert "wiring" not in result.error.hint


def test_a_refusal_is_told_in_seconds_and_not_after_the_usual_time_of_an_update(tmp_path: Path) -> None:
    with Bench("EC25", target="EC25EFAR06A06M4H", made_for="ANOTHER", codes=CODES, folder=tmp_path) as one:
        result = ran(one)
        assert result.stages_ms["reboot"] + result.stages_ms["confirm"] < 20_000


def test_a_package_for_another_version_is_told_to_the_platform_where_the_module_says_so(
    tmp_path: Path,
) -> None:
    with Bench("NB86-G", made_for="ANOTHER", folder=tmp_path) as one:
        result = one.run(allowed=ALL)
        assert (result.outcome, one.task.reported[-1]) == ("write-failed", 204)
        assert result.error is not None
        assert "PACKAGE_VERSION_MISMATCHED" in result.error.message


def test_a_package_that_may_have_been_damaged_on_the_way_is_not_called_a_wrong_one(tmp_path: Path) -> None:
    with Bench("NB86-G", faults="refuse-validate", folder=tmp_path) as one:
        assert one.run(allowed=ALL).outcome == "write-failed"
        assert 204 not in one.task.reported


def test_a_url_package_that_the_module_does_not_accept_is_told_to_the_platform(tmp_path: Path) -> None:
    with Bench("BC26", made_for="ANOTHER", folder=tmp_path) as one:
        result = one.run(allowed=ALL, serve_url="http://bench.test:80")
        assert (result.outcome, result.exit_code) == ("write-failed", 9)
        assert one.task.reported[-1] == 204


def test_a_module_that_bears_the_goals_name_already_is_not_reported_as_failed(tmp_path: Path) -> None:
    """It may run the very build: that it refuses the package then is no failure of the task."""
    options = Options(version="EC25EFAR06A06M4G_20.202.20.202")
    task = {"target": "EC25EFAR06A06M4G"}
    with Bench(
        "EC25",
        options=options,
        target="EC25EFAR06A06M4G",
        made_for="X",
        codes=CODES,
        task=task,
        folder=tmp_path,
    ) as one:
        result = ran(one)
        assert result.outcome == "write-failed"
        assert 204 not in one.task.reported
