"""Modules whose firmware only the platform changes: M5311 and its like, RDA8908A, RDA8909B."""

import re

import pytest

from atota.errors import UsageError
from atota.sim.link import open_sim_link, parse_sim_url
from atota.sim.options import Options
from tests.sim.hosts import ERROR, OK, TimeHost

OLD, NEW = "M5311-PLBH0S01", "M5311-PLBH0S02"


def cis(code: int) -> bytes:
    return b"\r\n+CIS ERROR: %d\r\n" % code


class Bench(TimeHost):
    """A host at the module's rate, echo off."""

    def __init__(self, *faults: str, model: str = "M5311", push: str = NEW, network: bool = True) -> None:
        options = Options(baud=57600, push=push, network=network)
        super().__init__(model, *faults, options=options, before=0.5)
        self.say(b"ATE0")

    def events(self, seconds: float) -> list[int]:
        return [int(number) for number in re.findall(rb"\+MIPLEVENT: ?0,(\d+)", self.wait(seconds))]

    def log_in(self, create: bytes = b"AT+MIPLCREATE", seconds: float = 8) -> list[int]:
        self.say(b"ATE0")
        self.say(create)
        assert self.say(b"AT+MIPLOPEN=0,3000,30") == OK
        return self.events(seconds)


def test_a_login_and_the_update_that_follows() -> None:
    bench = Bench()
    assert bench.log_in() == [1, 2, 4, 6]
    assert bench.events(65) == [40, 42]
    text = bench.wait(110)
    assert re.findall(rb"MIPLEVENT:0,\d+|REBOOTING..|\*ATREADY: 1|\+CFUN: 1", text) == [
        b"MIPLEVENT:0,43",
        b"REBOOTING..",
        b"*ATREADY: 1",
        b"+CFUN: 1",
        b"MIPLEVENT:0,44",
    ]
    assert (bench.module.version, bench.module.starts) == (NEW, ["PACKAGE_OK"])
    assert bench.events(600) == []
    assert bench.log_in(seconds=13) == [1, 2, 4, 6]
    assert bench.events(10) == [46]
    assert bench.events(600) == []


def test_nothing_happens_unless_the_platform_wants_it() -> None:
    bench = Bench(push="")
    bench.log_in()
    assert bench.events(600) == []
    assert bench.module.version == OLD


def test_nothing_happens_unless_it_is_logged_in() -> None:
    bench = Bench()
    bench.say(b"AT+MIPLCREATE")
    assert bench.events(600) == []


def test_a_module_that_runs_it_already_is_left_alone() -> None:
    bench = Bench(push=OLD)
    bench.log_in()
    assert bench.events(600) == []


@pytest.mark.parametrize(
    ("fault", "events", "version"),
    [
        ("fail-download", [40, 41], OLD),
        ("fail-update", [40, 42, 43, 45], OLD),
        ("refuse-validate", [40, 42, 43, 45], OLD),
        ("rollback", [40, 42, 43, 44], OLD),
        ("quiet-update", [], NEW),
        ("stay-dead-after-update", [40, 42, 43], OLD),
        ("reboot-in-update", [40, 42, 43, 44], NEW),
        ("reboot-in-download", [40], OLD),
    ],
)
def test_an_update_that_goes_another_way(fault: str, events: list[int], version: str) -> None:
    bench = Bench(fault)
    bench.log_in()
    assert bench.events(600) == events
    if fault != "stay-dead-after-update":
        assert bench.module.version == version


def test_a_failed_update_is_not_tried_again() -> None:
    bench = Bench("fail-update")
    bench.log_in()
    bench.wait(600)
    assert bench.log_in(seconds=13) == [1, 2, 4, 6]
    assert bench.events(600) == []


def test_a_power_cut_in_the_download_lets_it_go_on_with_the_next_login() -> None:
    bench = Bench()
    bench.log_in()
    assert bench.events(20) == [40]
    bench.module.power_cut(bench.now)
    assert bench.events(600) == []
    assert bench.module.version == OLD
    bench.log_in(seconds=13)
    assert bench.events(600) == [40, 42, 43, 44]
    assert bench.module.version == NEW


