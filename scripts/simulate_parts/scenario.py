"""One simulated run, drawn from a seed: module, package, task, and the faults that strike it.

A fault is ``WHERE/FAULT``: ``m/`` one of the simulated module (`atota.sim.faults`), ``p/`` one of the local
platform (`atota.otaserver.faults`), ``h/`` one of this machine (`HOST_FAULTS`), ``n/`` one of the network.
"""

import random
from typing import Any

import msgspec

from atota.values import STAGES as STAGES

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
    read_back: bool = False
    pause_s: float = 30.0
    imei: str = ""
    faults: tuple[str, ...] = ()
    knobs: dict[str, str | int] = {}

    @property
    def method(self) -> str:
        return METHOD_OF[self.model]

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


# -- the faults, each with how its arguments are drawn -------------------------------------------------

STEP_POSITIONS = ("prepare", "erase", "validate", "start")


def _position(rng: random.Random, blocks: int) -> str:
    kind = rng.random()
    if kind < 0.45:
        return str(rng.randrange(blocks + 1))
    return rng.choice(STEP_POSITIONS) if kind < 0.75 else f"c{rng.randint(1, 40)}"


def _byte(rng: random.Random, blocks: int) -> str:
    return str(rng.randint(1, 600 + 600 * blocks))


def _times(rng: random.Random) -> str:
    return rng.choice(("", "", ":2", ":3", ":4"))


def _module(name: str, *shapes: str) -> Any:
    def draw(rng: random.Random, blocks: int) -> str:
        parts = [name]
        for shape in shapes:
            if shape == "POS":
                parts.append(_position(rng, blocks))
            elif shape == "BYTE":
                parts.append(_byte(rng, blocks))
            elif shape == "S":
                parts.append(f"{rng.choice((0.2, 1.0, 3.0, 6.0, 11.0, 25.0, 70.0))}")
            elif shape == "TIMES":
                parts[-1] += _times(rng)
            else:
                parts.append(rng.choice(shape.split("|")))
        return "m/" + ":".join(parts)

    return draw


MODULE_FAULTS = {
    "drop-byte": _module("drop-byte", "BYTE"),
    "flip-byte": _module("flip-byte", "BYTE"),
    "double-byte": _module("double-byte", "BYTE"),
    "drop-back": _module("drop-back", "BYTE"),
    "flip-back": _module("flip-back", "BYTE"),
    "double-back": _module("double-back", "BYTE"),
    "lose-reply": _module("lose-reply", "POS", "TIMES"),
    "lose-command": _module("lose-command", "POS", "TIMES"),
    "late-reply": _module("late-reply", "POS", "S"),
    "cut-reply": _module("cut-reply", "POS", "TIMES"),
    "double-reply": _module("double-reply", "POS", "TIMES"),
    "reboot-at-block": _module("reboot-at-block", "POS"),
    "brownout-at-block": _module("brownout-at-block", "POS"),
    "refuse-block": _module("refuse-block", "POS", "TIMES"),
    "busy": _module("busy", "POS", "TIMES"),
    "no-prompt": _module("no-prompt", "POS", "TIMES"),
    "late-prompt": _module("late-prompt", "POS", "S"),
    "close-window": _module("close-window", "POS", "TIMES"),
    "refuse-data": _module("refuse-data", "POS", "TIMES"),
    "short-write": _module("short-write", "POS", "TIMES"),
    "lose-ack": _module("lose-ack", "POS", "TIMES"),
    "reboot-in-data": _module("reboot-in-data", "POS"),
    "silent-at": _module("silent-at", "POS"),
    "unplug-at": _module("unplug-at", "POS"),
    "noise": _module("noise", "POS"),
    "refuse-erase": _module("refuse-erase", "1|2|3|9"),
    "refuse-validate": _module("refuse-validate"),
    "refuse-start": _module("refuse-start", "1|2|9"),
    "refuse-md5": _module("refuse-md5", "1|2|9"),
    "fail-download": _module("fail-download", "1|2|9"),
    "reboot-in-download": _module("reboot-in-download"),
    "reboot-in-update": _module("reboot-in-update"),
    "cut-urc": _module("cut-urc", "1|2|5"),
    "fail-update": _module("fail-update"),
    "quiet-update": _module("quiet-update"),
    "rollback": _module("rollback"),
    "stay-dead-after-update": _module("stay-dead-after-update"),
    "back-at-baud": _module("back-at-baud", "9600|57600|115200|4800|460800"),
    "echo": _module("echo"),
    "damaged-echo": _module("damaged-echo", "1|2|5"),
    "urc-storm": _module("urc-storm", "0.2|0.05|1.0"),
    "urc-inside-reply": _module("urc-inside-reply"),
    "urc-before-reply": _module("urc-before-reply"),
    "urc-behind-reply": _module("urc-behind-reply"),
    "boot-garbage": _module("boot-garbage"),
    "mute": _module("mute"),
    "bad-above": _module("bad-above", "9600|57600|115200|230400|460800", "100|1000|3000"),
}


