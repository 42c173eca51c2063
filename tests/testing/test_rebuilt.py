"""A package is put together again from the transcript of its transfer."""

import random
from pathlib import Path

import pytest

from atota.testing.rebuilt import rebuild
from atota.transcript.head import parse_head
from atota.transcript.recording import Recording, Traffic, read_recording
from atota.values import Digests
from tests.meta.sources import ROOT

FOLDER = ROOT / "tests" / "traces" / "recorded"
SENT_BY_ITSELF = ("url-pull", "watched")
DATA = random.Random(7).randbytes(2300)


def talk(*turns: tuple[str, bytes]) -> Recording:
    entries = tuple(
        Traffic(line, 0.0, ">" if direction == ">" else "<", data)
        for line, (direction, data) in enumerate(turns, 1)
    )
    return Recording(Path("t"), (), entries, cut_off=False)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.transcript")), ids=lambda path: path.stem)
def test_every_package_that_was_sent_is_found_whole(path: Path) -> None:
    recording = read_recording(path)
    named = parse_head(recording.head).package
    assert named is not None
    data = rebuild(recording, size=named.size, md5=named.md5)
    if path.stem.startswith(SENT_BY_ITSELF):
        assert data == b""
        return
    assert Digests.of(data).md5 == named.md5
    assert rebuild(recording, size=named.size) == data


def block(number: int, piece: bytes) -> tuple[str, bytes]:
    return ">", b"AT+NFWUPD=1,%d,%d,%s,00\r" % (number, len(piece), piece.hex().upper().encode())


def test_hex_blocks_that_came_twice_count_once_and_what_is_missing_ends_it() -> None:
    turns = (block(0, b"aa"), ("<", b"OK"), block(1, b"bb"), ("<", b"ERROR"), block(1, b"bb"), block(2, b"c"))
    assert rebuild(talk(*turns)) == b"aabbc"
    assert rebuild(talk(block(0, b"aa"), block(2, b"cc"))) == b"aa"
    assert rebuild(talk(block(0, b"aa"), ("<", b"OK"), (">", b"AT+NFWUPD=1,1,2,626"))) == b"aab`"


def test_raw_bytes_between_a_prompt_and_a_result_are_the_package() -> None:
    turns = []
    for start in range(0, len(DATA), 512):
        turns += [
            (">", b"AT+CFSWFILE=1\r"),
            ("<", b"DOWNLOAD\r\n"),
            (">", DATA[start : start + 512]),
            ("<", b"OK"),
        ]
    assert rebuild(talk(*turns)) == DATA


def test_a_transfer_that_was_begun_again_is_found_by_its_digest() -> None:
    pieces = [DATA[start : start + 500] for start in range(0, len(DATA), 500)]
    sent = [*pieces[:2], *pieces]
    turns = [turn for piece in sent for turn in ((">", b"AT+W\r"), ("<", b">"), (">", piece), ("<", b"OK"))]
    assert rebuild(talk(*turns), size=len(DATA), md5=Digests.of(DATA).md5) == DATA
    assert rebuild(talk(*turns)) == DATA


def test_a_piece_that_was_sent_twice_counts_once_where_the_digest_says_so() -> None:
    pieces = [DATA[start : start + 500] for start in range(0, len(DATA), 500)]
    pieces[1] = b"x" * 500
    whole = b"".join(pieces)
    sent = [*pieces[:2], pieces[1], *pieces[2:]]
    turns = [turn for piece in sent for turn in ((">", b"AT+W\r"), ("<", b">"), (">", piece), ("<", b"OK"))]
    assert rebuild(talk(*turns), size=len(whole), md5=Digests.of(whole).md5) == whole


def test_xmodem_blocks_that_were_sent_again_count_once() -> None:
    def frame(number: int) -> bytes:
        piece = DATA[(number - 1) * 1024 : number * 1024].ljust(1024, b"\x1a")
        return b"\x02" + bytes((number, 255 - number)) + piece + b"\0\0"

    turns = [turn for number in (1, 1, 2, 1, 2, 2, 3) for turn in ((">", frame(number)), ("<", b"\x06"))]
    assert rebuild(talk(*turns, (">", b"\x04"))) == DATA
    assert rebuild(talk(*turns[:4], (">", frame(2)[:500]))) == DATA[: 1024 + 497]


def test_where_nothing_was_sent_there_is_nothing() -> None:
    assert rebuild(talk((">", b"AT\r"), ("<", b"OK"))) == b""
    assert rebuild(talk()) == b""
