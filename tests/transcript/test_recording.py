"""Transcripts read back: byte for byte, up to where they were cut off, and strictly."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.clock import SimulatedClock
from atota.errors import ConfigError, LinkLost
from atota.testing.memory import memory_pair
from atota.transcript.masking import Direction, Masker
from atota.transcript.recording import (
    BaudChange,
    Closed,
    Fault,
    LinesSet,
    Opened,
    Recording,
    Traffic,
    read_recording,
)
from atota.transcript.writer import TranscriptLink

HEAD = "# atota transcript 1\n# link x\n# started 2026-01-01T00:00:00.000Z\n"


def read(folder: Path, text: str | bytes) -> Recording:
    path = folder / "t.transcript"
    path.write_bytes(text.encode("ascii") if isinstance(text, str) else text)
    return read_recording(path)


def test_every_kind_of_line_is_read(tmp_path: Path) -> None:
    body = (
        "# command flash\n# expect outcome updated\n# expect played 9\n"
        "0.000 ! baud 9600\n"
        "0.001 > AT+X=ota_*****\n"
        "0.001 > ***************\\r\n"
        "0.250 <  \\x2a\\t\\\\\\x00\\xff\\x20\n"
        "0.500 ! dtr on rts off\n"
        "0.500 ! rts on\n"
        "0.600 ! link.lost it went away\n"
        "0.600 ! link odd\n"
        "0.900 ! opened /dev/ttyUSB1\n"
        "1.000 ! closed\n"
    )
    got = read(tmp_path, HEAD + body)
    assert got.value("command") == "flash"
    assert got.value("nothing") is None
    assert got.head[2:] == (("command", "flash"), ("expect", "outcome updated"), ("expect", "played 9"))
    assert got.entries == (
        BaudChange(7, 0.0, 9600),
        Traffic(8, 0.001, ">", b"AT+X=ota_*****", ((9, 14),)),
        Traffic(9, 0.001, ">", b"***************\r", ((0, 15),), continues=True),
        Traffic(10, 0.25, "<", b" *\t\\\x00\xff "),
        LinesSet(11, 0.5, dtr=True, rts=False),
        LinesSet(12, 0.5, rts=True),
        Fault(13, 0.6, "link.lost", "it went away"),
        Fault(14, 0.6, "link", "odd"),
        Opened(15, 0.9, "/dev/ttyUSB1"),
        Closed(16, 1.0),
    )
    assert not got.cut_off
    assert got.baud == 9600
    written = [line.split(" ", 1)[1] for line in body.splitlines()[3:]]
    assert [str(entry) for entry in got.entries] == written


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 1, "not a transcript"),
        ("# atota transcript 1", 1, "not a transcript"),
        ("# atota transcript 2\n", 1, "version 2"),
        ("0.000 ! baud 9600\n", 1, "not a transcript"),
        ("\x7fELF\n", 1, "not a transcript"),
        (HEAD + "#x\n", 4, "head line"),
        (HEAD + "0.000 ! baud 9600\n# command flash\n", 5, "a line reads"),
        (HEAD + "0.000 ! baud 0\n", 4, "unknown note"),
        (HEAD + "0.000 ! dtr up\n", 4, "unknown note"),
        (HEAD + "0.000 ! closed for good\n", 4, "unknown note"),
        (HEAD + "0.000 ! opened\n", 4, "unknown note"),
        (HEAD + "0.000 ! hello\n", 4, "unknown note"),
        (HEAD + "0.00 > AT\n", 4, "a line reads"),
        (HEAD + "0.000 > \n", 4, "a line reads"),
        (HEAD + "0.000 ? AT\n", 4, "a line reads"),
        (HEAD + "\n", 4, "a line reads"),
        (HEAD + "0.000 > AT\\q\n", 4, "bytes are written"),
        (HEAD + "0.000 > AT\\x4\n", 4, "bytes are written"),
        (HEAD + "0.000 > AT\\101\n", 4, "bytes are written"),
        (HEAD + "0.000 > AT\t\n", 4, "bytes are written"),
        (HEAD + "2.000 > AT\n1.000 > AT\n", 5, "time goes back"),
    ],
)
def test_what_is_no_transcript_is_an_error_that_names_file_and_line(
    tmp_path: Path, text: str, line: int, why: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert caught.value.message.startswith(f"{tmp_path / 't.transcript'}, line {line}: ")
    assert why in caught.value.message


def test_bytes_that_are_no_ascii_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 4"):
        read(tmp_path, HEAD.encode() + b"0.000 > \xff\n")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(ConfigError) as caught:
            read_recording(path)
        assert str(path) in caught.value.message


def test_line_ends_of_another_system_do_not_matter(tmp_path: Path) -> None:
    text = HEAD + "0.000 > AT\\r\n1.000 ! closed\n"
    assert read(tmp_path, text).entries == read(tmp_path, text.replace("\n", "\r\n")).entries


def test_a_transcript_that_was_cut_off_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    text = (
        HEAD + "# command flash\n0.000 ! baud 9600\n0.001 > AT\\r\n0.002 < \\r\\nOK\\r\\n\n0.500 ! closed\n"
    )
    whole = read(tmp_path, text)
    first = text.index("\n") + 1
    for end in range(first, len(text)):
        got = read(tmp_path, text[:end])
        lines = text[:end].count("\n") - 1
        assert (got.head + got.entries) == (whole.head + whole.entries)[:lines]
        assert got.cut_off


STEPS = st.one_of(
    st.tuples(st.sampled_from("<>"), st.binary(max_size=700)),
    st.tuples(st.sampled_from("<>"), st.sampled_from([b"*", b" ", b"AT\r", b"\r\n", b"\\x2a ", b"ota_ab*"])),
    st.tuples(st.just("pause"), st.sampled_from([0.0, 0.01, 0.5])),
    st.tuples(st.just("baud"), st.sampled_from([9600, 115200])),
)


@given(steps=st.lists(STEPS, max_size=20), masked=st.booleans(), lost=st.booleans())
def test_whatever_was_recorded_is_read_back_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, bytes | float | int]],
    masked: bool,
    lost: bool,
) -> None:
    clock = SimulatedClock()
    host, module = memory_pair(clock)
    file = io.StringIO()
    link = TranscriptLink(host, file, masker=Masker() if masked else None)
    passed: dict[Direction, bytes] = {"<": b"", ">": b""}
    rates = [9600]
    for kind, what in steps:
        if kind == ">":
            assert isinstance(what, bytes)
            link.write(what)
            passed[">"] += what
        elif kind == "<":
            assert isinstance(what, bytes)
            module.write(what)
            passed["<"] += link.read(0)
        elif kind == "baud":
            link.set_baud(int(what))
            rates.append(int(what))
        else:
            clock.sleep(float(what))
    if lost:
        module.close()
        with pytest.raises(LinkLost):
            link.read(1)
    link.close()
    got = read(tmp_path_factory.mktemp("t"), file.getvalue())
    for direction, data in passed.items():
        stream = got.stream(direction)
        places = hidden_places(got, direction)
        assert len(stream) == len(data)
        assert all(a == b or at in places for at, (a, b) in enumerate(zip(stream, data, strict=True)))
        assert masked or not places
    assert [entry.baud for entry in got.entries if isinstance(entry, BaudChange)] == rates
    assert any(isinstance(entry, Fault) for entry in got.entries) is lost
    assert not got.cut_off


def hidden_places(recording: Recording, direction: Direction) -> set[int]:
    """The places of a stream that are not told."""
    places: set[int] = set()
    at = 0
    for entry in recording.entries:
        if isinstance(entry, Traffic) and entry.direction == direction:
            places |= {at + place for start, end in entry.hidden for place in range(start, end)}
            at += len(entry.data)
    return places