def _platform(name: str, *arguments: str, calls: str = "") -> Any:
    def draw(rng: random.Random, _blocks: int) -> str:
        text = ":".join([name, *(rng.choice(argument.split("|")) for argument in arguments)])
        if calls:
            text += "@" + rng.choice(calls.split("|"))
        return "p/" + text

    return draw


_CALLS = "version|check|token|download|progress"
PLATFORM_FAULTS = {
    "http-500": _platform("http-500", "1|2|5|9", calls=_CALLS),
    "http-401": _platform("http-401", "1|2", calls=_CALLS),
    "http-404": _platform("http-404", "1|2", calls=_CALLS),
    "http-407": _platform("http-407", "1|2", calls=_CALLS),
    "html": _platform("html", "1|2|5", calls=_CALLS),
    "redirect": _platform("redirect", "1|5", calls=_CALLS),
    "unknown-errno": _platform("unknown-errno", "1|2", calls=_CALLS),
    "no-data": _platform("no-data", "1"),
    "null-data": _platform("null-data", "1|9"),
    "quoted-code": _platform("quoted-code", "1|2|9", calls=_CALLS),
    "quoted-numbers": _platform("quoted-numbers"),
    "shuffled-keys": _platform("shuffled-keys"),
    "upper-md5": _platform("upper-md5"),
    "wrong-md5": _platform("wrong-md5"),
    "wrong-size": _platform("wrong-size"),
    "long-target": _platform("long-target", "1|9"),
    "delta-type": _platform("delta-type"),
    "short-body": _platform("short-body", "1|2|4"),
    "cut-after": _platform("cut-after", "1%|20%|50%|99%", "1|2|6"),
    "slow": _platform("slow", "200|2000"),
    "endless-body": _platform("endless-body", "1|2"),
    "wrong-range": _platform("wrong-range", "1|2"),
    "ignore-range": _platform("ignore-range"),
    "expired-token": _platform("expired-token", "1|2|3|5|8"),
    "cancelled-after": _platform("cancelled-after", "1|2|3|4|6|50%"),
    "close-after": _platform("close-after", "1|3"),
    "clock-skew": _platform("clock-skew", "-60|90|4000|-4000|90000"),
}
_ERRNOS = {
    "errno-7": _platform("errno", "7", "1|2|9", calls=_CALLS),
    "errno-1": _platform("errno", "1", "1|9", calls=_CALLS),
}
_GENERIC = {
    "no-ipport": _platform("no-ipport"),
    "one-byte-error": _platform("one-byte-error", "1|2|3|4|5|6", "1|2"),
    "paused": _platform("paused", "1|2|4"),
}
_BY_NAME = {
    "ota-errno": _platform("ota-errno", "1|2|3|4|5|6", "1|2|9"),
    "no-ota-errno": _platform("no-ota-errno", "1|9"),
    "large-tid": _platform("large-tid", "1|9"),
}
_CODES = {
    "code-10500": _platform("errno", "10500|500|10411", "1|2|9", calls=_CALLS),
    "code-10403": _platform("errno", "10403|10001|10410", "1|9", calls=_CALLS),
    "code-20": _platform("errno", "20", "1|2", calls="token|progress"),
}
# The faults that only some APIs know, beside those of all.
API_FAULTS = {
    "generic": PLATFORM_FAULTS | _ERRNOS | _GENERIC,
    "studio": PLATFORM_FAULTS | _ERRNOS | _BY_NAME,
    "fuse": PLATFORM_FAULTS | _BY_NAME | _CODES,
}
# `atota.otaserver.model.Knobs`: each is an answer that the real platform may give.
KNOBS: dict[str, tuple[str | int, ...]] = {
    "downloading_by": ("download", "status", "either"),
    "invalid_state": (21, 17, 10407),
    "after_done": (12012, 12013),
    "auth_status": (200, 401, 403),
    "error_body": ("json", "empty"),
    "version_body": ("both", "empty", "none"),
    "content_range": ("own", "header", "pair", "both", "none"),
}


def _host(name: str, highest: int) -> Any:
    def draw(rng: random.Random, blocks: int) -> str:
        return f"h/{name}:{rng.randint(1, highest + 2 * blocks)}"

    return draw


def _jump(rng: random.Random, _blocks: int) -> str:
    return f"h/clock-jump:{rng.randint(1, 60)}:{rng.choice((-86400, -3600, -30, 30, 4000, 90000))}"


