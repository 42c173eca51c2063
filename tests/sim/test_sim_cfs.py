"""SIM7000: the file system behind DOWNLOAD, and AT+CFOTA=1."""

import pytest

from atota.sim.link import open_sim_link
from atota.sim.package import build_package
from tests.sim.hosts import ERROR, OK, LinkHost

DOWNLOAD = b"\r\nDOWNLOAD\r\n"
NOT_ALLOWED = b"\r\n+CME ERROR: 3\r\n"
PACKAGE = build_package(model="SIM7000C", base="1529B04SIM7000C", target="NEW", size=24_000)


class Talk(LinkHost):
    """A host at a fixed rate, echo off, error numbers on."""

    def __init__(self, faults: str = "", options: str = "", baud: int = 115200) -> None:
        super().__init__("SIM7000C", faults, f"baud={baud}{options}", baud=baud, patience_s=30.0)

    def piece(self, data: bytes, mode: int = 1, window: int = 10000) -> bytes:
        line = b'AT+CFSWFILE=1,"update.zip",%d,%d,%d' % (mode, len(data), window)
        prompt = self.say(line, DOWNLOAD, ERROR, NOT_ALLOWED)
        if prompt != DOWNLOAD:
            return prompt
        self.link.write(data)
        return self.read_until()

    def load(self, package: bytes = PACKAGE, size: int = 10000) -> list[bytes]:
        assert self.say(b"AT+CFSINIT") == OK
        starts = range(0, len(package), size)
        return [self.piece(package[start : start + size], int(start > 0)) for start in starts]

    def update(self) -> bytes:
        assert self.say(b"AT+CFOTA=1") == OK
        return self.read_until(600.0, b"SMS Ready\r\n")


def test_a_whole_update() -> None:
    talk = Talk()
    assert talk.load() == [OK, OK, OK]
    assert talk.say(b'AT+CFSGFIS=1,"update.zip"') == b"\r\n+CFSGFIS: %d\r\n\r\nOK\r\n" % len(PACKAGE)
    assert talk.module.slot == PACKAGE
    assert talk.module.truth().good
    assert talk.say(b"AT+CFSTERM") == OK
    before = talk.link.clock.monotonic()
    text = talk.update()
    assert b'\r\n+CFOTA: "Updating",50\r\n' in text
    assert b'\r\n+CFOTA: "Update successfully, please wait for reset"\r\n\r\nRDY\r\n' in text
    assert talk.link.clock.monotonic() - before > 120
    assert b"\r\n+CFOTA: 6\r\n" in talk.say(b"AT+CFOTA?")
    assert b"\r\nRevision:NEW\r\n" in talk.say(b"AT+GMR")
    assert (talk.module.version, talk.module.updates, talk.module.starts) == ("NEW", 1, ["PACKAGE_OK"])


@pytest.mark.parametrize(
    "line",
    [
        b'AT+CFSWFILE=1,"update.zip",0,0,1000',
        b'AT+CFSWFILE=1,"update.zip",0,10240,1000',
        b'AT+CFSWFILE=1,"update.zip",2,10,1000',
        b'AT+CFSWFILE=4,"update.zip",0,10,1000',
        b'AT+CFSWFILE=1,"update.zip",0,10,99',
        b'AT+CFSWFILE=1,"update.zip",0,10,10001',
        b'AT+CFSWFILE=1,"update.zip",0,10',
        b"AT+CFSWFILE=1,update.zip,0,10,1000",
    ],
)
def test_a_write_out_of_range_is_an_error_and_no_prompt(line: bytes) -> None:
    talk = Talk()
    talk.say(b"AT+CFSINIT")
    assert talk.say(line) == ERROR
    assert talk.say(b"AT") == OK


@pytest.mark.parametrize(
    "line", [b"AT+CFSGFRS?", b'AT+CFSWFILE=1,"update.zip",0,10,1000', b'AT+CFSGFIS=1,"update.zip"']
)
def test_nothing_works_before_init_and_after_term(line: bytes) -> None:
    talk = Talk()
    assert talk.say(line) == NOT_ALLOWED
    assert [talk.say(b"AT+CFSINIT"), talk.say(b"AT+CFSINIT"), talk.say(b"AT+CFSTERM")] == [OK, ERROR, OK]
    assert talk.say(line) == NOT_ALLOWED
    assert talk.say(b"AT+CFSTERM") == ERROR


