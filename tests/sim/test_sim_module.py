"""The module beyond NFWUPD: command lines, settings, rates, boots, sleep, faults; all without a wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.sim.link import make_module
from atota.sim.module import SimModule
from atota.sim.options import Options
from atota.sim.personas.catalogue import PERSONAS, find_persona

OK = b"\r\nOK\r\n"
NAMES = [persona.name for persona in PERSONAS]
HISILICON = ["BC28", "BC95-B8", "M5310-A", "SARA-N200"]


class Bench:
    """A host that waits a little before each command, so that it never meets a busy module."""

    def __init__(self, model: str, *faults: str, options: Options | None = None) -> None:
        self.changes: list[str] = []
        self.module = make_module(model, options, faults=faults, on_change=self.changes.append)
        self.now = 0.0

    def say(self, line: bytes) -> bytes:
        out = self.wait(2)
        return out + b"".join(data for _, data in self.module.feed(line + b"\r", self.now))

    def wait(self, seconds: float) -> bytes:
        self.now += seconds
        return b"".join(sent.data for sent in self.module.tick(self.now))


@pytest.mark.parametrize(
    ("model", "line", "answer"),
    [
        ("BC28", b"ATI", b"\r\nQuectel\r\nBC28\r\nRevision:BC28JAR01A03\r\n\r\nOK\r\n"),
        ("BC28", b"AT+QGMR", b"\r\nBC28JAR01A03\r\n\r\nOK\r\n"),
        ("BC28", b"AT+CGSN=1", b"\r\n+CGSN:490154203237518\r\n\r\nOK\r\n"),
        ("BC28", b"AT+CSQ", b"\r\n+CSQ:20,99\r\n\r\nOK\r\n"),
        ("BC28", b"AT;", b"\r\nOK\r\n"),
        ("BC28", b"AT;;+CSQ;", b"\r\n+CSQ:20,99\r\n\r\nOK\r\n"),
        ("BC28", b"AT+CFUN?", b"\r\n+CFUN:1\r\n\r\nOK\r\n"),
        ("BC28", b"AT+CFUN=?", b"\r\n+CFUN:(0,1),(0,1)\r\n\r\nOK\r\n"),
        ("BC28", b"AT+CMEE=?", b"\r\n+CMEE:(0,1)\r\n\r\nOK\r\n"),
        ("BC28", b"AT+NCHIPINFO=VBAT", b"\r\n+NCHIPINFO:VBAT,3612\r\n\r\nOK\r\n"),
        ("BC28", b"AT+NATSPEED?", b"\r\n+NATSPEED:9600,2,1,0,0\r\n\r\nOK\r\n"),
        ("M5310-A", b"ATI", b"\r\nERROR\r\n"),
        ("M5310-A", b"ATE0", b"\r\nERROR\r\n"),
        ("M5310-A", b"AT+QGMR", b"\r\nERROR\r\n"),
        ("M5310-A", b"AT+CBC", b"\r\nERROR\r\n"),
        ("BC95-B8", b"AT+CGMM", b"\r\nBC95HB-02-STD_900\r\n\r\nOK\r\n"),
        ("BC95-B8", b"AT+NBAND?", b"\r\n+NBAND:8\r\n\r\nOK\r\n"),
        ("SARA-N200", b"AT+CGMI", b"\r\nu-blox\r\n\r\nOK\r\n"),
        ("SARA-N200", b"AT+CMEE?", b"\r\n+CMEE: 0\r\n\r\nOK\r\n"),
        ("SARA-N200", b"AT+CGSN", b"\r\nERROR\r\n"),
        ("SARA-N200", b"ATE0", b"\r\nERROR\r\n"),
    ],
)
def test_an_answer_is_literal(model: str, line: bytes, answer: bytes) -> None:
    assert Bench(model).say(line) == answer


def test_a_revision_has_a_blank_line_between_its_parts() -> None:
    assert Bench("BC95-B8").say(b"AT+CGMR") == (
        b"\r\nSECURITY,V100R100C10B657SP5\r\n\r\nPROTOCOL,V100R100C10B657SP5\r\n"
        b"\r\nAPPLICATION,V100R100C10B657SP5\r\n\r\nSEC_UPDATER,V100R100C10B657SP5\r\n"
        b"\r\nAPP_UPDATER,V100R100C10B657SP5\r\n\r\nRADIO,BC95HB-02-STD_900\r\n\r\nOK\r\n"
    )


@pytest.mark.parametrize("model", HISILICON)
def test_errors_have_numbers_only_when_asked_for(model: str) -> None:
    bench = Bench(model)
    assert bench.say(b"AT+NONSENSE") == b"\r\nERROR\r\n"
    assert bench.say(b"AT+CMEE=1") == OK
    assert bench.say(b"AT+NONSENSE") == b"\r\n+CME ERROR: 4\r\n"
    assert bench.say(b"AT+CMEE=2") == b"\r\n+CME ERROR: 50\r\n"


@pytest.mark.parametrize("model", HISILICON)
def test_what_is_no_command_line_is_an_error_and_an_empty_line_is_nothing(model: str) -> None:
    bench = Bench(model)
    assert bench.say(b"hello") == b"\r\nERROR\r\n"
    assert bench.say(b"\xff\x00AT") == b"\r\nERROR\r\n"
    assert bench.say(b"") == b""
    assert bench.say(b"\n") == b""
    assert bench.say(b" a t ") == OK


def test_a_joined_line_has_one_final_result_on_u_blox_and_one_each_on_quectel() -> None:
    assert Bench("SARA-N200").say(b"AT+CFUN?;+CMEE?") == b"\r\n+CFUN: 1\r\n\r\n+CMEE: 0\r\n\r\nOK\r\n"
    assert Bench("BC28").say(b"AT+CEREG=2;+CSCON=1") == b"\r\nOK\r\n\r\nOK\r\n"
    assert Bench("SARA-N200").say(b"AT+CFUN=7;+CMEE?") == b"\r\nERROR\r\n"


def test_a_line_that_is_too_long_is_refused_with_the_vendors_number() -> None:
    bench = Bench("SARA-N200")
    bench.say(b"AT+CMEE=1")
    assert bench.say(b"AT" + b"x" * 2045) == b"\r\n+CME ERROR: 4\r\n"
    assert bench.say(b"AT" + b"x" * 2046) == b"\r\n+CME ERROR: 1650\r\n"
    assert bench.say(b"AT") == OK


def test_sara_does_not_hear_a_command_that_follows_a_final_result_within_20_ms() -> None:
    module = make_module("SARA-N200")
    when, text = module.feed(b"AT\r", 1.0)[0]
    sent = when + len(text) * 10 / 9600
    assert module.feed(b"AT\r", sent + 0.019) == []
    assert [data for _, data in module.feed(b"AT\r", sent + 0.021)] == [OK]


def test_echo_is_off_until_asked_for_and_comes_before_the_answer() -> None:
    bench = Bench("BC28")
    assert bench.say(b"ATE1") == OK
    assert bench.say(b"AT+CMEE=1") == b"AT+CMEE=1\r\r\nOK\r\n"
    assert bench.say(b"ATE0") == b"ATE0\r\r\nOK\r\n"
    assert bench.say(b"AT") == OK


def test_a_new_rate_begins_after_its_ok_and_stays_if_it_is_used() -> None:
    bench = Bench("BC28")
    assert bench.say(b"AT+NATSPEED=115200,10") == b"\r\n+NATSPEED:DISABLE_DEEP_SLEEP\r\n\r\nOK\r\n"
    assert bench.module.baud == 9600
    bench.wait(1)
    assert bench.module.baud == 115200
    assert bench.say(b"AT") == OK
    bench.wait(60)
    assert (bench.module.baud, bench.module.rate.stored) == (115200, 9600)
    bench.say(b"AT+NRB")
    bench.wait(20)
    assert bench.module.baud == 9600


@pytest.mark.parametrize(("line", "seconds"), [(b"57600", 3), (b"57600,0", 3), (b"57600,12", 12)])
def test_an_unused_rate_is_given_up_after_its_timeout(line: bytes, seconds: float) -> None:
    bench = Bench("BC28")
    assert bench.say(b"AT+NATSPEED=" + line) == OK
    bench.wait(seconds - 0.5)
    assert bench.module.baud == 57600
    bench.wait(1)
    assert bench.module.baud == 9600
    assert "back at 9600 baud" in bench.changes


def test_a_module_whose_time_runs_faster_waits_for_its_host_all_the_same() -> None:
    """A host that takes 0.1 s to change its rate has lost 6 s of a module served at 60 times the speed."""
    bench = Bench("BC28")
    bench.module.pace = 60.0
    assert bench.say(b"AT+NATSPEED=57600,3") == OK
    bench.wait(179)
    assert bench.module.baud == 57600
    bench.wait(2)
    assert bench.module.baud == 9600


def test_a_stored_rate_survives_a_reboot() -> None:
    bench = Bench("BC28")
    bench.say(b"AT+NATSPEED=115200,3,1")
    bench.wait(1)
    bench.say(b"AT+NRB")
    bench.wait(20)
    assert bench.module.baud == 115200


def test_the_m5310a_boots_at_9600_and_then_goes_to_the_stored_rate() -> None:
    bench = Bench("M5310-A", options=Options(baud=57600))
    bench.say(b"AT+NRB")
    while b"M5310-A" not in bench.wait(0.1):
        assert bench.now < 60
    assert bench.module.baud == 9600
    bench.wait(4)
    assert bench.module.baud == 57600


@pytest.mark.parametrize(
    "value",
    [b"19200", b"38400", b"9600,31", b"9600,3,2", b"x", b"", b"9600,", b"9600,3,0,4", b"9600,3,0,0,1,0,0,0"],
)
def test_a_rate_that_is_not_offered_is_refused(value: bytes) -> None:
    bench = Bench("BC28")
    bench.say(b"AT+CMEE=1")
    assert bench.say(b"AT+NATSPEED=" + value) == b"\r\n+CME ERROR: 50\r\n"


def test_a_reboot_has_no_ok_of_its_own_but_the_banners() -> None:
    bench = Bench("BC28")
    assert bench.say(b"AT+NRB") == b"\r\nREBOOTING\r\n"
    assert bench.wait(20) == (
        b"\r\nHI2115-ssb-codeloader\r\n\r\nBoot: Unsigned\r\nSecurity B.. Verified\r\n"
        b"Protocol A.. Verified\r\nApps A...... Verified\r\n"
        b"\r\nREBOOT_CAUSE_APPLICATION_AT\r\nNeul \r\nOK\r\n"
    )


def test_the_boot_rom_speaks_at_115200() -> None:
    module = make_module("BC28")
    module.feed(b"AT+NRB\r", 0.0)
    sent = module.tick(30.0)
    assert [(one.baud, b"codeloader" in one.data) for one in sent if one.baud != 9600] == [(115200, True)]


def test_a_rebooting_module_is_deaf_and_settings_that_are_not_stored_are_gone() -> None:
    bench = Bench("BC28")
    bench.say(b"AT+CMEE=1")
    bench.say(b"AT+NBAND=8")
    bench.say(b"AT+NRB")
    assert b"ERROR" not in bench.say(b"AT+NONSENSE")
    bench.wait(20)
    assert bench.say(b"AT+CMEE?") == b"\r\n+CMEE:0\r\n\r\nOK\r\n"
    assert bench.say(b"AT+NBAND?") == b"\r\n+NBAND:8\r\n\r\nOK\r\n"


def test_a_reset_line_and_a_power_cut_have_causes_of_their_own() -> None:
    bench = Bench("SARA-N200")
    bench.module.reset_pin(1.0)
    assert bench.wait(20).endswith(b"\r\nREBOOT_CAUSE_SECURITY_RESET_PIN\r\nu-blox \r\nOK\r\n")
    bench.module.power_cut(bench.now)
    assert b"REBOOT_CAUSE_SECURITY_PMU_POWER_ON_RESET" in bench.wait(20)


def test_a_sleeping_module_loses_what_wakes_it() -> None:
    bench = Bench("BC28", options=Options(asleep=True))
    assert bench.say(b"AT") == b""
    assert bench.say(b"AT") == OK
    bench.wait(30)
    assert bench.say(b"AT") == b""
    assert bench.say(b"AT") == OK


def test_network_switches_are_listed_and_kept_over_a_reboot() -> None:
    bench = Bench("BC28")
    assert bench.say(b"AT+NCONFIG=AUTOCONNECT,FALSE") == OK
    assert bench.say(b"AT+NCONFIG=AUTOCONNECT,MAYBE") == b"\r\nERROR\r\n"
    bench.say(b"AT+NRB")
    bench.wait(20)
    assert bench.say(b"AT+NCONFIG?").startswith(b"\r\n+NCONFIG:AUTOCONNECT,FALSE\r\n")


def test_personas_are_found_whatever_the_case() -> None:
    assert [find_persona(name).name for name in ("bc28", "m5310a", "Bc95", "sara-n200")] == [
        "BC28",
        "M5310-A",
        "BC95-B8",
        "SARA-N200",
    ]


@pytest.mark.parametrize("persona", PERSONAS, ids=NAMES)
def test_every_persona_has_its_sources(persona: object) -> None:
    assert all(len(source) > 20 for source in persona.sources)  # type: ignore[attr-defined]


def _play(module: SimModule, pieces: list[bytes]) -> list[tuple[float, bytes]]:
    return [one for piece in pieces for one in module.feed(piece, 5.0)]


_LINES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"AT", b"ATE1", b"AT+NRB", b"AT+NFWUPD=0", b"AT+CGMR", b"AT+NFWUPD=1,0,4,01020304,04", b"AT;;+CSQ"]
    ),
).map(lambda line: line + b"\r")


@given(st.sampled_from(NAMES), st.lists(_LINES, max_size=5), st.data())
def test_the_answer_does_not_depend_on_how_the_bytes_are_cut(
    model: str, lines: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole, cut = make_module(model), make_module(model)
    remaining, right = _play(whole, [stream]), _play(cut, pieces)
    assert b"".join(text for _, text in remaining) == b"".join(text for _, text in right)
    assert whole.tick(60.0) == cut.tick(60.0)


@given(
    st.sampled_from(NAMES),
    st.lists(st.tuples(st.floats(0, 30), st.one_of(st.binary(max_size=60), _LINES)), max_size=12),
    st.sampled_from(
        ["", "echo", "urc-storm:5", "boot-garbage", "drop-byte:3+double-byte:5", "mute", "rollback"]
    ),
)
def test_no_bytes_make_it_raise(model: str, parts: list[tuple[float, bytes]], fault: str) -> None:
    module = make_module(model, faults=[fault])
    now = 0.0
    for pause, data in parts:
        now += pause
        assert all(isinstance(text, bytes) and when > -0.1 for when, text in module.feed(data, now))
    assert module.version == module.persona.version
