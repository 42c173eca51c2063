"""The parts of the simulator: package, flash, faults, URLs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.clock import ScaledClock, SimulatedClock, SystemClock
from atota.errors import UsageError
from atota.sim.faults import KNOWN_FAULTS, FaultPlan, parse_fault
from atota.sim.flash import PAGE, Flash
from atota.sim.link import make_module, parse_sim_url
from atota.sim.package import MAGIC, build_package, read_package


@given(st.integers(0, 5000))
def test_a_package_has_its_size_in_multiples_of_32_and_reads_back(size: int) -> None:
    data = build_package(model="BC28", base="A", target="B", size=size)
    assert len(data) >= size
    assert len(data) % 32 == 0
    package = read_package(data)
    assert package is not None
    assert (package.model, package.base, package.target, package.name) == ("BC28", "A", "B", "A_TO_B")
    assert (package.size, package.intact) == (len(data), True)


def test_the_same_arguments_make_the_same_package() -> None:
    first, second = (build_package(model="BC28", base="A", target="B", size=4096) for _ in range(2))
    assert first == second
    assert first != build_package(model="BC28", base="A", target="C", size=4096)


@given(st.data())
def test_any_change_of_a_package_is_seen(data: st.DataObject) -> None:
    good = build_package(model="BC28", base="A", target="B", size=512)
    offset = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[offset] ^= data.draw(st.integers(1, 255))
    package = read_package(bytes(bad))
    assert package is None or not package.intact


@pytest.mark.parametrize(
    "data", [b"", b"x", MAGIC, MAGIC + b"sha256: 00\n", MAGIC + b"sha256: \nmodel: x\n\n"]
)
def test_what_is_no_package_is_none(data: bytes) -> None:
    assert read_package(data) is None


@given(st.binary(max_size=300))
def test_reading_a_package_never_raises(data: bytes) -> None:
    assert read_package(data) is None
    read_package(MAGIC + data)


def test_a_package_takes_only_text_that_fits_its_header() -> None:
    with pytest.raises(UsageError, match="printable"):
        build_package(model="BC28", base="A\nto: C", target="B")


def test_flash_can_only_clear_bits() -> None:
    flash = Flash(100)
    assert flash.capacity == PAGE
    assert flash.write(0, b"\xf0\x0f")
    assert not flash.spoiled
    assert flash.write(0, b"\xf0\x0f")
    assert not flash.spoiled
    assert flash.write(1, b"\xff")
    assert (flash.spoiled, flash.written()) == (True, b"\xf0\x0f")
    flash.erase()
    assert (flash.spoiled, flash.written()) == (False, b"")
    assert flash.write(2, b"\x01")
    assert flash.written() == b"\xff\xff\x01"


def test_flash_refuses_what_does_not_fit() -> None:
    flash = Flash(PAGE)
    assert not flash.write(PAGE - 1, b"ab")
    assert flash.written() == b""


def test_an_unknown_fault_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        parse_fault("explode:3")
    assert all(name in caught.value.hint for name in KNOWN_FAULTS)


@pytest.mark.parametrize(
    "text",
    [
        "drop-byte",
        "drop-byte:0",
        "drop-byte:x",
        "lose-reply:c0",
        "lose-reply:later",
        "late-reply:3",
        "late-reply:3:soon",
        "echo:1",
        "refuse-validate:no",
        "back-at-baud:fast",
        "refuse-block:1:0",
        "urc-storm:0",
        "drop-byte:" + "9" * 5000,
        "back-at-baud:\u0663\u0663\u0663",
        f"urc-storm:{'9' * 400}",
    ],
)
def test_a_fault_written_wrong_is_refused_and_shown_how(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_fault(text)
    assert KNOWN_FAULTS[text.split(":")[0]].usage in caught.value.hint


def test_faults_are_joined_by_plus_or_given_apart() -> None:
    plan = FaultPlan(["echo+drop-byte:7", "late-reply:validate:2.5"])
    assert plan.text == "echo+drop-byte:7+late-reply:validate:2.5"
    assert FaultPlan([plan.text]).text == plan.text


def test_byte_faults_strike_the_byte_they_name() -> None:
    plan = FaultPlan(["drop-byte:2+double-byte:4+flip-byte:6"])
    out = plan.distort(b"abc", 0) + plan.distort(b"defg", 3)
    assert out[:5] == b"acdde"
    assert bin(out[5] ^ ord("f")).count("1") == 1
    assert out[6:] == b"g"
    assert plan.distort(b"abc", 0) == b"abc"


def test_a_url_says_everything() -> None:
    url = parse_sim_url(
        "sim://m5310-a?fault=echo+drop-byte:7&fault=mute&seed=3&speed=30&baud=57600&version=V1"
        "&imei=867726031076062&accept=any&becomes=V2&latency_ms=16&csq=7&echo=1&asleep=1&reset=rts"
    )
    assert (url.model, url.faults, url.latency_s, url.options.reset) == (
        "M5310-A",
        ("echo drop-byte:7", "mute"),
        0.016,
        "rts",
    )
    options = url.options
    assert (options.seed, options.baud, options.version, options.becomes) == (3, 57600, "V1", "V2")
    assert (options.csq, options.echo, options.asleep, options.accept_any) == (7, True, True, True)
    assert make_module(url.model, options, faults=url.faults).faults.text == "echo+drop-byte:7+mute"


@pytest.mark.parametrize(
    ("speed", "kind"),
    [("max", SimulatedClock), ("real", SystemClock), ("30", ScaledClock), ("2.5", ScaledClock)],
)
def test_the_speed_of_a_url_chooses_the_clock(speed: str, kind: type) -> None:
    assert isinstance(parse_sim_url(f"sim://BC28?speed={speed}").clock(), kind)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("sim://BC99", "BC28"),
        ("sim://", "BC28"),
        ("socket://BC28", "BC28"),
        ("sim://BC28]", "BC28"),
        ("sim://BC28?colour=red", "fault"),
        ("sim://BC28?speed=fast", "speed"),
        ("sim://BC28?speed=0", "speed"),
        ("sim://BC28?imei=12", "imei"),
        ("sim://BC28?csq=100", "csq"),
        ("sim://BC28?accept=some", "accept"),
        ("sim://BC28?accept=any", "becomes"),
        ("sim://BC28?echo=yes", "echo"),
        ("sim://BC28?reset=cts", "reset"),
        ("sim://BC28?seed=-1", "seed"),
    ],
)
def test_a_wrong_url_is_refused_and_the_known_words_are_listed(url: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_sim_url(url)
    assert hint in caught.value.hint