def test_bytes_after_the_window_are_lost_and_nothing_is_stored() -> None:
    talk = Talk(baud=9600)
    talk.say(b"AT+CFSINIT")
    assert talk.piece(bytes(2000), 0, 1000) == NOT_ALLOWED
    talk.read_until(5.0)
    assert talk.say(b'AT+CFSGFIS=1,"update.zip"') == b"\r\n+CME ERROR: 22\r\n"
    assert talk.piece(bytes(2000), 0, 3000) == OK


def test_bytes_before_the_prompt_are_lost() -> None:
    talk = Talk()
    talk.say(b"AT+CFSINIT")
    talk.link.write(b'AT+CFSWFILE=1,"update.zip",0,5,1000\r' + b"x" * 5)
    assert talk.read_until() == DOWNLOAD + NOT_ALLOWED
    assert talk.module.slot == b""


def test_mode_0_writes_at_the_beginning_and_keeps_the_rest() -> None:
    talk = Talk()
    talk.say(b"AT+CFSINIT")
    talk.piece(b"0123456789", 0)
    talk.piece(b"abc", 0)
    assert talk.module.slot == b"abc3456789"
    assert talk.say(b'AT+CFSDFILE=1,"update.zip"') == OK
    talk.piece(b"abc", 0)
    talk.piece(b"def")
    assert talk.module.slot == b"abcdef"
    assert talk.say(b"AT+CFSGFRS?") == b"\r\n+CFSGFRS: 22151162\r\n\r\nOK\r\n"


def test_only_update_zip_in_the_fota_folder_is_the_package() -> None:
    talk = Talk()
    talk.say(b"AT+CFSINIT")
    talk.say(b'AT+CFSWFILE=1,"other.zip",0,3,1000', DOWNLOAD)
    talk.link.write(b"abc")
    assert talk.read_until() == OK
    assert talk.module.slot == b""
    talk.say(b'AT+CFSREN=1,"other.zip","update.zip"')
    assert talk.module.slot == b"abc"


def test_what_was_written_can_be_read_back() -> None:
    talk = Talk()
    talk.load()
    read = talk.say(b'AT+CFSRFILE=1,"update.zip",1,5000,20000')
    assert read == b"\r\n+CFSRFILE: 4000\r\n" + PACKAGE[20000:] + OK
    assert talk.say(b'AT+CFSRFILE=1,"update.zip",0,7,500') == b"\r\n+CFSRFILE: 7\r\n" + PACKAGE[:7] + OK


def test_a_bad_package_ends_with_the_failure_text_and_code_7() -> None:
    talk = Talk()
    talk.load(PACKAGE[:-32])
    assert b'"Update failed, please wait for reset"' in talk.update()
    talk.say(b"ATE0")
    assert talk.say(b"AT+CFOTA?") == b"\r\n+CFOTA: 7\r\n\r\nOK\r\n"
    assert (talk.module.version, talk.module.updates) == ("1529B04SIM7000C", 0)


def test_a_power_cut_in_the_update_makes_it_go_on() -> None:
    talk = Talk()
    talk.load()
    assert talk.say(b"AT+CFOTA=1") == OK
    talk.read_until(60.0)
    talk.module.power_cut(talk.link.clock.monotonic())
    assert b"Update successfully" in talk.read_until(600.0, b"SMS Ready\r\n")
    assert talk.module.version == "NEW"


def test_autobaud_takes_the_rate_of_the_first_at_which_is_lost_and_shows_no_boot_text() -> None:
    for rate in (9600, 57600):
        link = open_sim_link("sim://SIM7000C?fault=boot-garbage", baud=rate)
        link.clock.sleep(30)
        assert b"RDY" not in link.read(0)
        link.write(b"AT\r")
        link.clock.sleep(0.5)
        assert OK not in link.read(0)
        link.write(b"AT\r")
        link.clock.sleep(0.5)
        assert link.read(0.5) == b"AT\r\r\nOK\r\n"
        assert link.module.baud == rate


def test_autobaud_hears_nothing_at_a_rate_it_cannot_tell() -> None:
    link = open_sim_link("sim://SIM7000C", baud=230400)
    for _ in range(5):
        link.write(b"AT\r")
        assert OK not in link.read(0.5)
    assert link.module.commands == 0