def _stop(rng: random.Random, _blocks: int) -> str:
    return f"h/stop:{rng.choice(STAGES)}:{rng.choice((1, 1, 2))}"


HOST_FAULTS = {
    "kill-journal": _host("kill-journal", 40),
    "kill-command": _host("kill-command", 40),
    "kill-reply": _host("kill-reply", 60),
    "kill-request": _host("kill-request", 9),
    "disk-full": _host("disk-full", 40),
    "clock-jump": _jump,
    "stop": _stop,
    "timeout": lambda rng, _blocks: f"h/timeout:{rng.choice((1, 5, 10, 15, 20, 30, 60, 120, 300))}",
    "replug": lambda rng, _blocks: f"h/replug:{rng.choice((1, 2, 5, 500))}",
    "baud": lambda rng, _blocks: f"h/baud:{rng.choice((9600, 57600, 115200))}",
    "other-package": lambda _rng, _blocks: "h/other-package",
}
NETWORK_FAULTS = {
    "no-connection": lambda rng, _blocks: f"n/no-connection:{rng.randint(1, 8)}:{rng.choice((1, 2, 4, 50))}",
    "lost-answer": lambda rng, _blocks: f"n/lost-answer:{rng.randint(1, 10)}:{rng.choice((1, 2, 50))}",
    "timeout": lambda rng, _blocks: f"n/timeout:{rng.randint(1, 10)}:{rng.choice((1, 3, 50))}",
}
# An adapter hands over what it gathered for so many ms: FTDI's timer in low-latency mode and as it comes
# (AN232B-04), and adapters that gather longer, as servers of serial ports do.
_TIMERS = ((1, 16, 50, 100), (1, 8, 4, 3))
_WEIGHTS = (0.55, 0.17, 0.20, 0.08)  # of the faults of a module, a platform, this machine and the network


def _families(api: str) -> dict[str, dict[str, Any]]:
    return {"m": MODULE_FAULTS, "p": API_FAULTS[api], "h": HOST_FAULTS, "n": NETWORK_FAULTS}


def fault_names() -> list[str]:
    """Every fault that can be asked for by name."""
    names = (
        f"{letter}/{name}" for api in API_FAULTS for letter, all_ in _families(api).items() for name in all_
    )
    return list(dict.fromkeys(names))


def draw(
    seed: int,
    *,
    method: str | None = None,
    stage: str | None = None,
    fault: str | None = None,
    api: str | None = None,
) -> Scenario:
    """The scenario of a seed; the filters narrow what is drawn."""
    rng = random.Random(seed)  # noqa: S311
    method = method or rng.choice((*METHODS, "nfwupd", "nfwupd", "nfwupd"))
    model = rng.choice(METHODS[method])
    drawn_api = rng.choice(_apis_with(fault))
    api = api or drawn_api
    is_flashed = model in FLASHED and api == "generic"
    knobs = {} if api == "generic" else {name: rng.choice(values) for name, values in KNOBS.items()}
    size = rng.choice((300, 512, 1024, 1024, 2048))
    blocks = size // 256
    count = rng.choice((0, 1, 1, 1, 1, 2, 2, 2, 3, 4))
    faults = [_one(rng, blocks, api, is_flashed=is_flashed) for _ in range(count)]
    if fault is not None:
        faults.append(_named(fault, api)(rng, blocks))
    if stage is not None:
        faults.append(f"h/kill-stage:{stage}")
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


def _one(rng: random.Random, blocks: int, api: str, *, is_flashed: bool) -> str:
    pairs = list(zip(_families(api).values(), _WEIGHTS, strict=True))
    if is_flashed:
        pairs = [pairs[0], pairs[2]]
    family = rng.choices([family for family, _ in pairs], [weight for _, weight in pairs])[0]
    return str(rng.choice(list(family.values()))(rng, blocks))


def _apis_with(fault: str | None) -> tuple[str, ...]:
    """Return the APIs that a fault of this name strikes; all, if it is not one of a platform."""
    name = (fault or "").removeprefix("p/")
    return tuple(api for api, faults in API_FAULTS.items() if name in faults) or tuple(API_FAULTS)


def _named(name: str, api: str) -> Any:
    families = _families(api)
    letter, slash, rest = name.partition("/")
    if slash and letter in families and rest not in families[letter]:
        return lambda _rng, _blocks: name  # given with its arguments
    for family in [families[letter]] if slash and letter in families else families.values():
        if (rest if slash else name) in family:
            return family[rest if slash else name]
    raise SystemExit(f"unknown fault {name!r}; `--fault list` shows all")
