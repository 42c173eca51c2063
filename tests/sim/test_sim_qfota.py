"""Quectel: upload with acknowledgements and start from the file; or the package pushed behind FILESTART."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.sim.link import open_sim_link
from atota.sim.package import build_package
from atota.sim.ways.qfota import xor16
from tests.sim.hosts import ERROR, OK, LinkHost

CONNECT = b"\r\nCONNECT\r\n"
FILESTART = b'\r\n+QIND: "FOTA","FILESTART"\r\n'
OLD = {"EC21": "EC21EFAR06A04M4G", "EC800M": "EC800MCNLAR06A03M08"}


def package(model: str = "EC21", base: str = "") -> bytes:
    return build_package(model=model, base=base or OLD[model], target="NEW", size=5000)


class Talk(LinkHost):
    """A host at 115200, echo off, error numbers on."""

    def __init__(self, faults: str = "", model: str = "EC21") -> None:
        super().__init__(model, faults)

    def upload(self, data: bytes, acks: bool = True, timeout: int = 5) -> bytes:
        line = b'AT+QFUPL="dfota_update.bin",%d,%d,%d' % (len(data), timeout, acks)
        self.link.write(line + b"\r")
        prompt = self.read_until(30.0, CONNECT, b"ERROR: 409\r\n", b"ERROR: 421\r\n")
        if prompt != CONNECT:
            return prompt
        for at in range(0, len(data), 1024):
            self.link.write(data[at : at + 1024])
            if acks and at + 1024 <= len(data) and (got := self.read_until(30.0, b"A", b"1\r\n")) != b"A":
                return got
        return self.read_until()

    def start(self) -> bytes:
        return self.say(b'AT+QFOTADL="/data/ufs/dfota_update.bin"')

    def push(self, data: bytes) -> bytes:
        prompt = self.say(b'AT+QFOTADL="FILE:%d",1,100,100' % len(data), FILESTART, ERROR)
        if not prompt.endswith(FILESTART):
            return prompt
        for at in range(0, len(data), 500):
            self.link.write(data[at : at + 500])
        return self.read_until(120.0, b'"FILEEND",0\r\n', b'"FILEEND",1\r\n')


@pytest.mark.parametrize(
    ("data", "checksum"), [(b"", 0), (b"\x12", 0x1200), (b"\x12\x34", 0x1234), (b"\x12\x34\x56", 0x4434)]
)
def test_the_checksum_is_the_xor_of_big_endian_words(data: bytes, checksum: int) -> None:
    assert xor16(data) == checksum


@given(st.binary(max_size=64).map(lambda data: data[: len(data) & ~1]), st.binary(max_size=64))
def test_the_checksum_of_two_parts_is_the_xor_of_theirs(even: bytes, rest: bytes) -> None:
    assert xor16(even + rest) == xor16(even) ^ xor16(rest)


@pytest.mark.parametrize("acks", [True, False])
def test_a_whole_update_from_a_file(acks: bool) -> None:
    talk = Talk()
    data = package()
    assert talk.upload(data, acks) == b"\r\n+QFUPL: %d,%x\r\n\r\nOK\r\n" % (len(data), xor16(data))
    assert talk.module.slot == data
    assert talk.start() == OK
    text = talk.read_until(600.0, b"SMS DONE\r\n")
    assert text.startswith(b'\r\n+QIND: "FOTA","START"\r\n\r\n+QIND: "FOTA","UPDATING",5\r\n')
    assert b'\r\n+QIND: "FOTA","END",0\r\n\r\nRDY\r\n' in text
    assert (talk.module.version, talk.module.updates, talk.module.starts) == ("NEW", 1, ["PACKAGE_OK"])


def test_a_whole_update_by_a_pushed_stream() -> None:
    talk = Talk(model="EC800M")
    data = package("EC800M")
    text = talk.push(data)
    assert b'"DOWNLOADING",50\r\n' in text
    assert text.endswith(b'\r\n+QIND: "FOTA","FILEEND",0\r\n')
    assert b'"START"' in talk.read_until(600.0, b"SMS DONE\r\n")
    assert (talk.module.slot, talk.module.version) == (data, "NEW")


def test_without_acknowledgements_no_a_is_sent() -> None:
    talk = Talk()
    talk.link.write(b'AT+QFUPL="x",3000\r')
    talk.read_until(5.0, CONNECT)
    talk.link.write(bytes(3000))
    assert talk.read_until() == b"\r\n+QFUPL: 3000,0\r\n\r\nOK\r\n"


def test_an_a_comes_when_the_kibibyte_is_complete_and_not_before() -> None:
    talk = Talk()
    talk.link.write(b'AT+QFUPL="x",2048,60,1\r')
    talk.read_until(5.0, CONNECT)
    talk.link.write(bytes(1023))
    assert talk.read_until(1.0, b"A") == b""
    talk.link.write(b"\0")
    assert talk.read_until(1.0, b"A") == b"A"


def test_an_upload_that_stops_ends_with_a_time_out_and_no_file() -> None:
    talk = Talk()
    talk.link.write(b'AT+QFUPL="x",3000,2\r')
    talk.read_until(5.0, CONNECT)
    talk.link.write(bytes(1000))
    assert talk.read_until() == b"\r\n+CME ERROR: 421\r\n"
    assert talk.say(b'AT+QFLST="x"') == b"\r\n+CME ERROR: 405\r\n"


def test_the_time_counts_from_the_last_byte() -> None:
    link = open_sim_link("sim://EC21?baud=9600", baud=9600)
    link.write(b'AT+QFUPL="x",20000,5\r')
    link.clock.sleep(1.0)
    link.read(0)
    link.write(bytes(20000))
    link.clock.sleep(25.0)
    assert b"+QFUPL: 20000,0\r\n" in link.read(0)


def test_a_file_that_is_there_must_be_deleted_first() -> None:
    talk = Talk()
    talk.upload(b"abc")
    assert talk.say(b'AT+QFUPL="dfota_update.bin",3') == b"\r\n+CME ERROR: 407\r\n"
    assert talk.say(b'AT+QFDEL="dfota_update.bin"') == OK
    assert talk.module.slot == b""
    assert talk.say(b'AT+QFDEL="dfota_update.bin"') == b"\r\n+CME ERROR: 405\r\n"
    assert talk.upload(b"abc").endswith(OK)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b'AT+QFUPL="x",0', b"\r\n+CME ERROR: 400\r\n"),
        (b'AT+QFUPL="x",99999999', b"\r\n+CME ERROR: 420\r\n"),
        (b'AT+QFUPL="x",10,0', b"\r\n+CME ERROR: 400\r\n"),
        (b"AT+QFUPL=x,10", b"\r\n+CME ERROR: 400\r\n"),
        (b'AT+QFOTADL="/data/ufs/x"', ERROR),
        (b'AT+QFOTADL="dfota_update.bin"', ERROR),
        (b'AT+QFOTADL="FILE:100",1,100,100', ERROR),
    ],
)
def test_what_cannot_be_is_an_error(line: bytes, answer: bytes) -> None:
    assert Talk().say(line) == answer


def test_a_bad_package_ends_with_a_code_and_without_a_reboot() -> None:
    talk = Talk()
    talk.upload(package(base="OTHER"))
    assert talk.start() == OK
    assert talk.read_until(60.0, b"505\r\n") == b'\r\n+QIND: "FOTA","END",505\r\n'
    assert (talk.module.version, talk.module.reboots) == (OLD["EC21"], 0)


def test_a_rate_is_kept_only_after_and_w() -> None:
    for store, rate in ((False, 115200), (True, 57600)):
        talk = Talk()
        talk.say(b"AT+IPR=57600")
        talk.link.clock.sleep(0.1)
        talk.link.set_baud(57600)
        if store:
            assert talk.say(b"AT&W") == OK
        talk.link.write(b"AT+CFUN=1,1\r")
        talk.link.clock.sleep(1.0)
        talk.link.set_baud(rate)
        assert b"RDY\r\n" in talk.read_until(30.0, b"DONE\r\n")


# --- faults -----------------------------------------------------------------------------------------


def test_a_lost_acknowledgement_leaves_the_module_waiting() -> None:
    talk = Talk("lose-ack:1")
    assert talk.upload(package()) == b"\r\n+CME ERROR: 421\r\n"


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("no-prompt:0", b"\r\n+CME ERROR: 421\r\n"),
        ("refuse-block:0", b"\r\n+CME ERROR: 409\r\n"),
        ("drop-byte:3000", b"\r\n+CME ERROR: 421\r\n"),
    ],
)
def test_an_upload_that_failed_can_be_made_again(fault: str, answer: bytes) -> None:
    talk = Talk(fault)
    assert talk.upload(package()) == answer
    assert talk.upload(package()).endswith(OK)
    assert talk.module.slot == package()


def test_data_that_is_refused_at_the_end_leaves_no_file() -> None:
    talk = Talk("refuse-data:0")
    assert talk.upload(package()) == b"\r\n+CME ERROR: 409\r\n"
    assert talk.say(b"AT+QFLST") == OK


@pytest.mark.parametrize("fault", ["refuse-md5:1", "short-write:0", "flip-byte:3000"])
def test_a_file_that_differs_shows_in_its_size_or_checksum(fault: str) -> None:
    talk = Talk(fault)
    data = package()
    answer = talk.upload(data)
    assert answer.startswith(b"\r\n+QFUPL: ")
    assert answer.endswith(OK)
    assert b"+QFUPL: %d,%x\r\n" % (len(data), xor16(data)) not in answer


@pytest.mark.parametrize(("model", "fault"), [("EC21", "reboot-in-data:0"), ("EC800M", "reboot-in-data:0")])
def test_a_reboot_amid_the_bytes(model: str, fault: str) -> None:
    talk = Talk(fault, model)
    line = b'AT+QFUPL="x",5000' if model == "EC21" else b'AT+QFOTADL="FILE:5000",1,100,100'
    talk.say(line, CONNECT, FILESTART)
    talk.link.write(bytes(5000))
    assert b"RDY\r\n" in talk.read_until(60.0, b"DONE\r\n")
    assert (talk.module.slot, talk.module.starts) == (b"", [])


def test_a_pushed_stream_that_stops_ends_with_a_code() -> None:
    talk = Talk("drop-byte:4000", "EC800M")
    assert talk.push(package("EC800M")).endswith(b'"FILEEND",1\r\n')
    assert talk.module.starts == []
    assert talk.push(package("EC800M")).endswith(b'"FILEEND",0\r\n')


@pytest.mark.parametrize(
    ("fault", "answer", "version"),
    [
        ("fail-update", b'"END",504', OLD["EC21"]),
        ("rollback", b'"END",0', OLD["EC21"]),
        ("quiet-update", b"RDY", "NEW"),
        ("stay-dead-after-update", b"", "NEW"),
    ],
)
def test_an_update_that_goes_another_way(fault: str, answer: bytes, version: str) -> None:
    talk = Talk(fault)
    talk.upload(package())
    assert talk.start() == OK
    text = talk.read_until(600.0, b"SMS DONE\r\n")
    assert answer in text
    assert (b"FOTA" in text) == (fault in ("fail-update", "rollback"))
    assert talk.module.version == version


def test_a_refused_start_and_a_refused_delete() -> None:
    talk = Talk("refuse-start:1+refuse-erase:1")
    talk.upload(package())
    assert talk.start() == ERROR
    assert talk.say(b'AT+QFDEL="dfota_update.bin"') == b"\r\n+CME ERROR: 400\r\n"
    assert talk.start() == OK