def test_a_rate_set_by_ipr_survives_a_reboot_and_boots_with_text() -> None:
    talk = Talk(options="")
    assert talk.say(b"AT+IPR=57600") == OK
    talk.link.clock.sleep(0.1)
    talk.link.set_baud(57600)
    assert talk.say(b"AT+IPR?") == b"\r\n+IPR: 57600\r\n\r\nOK\r\n"
    assert talk.say(b"AT+CFUN=1,1") == OK
    assert b"\r\nRDY\r\n\r\n+CFUN: 1\r\n" in talk.read_until(20.0)


# --- faults -----------------------------------------------------------------------------------------


def test_a_missing_prompt_ends_with_the_window() -> None:
    talk = Talk("no-prompt:1")
    answers = talk.load()
    assert answers[1] == NOT_ALLOWED
    assert talk.module.slot == PACKAGE[:10000] + PACKAGE[20000:]


def test_a_late_prompt_loses_nothing_for_a_host_that_waits() -> None:
    talk = Talk("late-prompt:1:8")
    assert talk.load() == [OK, OK, OK]
    assert talk.module.slot == PACKAGE


@pytest.mark.parametrize("fault", ["close-window:1", "refuse-data:1", "refuse-block:1", "busy:1"])
def test_a_piece_that_failed_is_taken_when_it_comes_again(fault: str) -> None:
    talk = Talk(fault)
    talk.say(b"AT+CFSINIT")
    assert talk.piece(PACKAGE[:10000], 0) == OK
    assert talk.piece(PACKAGE[10000:20000]) == NOT_ALLOWED
    talk.read_until(3.0)
    assert talk.module.slot == PACKAGE[:10000]
    assert talk.piece(PACKAGE[10000:20000]) == OK
    assert talk.module.slot == PACKAGE[:20000]


def test_a_byte_that_is_not_stored_shows_in_the_size() -> None:
    talk = Talk("short-write:1")
    assert talk.load() == [OK, OK, OK]
    assert b"+CFSGFIS: %d\r\n" % (len(PACKAGE) - 1) in talk.say(b'AT+CFSGFIS=1,"update.zip"')


def test_a_dropped_byte_misses_the_window() -> None:
    talk = Talk("drop-byte:5000")
    assert talk.load()[0] == NOT_ALLOWED


def test_a_lost_final_result_leaves_the_piece_stored() -> None:
    talk = Talk("lose-reply:2")
    assert talk.load() == [OK, OK, b""]
    assert talk.module.slot == PACKAGE


def test_a_reboot_amid_the_bytes_loses_the_piece_and_the_buffer_but_not_the_file() -> None:
    talk = Talk("reboot-in-data:1")
    talk.say(b"AT+CFSINIT")
    talk.piece(PACKAGE[:10000], 0)
    assert b"\r\nRDY\r\n" in talk.piece(PACKAGE[10000:20000])
    talk.say(b"ATE0")
    assert talk.say(b'AT+CFSGFIS=1,"update.zip"') == ERROR
    assert talk.module.slot == PACKAGE[:10000]


@pytest.mark.parametrize(
    ("fault", "answer", "code", "version"),
    [
        ("fail-update", b"Update failed", b"7", "1529B04SIM7000C"),
        ("rollback", b"Update successfully", b"6", "1529B04SIM7000C"),
        ("quiet-update", b"RDY", b"6", "NEW"),
    ],
)
def test_an_update_that_goes_another_way(fault: str, answer: bytes, code: bytes, version: str) -> None:
    talk = Talk(fault)
    talk.load()
    text = talk.update()
    assert answer in text
    assert (b"+CFOTA:" in text) == (fault != "quiet-update")
    assert b"+CFOTA: " + code in talk.say(b"AT+CFOTA?")
    assert talk.module.version == version


def test_a_refused_start_and_a_refused_delete() -> None:
    talk = Talk("refuse-start+refuse-erase:1")
    talk.load()
    assert talk.say(b"AT+CFOTA=1") == NOT_ALLOWED
    assert talk.say(b'AT+CFSDFILE=1,"update.zip"') == NOT_ALLOWED
    assert talk.say(b'AT+CFSDFILE=1,"update.zip"') == OK
    assert talk.module.starts == []
