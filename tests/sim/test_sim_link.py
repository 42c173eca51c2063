"""Simulated modules at the end of a wire: time, rates, faults by name."""

import pytest

from atota.clock import SimulatedClock
from atota.errors import LinkLost, PortBusy, UsageError
from atota.link.base import Link
from atota.sim.link import SimLink, make_module, open_sim_link
from atota.sim.options import Options
from atota.sim.package import build_package

OK = b"\r\nOK\r\n"


def ask(link: SimLink, line: bytes, seconds: float = 30.0) -> bytes:
    """Send a line; return what comes until a final result and a short silence, or the time is over."""
    link.write(line + b"\r")
    return listen(link, seconds)


def listen(link: SimLink, seconds: float) -> bytes:
    end = link.clock.monotonic() + seconds
    out = b""
    while link.clock.monotonic() < end:
        ended = out.endswith(OK) or (b"ERROR" in out and out.endswith(b"\r\n"))
        data = link.read(0.05 if ended else end - link.clock.monotonic())
        if ended and not data:
            break
        out += data
    return out


def block(number: int, data: bytes) -> bytes:
    crc = 0
    for byte in data:
        crc ^= byte
    return b"AT+NFWUPD=1,%d,%d,%s,%02X" % (number, len(data), data.hex().upper().encode(), crc)


def load(link: SimLink, package: bytes, first: int = 0) -> list[bytes]:
    """Every block's answer, without a thought about errors."""
    starts = range(0, len(package), 256)
    return [ask(link, block(n, package[s : s + 256]), 5) for n, s in enumerate(starts) if n >= first]


def package(size: int = 2048) -> bytes:
    return build_package(model="BC28", base="BC28JAR01A03", target="BC28JAR01A04", size=size)


def test_it_is_a_link_as_any_other() -> None:
    link: Link = open_sim_link("sim://BC28", baud=57600)
    assert (link.name, link.baud, link.clock.monotonic()) == ("sim://BC28", 57600, 0.0)


def test_time_may_pass_by_itself() -> None:
    link = open_sim_link("sim://BC28?speed=500")
    assert ask(link, b"AT+NFWUPD=0") == OK
    assert ask(link, b"AT", 60) == OK


def test_a_whole_update_in_simulated_time() -> None:
    link = open_sim_link("sim://bc28")
    assert ask(link, b"AT+NFWUPD=0") == OK
    assert set(load(link, package())) == {OK}
    assert ask(link, b"AT+NFWUPD=5") == OK
    assert b"REBOOT_CAUSE_SECURITY_FOTA_UPGRADE\r\nNeul \r\nOK\r\n" in listen(link, 60)
    assert ask(link, b"ATI") == b"\r\nQuectel\r\nBC28\r\nRevision:BC28JAR01A04\r\n\r\nOK\r\n"
    assert (link.module.version, link.module.slot, link.module.updates) == ("BC28JAR01A04", package(), 1)


def test_bytes_take_their_time_on_the_wire_both_ways() -> None:
    link = open_sim_link("sim://BC28?latency_ms=0")
    began = link.clock.monotonic()
    line = block(0, bytes(256))
    assert ask(link, b"AT+NFWUPD=0") == OK
    began = link.clock.monotonic()
    link.write(line + b"\r")
    assert link.clock.monotonic() == began
    out = b""
    while out != OK:
        out += link.read(1.0)
    wire = (len(line) + 1 + len(OK)) * 10 / 9600
    module = 0.01 + 0.03  # the persona's reply and block times
    assert link.clock.monotonic() - began == pytest.approx(wire + module, abs=1e-6)


def test_a_read_that_finds_nothing_lasts_exactly_its_timeout() -> None:
    link = open_sim_link("sim://BC28")
    began = link.clock.monotonic()
    assert link.read(0.25) == b""
    assert link.clock.monotonic() - began == pytest.approx(0.25, abs=1e-6)
    assert link.read(0) == b""
    assert link.clock.monotonic() - began == pytest.approx(0.25, abs=1e-6)


