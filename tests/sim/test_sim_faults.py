"""Faults of bytes, lines, replies and echoes, in literal bytes, and their positions in every family."""

import pytest

from atota.clock import SimulatedClock
from atota.errors import UsageError
from atota.sim.faults import KNOWN_FAULTS, FaultPlan
from atota.sim.link import SimLink, make_module, open_sim_link
from atota.sim.noise import BYTES, BadLine
from atota.sim.options import Options
from atota.sim.uart import Wire
from tests.sim.playing import WAYS, play
from tests.sim.test_sim_link import OK, listen

CSQ = b"\r\n+CSQ:20,99\r\n\r\nOK\r\n"


def replies(fault: str, *lines: bytes, model: str = "BC28") -> list[bytes]:
    """Everything that comes within three seconds after each line; every fault must have struck."""
    link = open_sim_link(f"sim://{model}?baud=9600&fault={fault}")
    text = []
    for line in lines:
        link.write(line + b"\r")
        text.append(listen(link, 3.0))
    assert set(link.module.faults.struck) == set(link.module.faults.text.split("+")) - {"echo"}
    return text


@pytest.mark.parametrize(
    ("rate", "every", "damaged"), [(921600, 1, 1.0), (921600, 10, 0.1), (460800, 1, 0.0)]
)
def test_a_line_damages_bytes_above_its_rate_and_none_up_to_it(rate: int, every: int, damaged: float) -> None:
    plan = FaultPlan([f"bad-above:460800:{every}"])
    line, sent = BadLine(plan, 1), bytes(10_000)
    came = line.carry(sent, rate)
    assert len(came) == len(sent)
    assert sum(byte != 0 for byte in came) / len(sent) == pytest.approx(damaged, abs=0.02)
    assert all(byte.bit_count() <= 1 for byte in came)
    assert bool(plan.shown) == bool(damaged)
    plan.clear()
    assert line.carry(sent, rate) == sent


def test_short_commands_pass_a_bad_line_more_often_than_long_ones() -> None:
    link = open_sim_link("sim://BC28?baud=115200&fault=bad-above:57600:200", baud=115200)
    short = long = 0
    for _ in range(20):
        link.write(b"AT\r")
        short += listen(link, 1.0) == OK
        link.write(b"AT" + b" " * 1000 + b"\r")
        long += listen(link, 1.0) == OK
    assert short > 15
    assert long < 3


def test_a_block_that_is_too_long_is_refused_and_a_shorter_one_taken() -> None:
    link = open_sim_link("sim://M5310-A?fault=refuse-length:4")
    answers = []
    for text in (b"CMEE=1", b"NFWUPD=0", b"NFWUPD=1,0,8,0102030405060708,08", b"NFWUPD=1,0,4,01020304,04"):
        link.write(b"AT+" + text + b"\r")
        answers.append(listen(link, 10.0))
    assert answers == [OK, OK, b"\r\n+CME ERROR: 50\r\n", OK]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("drop-back:4", b"\r\nO\r\n"),
        ("flip-back:3", b"\r\nGK\r\n"),
        ("double-back:3", b"\r\nOOK\r\n"),
        ("drop-back:3+drop-back:4", b"\r\n\r\n"),
    ],
)
def test_a_byte_of_the_module_is_lost_turned_or_doubled_on_its_way(fault: str, text: bytes) -> None:
    assert replies(fault, b"AT", b"AT") == [text, OK]


def test_the_bytes_of_the_module_are_counted_over_everything_that_it_sent() -> None:
    assert replies("drop-back:7+flip-back:9", b"AT", b"AT", b"AT") == [OK, b"\nKK\r\n", OK]


def test_bytes_on_their_way_back_count_on_a_network_socket_too() -> None:
    module = make_module("BC28", faults=["drop-back:4"])
    wire = Wire(module)
    wire.from_host(b"AT\r", 0.0)
    assert wire.to_host(1.0) == b"\r\nO\r\n"


def test_a_lost_command_has_no_echo_no_effect_and_no_reply() -> None:
    lines = (b"AT+CMEE=1", b"AT+CMEE=0", b"AT+NONSENSE", b"AT+CMEE?")
    assert replies("lose-command:c2+echo", *lines) == [
        b"AT+CMEE=1\r\r\nOK\r\n",
        b"",
        b"AT+NONSENSE\r\r\n+CME ERROR: 4\r\n",
        b"AT+CMEE?\r\r\n+CMEE:1\r\n\r\nOK\r\n",
    ]
    assert replies("lose-command:c2:2", b"AT", b"AT", b"AT", b"AT") == [OK, b"", b"", OK]


def test_a_cut_reply_is_the_first_half_of_one() -> None:
    text = replies("cut-reply:c2", b"AT+CSQ", b"AT+CSQ", b"AT+CSQ")
    assert text == [CSQ, b"\r\n+CSQ:20,", CSQ]


def test_a_doubled_reply_comes_twice() -> None:
    assert replies("double-reply:c2", b"AT+CSQ", b"AT+CSQ", b"AT") == [CSQ, CSQ + CSQ, OK]


