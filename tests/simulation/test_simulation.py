"""Whole jobs under composed faults; what broke a promise once; and that the judge would see it again."""

from collections.abc import Callable
from typing import Any

import pytest

from atota.errors import ModuleRebooted, Refused
from atota.fota.restart import ModuleRestart
from atota.fota.target import ModuleTarget
from atota.journal import rows
from atota.journal.store import JobEntry
from atota.settings.spec import Allowed
from atota.sota.gd32 import Gd32
from atota.sota.restart import ChipRestart
from atota.testing.bench import ACCESS_KEY
from atota.update import plan
from atota.update.job_journal import JobJournal
from atota.update.reporter import Reporter
from atota.update.write import Writer
from atota.values import Versions
from scripts.simulate_parts.chips import CHIPS
from scripts.simulate_parts.main import run
from scripts.simulate_parts.runs import simulate
from scripts.simulate_parts.scenario import API_FAULTS, METHODS, STAGES, Scenario, draw, fault_names
from scripts.simulate_parts.shrink import shrunk


@pytest.mark.parametrize("method", METHODS)
def test_no_promise_is_broken_with_any_method(method: str) -> None:
    found = [simulate(draw(seed, method=method)) for seed in range(8)]
    assert [one.scenario.text for one in found if one.broken is not None] == []


@pytest.mark.parametrize("protocol", CHIPS)
def test_no_promise_is_broken_with_any_chip(protocol: str) -> None:
    found = [simulate(draw(seed, method=protocol)) for seed in range(12)]
    assert [one.scenario.text for one in found if one.broken is not None] == []


def test_every_tenth_scenario_is_a_chip_and_a_filter_keeps_to_them() -> None:
    drawn = [draw(seed) for seed in range(600)]
    assert 30 < sum(one.is_chip for one in drawn) < 90
    assert {one.model for one in drawn if one.is_chip} == set(CHIPS)
    assert all(draw(seed, is_chip=True).is_chip for seed in range(20))


def test_a_chip_that_is_said_to_be_updated_and_is_not_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChipRestart, "confirm", lambda _self: Versions(version="V1.1.0"))
    found = simulate(Scenario(seed=1, model="gd32", faults=("m/old-app",)))
    assert found.broken == "the platform was told 201, and the module does not run the target"


def test_a_chip_that_is_erased_before_it_is_refused_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def inspect(flasher: Gd32, _data: bytes, _allowed: Allowed) -> None:
        flasher._erase(1024)
        raise Refused("too late")

    monkeypatch.setattr(Gd32, "inspect", inspect)
    found = simulate(Scenario(seed=1, model="gd32"))
    assert found.broken == "refused, and the flash was touched"


@pytest.mark.parametrize("stage", STAGES)
def test_a_process_that_dies_as_a_stage_begins_leaves_what_the_next_one_needs(stage: str) -> None:
    found = [simulate(draw(seed, stage=stage)) for seed in range(100, 106)]
    assert [one.scenario.text for one in found if one.broken is not None] == []


@pytest.mark.parametrize("api", API_FAULTS)
def test_no_promise_is_broken_with_any_api(api: str) -> None:
    found = [simulate(draw(seed, api=api, method="nfwupd")) for seed in range(300, 312)]
    assert [one.scenario.text for one in found if one.broken is not None] == []
    assert {one.scenario.api for one in found} == {api}


def test_the_api_is_drawn_with_its_own_faults_and_knobs() -> None:
    drawn = [draw(seed) for seed in range(900)]
    known = {name: {fault.partition("/")[0] for fault in faults} for name, faults in API_FAULTS.items()}
    for api in API_FAULTS:
        some = [one for one in drawn if one.api == api and not one.flashed]
        assert len(some) > 80
        assert all(bool(one.knobs) is (api != "generic") for one in some)
        struck = {fault.split(":")[0] for one in some for fault in one.of("p")}
        assert struck <= known[api] | {"errno"}
        assert len(struck) > 20
    assert all(one.api == "generic" for one in drawn if one.flashed)
    assert {one.method for one in drawn if one.api == "fuse"} == {*METHODS, *CHIPS}, "no method needs codes"