def test_another_rate_is_noise_in_both_directions_and_the_same_noise_for_the_same_seed() -> None:
    text = []
    for seed in (1, 1, 2):
        link = open_sim_link(f"sim://BC28?seed={seed}&baud=57600&fault=boot-garbage", baud=9600)
        text.append(listen(link, 10.0))
        assert b"Neul" not in text[-1]
        assert ask(link, b"AT", 1.0) != OK
        assert link.module.commands == 0
    assert text[0] == text[1] != text[2]
    assert len(text[0]) > 5


def test_a_host_that_changes_its_rate_is_understood_after_the_noise_it_left() -> None:
    link = open_sim_link("sim://BC28?baud=115200", baud=9600)
    ask(link, b"AT", 0.5)
    link.set_baud(115200)
    assert link.baud == 115200
    ask(link, b"", 0.5)
    assert ask(link, b"AT", 1.0) == OK


def test_set_baud_waits_until_everything_has_left() -> None:
    link = open_sim_link("sim://BC28")
    link.write(b"A" * 96)
    link.set_baud(115200)
    assert link.clock.monotonic() == pytest.approx(0.1, abs=1e-6)


def test_a_fast_rate_by_natspeed_works_over_the_wire_and_falls_back_unused() -> None:
    link = open_sim_link("sim://BC28")
    assert ask(link, b"AT+NATSPEED=115200,5") == b"\r\n+NATSPEED:DISABLE_DEEP_SLEEP\r\n\r\nOK\r\n"
    link.set_baud(115200)
    assert ask(link, b"AT") == OK
    assert ask(link, b"AT+NATSPEED=9600,5") == OK
    listen(link, 6)
    assert link.module.baud == 115200
    assert ask(link, b"AT") == OK


def test_the_boot_rom_is_text_at_115200_and_noise_at_9600() -> None:
    texts = []
    for baud in (9600, 115200):
        link = open_sim_link(f"sim://BC28?baud={baud}&fault=boot-garbage", baud=baud)
        texts.append(listen(link, 10.0))
    assert b"codeloader" not in texts[0]
    assert texts[0].endswith(b"\r\nREBOOT_CAUSE_SECURITY_PMU_POWER_ON_RESET\r\nNeul \r\nOK\r\n")
    assert b"HI2115-ssb-codeloader" in texts[1]


def test_a_reset_line_resets_when_it_is_let_go() -> None:
    link = open_sim_link("sim://BC28?reset=rts")
    link.set_lines(rts=True, dtr=True)
    assert listen(link, 1) == b""
    link.set_lines(rts=False)
    assert b"REBOOT_CAUSE_SECURITY_RESET_PIN" in listen(link, 20)


def test_lines_that_are_not_wired_do_nothing() -> None:
    link = open_sim_link("sim://BC28")
    link.set_lines(rts=True, dtr=True)
    link.set_lines(rts=False, dtr=False)
    assert listen(link, 10) == b""
    assert link.module.reboots == 0


def test_a_closed_link_is_lost_and_may_be_closed_again() -> None:
    link = open_sim_link("sim://BC28")
    link.close()
    link.close()
    for use in (lambda: link.read(0), lambda: link.write(b"AT\r"), lambda: link.set_baud(9600)):
        with pytest.raises(LinkLost, match="closed"):
            use()


def test_a_clock_may_be_shared_and_need_not_begin_at_zero() -> None:
    clock = SimulatedClock()
    clock.sleep(10_000)
    link = open_sim_link("sim://BC28?fault=urc-storm:1", clock=clock)
    assert listen(link, 2.5).count(b"+") == 2


def test_the_sleep_of_a_module_costs_the_first_command() -> None:
    link = open_sim_link("sim://BC28?asleep=1")
    assert ask(link, b"AT", 1.0) == b""
    assert ask(link, b"AT", 1.0) == OK


# --- faults -----------------------------------------------------------------------------------------


def loaded(fault: str, size: int = 2048) -> tuple[SimLink, list[bytes]]:
    link = open_sim_link(f"sim://BC28?fault={fault}")
    ask(link, b"AT+CMEE=1")
    ask(link, b"AT+NFWUPD=0")
    return link, load(link, package(size))


@pytest.mark.parametrize("fault", ["drop-byte:100", "double-byte:100", "flip-byte:100"])
def test_a_byte_lost_turned_or_doubled_makes_one_block_fail(fault: str) -> None:
    link, answers = loaded(fault)
    assert answers[0] == b"\r\n+CME ERROR: 50\r\n"
    assert link.module.faults.struck == [fault]


