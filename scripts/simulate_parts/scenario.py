"""One simulated run, drawn from a seed: module or chip, package, task, and the faults that strike it.

A fault is ``WHERE/FAULT``: ``m/`` one of the simulated module (`atota.sim.faults`) or chip
(`atota.sim.chips.faults`), ``p/`` one of the local platform (`atota.otaserver.faults`), ``h/`` one of this
machine (`HOST_FAULTS`), ``n/`` one of the network.
"""

import random
from typing import Any, Literal

import msgspec

from atota.values import STAGES as STAGES
from scripts.simulate_parts import chips
from scripts.simulate_parts.tables import API_FAULTS as API_FAULTS
from scripts.simulate_parts.tables import HOST_FAULTS, KNOBS, MODULE_FAULTS, NETWORK_FAULTS

# Model: the platform's codes, the version that it runs, and the one it shall run.
MODELS: dict[str, tuple[str, str, str, str]] = {
    "BC28": ("014", "01401", "BC28JAR01A03", "BC28JAR01A05"),
    "M5310-A": ("001", "00106", "M5310-A-MONH0S00", "M5310-A-MONH0S01"),
    "BC95-B8": ("014", "01406", "V100R100C10B657SP5", "V100R100C10B657SP6"),
    "SARA-N200": ("004", "00401", "V100R100C10B657SP2", "V100R100C10B657SP3"),
    "NB86-G": ("003", "00301", "V150R100C20B500SP1", "V150R100C20B500SP2"),
    "SIM7000C": ("012", "01201", "1529B04SIM7000C", "1529B05SIM7000C"),
    "SIM7020C": ("012", "01203", "1752B06SIM7020C", "1752B07SIM7020C"),
    "ME3616": ("020", "02001", "ME3616E1AV0.0B01", "ME3616E1AV0.0B02"),
    "BC26": ("014", "01405", "BC26NBR01A01", "BC26NBR01A02"),
    "M5311": ("001", "00108", "M5311-PLBH0S01", "M5311-PLBH0S02"),
    # Not in the platform's table: flashed from a file, or updated by an API that needs no codes.
    "EC21": ("000", "00001", "EC21EFAR06A04M4G", "EC21EFAR06A05M4G"),
    "EC800M": ("000", "00001", "EC800MCNLAR06A03M08", "EC800MCNLAR06A04M08"),
    "EG25": ("000", "00001", "EG25GGBR07A08M2G", "EG25GGBR07A09M2G"),
    "EG18": ("000", "00001", "EG18EAPAR01A12M4G", "EG18EAPAR01A13M4G"),
    "EC200A": ("000", "00001", "EC200ACNHAR01A02M16", "EC200ACNHAR01A03M16"),
    "SARA-R510": ("000", "00001", "03.15", "03.25"),
    "LARA-R6": ("000", "00001", "00.13", "00.14"),
    "NRF93M1": ("000", "00001", "mfw_nrf93m1_1.4.1", "mfw_nrf93m1_1.5.0"),
    "SARA-R410": ("000", "00001", "L0.0.00.00.05.06", "L0.0.00.00.05.08"),
    "EC616": ("000", "00001", "V0040_BASELINE_0010", "V0040_BASELINE_0011"),
    "XY1100": ("000", "00001", "XY1100_V1.0.3", "XY1100_V1.0.4"),
    "ENS22": ("000", "00001", "ENS22-E_01.000", "ENS22-E_01.001"),
}
METHODS = {
    "nfwupd": ("BC28", "M5310-A", "BC95-B8", "SARA-N200", "NB86-G", "EC616", "XY1100", "ENS22", "NRF93M1"),
    "file-append": ("SIM7000C",),
    "flash-write": ("SIM7020C",),
    "raw-stream": ("ME3616",),
    "url-pull": ("BC26",),
    "watched": ("M5311",),
    "ack-upload": ("EC21", "EG25", "EG18"),
    "pushed-stream": ("EC800M", "EC200A"),
    "xmodem": ("SARA-R410", "SARA-R510", "LARA-R6"),
}
METHOD_OF = {model: method for method, models in METHODS.items() for model in models}
FLASHED = frozenset(name for name, row in MODELS.items() if row[0] == "000")
_CHIP_SHARE = 0.1
HEADER = 288  # the smallest package that the simulator's container makes of these names, rounded up


