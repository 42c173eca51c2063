"""The faults of a run by name, each with how its arguments are drawn, and the knobs of the platform.

A drawing takes a random source and the number of the package's blocks, and returns the fault's text.
"""

import random
from collections.abc import Callable
from typing import Any

from atota.values import STAGES

Drawing = Callable[[random.Random, int], str]

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