# What the simulation found, each by its least scenario.
FOUND = {
    "fuses that cannot be read for a damaged byte are no word about the chip": Scenario(
        seed=41001967,
        model="esp32",
        size=300,
        api="generic",
        erase=True,
        pause_s=30.0,
        faults=("m/mute-after:10", "m/cut-erase"),
    ),
    "the record of a job that takes over has the version that was confirmed": Scenario(
        seed=38, model="XY1100", size=300, faults=("m/stay-dead-after-update",)
    ),
    "a module that was killed in mid-payload is left alone until its window is over": Scenario(
        seed=144, model="EC800M", size=300, pause_s=1.0, faults=("h/kill-reply:51",)
    ),
    "beyond the window a margin is left: a byte too early begins it anew": Scenario(
        seed=6478, model="EC21", size=300, pause_s=0.0, faults=("m/unplug-at:0",)
    ),
    "a platform-driven module is waited for, since it may be in its update by itself": Scenario(
        seed=173, model="M5311", size=300, pause_s=90.0, faults=("h/kill-reply:59",)
    ),
    "of a platform-driven module nobody says that it still runs what it ran": Scenario(
        seed=5910, model="M5311", size=300, faults=("h/timeout:10",)
    ),
    "a stop does not take back what the platform has begun": Scenario(
        seed=5232, model="M5311", size=300, faults=("h/stop:activate:1",)
    ),
    "a pushed stream's last byte is held back, so its write is not over when it is done": Scenario(
        seed=2016545, model="EC800M", size=300, pause_s=0.0, faults=("h/kill-journal:18",)
    ),
    "a platform-driven module that updates without a word is believed by its version": Scenario(
        seed=2010211, model="M5311", size=300, faults=("m/quiet-update", "m/back-at-baud:460800")
    ),
    "a log-in that fails because the update has begun is no failed write": Scenario(
        seed=2031281, model="M5311", size=300, faults=("m/drop-back:490",)
    ),
    "a byte doubled on the wire stands in for the one that was held back": Scenario(
        seed=1013089, model="EC800M", size=1024, faults=("m/double-byte:763", "h/stop:activate:1")
    ),
    "a module that changes its rate after its boot is found again": Scenario(
        seed=31455, model="M5310-A", size=300, pause_s=1.0, faults=("n/no-connection:4:4", "h/baud:57600")
    ),
    "a manufacturer's name that was damaged on the way does not choose another dialect": Scenario(
        seed=7001817, model="BC28", size=300, faults=("m/double-back:23",)
    ),
    "a prompt that comes while nobody speaks opens the window only then": Scenario(
        seed=7063853,
        model="ME3616",
        size=300,
        pause_s=1.0,
        faults=("m/late-prompt:0:70.0", "h/kill-command:34"),
    ),
    "one start that was lost is no update that failed, also where no other write is left": Scenario(
        seed=7069168, model="EC21", size=300, faults=("m/refuse-md5:2", "m/brownout-at-block:start")
    ),
    "one bit that makes the target of the old version is no update": Scenario(
        seed=175, model="SARA-N200", size=300, faults=("m/flip-back:175",)
    ),
    "an address that was handed over twice without an answer may be fetched all the same": Scenario(
        seed=20014235, model="BC26", size=300, faults=("m/cut-reply:start:3", "m/fail-download:1")
    ),
    "a module that was cut off at the rate of the transfer is looked for until it has left it": Scenario(
        seed=27336, model="SARA-N200", size=300, pause_s=0.0, faults=("m/unplug-at:validate",)
    ),
    "an OK that is followed by a damaged refusal is no start": Scenario(
        seed=45270, model="SIM7020C", size=300, retry=3, faults=("m/refuse-md5:9", "m/drop-back:1066")
    ),
    "lines that never end do not keep an XMODEM transfer from its own end": Scenario(
        seed=83805, model="SARA-R410", retry=3, faults=("m/urc-storm:0.05", "h/baud:9600")
    ),
    "one bit that makes another model of a name asks for no other module's package": Scenario(
        seed=183, model="SIM7020C", size=300, faults=("m/flip-back:183",)
    ),
    "after a module has updated itself nobody asks for a new token with the version it had": Scenario(
        seed=8874, model="BC26", size=300, faults=("p/expired-token:2",)
    ),
    "the first letter of an echo that a line tore apart is no version": Scenario(
        seed=118772, model="SIM7020C", size=300, timer_ms=1, faults=("m/urc-storm:0.05",)
    ),
    "a module that ends its boot in silence at a rate that was tried already is found": Scenario(
        seed=133879, model="EC616", size=300, pause_s=0.0, faults=("m/boot-garbage", "h/timeout:1")
    ),
    "a digit of an IMEI that is lost on the way makes no stranger of a module": Scenario(
        seed=882627, model="SARA-R410", size=300, faults=("m/drop-back:902",)
    ),
    "a chip whose write failed has no application that tells a version, and the platform is asked": Scenario(
        seed=19, model="gd32", size=1200, faults=("m/ignore-writes",)
    ),
    "a chip whose new application is dead is asked for with the version of before": Scenario(
        seed=28, model="smp", size=3000, faults=("m/dead-app",)
    ),
    "a signed package is not started before its write is reported": Scenario(
        seed=37, model="nordic-secure", size=1200, api="fuse", faults=("p/errno:20:2@progress",)
    ),
    "a package without a signature is not started before its state is written down": Scenario(
        seed=33, model="nordic-legacy", size=1200, api="fuse", faults=("h/disk-full:31",)
    ),
    "a reset that is not acknowledged may have started the image that was marked": Scenario(
        seed=5075, model="smp", size=1200, api="fuse", pause_s=1.0, faults=("m/reset-at:reset",)
    ),
    "a chip that was erased once does not run what it ran, also while the write begins again": Scenario(
        seed=1030, model="gd32", size=1200, faults=("m/mute-after:20", "h/timeout:10")
    ),
    "a byte that comes twice while a chip is read back costs a fresh write": Scenario(
        seed=1092, model="gd32", size=9000, faults=("m/double-byte:9510",)
    ),
    "one bit of a chip's version that is damaged on the way asks for no other chip's package": Scenario(
        seed=31100501, model="gd32", size=300, faults=("m/flip-back:7",)
    ),
    "a chip that starts by itself what a cut write left in its flash is written again": Scenario(
        seed=20269270, model="gd32", size=9000, api="fuse", faults=("m/mute-after:52",)
    ),
    "a disk that is full when the stages that do not apply are written down is no crash": Scenario(
        seed=51000958,
        model="SIM7000C",
        size=300,
        api="fuse",
        faults=("p/no-data:1", "h/disk-full:9"),
    ),
}