def test_a_lost_reply_leaves_the_block_stored() -> None:
    link, answers = loaded("lose-reply:3")
    assert answers == [OK, OK, OK, b"", OK, OK, OK, OK]
    assert link.module.slot == package()


def test_a_late_reply_comes_after_what_was_said_meanwhile_was_not_heard() -> None:
    link = open_sim_link("sim://BC28?fault=late-reply:erase:20")
    assert ask(link, b"AT+NFWUPD=0", 10) == b""
    assert ask(link, b"AT+CSQ", 5) == b""
    assert listen(link, 20) == OK


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("reboot-at-block:2", b"REBOOT_CAUSE_APPLICATION_WATCHDOG"),
        ("brownout-at-block:2", b"REBOOT_CAUSE_SECURITY_PMU_POWER_ON_RESET"),
    ],
)
def test_a_reboot_in_mid_write_shows_its_banner_and_loses_the_counter(fault: str, cause: bytes) -> None:
    link = open_sim_link(f"sim://BC28?fault={fault}")
    ask(link, b"AT+NFWUPD=0")
    data = package()
    assert ask(link, block(0, data[:256])) == OK
    assert ask(link, block(1, data[256:512])) == OK
    assert cause in ask(link, block(2, data[512:768]), 20)
    assert ask(link, block(2, data[512:768])) == b"\r\nERROR\r\n"
    assert link.module.slot == data[:512]
    assert link.module.reboots == 1


def test_a_refused_block_is_taken_when_it_comes_again_often_enough() -> None:
    link = open_sim_link("sim://BC28?fault=refuse-block:1:2")
    ask(link, b"AT+NFWUPD=0")
    data = package()
    lines = [block(0, data[:256])] + [block(1, data[256:512])] * 3
    assert [ask(link, line) for line in lines] == [OK, b"\r\nERROR\r\n", b"\r\nERROR\r\n", OK]


@pytest.mark.parametrize(("model", "code"), [("BC28", b"51"), ("M5310-A", b"529")])
def test_a_busy_module_says_so_with_its_own_number(model: str, code: bytes) -> None:
    link = open_sim_link(f"sim://{model}?fault=busy:0")
    ask(link, b"AT+CMEE=1")
    ask(link, b"AT+NFWUPD=0")
    line = block(0, bytes(4))
    assert [ask(link, line), ask(link, line)] == [b"\r\n+CME ERROR: " + code + b"\r\n", OK]


def test_an_erase_that_fails_leaves_the_slot_as_it_was() -> None:
    link = open_sim_link("sim://BC28?fault=refuse-erase:1")
    ask(link, b"AT+CMEE=1")
    assert ask(link, b"AT+NFWUPD=0") == b"\r\n+CME ERROR: 4\r\n"
    assert link.module.flash.erases == 0
    assert ask(link, b"AT+NFWUPD=0") == OK


def test_a_refused_start_and_a_refused_validation() -> None:
    link, _ = loaded("refuse-start")
    refusal = b"\r\n+NFWUPD:PACKAGE_NOT_VALIDATION\r\n\r\n+CME ERROR: 50\r\n"
    assert ask(link, b"AT+NFWUPD=5") == refusal
    assert link.module.starts == []
    link, _ = loaded("refuse-validate:PACKAGE_REGION_LOST")
    assert ask(link, b"AT+NFWUPD=5") == OK
    listen(link, 60)
    assert ask(link, b"AT+NFWUPD=2") == b"\r\n+NFWUPD:PACKAGE_REGION_LOST\r\n\r\nOK\r\n"
    assert link.module.version == "BC28JAR01A03"
    assert link.module.starts == ["PACKAGE_OK"]  # the truth, not what the module makes of it


def test_a_rollback_looks_like_an_update_until_the_version_is_read() -> None:
    link, _ = loaded("rollback")
    assert ask(link, b"AT+NFWUPD=5") == OK
    assert b"REBOOT_CAUSE_SECURITY_FOTA_UPGRADE" in listen(link, 60)
    assert b"BC28JAR01A03" in ask(link, b"ATI")
    assert (link.module.updates, link.module.starts) == (0, ["PACKAGE_OK"])