def test_a_power_cut_in_the_update_lets_it_go_on_by_itself() -> None:
    bench = Bench()
    bench.log_in()
    assert bench.events(90) == [40, 42, 43]
    assert bench.module.booting
    bench.module.power_cut(bench.now)
    assert bench.events(200) == [44]
    assert bench.module.version == NEW


def test_logging_out_stops_the_download() -> None:
    bench = Bench()
    bench.log_in()
    assert bench.events(20) == [40]
    assert bench.say(b"AT+MIPLCLOSE=0") == OK
    assert bench.events(600) == [15]
    assert bench.say(b"AT+MIPLOPEN=0,3000") == OK
    assert bench.events(600) == [1, 2, 4, 6, 40, 42, 43, 44]


def test_losing_the_network_interrupts_the_download() -> None:
    bench = Bench()
    bench.log_in()
    bench.wait(20)
    bench.say(b"AT+CFUN=0")
    assert bench.events(600) == [47]


def test_without_a_network_a_login_fails_after_its_time() -> None:
    bench = Bench(network=False)
    bench.say(b"AT+MIPLCREATE")
    assert bench.say(b"AT+MIPLOPEN=0,3000,20") == OK
    assert bench.events(19) == []
    assert bench.events(3) == [7]
    assert bench.say(b"AT+MIPLOPEN?") == cis(602)
    assert bench.say(b"AT+MIPLOPEN=0,3000,20") == OK


def test_a_login_right_after_a_start_waits_for_the_network() -> None:
    bench = Bench()
    bench.say(b"AT+CMRB")
    bench.wait(20)
    bench.say(b"ATE0")
    bench.say(b"AT+MIPLCREATE")
    assert bench.say(b"AT+MIPLOPEN=0,3000,30") == OK
    assert bench.events(15) == [1, 2, 4, 6]


def test_a_reboot_by_command_has_its_banner_and_forgets_the_login() -> None:
    bench = Bench(push="")
    bench.log_in()
    assert bench.say(b"AT+CMRB") == OK + b"\r\nREBOOTING..\r\n"
    assert bench.wait(20) == b"\r\n*ATREADY: 1\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n"
    bench.say(b"ATE0")
    assert bench.say(b"AT+MIPLOPEN=0,3000") == cis(653)


def test_a_cut_event_has_no_number() -> None:
    bench = Bench("cut-urc")
    bench.log_in()
    assert bench.events(600) == [42, 43, 44]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"AT+MIPLCREATE", b"\r\n+MIPLCREATE:0\r\n" + OK),
        (b"AT+MIPLCREATE=8,0102030405060708,0,8,0", b"\r\n+MIPLCREATE:0\r\n" + OK),
        (b"AT+MIPLCREATE=16,0102030405060708,0,16,0", b"\r\n+MIPLCREATE:0\r\n" + OK),
        (b"AT+MIPLCREATE=16,0102030405060708,1,16,1", OK),
        (b"AT+MIPLCREATE=8,0102030405060708,0,9,0", cis(601)),
        (b"AT+MIPLCREATE=8,xx,0,8,0", cis(601)),
        (b'AT+MIPLCREATEEX="183.230.40.40",0', ERROR),
        (b"AT+MIPLOPEN?", cis(602)),
        (b"AT+MIPLADDOBJ=0,3200,1,1,0,1", cis(653)),
        (b"AT+MIPLFOO=0", ERROR),
        (b"AT+MIPLCREATE=?", cis(601)),
        (b"AT+NFWUPD=?", ERROR),
        (b"AT+FOTACTR?", ERROR),
        (b"AT+QFOTADL=?", ERROR),
        (b"AT+CFOTA?", ERROR),
    ],
)
def test_an_m5311_before_anything_was_created(command: bytes, answer: bytes) -> None:
    assert Bench().say(command) == answer


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"AT+MIPLCREATE", cis(653)),
        (b"AT+MIPLOPEN=1,3000", cis(601)),
        (b"AT+MIPLOPEN=0", cis(601)),
        (b'AT+MIPLADDOBJ=0,3200,2,"1",0,1', cis(601)),
        (b'AT+MIPLADDOBJ=0,3200,1,"1",0,1', OK),
        (b'AT+MIPLDISCOVERRSP=0,3200,1,4,"5750"', OK),
        (b"AT+MIPLCLOSE=0", cis(602)),
        (b"AT+MIPLUPDATE=0,0,0", cis(602)),
        (b"AT+MIPLDELETE=0", OK),
    ],
)
def test_an_m5311_after_it_was_created(command: bytes, answer: bytes) -> None:
    bench = Bench()
    bench.say(b"AT+MIPLCREATE")
    assert bench.say(command) == answer


