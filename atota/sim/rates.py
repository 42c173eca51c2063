"""AT+NATSPEED and AT+IPR: the commands that change a module's rate."""

import re

from atota.sim.persona import Ipr, Natspeed
from atota.sim.reply import Reply, Speed

_FALL_BACK_S = 3  # u-blox UBX-16014887 R21, AT+NATSPEED: the default, and what 0 means


def natspeed(rules: Natspeed, value: bytes) -> Reply:
    """The set form of AT+NATSPEED."""
    parts = value.split(b",")
    if len(parts) > rules.most or not all(re.fullmatch(rb"\d{1,7}", part) for part in parts):
        return Reply(error=50)
    numbers = [int(part) for part in parts]
    baud, timeout, store = (*numbers, 0, 0)[:3] if len(numbers) > 1 else (numbers[0], 0, 0)
    limits = (max(rules.bauds), 30, 1, 3, 2, 2, 1)  # the test form of Hi2115 B500
    if baud not in rules.bauds or any(n > top for n, top in zip(numbers, limits, strict=False)):
        return Reply(error=50)
    quiet = rules.deep_sleep_from is not None and baud >= rules.deep_sleep_from
    lines = (b"+NATSPEED:DISABLE_DEEP_SLEEP",) if quiet else ()
    return Reply(lines, speed=Speed(baud, float(timeout or _FALL_BACK_S), store == 1))


def ipr(rules: Ipr, value: bytes, error: int) -> Reply:
    """The set form of AT+IPR; ``error`` for a rate that it does not know."""
    if not re.fullmatch(rb"\d{1,7}", value) or int(value) not in rules.bauds:
        return Reply(error=error)
    return Reply(speed=Speed(int(value), 0.0, rules.stored, rules.at_once))
