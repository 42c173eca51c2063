"""The module: identity, method, supply, reboots and signal."""

from typing import Any

import msgspec
import pytest

from atota.clock import SimulatedClock
from atota.dialects import loader
from atota.doctor.module import (
    Observer,
    Supply,
    judge_identity,
    judge_reboots,
    judge_signal,
    judge_supply,
    read_supply,
)
from atota.module.identify import Findings
from atota.module.module import Module, open_module
from atota.module.session import Session
from atota.sim.link import open_sim_link
from atota.values import Identity


def opened(url: str) -> Module:
    return open_module(url, clock=SimulatedClock())


def identified(url: str) -> tuple[Module, Findings]:
    module = opened(url)
    module.identify()
    assert module.findings is not None
    return module, module.findings


def ears(early: list[str | None], late: list[str | None], warnings: list[str] | None = None) -> Observer:
    made = Observer(Session(open_sim_link("sim://BC28", clock=SimulatedClock()), loader.load("3gpp")))
    made.early, made.late, made.warnings = early, late, warnings or []
    return made


def test_a_known_module_is_named_with_its_method() -> None:
    _, found = identified("sim://BC28")
    identity, method = judge_identity(found)
    assert (identity.state, identity.says) == ("ok", "Quectel BC28, version BC28JAR01A03")
    assert method.state == "ok"
    assert method.says.startswith("nfwupd, documented")


def test_a_contradiction_and_a_weak_evidence_are_warnings() -> None:
    _, found = identified("sim://BC28")
    doubtful = msgspec.structs.replace(
        found,
        mismatch="it says it is another",
        identity=msgspec.structs.replace(found.identity, evidence="inferred"),
    )
    identity, method = judge_identity(doubtful)
    assert (identity.state, identity.says) == ("warning", "it says it is another")
    assert method.state == "warning"
    assert "--allow-unproven" in method.next


def test_what_no_method_is_known_for_is_a_warning() -> None:
    _, found = identified("sim://N20")
    identity, method = judge_identity(found)
    assert identity.state == "ok"
    assert method.state == "warning"
    assert method.next


def test_the_imei_is_not_told() -> None:
    _, found = identified("sim://BC28?imei=490154203237518")
    assert found.identity.imei == "490154203237518"
    assert "490154203237518" not in str([*judge_identity(found), judge_signal(found)])


def test_the_supply_is_read_a_few_times() -> None:
    module, found = identified("sim://BC28")
    told = read_supply(module.session, found.identity)
    assert told.readings_mv == (3612, 3612, 3612)
    assert judge_supply(told).says == "3612 mV in 3 readings"


def test_a_supply_that_was_lost_on_the_way_is_asked_for_again() -> None:
    module, found = identified("sim://BC28")
    unheard = msgspec.structs.replace(found.identity, supply_mv=None)
    assert read_supply(module.session, unheard).readings_mv == (3612, 3612, 3612)


def test_a_module_that_cannot_tell_its_supply_is_not_asked() -> None:
    module, found = identified("sim://ME3616")
    before = module.session.received_bytes
    assert read_supply(module.session, found.identity).readings_mv == ()
    assert module.session.received_bytes == before


@pytest.mark.parametrize(
    ("told", "state", "words"),
    [
        (Supply(readings_mv=(3600, 3610, 3590)), "ok", "3590 to 3610 mV in 3 readings"),
        (Supply(readings_mv=(3600,)), "ok", "3600 mV"),
        (Supply(readings_mv=(3600, 3400)), "ok", "3400 to 3600"),
        (Supply(readings_mv=(3600, 3399)), "warning", "unsteady: 3399 to 3600 mV"),
        (Supply(), "unknown", "does not report its voltage"),
        (Supply(battery_percent=71), "unknown", "battery 71 %"),
    ],
)
def test_a_supply_is_judged_by_how_steady_it_is(told: Supply, state: str, words: str) -> None:
    found = judge_supply(told)
    assert found.state == state
    assert words in found.says
    assert bool(found.next) is (state != "ok")


@pytest.mark.parametrize(
    ("heard", "state", "words"),
    [
        (([], []), "ok", "none while it was queried"),
        ((["SECURITY_PMU_POWER_ON_RESET"], []), "ok", "just starting (SECURITY_PMU_POWER_ON_RESET)"),
        (([None], []), "ok", "just starting (cause not given)"),
        ((["A", "B"], []), "warning", "booted 2 times before it answered (A, B)"),
        (([], ["SECURITY_PMU_POWER_ON_RESET"]), "bad", "a sign of a brown-out: it rebooted once"),
        (([], ["APPLICATION_WATCHDOG"]), "bad", "it rebooted once while it was only queried"),
        (([], [None, None]), "bad", "it rebooted 2 times while it was only queried (cause not given)"),
        (([], [], ["UNDER-VOLTAGE WARNNING"]), "bad", "reports a low supply: UNDER-VOLTAGE WARNNING"),
    ],
)
def test_reboots_are_judged_by_when_and_why(heard: Any, state: str, words: str) -> None:
    found = judge_reboots(ears(*heard))
    assert found.state == state
    assert words in found.says
    assert bool(found.next) is (state != "ok")


def test_a_watchdog_is_not_blamed_on_the_supply() -> None:
    assert "capacitor" not in judge_reboots(ears([], ["APPLICATION_WATCHDOG"])).next
    assert "capacitor" in judge_reboots(ears([], ["SECURITY_PMU_POWER_ON_RESET"])).next
    assert "capacitor" in judge_reboots(ears([], [None])).next


def test_boots_are_heard_before_and_after_the_first_answer() -> None:
    module = opened("sim://BC28?fault=boot-garbage+brownout-at-block:c12")
    heard = Observer(module.session)
    module.find()
    heard.answered()
    module.identify()
    for _ in range(8):
        module.session.is_alive(1.0)
        module.session.await_boot(2.0)
    assert heard.early == ["SECURITY_PMU_POWER_ON_RESET"]
    assert heard.late == ["SECURITY_PMU_POWER_ON_RESET"]


def test_a_listener_that_was_there_still_hears() -> None:
    events: list[object] = []
    link = open_sim_link("sim://BC28", clock=SimulatedClock())
    talk = Session(link, loader.load("3gpp"), listener=events.append)
    Observer(talk)
    talk.command("AT")
    assert events


@pytest.mark.parametrize(
    ("signal", "dialect", "state"),
    [
        (20, "hi2115", "ok"),
        (2, "hi2115", "ok"),
        (None, "hi2115", "ok"),
        (20, "quectel-bc26", "ok"),
        (4, "quectel-bc26", "warning"),
        (5, "cmcc-mt2625", "ok"),
        (None, "cmcc-mt2625", "warning"),
    ],
)
def test_the_signal_matters_where_the_module_fetches_by_itself(
    signal: int | None, dialect: str, state: str
) -> None:
    found = Findings(Identity(signal=signal), loader.load(dialect), None, None)
    assert judge_signal(found).state == state
