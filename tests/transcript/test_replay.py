"""A recording as a module: the same answers at the same distances, and a word where the host strays."""

import io
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.clock import ScaledClock, SimulatedClock, SystemClock
from atota.errors import ConfigError, LineUnavailable, LinkError, LinkLost, ReplayDiverged, UsageError
from atota.link.open import open_link
from atota.module.module import open_module
from atota.testing.memory import memory_pair
from atota.transcript.masking import Masker
from atota.transcript.recording import read_recording
from atota.transcript.replay import ReplayLink
from atota.transcript.writer import TranscriptLink

HEAD = "# atota transcript 1\n# link x\n# started 2026-01-01T00:00:00.000Z\n0.000 ! baud 9600\n"
FIRST = HEAD.count("\n") + 1
TALK = (
    r"0.500 < \r\nREADY\r\n",
    r"1.000 > AT\r",
    r"1.012 < AT\r\r\n",
    r"1.020 < OK\r\n",
    r"61.020 < \r\n+CEREG: 1\r\n",
    r"70.000 > AT+CSQ\r",
    r"70.100 < \r\n+CSQ: 20,99\r\n",
    "71.000 ! closed",
)
Make = Callable[..., ReplayLink]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A link that plays these lines."""

    def made(*lines: str, **how: bool | int) -> ReplayLink:
        path = tmp_path / "t.transcript"
        path.write_text(HEAD + "".join(f"{line}\n" for line in lines), encoding="ascii")
        return ReplayLink(read_recording(path), SimulatedClock(), **how)  # type: ignore[arg-type]

    return made


def heard(link: ReplayLink, seconds: float) -> list[tuple[float, bytes]]:
    """What comes in some time, and when, to the millisecond."""
    end = link.clock.monotonic() + seconds
    got = []
    while (left := end - link.clock.monotonic()) > 0:
        if data := link.read(left):
            got.append((round(link.clock.monotonic(), 3), data))
    return got


def test_answers_come_at_their_distance_from_what_the_host_said(make: Make) -> None:
    link = make(*TALK)
    assert heard(link, 5) == [(0.5, b"\r\nREADY\r\n")]
    link.write(b"AT\r")
    assert heard(link, 95) == [(5.012, b"AT\r\r\n"), (5.02, b"OK\r\n"), (65.02, b"\r\n+CEREG: 1\r\n")]
    link.write(b"AT+CSQ\r")
    assert not link.finished
    assert heard(link, 10) == [(100.1, b"\r\n+CSQ: 20,99\r\n")]
    assert link.finished
    assert link.position == 9


def test_a_host_that_waits_less_gets_what_the_recorded_one_had_when_it_went_on(make: Make) -> None:
    link = make(*TALK)
    link.write(b"AT\r")
    link.write(b"AT+CSQ\r")
    assert heard(link, 1) == [
        (0.0, b"\r\nREADY\r\nAT\r\r\nOK\r\n\r\n+CEREG: 1\r\n"),
        (0.1, b"\r\n+CSQ: 20,99\r\n"),
    ]
    link.close()
    assert link.finished


def test_after_its_end_it_is_silent_and_knows_what_it_was_told(make: Make) -> None:
    link = make(*TALK[:4])
    link.write(b"AT\rAT+CGMR\r")
    assert heard(link, 100) == [(0.0, b"\r\nREADY\r\n"), (0.012, b"AT\r\r\n"), (0.02, b"OK\r\n")]
    link.write(b"AT\r" * 5000)
    link.set_baud(115200)
    link.set_lines(dtr=True)
    assert heard(link, 100) == []
    assert link.finished
    assert link.surplus.startswith(b"AT+CGMR\rAT\r")
    assert len(link.surplus) == 4096


def test_where_host_and_recording_part_is_told_with_the_lines_before(make: Make) -> None:
    link = make(*TALK)
    link.write(b"AT\r")
    with pytest.raises(ReplayDiverged) as caught:
        link.write(b"AT+CGMR\r")
    error = caught.value
    assert (error.line, error.expected, error.got) == (FIRST + 5, r"> AT+CSQ\r", r"> AT+CGMR\r")
    assert error.message == (
        f"{link.recording.path}, line {FIRST + 5} (at 70.000 s): "
        r"the recording continues with `> AT+CSQ\r`, the host with `> AT+CGMR\r`"
    )
    assert error.tried == TALK[:5]
    assert (error.exit_code, error.code, error.outcome) == (4, "link.replay", "port")
    assert link.diverged is error
    for use in (lambda: link.read(1), lambda: link.write(b"AT+CSQ\r"), lambda: link.set_baud(300)):
        with pytest.raises(ReplayDiverged):
            use()
    assert link.position == 6
    link.close()
    assert not link.finished


def test_in_a_long_line_the_place_is_shown(make: Make) -> None:
    long = "AT+NFWUPD=1,0,64," + "0123456789ABCDEF" * 16
    link = make(rf"1.000 > {long},55\r")
    link.write(long[:100].encode())
    with pytest.raises(ReplayDiverged) as caught:
        link.write(long[100:200].encode() + b"x" + long[201:].encode() + b",55\r")
    assert len(caught.value.message) < 400
    common = long[180:200]
    assert caught.value.expected.startswith(f"> …{common}{long[200]}")
    assert caught.value.got.startswith(f"> …{common}x")


def test_a_host_that_says_less_than_a_line_and_stops_has_not_finished(make: Make) -> None:
    link = make(*TALK)
    link.write(b"A")
    assert heard(link, 100) == [(0.0, b"\r\nREADY\r\n")]
    link.close()
    assert (link.position, link.finished) == (2, False)


# -- the rate, the control lines, faults --------------------------------------------------------------

RATES = (
    r"1.000 > AT+NATSPEED=115200\r",
    r"1.100 < OK\r\n",
    "1.200 ! baud 115200",
    r"1.700 < \xff",
    r"2.000 > AT\r",
    r"2.100 < OK\r\n",
)


def test_a_host_at_the_recorded_rates_is_answered(make: Make) -> None:
    link = make(*RATES)
    link.write(b"AT+NATSPEED=115200\r")
    assert heard(link, 60) == [(0.1, b"OK\r\n")]  # what comes after the change waits for the change
    link.set_baud(115200)
    assert link.baud == 115200
    assert heard(link, 1) == [(60.5, b"\xff")]
    link.write(b"AT\r")
    assert heard(link, 1) == [(61.1, b"OK\r\n")]
    assert link.finished


def test_a_host_at_another_rate_has_diverged(make: Make) -> None:
    link = make(*RATES)
    link.write(b"AT+NATSPEED=115200\r")
    with pytest.raises(ReplayDiverged) as caught:
        link.write(b"AT\r")
    assert (caught.value.expected, caught.value.got) == ("! baud 115200", r"! baud 9600, then > AT\r")
    assert caught.value.line == FIRST + 2
    link = make(*RATES)
    with pytest.raises(ReplayDiverged) as caught:
        link.set_baud(57600)
    assert (caught.value.expected, caught.value.got) == (r"> AT+NATSPEED=115200\r", "! baud 57600")
    link = make(*RATES, baud=115200)
    with pytest.raises(ReplayDiverged) as caught:
        link.write(b"AT+NATSPEED=115200\r")
    assert (caught.value.line, caught.value.expected) == (FIRST - 1, "! baud 9600")


def test_the_same_rate_once_more_is_no_difference(make: Make) -> None:
    link = make(
        r"1.000 > AT\r",
        "1.500 ! baud 9600",
        r"2.000 > AT\r",
        "2.500 ! baud 300",
        "2.600 ! baud 9600",
        "3.000 > x",
    )
    link.set_baud(9600)
    link.write(b"AT\rAT\rx")
    assert link.finished


def test_a_host_whose_rate_cannot_be_seen_is_answered_all_the_same(make: Make) -> None:
    link = make(*RATES, rates=False)
    link.write(b"AT+NATSPEED=115200\r")
    assert heard(link, 1) == [(0.1, b"OK\r\n"), (0.7, b"\xff")]
    link.set_baud(300)
    link.write(b"AT\r")
    assert link.read(1) == b"OK\r\n"


LINES = ("0.100 ! dtr on", "0.200 ! dtr off rts on", r"0.300 > AT\r", r"0.400 < OK\r\n")


def test_control_lines_must_be_set_as_they_were(make: Make) -> None:
    link = make(*LINES)
    link.set_lines(dtr=True)
    with pytest.raises(ReplayDiverged) as caught:
        link.set_lines(dtr=False)
    assert (caught.value.expected, caught.value.got) == ("! dtr off rts on", "! dtr off")
    link = make(*LINES)
    with pytest.raises(ReplayDiverged) as caught:
        link.write(b"AT\r")
    assert (caught.value.expected, caught.value.got) == ("! dtr on", r"> AT\r")
    link = make(*LINES)
    link.set_lines(dtr=True)
    link.set_lines(dtr=False, rts=True)
    link.write(b"AT\r")
    assert link.read(1) == b"OK\r\n"
    with_none = make(*LINES, lines=False)
    with_none.write(b"AT\r")
    with_none.set_lines(rts=True)
    assert with_none.read(1) == b"OK\r\n"


def test_what_the_recorded_port_refused_is_refused_again(make: Make) -> None:
    link = make(
        "0.100 ! link.no-line a pty has none", "0.200 ! link 12345 bit/s is not possible", "1.000 > x"
    )
    with pytest.raises(LineUnavailable, match="a pty has none"):
        link.set_lines(dtr=True)
    with pytest.raises(LinkError, match="not possible"):
        link.set_baud(12345)
    link.write(b"x")
    assert link.finished
    link = make("0.100 ! link.no-line a pty has none", "1.000 > x")
    link.write(b"x")  # a host that does not ask is not refused
    assert link.finished


LOSS = (
    r"0.100 > AT\r",
    "0.200 < O",
    "3.200 ! link.lost it was unplugged",
    r"3.200 > AT\r",
    "3.200 ! link.lost it was unplugged",
    "3.300 ! closed",
)


def test_a_recorded_loss_is_a_loss_again_after_the_last_words(make: Make) -> None:
    link = make(*LOSS)
    link.write(b"AT\r")
    assert link.read(1) == b"O"
    assert link.read(2.9) == b""
    with pytest.raises(LinkLost, match="it was unplugged"):
        link.read(1)
    assert link.clock.monotonic() == pytest.approx(3.1)
    for use in (lambda: link.read(0), lambda: link.write(b"x"), lambda: link.set_baud(1200)):
        with pytest.raises(LinkLost):
            use()
    assert link.finished
    assert link.is_lost
    with pytest.raises(LinkLost, match="not opened again"):
        link.reopened(9600)


def test_a_write_into_a_port_that_was_lost_by_then_is_a_loss(make: Make) -> None:
    link = make(*LOSS)
    link.write(b"AT\r")
    with pytest.raises(LinkLost):
        link.write(b"AT+CGMR\r")
    assert link.finished


def test_a_port_that_came_back_goes_on(make: Make) -> None:
    link = make(
        *LOSS,
        "9.000 ! opened ttyUSB1",
        "9.000 ! baud 115200",
        "9.100 > AT",
        "9.200 < OK",
        "9.300 ! closed",
    )
    link.write(b"AT\r")
    assert link.read(1) == b"O"
    with pytest.raises(LinkLost):
        link.read(60)
    assert not link.finished
    again = link.reopened(115200)
    again.write(b"AT")
    assert heard(again, 1) == [(3.2, b"OK")]
    assert again.finished
    assert again.position == len(again.recording.entries)


def test_a_transcript_that_was_cut_off_plays_up_to_there(make: Make) -> None:
    link = make(*TALK[:3])
    link.write(b"AT\r")
    assert heard(link, 100)[-1] == (0.012, b"AT\r\r\n")
    assert link.finished


# -- secrets ------------------------------------------------------------------------------------------

TOKENS = (b"XZ9KW7VJX0ZKXW8YJZ9K", b"0123456789abcdef0123")


@pytest.mark.parametrize("cut", range(0, 45, 4))
def test_any_secret_of_the_same_length_is_taken_and_echoed(tmp_path: Path, cut: int) -> None:
    def command(token: bytes) -> bytes:
        return b"AT+URL=ota_" + token + b"/x*\r"

    clock = SimulatedClock()
    host, module = memory_pair(clock)
    file = io.StringIO()
    recorded = TranscriptLink(host, file, masker=Masker())
    for say in (recorded.write, module.write):
        say(command(TOKENS[0])[:cut])
        if say == module.write:
            recorded.read(0)
        clock.sleep(1)
        say(command(TOKENS[0])[cut:])
    recorded.read(0)
    recorded.close()
    path = tmp_path / "t"
    path.write_text(file.getvalue(), encoding="ascii")
    link = ReplayLink(read_recording(path), SimulatedClock())
    link.write(command(TOKENS[1]))
    assert b"".join(data for _, data in heard(link, 10)) == command(TOKENS[1])
    link = ReplayLink(read_recording(path), SimulatedClock())
    with pytest.raises(ReplayDiverged) as caught:
        link.write(command(TOKENS[1] + b"4"))
    assert TOKENS[0].decode() not in caught.value.message


# -- cuts -----------------------------------------------------------------------------------------------

TURNS = st.lists(
    st.tuples(
        st.sampled_from("<>"),
        st.binary(min_size=1, max_size=600) | st.sampled_from([b"AT\r", b"\r\nOK\r\n", b"*ota_abc"]),
        st.sampled_from([0.0, 0.02, 0.7]),
    ),
    min_size=1,
    max_size=12,
)


@given(turns=TURNS, seed=st.integers(0, 2**32), patient=st.booleans())
def test_neither_cuts_nor_patience_matter(
    tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[str, bytes, float]], seed: int, patient: bool
) -> None:
    rng = random.Random(seed)
    clock = SimulatedClock()
    host, module = memory_pair(clock)
    file = io.StringIO()
    recorded = TranscriptLink(host, file)
    for direction, data, pause in turns:
        for piece in pieces(data, rng):
            if direction == ">":
                recorded.write(piece)
            else:
                module.write(piece)
                recorded.read(0)
        clock.sleep(pause)
    recorded.close()
    path = tmp_path_factory.mktemp("t") / "t"
    path.write_text(file.getvalue(), encoding="ascii")
    link = ReplayLink(read_recording(path), SimulatedClock())
    got = b""
    for piece in pieces(b"".join(data for direction, data, _ in turns if direction == ">"), rng):
        if patient:
            got += b"".join(data for _, data in heard(link, rng.choice([0.01, 5.0])))
        link.write(piece)
    got += b"".join(data for _, data in heard(link, 100))
    assert got == b"".join(data for direction, data, _ in turns if direction == "<")
    assert link.finished
    assert not link.surplus


def pieces(data: bytes, rng: random.Random) -> list[bytes]:
    edges = [0, *sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(5))), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


# -- replay:// --------------------------------------------------------------------------------------------


def test_a_recording_is_opened_by_its_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Über 100%?"
    folder.mkdir()
    (folder / "T.transcript").write_text(HEAD + "1.000 < OK\n", encoding="ascii")
    monkeypatch.chdir(tmp_path)
    for url, kind in (
        (f"replay://{quote(str(folder))}/T.transcript", SimulatedClock),
        (f"replay://{quote(folder.name)}/T.transcript?speed=max", SimulatedClock),
        (f"REPLAY://./{quote(folder.name)}/T.transcript?speed=50", ScaledClock),
        (f"replay://{quote(folder.name)}/T.transcript?speed=real", SystemClock),
    ):
        link = open_link(url)
        assert isinstance(link.clock, kind)
        assert (link.name, link.baud) == (url, 9600)
        link.close()
    clock = SimulatedClock()
    link = open_link(url, clock=clock, baud=300)
    assert (link.clock, link.baud) == (clock, 300)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("replay://", UsageError),
        ("replay://?speed=max", UsageError),
        ("replay://x?speed=0", UsageError),
        ("replay://x?speed=", UsageError),
        ("replay://x?fast=1", UsageError),
        ("replay://no-such-file", ConfigError),
    ],
)
def test_a_wrong_url_is_refused(url: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        open_link(url)


def test_a_module_is_identified_from_its_transcript_at_any_speed(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with (
        path.open("w", encoding="ascii") as file,
        open_module("sim://BC28", wrap=lambda link: TranscriptLink(link, file, masker=Masker())) as module,
    ):
        known = module.identify()
    assert known.model == "BC28"
    for speed in ("max", "100"):
        with open_module(f"replay://{path}?speed={speed}") as module:
            assert module.identify() == known
            link = module.session.link
        assert isinstance(link, ReplayLink)
        assert link.finished


def test_a_host_that_goes_on_after_the_end_is_told_where_the_recording_ends(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text(HEAD + "".join(f"{line}\n" for line in TALK[:4]), encoding="ascii")
    link = open_link(f"replay://{path}")
    link.write(b"AT\r")
    assert link.read(5.0) == b"\r\nREADY\r\n"
    with pytest.raises(ReplayDiverged) as caught:
        link.write(b"AT+CGMR\r")
    assert caught.value.message == (
        f"{path}: the recording ends at line {FIRST + 3} (at 1.020 s), the host goes on with `> AT+CGMR\\r`"
    )
    assert caught.value.tried[-1] == r"1.020 < OK\r\n"
    with pytest.raises(ReplayDiverged):
        link.read(0.1)
