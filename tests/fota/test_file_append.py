"""The appended file, byte by byte (SIM7000 Series FS Application Note V1.01; tests/traces/sim7000c)."""

from pathlib import Path
from typing import Any

import pytest

from atota.errors import Refused, SlotLost, WriteFailed
from tests.fota.wire import ALIVE, ERROR, FENCE, OK, Answer, Talk

DATA = b"\x00\r\nABC\xff"
INIT, TERM = (b"AT+CFSINIT\r", OK), (b"AT+CFSTERM\r", OK)
SIZE = b'AT+CFSGFIS=1,"update.zip"\r'
NO_FILE = (SIZE, b"\r\n+CME ERROR: 22\r\n")
FREE = (b"AT+CFSGFRS?\r", b"\r\n+CFSGFRS: 22151168\r\n\r\nOK\r\n")
FIRST = b'AT+CFSWFILE=1,"update.zip",0,4,10000\r'
SECOND = b'AT+CFSWFILE=1,"update.zip",1,3,10000\r'
READY = b"\r\nDOWNLOAD\r\n"
CLEAR, START = (b"AT+CFOTA=0\r", OK), (b"AT+CFOTA=1\r", OK)
BEGIN = (INIT, NO_FILE, FREE)
WRITTEN = ((FIRST, READY), (DATA[:4], OK), (SECOND, READY), (DATA[4:], OK))


def size(count: int) -> tuple[bytes, bytes]:
    return SIZE, b"\r\n+CFSGFIS: %d\r\n\r\nOK\r\n" % count


def talk(folder: Path, *script: tuple[bytes, Answer], **options: Any) -> Talk:
    return Talk("simcom-sim7000", script, folder, DATA, block=4, **options)


def test_a_whole_update(tmp_path: Path) -> None:
    whole = talk(tmp_path, *BEGIN, *WRITTEN, size(7), TERM, CLEAR, START)
    assert whole.update() is True
    assert whole.progress == [4, 7]


def test_a_file_system_that_was_left_open_is_closed_and_an_old_package_deleted(tmp_path: Path) -> None:
    delete = (b'AT+CFSDFILE=1,"update.zip"\r', OK)
    begin = ((b"AT+CFSINIT\r", ERROR), TERM, INIT, size(9), FREE, delete)
    assert talk(tmp_path, *begin, *WRITTEN, size(7), TERM, CLEAR, START).update() is True


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    read = b'AT+CFSRFILE=1,"update.zip",1,7,0\r'
    good = (read, b"\r\n+CFSRFILE: 7\r\n" + DATA + b"\r\nOK\r\n")
    bad = (read, b"\r\n+CFSRFILE: 7\r\n" + DATA[::-1] + b"\r\nOK\r\n")
    script = (*BEGIN, *WRITTEN, size(7))
    assert talk(tmp_path, *script, good, TERM, CLEAR, START, read_back=True).update() is True
    message = talk(tmp_path, *script, bad, TERM, read_back=True).failure(SlotLost)
    assert message == "the file read back from the module is not the package"


def test_a_lost_response_is_settled_by_the_length_of_the_file(tmp_path: Path) -> None:
    late = [(0.01, READY)], [(0.01, b"\r\n+CME ERROR: 3\r\n")]
    script = ((FIRST, late[0]), (DATA[:4], late[1]), size(4), *WRITTEN[2:])
    assert talk(tmp_path, *BEGIN, *script, size(7), TERM, CLEAR, START).update() is True


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        (
            [INIT, NO_FILE, *[(FREE[0], b"\r\n+CFSGFRS: 6\r\n\r\nOK\r\n")] * 2, TERM],
            Refused,
            "the module has 6 bytes free; 7 are needed",
        ),
        ([*BEGIN, *[(FIRST, ERROR), NO_FILE] * 3, TERM], WriteFailed, "refused the piece at byte 0: ERROR"),
        ([*BEGIN, (FIRST, READY), (DATA[:4], ERROR), size(2), TERM], SlotLost, "has 2 bytes after 0 bytes"),
        ([*BEGIN, *WRITTEN, size(6), TERM], SlotLost, "file has 6 bytes; the package has 7"),
        ([*BEGIN, *WRITTEN, NO_FILE, TERM], SlotLost, "does not report the length of its file"),
        (
            [*BEGIN, *WRITTEN[:2], (SECOND, b"\r\nRDY\r\n")],
            SlotLost,
            "the module rebooted while its file was written (cause not given)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_write_that_fails(tmp_path: Path, script: list[Any], kind: Any, message: str) -> None:
    assert message in talk(tmp_path, *script).failure(kind)


def test_pieces_that_are_refused_at_the_first_byte_are_shortened(tmp_path: Path) -> None:
    data = bytes(range(256)) * 8
    first = b'AT+CFSWFILE=1,"update.zip",0,%d,10000\r'
    second = b'AT+CFSWFILE=1,"update.zip",1,%d,10000\r'
    refusals = [(first % 2048, ERROR), NO_FILE] * 3
    pieces = [(first % 1024, READY), (data[:1024], OK), (second % 1024, READY), (data[1024:], OK)]
    script = (*BEGIN, *refusals, *pieces, size(2048), TERM, CLEAR, START)
    short = Talk("simcom-sim7000", script, tmp_path, data)
    warnings: list[str] = []
    short.method.warn = warnings.append
    assert short.update() is True
    assert warnings == ["the module refuses pieces of 2048 bytes; sending pieces of 1024 bytes instead"]


def test_the_room_of_an_old_package_counts_before_it_is_deleted(tmp_path: Path) -> None:
    tight = (FREE[0], b"\r\n+CFSGFRS: 4\r\n\r\nOK\r\n")
    delete = (b'AT+CFSDFILE=1,"update.zip"\r', OK)
    fits = talk(tmp_path, INIT, size(3), tight, delete, *WRITTEN, size(7), TERM, CLEAR, START)
    assert fits.update() is True
    # Too large all the same: refused while the old one is still there.
    message = talk(tmp_path, INIT, size(2), tight, tight, TERM).failure(Refused)
    assert message == "the module has 6 bytes free; 7 are needed"


def test_not_a_byte_is_sent_without_the_line_that_asks_for_it(tmp_path: Path) -> None:
    wrong = talk(tmp_path, *BEGIN, (FIRST, b"\r\nDOWNLOADING\r\n"), ALIVE, FENCE, NO_FILE, TERM)
    assert "the module no longer has its file open" in wrong.failure(SlotLost)


def test_the_outcome_is_told_in_words(tmp_path: Path) -> None:
    asked = talk(tmp_path, (b"AT+CFOTA?\r", b"\r\n+CFOTA: 3\r\n\r\nOK\r\n"))
    assert asked.method.result(asked.session) == "AT+CFOTA? answers 3 (recovery of the modem part failed)"


def test_a_piece_of_no_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="a piece cannot have -1 bytes"):
        Talk("simcom-sim7000", (), tmp_path, DATA, block=-1)
