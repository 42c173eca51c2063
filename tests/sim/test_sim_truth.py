"""The true state of a simulated module as a judge reads it, and the healing of a module."""

import pytest

from atota.sim.link import SimLink, open_sim_link
from atota.sim.module import SimModule
from tests.sim.playing import WAYS, module_of, play
from tests.sim.test_sim_link import OK, ask, listen

LINES = (b"AT+NFWUPD=0", b"AT+NFWUPD=1,0,4,01020304,04", b"AT+NFWUPD=5")
BANNER = b"REBOOT_CAUSE_SECURITY_PMU_POWER_ON_RESET\r\nNeul \r\nOK\r\n"


def begun(fault: str) -> SimLink:
    """A BC28 whose update has just been started."""
    link = open_sim_link(f"sim://BC28?accept=any&becomes=NEW&fault={fault}")
    for line in LINES:
        link.write(line + b"\r")
        listen(link, 5.0 if line != LINES[-1] else 0.4)
    return link


@pytest.mark.parametrize("kind", WAYS)
def test_an_update_is_under_way_from_its_start_until_another_version_runs(kind: str) -> None:
    path = WAYS[kind]
    old = module_of(path).version
    module, passed, now = play(path, until=lambda module: module.updating)
    assert module.updating
    assert "start" in passed
    assert (module.version, module.updates) == (old, 0)
    while module.updating and now < 3000.0:
        assert module.version == old
        now += 0.25
        module.tick(now)
    assert (module.version, module.updates) == (module.options.becomes, 1)
    assert module.starts == ["PACKAGE_OK"]
    module.tick(now + 3000.0)
    assert not module.updating


@pytest.mark.parametrize("fault", ["fail-update", "refuse-validate", "rollback"])
@pytest.mark.parametrize("kind", WAYS)
def test_an_update_that_fails_is_over_and_the_old_version_runs(kind: str, fault: str) -> None:
    module, _, now = play(WAYS[kind], fault, until=lambda module: module.updating)
    module.tick(now + 3000.0)
    assert not module.updating
    assert not module.booting
    assert module.version == module.persona.version
    assert module.updates == 0


@pytest.mark.parametrize("kind", WAYS)
def test_a_start_that_is_refused_is_no_update(kind: str) -> None:
    module, passed, _ = play(WAYS[kind], "refuse-start", until=lambda module: module.updating)
    assert passed
    assert not module.updating
    assert module.starts == []


def test_a_download_by_the_module_itself_belongs_to_its_update_until_it_fails() -> None:
    module, _, now = play(WAYS["UrlPullUpdater"], "fail-download", until=lambda module: module.updating)
    assert module.updating
    assert module.starts == []
    module.tick(now + 600.0)
    assert (module.updating, module.starts) == (False, [])


def test_what_the_platform_pushes_is_to_come_from_the_login_on_until_it_is_closed() -> None:
    module, _, now = play(WAYS["PlatformUpdater"], until=lambda module: module.updating)
    assert module.updating
    module.power_cut(now)
    assert not module.updating


def test_a_power_cut_right_behind_the_start_command_leaves_it_undone() -> None:
    link = begun("")
    module, now = link.module, link.clock.monotonic()
    assert (module.updating, module.booting, module.starts) == (True, False, ["PACKAGE_OK"])
    module.power_cut(now)
    assert (module.updating, module.booting) == (False, True)
    module.tick(now + 600.0)
    assert (module.version, module.starts) == ("BC28JAR01A03", ["PACKAGE_OK"])


def healed(link: SimLink) -> SimModule:
    link.module.heal(link.clock.monotonic())
    return link.module


@pytest.mark.parametrize("fault", ["mute", "silent-at:c2", "mute-after:1"])
def test_healing_power_cycles_what_is_silent_and_leaves_what_is_stored(fault: str) -> None:
    link = open_sim_link(f"sim://BC28?fault={fault}")
    link.module.flash.erase()
    link.module.flash.write(0, b"half a package")
    ask(link, b"AT", 1)
    assert ask(link, b"AT", 5) == b""
    module = healed(link)
    assert (module.silent, module.mute, module.booting, module.reboots) == (False, False, True, 1)
    assert listen(link, 20.0).endswith(BANNER)
    assert ask(link, b"AT", 5) == OK
    assert (module.slot, module.version) == (b"half a package", "BC28JAR01A03")


def test_healing_takes_away_what_is_still_to_strike_and_leaves_a_healthy_module_alone() -> None:
    faults = "drop-byte:9+flip-back:99+lose-reply:c2+urc-storm:0.2+refuse-erase+lose-command:c1"
    link = open_sim_link(f"sim://BC28?fault={faults}")
    assert OK not in ask(link, b"AT", 0.5)
    module = healed(link)
    listen(link, 0.5)
    assert [ask(link, b"AT"), ask(link, b"AT"), ask(link, b"AT+NFWUPD=0")] == [OK, OK, OK]
    assert listen(link, 10.0) == b""
    assert module.reboots == 0
    assert (module.faults.struck, module.faults.shown) == (["lose-command:c1"], ["urc-storm:0.2"])
    assert module.faults.text == faults


def test_a_dead_module_that_is_healed_runs_what_came_of_its_update() -> None:
    link = begun("stay-dead-after-update")
    assert listen(link, 600.0) == b""
    assert (link.module.dead, link.module.updating, link.module.version) == (True, False, "NEW")
    module = healed(link)
    assert listen(link, 20.0).endswith(BANNER)
    assert (module.dead, module.version, module.updates, module.starts) == (False, "NEW", 1, ["PACKAGE_OK"])


@pytest.mark.parametrize("fault", ["stay-dead-after-update", "stuck-update"])
def test_an_update_that_is_not_over_goes_on_when_the_module_is_healed(fault: str) -> None:
    link = begun(fault)
    listen(link, 3.0)
    assert link.module.updating
    module = healed(link)
    assert (module.updating, module.booting, module.version) == (True, True, "BC28JAR01A03")
    assert b"REBOOT_CAUSE_SECURITY_FOTA_UPGRADE\r\nNeul \r\nOK\r\n" in listen(link, 60.0)
    assert (module.updating, module.version, module.starts) == (False, "NEW", ["PACKAGE_OK"])
