"""The rate and the block length of a transfer: as fast as this very line and this firmware allow."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from atota.clock import SimulatedClock
from atota.dialects import loader
from atota.journal.facts import KNOWN_FOR_S, LineFact
from atota.journal.store import Journal
from atota.settings.spec import Allowed
from atota.testing.bench import Bench
from atota.update.events import JobResult, Note


class Line:
    """A bench with a journal, and the words of its last job."""

    def __init__(
        self, folder: Path, model: str = "BC28", faults: str = "", size: int = 40_000, **how: Any
    ) -> None:
        self.bench = Bench(model, faults=faults, size=size, clock=SimulatedClock(), **how)
        self.journal = Journal(folder / "journal.sqlite3", clock=self.bench.clock)

    def run(self, **spec: Any) -> JobResult:
        return self.bench.run(journal=self.journal, **spec)

    @property
    def fact(self) -> LineFact:
        past = self.journal.past()
        assert past is not None
        fact = past.latest(LineFact)
        assert fact is not None
        return fact

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.bench.events if isinstance(event, Note)]


MakeLine = Callable[..., Line]


@pytest.fixture
def make_line(tmp_path: Path) -> Iterator[MakeLine]:
    with ExitStack() as stack:

        def make(*how: Any, **more: Any) -> Line:
            line = Line(tmp_path, *how, **more)
            stack.enter_context(line.bench)
            stack.enter_context(line.journal)
            return line

        yield make


def test_a_good_line_is_used_at_the_fastest_documented_rate(make_line: MakeLine) -> None:
    line = make_line(size=200_000)
    result = line.run()
    assert result.outcome == "updated"
    assert (line.fact.rate, line.fact.block, line.fact.bad) == (921600, 512, ())
    assert not line.notes
    record = line.journal.records()[0]
    assert record.line is not None
    assert (record.line.rate, record.block) == (921600, 512)


def test_a_slot_is_filled_in_two_fifths_of_the_former_time(make_line: MakeLine) -> None:
    line = make_line(size=200_000)
    former = line.run(transfer_baud=115200, block=256).stages_ms
    line.bench.module.version = line.bench.base
    now = line.bench.flash(journal=line.journal).stages_ms
    assert now["prepare"] + now["write"] <= 0.40 * (former["prepare"] + former["write"])


@pytest.mark.parametrize(
    ("limit", "rate"),
    [(460800, 460800), (230400, 230400), (115200, 115200), (57600, 57600), (9600, 9600)],
)
@pytest.mark.parametrize("every", [1, 20, 100, 300])
def test_a_line_is_used_at_the_rate_that_it_proves(
    make_line: MakeLine, limit: int, rate: int, every: int
) -> None:
    line = make_line(faults=f"bad-above:{limit}:{every}", size=4096)
    result = line.run()
    assert result.outcome == "updated", (result.error, line.notes)
    assert line.fact.rate == rate
    assert line.fact.bad
    assert min(line.fact.bad) > rate
    assert line.bench.started_whole == [True]
    assert not result.retries


def test_a_rate_that_the_module_refuses_is_not_held_against_the_line(make_line: MakeLine) -> None:
    line = make_line("M5310-A", size=4096, dialect=loader.load("hi2115"))
    assert line.run(allowed=Allowed(unproven=True)).outcome == "updated"
    assert (line.fact.rate, line.fact.bad) == (460800, ())


def test_the_next_job_begins_with_what_the_line_proved(make_line: MakeLine) -> None:
    line = make_line(faults="bad-above:115200:1", size=4096)
    first = line.run()
    line.bench.module.version = line.bench.base
    second = line.bench.flash(journal=line.journal)
    assert (first.outcome, second.outcome) == ("updated", "updated")
    assert line.fact.rate == 115200
    assert second.stages_ms["prepare"] < first.stages_ms["prepare"] - 10_000


def test_a_line_is_known_by_its_adapter_or_port_and_its_board_and_not_for_ever(
    make_line: MakeLine,
) -> None:
    line = make_line(faults="bad-above:230400", size=4096)
    line.run()
    fact = line.fact
    assert line.journal.line(fact.subject) == fact
    assert line.journal.line(f"{fact.subject} other-board") is None
    line.bench.clock.sleep(KNOWN_FOR_S / 2)
    line.bench.module.version = line.bench.base
    line.bench.flash(journal=line.journal)
    assert line.journal.line(fact.subject) == line.fact  # which does not begin the time anew
    line.bench.clock.sleep(KNOWN_FOR_S / 2)
    assert line.journal.line(fact.subject) is None
    assert LineFact(rate=1, adapter="A1", port="/dev/ttyUSB0", board="b").subject == "A1 b"
    assert LineFact(rate=1, port="/dev/ttyUSB0").subject == "/dev/ttyUSB0"


@pytest.mark.parametrize("rate", [57600, 230400])
def test_the_users_rate_decides(make_line: MakeLine, rate: int) -> None:
    line = make_line(size=4096)
    assert line.run(transfer_baud=rate).outcome == "updated"
    assert line.fact.rate == rate


def test_the_user_may_forbid_any_raise(make_line: MakeLine) -> None:
    line = make_line(size=4096)
    assert line.run(transfer_baud=0).outcome == "updated"
    assert line.fact.rate == 9600


@pytest.mark.parametrize(("limit", "block"), [(256, 256), (128, 128), (64, 64), (32, 32)])
def test_a_length_that_is_refused_at_block_0_is_followed_by_the_next_smaller(
    make_line: MakeLine, limit: int, block: int
) -> None:
    line = make_line(faults=f"refuse-length:{limit}", size=4096)
    result = line.run()
    assert result.outcome == "updated", result.error
    assert line.fact.block == block
    assert (line.fact.rate, line.bench.started_whole) == (921600, [True])
    assert all("refuses pieces of" in text for text in result.warnings)
    assert result.warnings


def test_a_block_length_of_the_user_is_kept(make_line: MakeLine) -> None:
    line = make_line(size=4096)
    assert line.run(block=64).outcome == "updated"
    assert line.fact.block == 64


@pytest.mark.parametrize("every", [2000, 4000, 8000])
def test_errors_that_become_frequent_lower_the_rate_for_the_rest(make_line: MakeLine, every: int) -> None:
    """A line with one damaged byte in thousands may pass the proofs; the transfer finds it out."""
    line = make_line(faults=f"bad-above:230400:{every}", size=60_000)
    result = line.run()
    assert result.outcome == "updated", (result.error, line.notes)
    assert line.fact.rate == 230400
    assert line.bench.started_whole == [True]


@pytest.mark.parametrize("rate", [921600, 115200])
def test_the_reboot_of_the_update_is_heard_from_its_beginning(make_line: MakeLine, rate: int) -> None:
    line = make_line(size=4096)
    assert line.run(transfer_baud=rate).boots == 1
    assert line.bench.link is not None
    assert line.bench.link.baud == 9600


@pytest.mark.parametrize("rate", [921600, 115200])
def test_a_reboot_in_the_write_is_seen_at_any_rate(make_line: MakeLine, rate: int) -> None:
    line = make_line(faults="brownout-at-block:3", size=4096)
    result = line.run(transfer_baud=rate)
    assert (result.outcome, result.boots) == ("updated", 2)
    assert "the module rebooted at block 3" in result.warnings[0]


def test_a_slot_that_was_lost_without_a_reboot_is_written_more_slowly(make_line: MakeLine) -> None:
    line = make_line(faults="lose-reply:1", size=4096)
    result = line.run()
    assert (result.outcome, result.boots) == ("updated", 1)
    assert (line.fact.rate, line.fact.block) == (115200, 256)


def test_a_lost_slot_is_written_again_with_what_always_works(make_line: MakeLine) -> None:
    line = make_line(faults="reboot-at-block:4", size=4096)
    assert line.run().outcome == "updated"
    assert (line.fact.rate, line.fact.block) == (115200, 256)


def test_a_bad_line_at_the_only_rate_gets_smaller_blocks(make_line: MakeLine) -> None:
    line = make_line(faults="refuse-block:5:3", size=4096)
    result = line.run(transfer_baud=0)
    assert result.outcome == "updated", result.error
    assert line.fact.block is None
    assert line.bench.started_whole == [True]


def test_blocks_of_several_lengths_are_not_taken_up_by_the_next_run(make_line: MakeLine) -> None:
    line = make_line(faults="refuse-block:5:3+unplug-at:20", size=20_000)
    assert line.run(transfer_baud=0).outcome == "port"
    assert line.fact.block is None
    line.bench.clock.sleep(60)
    assert line.run(transfer_baud=0).outcome == "updated"
    assert not any("continuing behind them" in note for note in line.notes)
    assert line.bench.started_whole == [True]


def test_a_run_that_was_cut_off_goes_on_in_the_blocks_that_it_had(make_line: MakeLine) -> None:
    line = make_line("M5310-A", faults="refuse-length:256+unplug-at:60", size=60_000)
    assert line.run().outcome == "port"
    line.bench.clock.sleep(60)
    assert line.run().outcome == "updated"
    assert any("continuing behind them" in note for note in line.notes)
    assert line.bench.started_whole == [True]