def test_opening_twice_is_not_allowed_and_asking_says_that_it_is_in() -> None:
    bench = Bench(push="")
    bench.say(b"AT+MIPLCREATE")
    bench.say(b"AT+MIPLOPEN=0,3000")
    assert bench.say(b"AT+MIPLOPEN=0,3000") == cis(651)
    bench.wait(10)
    assert bench.say(b"AT+MIPLOPEN?") == OK
    assert bench.events(2) == [6]
    assert bench.say(b"AT+MIPLUPDATE=0,0,0") == OK
    assert bench.events(2) == [11]


@pytest.mark.parametrize(
    ("model", "create", "events", "new"),
    [
        ("A9600-R2", b'AT+MIPLCREATEEX="183.230.40.40",0', [6], "A9600R2_V1.2.04"),
        ("A9600-R2", b'AT+MIPLCREATEEX="nbiotbt.heclouds.com:5683",1', [4, 6], "A9600R2_V1.2.04"),
        ("M5313", b"AT+MIPLCREATE", [4, 6], "M5313-PBRH0S01"),
        ("M5330-A", b"AT+MIPLCREATE", [4, 6], "X"),
        ("N256", b"AT+MIPLCREATE", [1, 2, 4, 6], "X"),
        ("N700-CN", b"AT+MIPLCREATE", [1, 2, 4, 6], "X"),
        ("S5601", b"AT+MIPLCREATE", [1, 2, 4, 6], "X"),
    ],
)
def test_the_others_log_in_and_update_alike(model: str, create: bytes, events: list[int], new: str) -> None:
    bench = Bench(model=model, push=new)
    assert bench.log_in(create) == events
    assert bench.events(600) == [40, 42, 43, 44]
    assert bench.module.version == new


@pytest.mark.parametrize(
    "command", [b"AT+MIPLCREATE", b'AT+MIPLCREATEEX="183.230.40.40",4', b"AT+MIPLCREATEEX"]
)
def test_an_a9600_takes_a_server_only(command: bytes) -> None:
    assert Bench(model="A9600-R2").say(command) in (ERROR, cis(601))


def test_rda_answers_words_that_prove_nothing_but_none_about_firmware() -> None:
    for model in ("A9600-R2", "M5312", "M5330-A"):
        bench = Bench(model=model, push="")
        assert bench.say(b'AT+TUESTATS="ALL"').endswith(OK)
        assert bench.say(b"AT+NCDP?").endswith(OK)
        assert [bench.say(b"AT+NUESTATS"), bench.say(b"AT+NBAND?"), bench.say(b"AT+NFWUPD=?")] == [ERROR] * 3


def test_the_m5312_has_no_command_for_the_platform() -> None:
    bench = Bench(model="M5312", push="")
    assert [bench.say(b"AT+MIPLCREATE"), bench.say(b"AT+MIPLOPEN=0,3000")] == [ERROR, ERROR]


def test_an_rda_module_speaks_at_57600_and_takes_the_rate_of_the_first_at() -> None:
    for baud in (57600, 9600):
        link = open_sim_link("sim://A9600-R2", baud=baud)
        for _ in range(3):
            link.write(b"AT\r")
            link.clock.sleep(0.3)
        assert link.read(1).endswith(OK)
    link = open_sim_link("sim://A9600-R2", baud=115200)
    link.write(b"AT\rAT\rAT\r")
    link.clock.sleep(1)
    assert OK not in link.read(1)


def test_push_is_an_option_of_modules_that_a_platform_drives() -> None:
    assert parse_sim_url("sim://M5311?push=X1").options.push == "X1"
    assert not parse_sim_url("sim://M5311?network=0").options.network
    with pytest.raises(UsageError, match="push"):
        parse_sim_url("sim://BC28?push=X1")
