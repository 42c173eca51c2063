"""The plan of a shift, drawn from its seed: the station file, the units and their labels."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from atota.sim.package import build_package
from atota.values import Digests

MODEL, BASE, TARGET = "BC28", "BC28JAR01A03", "BC28JAR01A05"
MANUF, CODE = "014", "01401"
PACKAGE_SIZE = 1200
FAULTS = (
    *("",) * 9, "rollback", "brownout-at-block:1", "unplug-at:c9", "refuse-start", "mute", "mute-after:12",
    "refuse-validate", "lose-reply:c7", "lose-command:1", "reboot-in-update", "quiet-update", "noise:c5",
    "late-reply:c6:25.0", "fail-update", "back-at-baud:115200", "boot-garbage", "urc-storm", "flip-byte:400",
    "reboot-at-block:0", "unplug-at:start", "silent-at:1",
)  # fmt: skip
"""A unit's faults; half of the units have none."""


@dataclass(frozen=True)
class Unit:
    """One physical unit: its id names its module, which stays the same however often it is plugged."""

    name: str
    imei: str
    label: str
    fault: str = ""

    @property
    def url(self) -> str:
        fault = f"&fault={self.fault}" if self.fault else ""
        return f"sim://{MODEL}?id={self.name}&imei={self.imei}{fault}"


@dataclass
class Plan:
    """The settings of a shift."""

    lanes: int
    units: int
    fixtures: frozenset[int]
    is_update: bool
    is_listed: bool
    """True if a list names the devices, and most units stand in it."""
    scan: str
    max_active: int
    quota: int
    failures_lane: int
    failures_station: int
    golden_every_h: float
    has_label: bool
    has_hook: bool
    is_careful: bool
    """True if units are neither pulled nor mixed up: then each has a verdict of its own."""
    golden: list[Unit] = field(default_factory=list)
    supply: list[Unit] = field(default_factory=list)
    """The units that lie ready, in their order."""
    unlisted: set[str] = field(default_factory=set)


def draw_plan(rng: random.Random, *, units: int, lanes: int) -> Plan:
    """Draw the plan of a shift."""
    numbers = range(1, lanes + 1)
    plan = Plan(
        lanes=lanes,
        units=units,
        fixtures=frozenset(n for n in numbers if rng.random() < 0.2) if rng.random() < 0.4 else frozenset(),
        is_update=rng.random() < 0.5,
        is_listed=rng.random() < 0.3,
        scan=rng.choice(("none", "none", "optional", "required")),
        max_active=rng.randint(1, lanes) if rng.random() < 0.3 else 0,
        quota=rng.randint(1, max(1, units)) if rng.random() < 0.3 else 0,
        failures_lane=rng.choice((0, 2, 3)),
        failures_station=rng.choice((0, 4, 6)),
        golden_every_h=rng.choice((0.0, 0.0, 0.0, 0.2)),
        has_label=rng.random() < 0.3,
        has_hook=rng.random() < 0.05,
        is_careful=rng.random() < 0.2,
    )
    plan.golden = [_unit(rng, f"golden-{n}", 9_000_000 + n, ("",)) for n in (1, 2)]
    for number in range(1, units + 1):
        unit = _unit(rng, f"unit-{number}", number, FAULTS)
        if plan.supply and rng.random() < 0.03:  # a clone
            twin = rng.choice(plan.supply)
            unit = Unit(unit.name, twin.imei, unit.label, unit.fault)
        plan.supply.append(unit)
    if plan.is_listed:
        plan.unlisted = {unit.imei for unit in plan.supply if rng.random() < 0.05}
    return plan


def _unit(rng: random.Random, name: str, number: int, faults: tuple[str, ...]) -> Unit:
    digits = f"490154{number:08d}"
    return Unit(name, digits + _check_digit(digits), f"SN{number:09d}", rng.choice(faults))


def _check_digit(digits: str) -> str:
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[1::2])
    return str(-(sum(map(int, digits[0::2])) + doubled) % 10)


def write_station(plan: Plan, folder: Path) -> Path:
    """Write the station file with all that it names; return its path."""
    package = build_package(model=MODEL, base=BASE, target=TARGET, size=PACKAGE_SIZE)
    (folder / "new.bin").write_bytes(package)
    text = f'name = "shift"\n[work]\ncommand = "{"update" if plan.is_update else "flash"}"\n'
    if not plan.is_update:
        text += f'package = "new.bin"\nmd5 = "{Digests.of(package).md5}"\ntarget = "{TARGET}"\n'
    text += f'batch = "B"\nmax_active = {plan.max_active}\nquota = {plan.quota}\n'
    text += f"[stop]\nfailures_lane = {plan.failures_lane}\nfailures_station = {plan.failures_station}\n"
    text += f"min_free_mb = 0\ngolden_every_h = {plan.golden_every_h}\n"
    text += f"golden = [{', '.join(repr(unit.imei) for unit in plan.golden)}]\n"
    text += _devices(plan, folder)
    if plan.scan != "none":
        text += f"[scan]\nserial = \"{plan.scan}\"\npattern = '^SN\\d{{9}}$'\n"
    if plan.has_label:
        (folder / "unit.zpl").write_text("^XA^FD{imei}^FS^XZ\n")
        text += f'[label]\ntemplate = "unit.zpl"\nprinter = "{folder / "printer"}"\n'
    if plan.has_hook:
        text += '[hooks]\nrecord = ["true"]\n'
    for number in range(1, plan.lanes + 1):
        text += f'[[lane]]\nnumber = {number}\nport = "{port_of(plan, number)}"\n'
    path = folder / "station.toml"
    path.write_text(text)
    return path


def _devices(plan: Plan, folder: Path) -> str:
    if not plan.is_listed:
        return '[devices]\ndev_id = "{imei}"\n' if plan.is_update else ""
    listed = {unit.imei: unit for unit in (*plan.golden, *plan.supply) if unit.imei not in plan.unlisted}
    rows = [f"{unit.imei},{unit.label},{unit.imei}" for unit in listed.values()]
    (folder / "devices.csv").write_text("\n".join(["imei,serial,dev_id", *rows]) + "\n")
    return '[devices]\nfile = "devices.csv"\n'


def port_of(plan: Plan, lane: int) -> str:
    """Return the port of a lane: a fixture is always there, an adapter comes with its unit."""
    return f"sim://fixture-{lane}" if lane in plan.fixtures else f"hand://{lane}"