def test_a_module_that_stays_dead_after_the_update() -> None:
    link, _ = loaded("stay-dead-after-update")
    assert ask(link, b"AT+NFWUPD=5") == OK
    assert listen(link, 600) == b""
    assert link.module.dead


def test_a_module_that_comes_back_at_another_rate() -> None:
    link, _ = loaded("back-at-baud:57600")
    assert ask(link, b"AT+NFWUPD=5") == OK
    listen(link, 60)
    link.set_baud(57600)
    assert b"BC28JAR01A04" in ask(link, b"ATI")


def test_sara_forgets_its_stored_rate_with_the_update() -> None:
    link = SimLink(make_module("SARA-N200", Options(baud=57600)), SimulatedClock(), baud=57600)
    data = build_package(model="SARA-N200", base="V100R100C10B657SP2", target="V2", size=512)
    for number in range(2):
        assert ask(link, block(number, data[number * 256 :][:256])) == OK
    assert ask(link, b"AT+NFWUPD=2") == OK
    assert ask(link, b"AT+NFWUPD=5") == OK
    assert b"u-blox" not in listen(link, 200)
    link.set_baud(9600)
    assert b"APPLICATION,V2" in ask(link, b"AT+CGMR")


def test_silence_ends_with_a_reset_and_mute_never_does() -> None:
    for fault, back in (("silent-at:c2", OK), ("mute", b"")):
        link = open_sim_link(f"sim://BC28?reset=dtr&fault={fault}")
        ask(link, b"AT", 1)
        assert ask(link, b"AT", 5) == b""
        link.set_lines(dtr=True)
        link.set_lines(dtr=False)
        listen(link, 20)
        assert ask(link, b"AT", 5) == back


def test_unsolicited_lines_come_by_themselves_and_inside_replies() -> None:
    link = open_sim_link("sim://BC28?fault=urc-storm:0.5")
    assert listen(link, 5.2).count(b"+") == 10
    link = open_sim_link("sim://BC28?fault=urc-inside-reply:1")
    answer = ask(link, b"AT+CSQ")
    assert answer.startswith(b"\r\n+CSQ:20,99\r\n\r\n+")
    assert answer.endswith(OK)
    assert ask(link, b"AT+CSQ") == b"\r\n+CSQ:20,99\r\n\r\nOK\r\n"


def test_an_unplugged_adapter_is_lost_and_the_module_goes_on() -> None:
    link = open_sim_link("sim://BC28?fault=unplug-at:1")
    ask(link, b"AT+NFWUPD=0")
    data = package()
    ask(link, block(0, data[:256]))
    with pytest.raises(LinkLost, match="unplugged"):
        ask(link, block(1, data[256:512]))
    with pytest.raises(LinkLost, match="unplugged"):
        link.write(b"AT\r")
    again = link.replug()
    assert ask(again, block(2, data[512:768])) == OK
    assert again.module is link.module
    with pytest.raises(LinkLost, match="closed"):
        link.read(0)


def test_a_module_with_an_id_is_the_same_when_it_is_opened_again() -> None:
    url = "sim://BC28?id=bench-1&fault=unplug-at:c2"
    link = open_sim_link(url)
    assert ask(link, b"AT+CMEE=1") == OK
    with pytest.raises(PortBusy):
        open_sim_link(url)
    with pytest.raises(LinkLost):
        ask(link, b"AT")
    again = open_sim_link(url, baud=9600)
    assert again.module is link.module
    assert listen(again, 1.0) == OK  # the answer that the module was about to give
    assert ask(again, b"AT+CMEE?") == b"\r\n+CMEE:1\r\n\r\nOK\r\n"


def test_faults_compose() -> None:
    link, answers = loaded("echo+lose-reply:1+refuse-block:2")
    assert [answer.endswith(OK) for answer in answers] == [
        True,
        False,
        False,
        False,
        False,
        False,
        False,
        False,
    ]
    assert answers[0].startswith(b"AT+NFWUPD=1,0,256,")
    assert link.module.faults.struck == ["lose-reply:1", "refuse-block:2"]


def test_an_unknown_fault_in_a_url_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown fault"):
        open_sim_link("sim://BC28?fault=explode")