class Scenario(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run: everything that it depends on.

    Attributes:
        seed: of noise, times and whatever else is drawn while it runs.
        size: bytes of the package, before it is rounded up.
        signal, power, retry: of the task.
        timer_ms: the adapter's latency timer.
        api: the API that the job speaks.
        knobs: of the platform, where no source says how it answers (`atota.otaserver.model.Knobs`).
        cached: the package is in the cache, as after an update of a sister device.
        erase: the user allows that all of a chip's flash is erased.
        read_back: what was written is read back and compared, where the module can be asked.
        imei: of the module; the simulator's own if empty.
        pause_s: the time between two attempts.
        faults: what strikes, in the order in which it was drawn.
    """

    seed: int
    model: str
    size: int = 1024
    signal: int = 0
    power: int = 0
    retry: int = 0
    api: str = "generic"
    timer_ms: int = 16
    cached: bool = False
    erase: bool = False
    read_back: bool = False
    pause_s: float = 30.0
    imei: str = ""
    faults: tuple[str, ...] = ()
    knobs: dict[str, str | int] = {}

    @property
    def method(self) -> str:
        return METHOD_OF.get(self.model) or self.model

    @property
    def is_chip(self) -> bool:
        """True if it is a chip, whose model here is the name of its protocol."""
        return self.model in chips.CHIPS

    @property
    def task_type(self) -> Literal["fota", "sota"]:
        """The type of its task."""
        return "sota" if self.is_chip else "fota"

    @property
    def row(self) -> tuple[str, str, str, str]:
        """The platform's codes, the version that runs, and the one that shall run."""
        return chips.CHIPS[self.model].row if self.is_chip else MODELS[self.model]

    @property
    def target_judges(self) -> bool:
        """True if the target itself starts an update, or does not, with nothing to be seen of it."""
        return self.is_chip or self.method == "url-pull" or "m/quiet-update" in self.faults

    @property
    def flashed(self) -> bool:
        """True if the package comes from a file: the generic API has no codes for the model."""
        return self.model in FLASHED and self.has_policy

    @property
    def has_policy(self) -> bool:
        """True if the API hands a task's thresholds and its number of retries on."""
        return self.api == "generic"

    def of(self, where: str) -> tuple[str, ...]:
        """Return the faults of one kind, without its letter."""
        return tuple(fault[2:] for fault in self.faults if fault.startswith(where + "/"))

    @property
    def text(self) -> str:
        """The scenario on one line, for a command."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def parse(cls, text: str) -> "Scenario":
        """Read `text` back."""
        return msgspec.json.decode(text, type=cls)


# An adapter hands over what it gathered for so many ms: FTDI's timer in low-latency mode and as it comes
# (AN232B-04), and adapters that gather longer, as servers of serial ports do.
_TIMERS = ((1, 16, 50, 100), (1, 8, 4, 3))
_WEIGHTS = (0.55, 0.17, 0.20, 0.08)  # of the faults of a module, a platform, this machine and the network


def _families(api: str, model: str = "") -> dict[str, dict[str, Any]]:
    if model in chips.CHIPS:
        own = {name: draw for name, draw in HOST_FAULTS.items() if name not in ("baud", "other-package")}
        own |= chips.program_faults(model)
        return {"m": chips.faults_of(model), "p": API_FAULTS[api], "h": own, "n": NETWORK_FAULTS}
    return {"m": MODULE_FAULTS, "p": API_FAULTS[api], "h": HOST_FAULTS, "n": NETWORK_FAULTS}


def fault_names() -> list[str]:
    """Every fault that can be asked for by name."""
    names = (
        f"{letter}/{name}"
        for model in ("", *chips.CHIPS)
        for api in API_FAULTS
        for letter, all_ in _families(api, model).items()
        for name in all_
    )
    return list(dict.fromkeys(names))


def draw(
    seed: int,
    *,
    method: str | None = None,
    stage: str | None = None,
    fault: str | None = None,
    api: str | None = None,
    is_chip: bool = False,
) -> Scenario:
    """The scenario of a seed; the filters narrow what is drawn."""
    rng = random.Random(seed)  # noqa: S311
    # The seeds of modules draw the same as before there were chips.
    chance = random.Random(f"chip {seed}").random()  # noqa: S311
    if method in chips.CHIPS or is_chip or (method is None and fault is None and chance < _CHIP_SHARE):
        return _chip(rng, seed, method, stage, fault, api)
    method = method or rng.choice((*METHODS, "nfwupd", "nfwupd", "nfwupd"))
    model = rng.choice(METHODS[method])
    drawn_api = rng.choice(_apis_with(fault))
    api = api or drawn_api
    is_flashed = model in FLASHED and api == "generic"
    knobs = {} if api == "generic" else {name: rng.choice(values) for name, values in KNOBS.items()}
    size = rng.choice((300, 512, 1024, 1024, 2048))
    blocks = size // 256
    faults = _faults(rng, blocks, api, stage, fault, is_flashed=is_flashed)
    return Scenario(
        seed=seed,
        model=model,
        size=size,
        signal=rng.choice((0, 0, 0, 5, 25)),
        power=rng.choice((0, 0, 0, 50)),
        retry=rng.choice((0, 0, 1, 3)),
        api=api,
        timer_ms=rng.choices(*_TIMERS)[0],
        cached=rng.random() < 0.15,
        read_back=model == "SIM7000C" and rng.random() < 0.6,
        pause_s=rng.choice((0.0, 1.0, 5.0, 30.0, 90.0, 600.0)),
        faults=tuple(dict.fromkeys(faults)),
        knobs=knobs,
    )


def _faults(
    rng: random.Random,
    blocks: int,
    api: str,
    stage: str | None,
    fault: str | None,
    *,
    is_flashed: bool = False,
    chip: str = "",
) -> list[str]:
    """Draw the faults of a scenario, and add those that are asked for."""
    count = rng.choice((0, 1, 1, 1, 1, 2, 2, 2, 3, 4))
    faults = [_one(rng, blocks, api, is_flashed=is_flashed, model=chip) for _ in range(count)]
    if fault is not None:
        faults.append(_named(fault, api, chip)(rng, blocks))
    if stage is not None:
        faults.append(f"h/kill-stage:{stage}")
    return faults


def _chip(
    rng: random.Random, seed: int, model: str | None, stage: str | None, fault: str | None, api: str | None
) -> Scenario:
    """Return the scenario of a chip."""
    model = model or rng.choice(tuple(chips.CHIPS))
    api = api or rng.choice(_apis_with(fault))
    size = rng.choice((1200, 3000, 9000, 9000))
    blocks = chips.CHIPS[model].pieces(size)
    faults = _faults(rng, blocks, api, stage, fault, chip=model)
    return Scenario(
        seed=seed,
        model=model,
        size=size,
        retry=rng.choice((0, 0, 1, 3)),
        api=api,
        timer_ms=rng.choices(*_TIMERS)[0],
        cached=rng.random() < 0.15,
        erase=rng.random() < 0.5,
        pause_s=rng.choice((0.0, 1.0, 5.0, 30.0, 90.0, 600.0)),
        faults=tuple(dict.fromkeys(faults)),
        knobs={} if api == "generic" else {name: rng.choice(values) for name, values in KNOBS.items()},
    )


def _one(rng: random.Random, blocks: int, api: str, *, is_flashed: bool, model: str = "") -> str:
    pairs = list(zip(_families(api, model).values(), _WEIGHTS, strict=True))
    if is_flashed:
        pairs = [pairs[0], pairs[2]]
    family = rng.choices([family for family, _ in pairs], [weight for _, weight in pairs])[0]
    return str(rng.choice(list(family.values()))(rng, blocks))


def _apis_with(fault: str | None) -> tuple[str, ...]:
    """Return the APIs that a fault of this name strikes; all, if it is not one of a platform."""
    name = (fault or "").removeprefix("p/")
    return tuple(api for api, faults in API_FAULTS.items() if name in faults) or tuple(API_FAULTS)


def _named(name: str, api: str, model: str = "") -> Any:
    families = _families(api, model)
    letter, slash, rest = name.partition("/")
    if slash and letter in families and rest not in families[letter]:
        return lambda _rng, _blocks: name  # given with its arguments
    for family in [families[letter]] if slash and letter in families else families.values():
        if (rest if slash else name) in family:
            return family[rest if slash else name]
    raise SystemExit(f"unknown fault {name!r}; `--fault list` shows all")
