"""From a scenario that breaks a promise to the least one that still does."""

import msgspec

from scripts.simulate_parts.runs import simulate
from scripts.simulate_parts.scenario import Scenario

_PLAIN = {
    "signal": 0,
    "power": 0,
    "retry": 0,
    "timer_ms": 16,
    "read_back": False,
    "cached": False,
    "pause_s": 30.0,
    "size": 300,
    "knobs": {},
    "api": "generic",
}


def shrunk(scenario: Scenario, kind: str) -> Scenario:
    """Leave out faults, then make the rest plain, as long as the same promise stays broken."""

    def breaks(candidate: Scenario) -> bool:
        return simulate(candidate).kind == kind

    again = True
    while again:
        again = False
        for index in range(len(scenario.faults)):
            faults = scenario.faults[:index] + scenario.faults[index + 1 :]
            candidate = msgspec.structs.replace(scenario, faults=faults)
            if breaks(candidate):
                scenario, again = candidate, True
                break
    for name, value in _PLAIN.items():
        candidate = msgspec.structs.replace(scenario, **{name: value})
        if getattr(scenario, name) != value and breaks(candidate):
            scenario = candidate
    return scenario
