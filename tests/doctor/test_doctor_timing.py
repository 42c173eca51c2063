"""The predicted time: shares, rates, and how near it is to what simulated modules take."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.clock import SimulatedClock
from atota.dialects import loader
from atota.doctor import line
from atota.doctor.timing import estimate, judge_time, parse_size, spell, transfer_rate
from atota.errors import UsageError
from atota.fota.registry import method_for
from atota.journal.store import Journal
from atota.link.state import LineState
from atota.module.module import open_module
from atota.sim.package import build_package
from atota.testing.bench import Bench

WIRED = [one.name for one in loader.all_built_in() if one.method is not None and one.method.streams]
OTHERS = [one.name for one in loader.all_built_in() if one.name not in WIRED]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("204800", 204800),
        ("200k", 204800),
        ("200 KiB", 204800),
        ("1.5M", 1572864),
        (" 2MB ", 2097152),
    ],
)
def test_a_size_is_read_as_people_write_it(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "k", "1g", "1e9", "65M", "٣", "0.0001k", "1.5.5"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not the size of a package"):
        parse_size(text)


@given(st.text(max_size=8))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    try:
        size = parse_size(text)
    except UsageError:
        return
    assert 0 < size <= 64 * 1024 * 1024


def test_every_method_is_either_timed_or_not_from_here() -> None:
    kinds = {getattr(loader.load(name).method, "kind", "none") for name in OTHERS}
    assert kinds == {"none", "url-pull", "watched"}
    assert len(WIRED) >= 10


@given(
    name=st.sampled_from(WIRED),
    size=st.integers(1, 4_000_000),
    more=st.integers(0, 100_000),
    rates=st.tuples(st.integers(300, 4_000_000), st.integers(300, 4_000_000)),
    turn_s=st.floats(0, 2),
)
def test_more_bytes_or_a_lower_rate_never_take_less_time(
    name: str, size: int, more: int, rates: tuple[int, int], turn_s: float
) -> None:
    dialect = loader.load(name)
    slow, fast = sorted(rates)
    small = estimate(dialect, size=size, baud=fast, turn_s=turn_s)
    large = estimate(dialect, size=size + more, baud=fast, turn_s=turn_s)
    slower = estimate(dialect, size=size, baud=slow, turn_s=turn_s)
    assert small is not None
    assert large is not None
    assert slower is not None
    assert large.wire_s >= small.wire_s * 0.99
    assert slower.wire_s >= small.wire_s * 0.99
    assert min(small.wire_s, small.waits_s + 1e-9, small.reboot_s) > 0
    assert small.total_s == pytest.approx(small.wire_s + small.waits_s + small.others_s + small.reboot_s)


def test_hex_doubles_the_wire() -> None:
    dialect = loader.load("quectel-hi2115")
    told = estimate(dialect, size=51200, baud=9600, turn_s=0.0)
    assert told is not None
    assert told.is_hex
    assert told.pieces == 100
    assert told.wire_s == pytest.approx(2 * 51200 * 10 / 9600, rel=0.1)


@pytest.mark.parametrize(
    ("name", "baud", "wanted", "rate"),
    [
        ("quectel-hi2115", 9600, None, 921600),
        ("quectel-hi2115", 230400, None, 921600),
        ("quectel-hi2115", 9600, 460800, 460800),
        ("quectel-hi2115", 9600, 0, 9600),
        ("quectel-hi2115", 9600, 38400, 9600),
        ("simcom-sim7000", 9600, None, 9600),
    ],
)
def test_the_rate_of_the_transfer_is_the_one_that_a_job_takes(
    name: str, baud: int, wanted: int | None, rate: int
) -> None:
    assert transfer_rate(loader.load(name), baud, wanted) == rate


def test_the_time_is_told_at_the_present_rate_and_at_that_of_the_transfer() -> None:
    found = judge_time(loader.load("quectel-hi2115"), size=204800, baud=9600, turn_s=0.02)
    assert [one.check for one in found] == ["at 9600", "at 921600"]
    assert found[0].says == (
        "about 8 min 26 s for 204800 bytes: 7 min 19 s on the wire (hex doubles it), "
        "24 s waiting for 400 responses, 13 s the other steps, 30 s reboot"
    )
    assert "an update raises the rate to this" in found[1].says


def test_a_rate_that_is_only_assumed_is_told_so() -> None:
    (only,) = judge_time(
        loader.load("quectel-hi2115"), size=1000, baud=9600, turn_s=0.0, target=0, assumed=True
    )
    assert only.says.endswith("(if the far end runs at this rate)")


def test_one_rate_is_told_once() -> None:
    assert len(judge_time(loader.load("simcom-sim7000"), size=1000, baud=115200, turn_s=0.02)) == 1


@pytest.mark.parametrize("name", OTHERS)
def test_where_the_module_fetches_by_itself_no_figure_is_invented(name: str) -> None:
    (only,) = judge_time(loader.load(name), size=204800, baud=9600, turn_s=0.02)
    assert only.state == "unknown"
    assert "bytes" not in only.says


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "less than 1 s"),
        (1, "1 s"),
        (99.4, "99 s"),
        (100, "1 min 40 s"),
        (120, "2 min"),
        (599, "9 min 59 s"),
        (659, "11 min"),
        (3600, "1 h 0 min"),
        (5000, "1 h 23 min"),
    ],
)
def test_seconds_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert spell(seconds) == text


@pytest.mark.parametrize("model", ["BC28", "M5310-A", "BC95-B8", "SARA-N200"])
@pytest.mark.parametrize("is_known", [False, True], ids=["first", "after a job"])
def test_the_time_of_an_update_is_predicted_within_ten_percent(
    tmp_path: Path, model: str, is_known: bool
) -> None:
    with (
        Bench(model, size=200_000) as bench,
        Journal(tmp_path / "j.sqlite3", clock=bench.clock) as journal,
    ):
        stages_ms = bench.run(journal=journal).stages_ms
        known = journal.line(f"sim://{model}")
    assert known is not None
    with open_module(f"sim://{model}") as module:
        module.identify()
        dialect, seen = module.session.dialect, line.exchange(module.session, 20)
    assert seen.turn_s is not None
    state = known.state if is_known else None
    rate = transfer_rate(dialect, 9600, None, state)
    told = estimate(dialect, size=200_000, baud=rate, turn_s=seen.turn_s, known=state)
    assert told is not None
    assert rate == known.rate
    assert told.wire_s + told.waits_s == pytest.approx(stages_ms["write"] / 1000, rel=0.10)
    assert told.total_s == pytest.approx(sum(stages_ms.values()) / 1000, rel=0.10)


def test_the_rate_and_the_block_of_the_last_job_on_the_line_are_taken() -> None:
    dialect = loader.load("quectel-hi2115")
    known = LineState(rate=230400, block=256, bad=(921600, 460800), block_s=0.05)
    assert transfer_rate(dialect, 9600, None, known) == 230400
    assert transfer_rate(dialect, 9600, 57600, known) == 57600
    told = estimate(dialect, size=25_600, baud=230400, turn_s=9.0, known=known)
    assert told is not None
    assert told.pieces == 100
    assert told.waits_s == pytest.approx(100 * 0.07)


@pytest.mark.parametrize("fault", ["", "echo"])
@pytest.mark.parametrize("model", ["BC28", "SIM7000C", "SIM7020C", "EC21", "SARA-R410"])
def test_the_estimate_is_near_what_a_simulated_module_takes_with_or_without_echo(
    tmp_path: Path, model: str, fault: str
) -> None:
    path = tmp_path / "p.bin"
    path.write_bytes(build_package(model=model, base="A", target="B", size=20_000))
    clock = SimulatedClock()
    with open_module(f"sim://{model}?baud=9600&fault={fault}", clock=clock) as module:
        module.identify()
        seen = line.exchange(module.session, 10)
        way = method_for(module.session.dialect)
        way.check(path)
        way.prepare(module.session)
        began = clock.monotonic()
        way.write(module.session, path, lambda _done, _total: None)
        took_s = clock.monotonic() - began
        assert seen.turn_s is not None
        told = estimate(
            module.session.dialect,
            size=path.stat().st_size,
            baud=9600,
            turn_s=seen.turn_s,
        )
    assert told is not None
    assert (told.wire_s + told.waits_s) / took_s == pytest.approx(1.0, abs=0.25)
