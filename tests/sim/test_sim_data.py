"""The common part of all ways of updating: data phases, autobaud, and no input that breaks a module."""

from binascii import crc_hqx

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.clock import SimulatedClock
from atota.sim.link import SimLink, make_module, open_sim_link
from atota.sim.options import Options

OK = b"\r\nOK\r\n"
BEGIN: dict[str, tuple[bytes, ...]] = {
    "SIM7000C": (b"AT+CFSINIT", b'AT+CFSWFILE=1,"update.zip",0,%d,10000'),
    "SIM7020C": (b"AT+CFLE=0,0,1", b"AT+CFLW=0,0,%d,0,10"),
    "ME3616": (b"AT+ZCOMWRT=%d",),
    "EC21": (b'AT+QFUPL="x",%d,10,1',),
    "EC800M": (b'AT+QFOTADL="FILE:%d",1,100,100',),
}
MODELS = [*BEGIN, "SIM7000C-N", "SIM7030", "SIM7070", "SARA-R410"]


def begin(link: SimLink, model: str, size: int) -> None:
    """Bring the module to where it wants the bytes."""
    for line in (b"ATE0", *BEGIN[model]):
        link.write((line % size if b"%d" in line else line) + b"\r")
        link.clock.sleep(6.0)
        link.read(0)
    assert link.module.bytes_needed is not None


@given(st.sampled_from(list(BEGIN)), st.binary(min_size=1, max_size=500), st.data())
def test_a_piece_is_stored_whole_however_it_is_cut_and_whatever_its_bytes(
    model: str, piece: bytes, data: st.DataObject
) -> None:
    link = open_sim_link(f"sim://{model}?baud=115200&accept=any&becomes=V", baud=115200)
    begin(link, model, len(piece))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(piece)), max_size=5)))
    for start, stop in zip([0, *cuts], [*cuts, len(piece)], strict=True):
        link.write(piece[start:stop])
        link.clock.sleep(data.draw(st.sampled_from([0.0, 0.01, 0.3])))
    link.clock.sleep(1.0)
    link.read(0)
    assert link.module.bytes_needed is None
    assert link.module.slot == piece
    assert link.module.truth().good


@pytest.mark.parametrize("model", list(BEGIN))
def test_the_piece_ends_with_its_last_byte_and_not_with_the_hosts_last(model: str) -> None:
    link = open_sim_link(f"sim://{model}?baud=9600&latency_ms=0", baud=9600)
    begin(link, model, 100)
    now = link.clock.monotonic()
    link.write(bytes(100) + b"x" * 900)
    while link.module.bytes_needed is not None:
        link.read(0.001)
    assert link.clock.monotonic() - now == pytest.approx(100 * 10 / 9600, abs=0.003)


@pytest.mark.parametrize("model", list(BEGIN))
def test_a_data_phase_is_never_echoed(model: str) -> None:
    link = open_sim_link(f"sim://{model}?baud=115200&echo=1", baud=115200)
    begin(link, model, 50)
    link.write(b"AT+GMR\r\n" * 6 + b"AT")
    link.clock.sleep(1.0)
    assert b"GMR" not in link.read(0)


@pytest.mark.parametrize("model", list(BEGIN))
def test_a_hardware_reset_ends_a_data_phase(model: str) -> None:
    link = open_sim_link(f"sim://{model}?baud=115200&reset=rts", baud=115200)
    begin(link, model, 50)
    link.set_lines(rts=True)
    link.set_lines(rts=False)
    link.clock.sleep(30.0)
    link.read(0)
    assert link.module.bytes_needed is None
    link.write(b"AT\r")
    link.clock.sleep(1.0)
    assert link.read(0) == b"AT\r\r\nOK\r\n"


@pytest.mark.parametrize("model", list(BEGIN))
def test_a_module_that_falls_silent_at_a_piece_says_nothing_more(model: str) -> None:
    link = open_sim_link(f"sim://{model}?baud=115200&fault=silent-at:0", baud=115200)
    for line in (b"ATE0", *BEGIN[model]):
        link.write((line % 10 if b"%d" in line else line) + b"\r")
        link.clock.sleep(1.0)
    link.read(0)
    link.write(b"AT\r")
    link.clock.sleep(100.0)
    assert link.read(0) == b""


@pytest.mark.parametrize("model", ["SIM7000C", "SIM7020C", "ME3616"])
def test_autobaud_needs_at_in_one_case(model: str) -> None:
    link = open_sim_link(f"sim://{model}", baud=57600)
    for line, is_heard in ((b"At\r", False), (b"hello\r", False), (b"at\r", True)):
        link.write(line)
        link.clock.sleep(0.5)
        link.read(0)
        assert (link.module.baud == 57600) == is_heard


def test_what_a_module_with_autobaud_says_before_the_first_at_comes_at_its_default_rate() -> None:
    texts = []
    for baud in (9600, 115200):
        link = open_sim_link("sim://SIM7020C?fault=boot-garbage", baud=baud)
        link.clock.sleep(30.0)
        texts.append(link.read(0))
    assert b"*MATREADY" not in texts[0]
    assert b"\r\n*MATREADY: 1\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n" in texts[1]


def test_autobaud_begins_again_after_a_reboot() -> None:
    link = open_sim_link("sim://SIM7020C", baud=9600)
    for line in (b"AT\r", b"AT+CRESET\r"):
        link.write(line)
        link.clock.sleep(1.0)
    link.clock.sleep(10.0)
    link.read(0)
    link.set_baud(57600)
    for _ in range(2):
        link.write(b"AT\r")
        link.clock.sleep(0.5)
    assert link.read(0) == b"T\rAT\r\r\nOK\r\n"  # of the first AT only its end was heard


_LINES = st.one_of(
    st.binary(max_size=40).map(lambda line: line + b"\r"),
    st.binary(max_size=1200),
    st.sampled_from(
        [
            *(part % 20 if b"%d" in part else part for parts in BEGIN.values() for part in parts),
            b"AT+CFSTERM",
            b"AT+CFOTA=0",
            b"AT+CFOTA?",
            b"AT+UFWUPD=3",
            b"AT+UFWINSTALL",
            b"AT+QFOTADL=?",
            b'AT+QFDEL="x"',
            b"AT+IPR=9600",
            b"AT+CSCLK=2",
            b"AT&W",
            b"AT+CMEE=2",
            b"AT+CRESET",
            b"AT+CFUN=1,1",
            b"AT;;+CSQ",
        ]
    ).map(lambda line: line + b"\r"),
    st.binary(min_size=128, max_size=128).map(
        lambda body: b"\x01\x01\xfe" + body + crc_hqx(body, 0).to_bytes(2) + b"\x04"
    ),
)


@given(
    st.sampled_from(MODELS),
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 3.0, 40.0]), _LINES), max_size=12),
    st.sampled_from(
        ["", "echo", "urc-storm:5", "boot-garbage", "drop-byte:3+double-byte:5", "no-prompt:0+close-window:1"]
    ),
    st.booleans(),
)
def test_no_input_breaks_a_module_or_changes_its_firmware(
    model: str, parts: list[tuple[float, bytes]], fault: str, fixed: bool
) -> None:
    module = make_module(model, Options(baud=9600 if fixed else None), faults=[fault])
    link = SimLink(module, SimulatedClock(), baud=9600)
    for pause, data in parts:
        link.clock.sleep(pause)
        link.read(0)
        link.write(data)
    link.clock.sleep(2000.0)
    link.read(0)
    assert module.version == module.persona.version
    assert module.updates == 0
