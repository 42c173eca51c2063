"""Transcripts: readable, faithful, the same however the bytes were cut, and free of secrets."""

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.clock import SimulatedClock
from atota.errors import LineUnavailable, LinkLost
from atota.testing.memory import MemoryLink, memory_pair
from atota.transcript.format import escape, unescape
from atota.transcript.masking import Masker
from atota.transcript.writer import LONGEST, TranscriptLink


class Bench:
    def __init__(self, *, masker: Masker | None = None, context: dict[str, str] | None = None) -> None:
        self.clock = SimulatedClock()
        host, self.module = memory_pair(self.clock)
        self.file = io.StringIO()
        self.link = TranscriptLink(host, self.file, masker=masker, context=context)

    def hear(self, data: bytes) -> None:
        self.module.write(data)
        assert self.link.read(0) == data

    @property
    def body(self) -> list[str]:
        return self.file.getvalue().splitlines()[4:]


def test_a_conversation_reads_like_one() -> None:
    bench = Bench()
    bench.link.write(b"AT\r")
    bench.clock.sleep(0.012)
    bench.hear(b"AT\r")
    bench.hear(b"\r\nOK\r\n")
    bench.clock.sleep(0.5)
    bench.link.set_baud(115200)
    with pytest.raises(LineUnavailable):
        bench.link.set_lines(dtr=True)
    bench.link.write(b"AT+NFWUPD=1,0,512\r")
    bench.hear(b"\r\n> ")
    bench.link.write(b"\x00\xff\\")
    bench.link.close()
    bench.link.close()
    assert bench.file.getvalue().splitlines() == [
        "# atota transcript 1",
        "# link memory:host",
        "# started 2026-01-01T00:00:00.000Z",
        "0.000 ! baud 9600",
        r"0.000 > AT\r",
        r"0.012 < AT\r\r\n",
        r"0.012 < OK\r\n",
        "0.512 ! baud 115200",
        "0.512 ! link.no-line memory:host is a link in memory and has no control lines",
        r"0.512 > AT+NFWUPD=1,0,512\r",
        r"0.512 < \r\n>\x20",
        r"0.512 > \x00\xff\\",
        "0.512 ! closed",
    ]


def test_control_lines_are_written_down() -> None:
    class WithLines(MemoryLink):
        def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None: ...

    bench = Bench()
    inner = WithLines("bench", bench.clock, bench.module._shared)
    link = TranscriptLink(inner, bench.file)
    link.set_lines(dtr=True)
    link.set_lines(dtr=False, rts=True)
    assert bench.file.getvalue().splitlines()[-2:] == ["0.000 ! dtr on", "0.000 ! dtr off rts on"]


def test_a_pause_begins_a_new_line_and_a_short_gap_does_not() -> None:
    bench = Bench()
    bench.hear(b"+NN")
    bench.clock.sleep(0.01)
    bench.hear(b"MI:1")
    bench.clock.sleep(2)
    bench.hear(b"+CEREG:1")
    bench.link.close()
    assert bench.body == ["0.000 < +NNMI:1", "2.010 < +CEREG:1", "2.010 ! closed"]


def test_what_arrived_is_in_the_file_before_the_line_is_whole() -> None:
    bench = Bench()
    bench.hear(b"+CSQ: 2")
    assert bench.body == ["0.000 < +CSQ: 2"]
    bench.hear(b"3,99  ")
    assert bench.body == ["0.000 < +CSQ: 23,99"]
    bench.link.write(b"AT")
    assert bench.body == [r"0.000 < +CSQ: 23,99 \x20", "0.000 > AT"]


def test_a_loss_is_written_down() -> None:
    bench = Bench()
    bench.module.close()
    with pytest.raises(LinkLost):
        bench.link.read(1)
    with pytest.raises(LinkLost):
        bench.link.write(b"AT\r")
    assert [line.split()[1:3] for line in bench.body] == [
        ["!", "link.lost"],
        [">", r"AT\r"],
        ["!", "link.lost"],
    ]


def test_a_secret_is_masked_even_if_it_comes_in_pieces() -> None:
    bench = Bench(masker=Masker())
    for piece in (b"AT+URL=http://x/ota_fakeTo", b"ken12", b"3fakeTokX?v=1\r\n", b"and * is a star"):
        bench.link.write(piece)
    bench.link.close()
    assert bench.body == [
        r"0.000 > AT+URL=http://x/ota_********************?v=1\r\n",
        r"0.000 > and \x2a is a star",
        "0.000 ! closed",
    ]


def test_the_head_says_what_the_conversation_is_for() -> None:
    bench = Bench(context={"command": "flash", "package": "neu für\n\\it's.bin 5 abc"})
    assert bench.file.getvalue().splitlines()[3:] == [
        "# command flash",
        r"# package neu f\xfcr\n\\it's.bin 5 abc",
        "0.000 ! baud 9600",
    ]


def test_a_port_that_was_opened_again_goes_on_in_the_same_file() -> None:
    bench = Bench()
    bench.link.write(b"AT\r")
    bench.module.close()
    with pytest.raises(LinkLost):
        bench.link.read(1)
    bench.link.close()
    bench.clock.sleep(3)
    host, _ = memory_pair(bench.clock)
    TranscriptLink(host, bench.file, after=bench.link).write(b"AT\r")
    assert bench.body == [
        r"0.000 > AT\r",
        "0.000 ! link.lost memory:host went away: the other end was closed",
        "0.000 ! closed",
        "3.000 ! opened memory:host",
        "3.000 ! baud 9600",
        r"3.000 > AT\r",
    ]


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        if self.tell() > 150:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_full_disk_ends_the_transcript_and_not_the_traffic() -> None:
    host, module = memory_pair(SimulatedClock())
    link = TranscriptLink(host, FullDisk())
    assert link.problem is None
    link.write(b"x" * 5000)
    link.write(b"y")
    link.close()
    assert module.read(0) == b"x" * 5000 + b"y"
    assert "No space left" in str(link.problem)


def test_the_link_stays_what_it_was() -> None:
    bench = Bench()
    assert bench.link.name == "memory:host"
    assert bench.link.clock is bench.clock
    bench.link.set_baud(57600)
    assert bench.link.baud == 57600


@given(st.binary(max_size=3 * LONGEST), st.lists(st.integers(0, 3 * LONGEST)))
def test_the_transcript_is_the_same_however_the_bytes_were_cut(data: bytes, cuts: list[int]) -> None:
    def written(pieces: list[bytes], *, masker: Masker | None) -> list[str]:
        bench = Bench(masker=masker)
        for piece in pieces:
            bench.link.write(piece)
        bench.link.close()
        return bench.body

    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    whole = written([data], masker=None)
    assert written(pieces, masker=None) == whole
    assert written(pieces, masker=Masker()) == whole
    lines = [unescape(line.split(" ", 2)[2]) for line in whole if line.split(" ", 2)[1] == ">"]
    assert b"".join(lines) == data
    assert all(0 < len(line) <= LONGEST for line in lines)


@given(st.binary())
def test_escaped_bytes_are_one_plain_line_and_come_back(data: bytes) -> None:
    text = escape(data)
    assert text.isascii()
    assert text.isprintable()
    assert text == text.rstrip()
    assert unescape(text) == data
