"""Progress that the module reports extends the wait for it, up to a bound of the profile."""

from dataclasses import replace
from pathlib import Path

import pytest

from atota.clock import Deadline, SimulatedClock
from atota.dialects import loader
from atota.sim.boot import Boot, Step, percent_steps
from atota.sim.persona import Persona
from atota.sim.personas.catalogue import find_persona
from atota.testing import bench as bench_module
from atota.testing.bench import Bench
from tests.update.streams import ALL

UPDATING = b'+QIND: "FOTA","UPDATING",%d'
INSTALL = b"+UUFWINSTALL: %d"


def slow(monkeypatch: pytest.MonkeyPatch, model: str, good: tuple[Step, ...]) -> None:
    """Let the simulated module take another course of its update."""
    persona = find_persona(model)
    changed: Persona = replace(persona, boot=replace(persona.boot, good=good))
    assert isinstance(changed.boot, Boot)
    monkeypatch.setattr(bench_module, "find_persona", lambda _: changed)


def test_a_deadline_is_moved_on_but_never_back_nor_beyond_its_bound() -> None:
    clock = SimulatedClock()
    limit = Deadline(clock, 10.0)
    clock.sleep(4.0)
    limit.extend(2.0)
    assert limit.remaining == 6.0
    limit.extend(20.0, until=15.0)
    assert limit.remaining == 11.0
    limit.extend(100.0)
    assert limit.remaining == 100.0


@pytest.mark.parametrize(
    ("model", "line", "end", "seconds"),
    [
        ("EC21", UPDATING, b'\r\n+QIND: "FOTA","END",0\r\n', 2900.0),
        ("SARA-R410", INSTALL, b"\r\n+UUFWINSTALL: 128\r\n", 4500.0),
    ],
)
def test_an_update_longer_than_the_limit_that_reports_progress_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, line: bytes, end: bytes, seconds: float
) -> None:
    slow(monkeypatch, model, (*percent_steps(line, seconds, 2), Step(3.0, end), Step(15.0, b"")))
    with Bench(model, folder=tmp_path) as one:
        reboot = loader.load("quectel-dfota" if model == "EC21" else "ublox-sara-r4").reboot
        assert reboot is not None
        assert seconds > reboot.limit_s
        result = one.flash(allowed=ALL)
        assert result.outcome == "updated", result.error
        assert len({event.done for event in one.progress("reboot")}) > 30


def test_progress_extends_the_users_own_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch, "EC21", (*percent_steps(UPDATING, 900.0, 2), Step(3.0, b""), Step(15.0, b"")))
    with Bench("EC21", folder=tmp_path) as one:
        assert one.flash(allowed=ALL, reboot_timeout_s=120.0).outcome == "updated"


def test_the_same_figure_over_and_over_is_no_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = b'\r\n+QIND: "FOTA","UPDATING",7\r\n'
    slow(monkeypatch, "EC21", tuple(Step(60.0, line) for _ in range(200)))
    with Bench("EC21", folder=tmp_path) as one:
        began = one.clock.monotonic()
        result = one.flash(allowed=ALL)
        assert (result.outcome, result.exit_code) == ("unknown-after-reboot", 11)
        assert one.clock.monotonic() - began < 1500.0


def test_progress_without_an_end_is_waited_for_no_longer_than_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (UPDATING % (count % 100) for count in range(400))
    slow(monkeypatch, "EC21", tuple(Step(60.0, b"\r\n" + line + b"\r\n") for line in lines))
    with Bench("EC21", folder=tmp_path) as one:
        began = one.clock.monotonic()
        result = one.flash(allowed=ALL)
        assert (result.outcome, result.exit_code) == ("unknown-after-reboot", 11)
        assert 3500.0 < one.clock.monotonic() - began < 3800.0


def test_percent_at_the_beginning_of_an_install_is_not_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`+UUFWINSTALL: 4`, and the install ended well 98 s later."""
    steps = (Step(5.0, b"\r\n+UUFWINSTALL: 4\r\n"), Step(98.0, b"\r\n+UUFWINSTALL: 128\r\n"), Step(5.0, b""))
    slow(monkeypatch, "SARA-R410", steps)
    with Bench("SARA-R410", folder=tmp_path) as one:
        assert one.flash(allowed=ALL).outcome == "updated"


def test_an_install_that_reports_an_error_is_rolled_back(tmp_path: Path) -> None:
    with Bench("SARA-R410", faults="fail-update", folder=tmp_path) as one:
        assert one.flash(allowed=ALL).outcome == "old-version"