@pytest.mark.parametrize("scenario", FOUND.values(), ids=FOUND.keys())
def test_what_was_found_stays_mended(scenario: Scenario) -> None:
    found = simulate(scenario)
    assert found.broken is None, found.broken
    assert found.jobs > 1  # it went on, or it was updated and asked once more
    assert found.outcomes[0] != "already-current"


# -- the judge itself --------------------------------------------------------------------------------


def believe(self: Any) -> Versions:
    return Versions(version=self._expected)


def tell_at_once(self: Any, task: Any, **_how: Any) -> None:
    self._platform.report_step(self._dev_id, task.token, 101)
    self._platform.report_step(self._dev_id, task.token, 201)


def tell_the_token(self: Any, task: Any, **_how: Any) -> None:
    self._outbox.warn(f"the token is {task.token}")


def write_the_key_down(self: Any, stage: str, state: str, *_what: Any, **_how: Any) -> None:
    with self._adding("stage") as db:
        rows.insert_stage(db, self.id, self._clock.time(), stage, state, f"the key is {ACCESS_KEY}", None)


def go_whatever_it_runs(*_what: Any, **_how: Any) -> plan.Proceed:
    return plan.Proceed(())


def forget_the_record(*_what: Any) -> None:
    return None


def shorten(self: Any) -> int:
    self._package.write_bytes(self._package.read_bytes()[:-32])
    self._target.write(self._package, self._on_written)
    return 0