def test_noise_comes_before_the_reply() -> None:
    before, noisy, after = replies("noise:c2", b"AT", b"AT", b"AT")
    assert (before, after) == (OK, OK)
    assert noisy == (
        b"\xff\x1e-\x98\x00\xf0\xff\xff\x80\x98\xe0-\xc0\x00\x86x\x98\xf0?\x00\xff\x80\x80\xfex\xf8\xfe\xf8"
        b"\xe0\xf8\xc0x\xe0\xc0?\x86?\r\nOK\r\n"
    )
    for seed in range(20):
        link = SimLink(make_module("BC28", Options(seed=seed), faults=["noise:c1"]), SimulatedClock())
        link.write(b"AT\r")
        burst = listen(link, 2.0).removesuffix(OK)
        assert 20 <= len(burst) <= 40
        assert set(burst) <= set(BYTES)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("urc-before-reply", b"\r\n+CEREG:1\r\n\r\n+CSQ:20,99\r\n\r\nOK\r\n"),
        ("urc-inside-reply", b"\r\n+CSQ:20,99\r\n\r\n+CEREG:1\r\n\r\nOK\r\n"),
        ("urc-behind-reply", b"\r\n+CSQ:20,99\r\n\r\nOK\r\n\r\n+CEREG:1\r\n"),
    ],
)
def test_an_unsolicited_line_comes_before_inside_or_behind_a_reply(fault: str, text: bytes) -> None:
    assert replies(fault + ":1", b"AT+CSQ", b"AT+CSQ") == [text, CSQ]
    assert all(len(answer) > len(CSQ) for answer in replies(fault, b"AT+CSQ", b"AT+CSQ", b"AT+CSQ"))


def test_an_echo_has_one_wrong_character() -> None:
    lines = (b"AT+CSQ", b"AT+CSQ", b"ATE0", b"AT+CSQ")
    assert replies("damaged-echo:1", *lines) == [
        b"AT+BSQ\r" + CSQ,
        b"AT+CSQ\r" + CSQ,
        b"ATE0\r" + OK,
        CSQ,
    ]
    assert replies("damaged-echo", b"AT", b"AT", model="SIM7000C") == [b"AU\r" + OK, b"AU\r" + OK]


def test_a_module_falls_mute_after_so_many_commands_and_no_reset_helps() -> None:
    link = open_sim_link("sim://BC28?reset=dtr&fault=mute-after:2")
    text = []
    for _ in range(3):
        link.write(b"AT\r")
        text.append(listen(link, 3.0))
    assert text == [OK, OK, b""]
    link.set_lines(dtr=True)
    link.set_lines(dtr=False)
    link.write(b"AT\r")
    assert listen(link, 30.0) == b""
    assert (link.module.mute, link.module.faults.struck) == (True, ["mute-after:2"])


def test_a_stuck_update_never_ends_until_a_reset_begins_it_again() -> None:
    link = open_sim_link("sim://BC28?reset=dtr&accept=any&becomes=NEW&fault=stuck-update")
    for line in (b"AT+NFWUPD=0", b"AT+NFWUPD=1,0,4,01020304,04", b"AT+NFWUPD=5"):
        link.write(line + b"\r")
        listen(link, 6.0)
    assert b"OK" not in listen(link, 3600.0)
    assert (link.module.version, link.module.updating, link.module.booting) == ("BC28JAR01A03", True, True)
    link.set_lines(dtr=True)
    link.set_lines(dtr=False)
    assert b"REBOOT_CAUSE_SECURITY_FOTA_UPGRADE\r\nNeul \r\nOK\r\n" in listen(link, 60.0)
    assert (link.module.version, link.module.updating) == ("NEW", False)


def test_what_lasts_is_shown_and_what_strikes_has_struck() -> None:
    link = open_sim_link("sim://BC28?fault=echo+urc-storm:1+quiet-update+mute-after:9+lose-reply:c1")
    link.write(b"AT\r")
    listen(link, 2.0)
    assert link.module.faults.struck == ["lose-reply:c1"]
    assert link.module.faults.shown == ["echo", "urc-storm:1"]


@pytest.mark.parametrize(
    "fault",
    [
        "drop-back", "flip-back:0", "double-back:x", "cut-reply", "double-reply:nowhere", "lose-command:3:0",
        "noise:1:2", "damaged-echo:-1", "urc-before-reply:x", "mute-after", "mute-after:0",
    ],
)  # fmt: skip
def test_a_fault_written_wrong_is_shown_how(fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        FaultPlan([fault])
    assert KNOWN_FAULTS[fault.split(":")[0]].usage in caught.value.hint


# --- positions in every family ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", WAYS)
def test_a_fault_with_a_position_strikes_there_in_every_family(kind: str) -> None:
    path = WAYS[kind]
    _, passed, _ = play(path)
    assert "start" in passed or kind == "QfotaUpdater"
    for position in passed:
        for name in ("lose-command", "cut-reply", "double-reply", "noise", "lose-reply"):
            module, _, _ = play(path, f"{name}:{position}")
            assert module.faults.struck == [f"{name}:{position}"]


@pytest.mark.parametrize("kind", WAYS)
def test_a_start_that_is_not_heard_starts_nothing_and_one_that_is_not_answered_does(kind: str) -> None:
    path = WAYS[kind]
    text, _, _ = play(path)
    lost, _, _ = play(path, "lose-command:start:99")
    unanswered, _, _ = play(path, "lose-reply:start:99")
    assert not lost.starts
    assert unanswered.starts == text.starts