def crash(self: Any) -> Versions:
    raise KeyError(self._expected)


def read_for_ever(self: Any) -> None:
    while True:
        self._session.link.read(0.05)


PLANTED: dict[str, tuple[Any, str, Callable[..., Any], Scenario, str]] = {
    "a version that was not read back": (
        ModuleRestart,
        "confirm",
        believe,
        Scenario(seed=1, model="BC28", faults=("m/rollback",)),
        "201, and the module does not run the target",
    ),
    "a success told too early": (
        Reporter,
        "ready",
        tell_at_once,
        Scenario(seed=1, model="BC28"),
        "201, and the module does not run the target",
    ),
    "a secret in the events": (
        Reporter,
        "ready",
        tell_the_token,
        Scenario(seed=1, model="BC28"),
        "a secret stands in the events",
    ),
    "a secret in the journal": (
        JobEntry,
        "stage",
        write_the_key_down,
        Scenario(seed=1, model="BC28"),
        "a secret stands in the journal",
    ),
    "an update of what is up to date": (
        plan,
        "decide",
        go_whatever_it_runs,
        Scenario(seed=1, model="SARA-R410"),
        "the last one ended unknown-after-reboot",
    ),
    "a job without a record": (
        JobJournal,
        "end",
        forget_the_record,
        Scenario(seed=1, model="BC28"),
        "the journal says None",
    ),
    "a start of half a package": (
        Writer,
        "_write",
        shorten,
        Scenario(seed=1, model="SARA-N200"),
        "something was started that was not the package",
    ),
    "no end": (ModuleRestart, "wait", read_for_ever, Scenario(seed=1, model="BC28"), "Endless"),
    "a bug": (ModuleRestart, "confirm", crash, Scenario(seed=1, model="BC28"), "KeyError"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_judge_sees_a_planted_lie(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, lie, scenario, said = PLANTED[name]
    monkeypatch.setattr(owner, attribute, lie)
    broken = simulate(scenario).broken
    assert broken is not None
    assert said in broken


def test_a_job_that_gives_up_without_a_reason_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(_self: Any, *_what: Any, **_how: Any) -> None:
        raise ModuleRebooted("so it seems")

    monkeypatch.setattr(ModuleTarget, "prepare", give_up)
    broken = simulate(Scenario(seed=1, model="BC28")).broken
    assert broken is not None
    assert "nothing that happened is a reason" in broken


def test_a_broken_promise_is_shrunk_to_what_still_breaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModuleRestart, "confirm", believe)
    faults = ("m/echo", "m/urc-inside-reply", "m/rollback", "p/quoted-numbers", "h/clock-jump:3:30")
    scenario = Scenario(seed=1, model="BC28", size=1024, retry=3, timer_ms=1, faults=faults)
    kind = simulate(scenario).kind
    assert kind
    least = shrunk(scenario, kind)
    assert least.faults == ("m/rollback",)
    assert (least.retry, least.size) == (0, 300)


def test_the_same_scenario_goes_the_same_way() -> None:
    scenario = draw(7)
    assert simulate(scenario) == simulate(scenario)
    assert Scenario.parse(scenario.text) == scenario


def test_a_broken_run_prints_the_command_that_repeats_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ModuleRestart, "confirm", believe)
    assert run(["--runs", "30", "--seed", "3", "--method", "nfwupd", "--fault", "rollback"]) == 1
    printed = capsys.readouterr().out
    command = next(line for line in printed.splitlines() if "least:" in line)
    scenario = command.partition("--scenario '")[2].rstrip("'")
    assert run(["--scenario", scenario]) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_every_fault_of_the_issue_can_be_asked_for_by_name() -> None:
    assert {"m/drop-byte", "m/flip-back", "p/expired-token", "h/kill-journal", "n/no-connection"} <= set(
        fault_names()
    )
    for name in fault_names():
        assert draw(1, fault=name).faults
