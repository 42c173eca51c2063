"""The standing of a record in the sums of a batch, which a station and its line share.

Definitions
-----------
- An attempt is *countable* if it reached its unit, and did not end by the station's fault.
- An attempt is *passed* if the module is known to run the version that it should.
- The *failure key* of an attempt is ``stage:outcome:code``: the stage that failed, else the one that it ended
  in, and the code of its error; a dash stands for what its record does not say.
- A record without stages, as another program may write it, is taken to have reached its unit.
"""

from collections.abc import Iterable
from typing import Protocol

STATION_EXITS = frozenset({1, 3, 4, 8, 13, 130})
"""Exit codes that say nothing about the unit: a bug, a wrong file, port, platform, limit, Ctrl-C.

A wrong call (2) is not one of them: a lane's job has no caller, so its wrong settings are a wrong file (3).
"""
PASSED_EXITS = frozenset({0, 10, 14})
"""The module is known to run the version that it should; 10 is 0 in detail, 14 has a report that waits."""


class StageState(Protocol):
    """A stage of a record, and how it ended."""

    @property
    def stage(self) -> str:
        """The stage's name."""
        ...

    @property
    def state(self) -> str:
        """Its state, such as ``done`` or ``skipped``."""
        ...


def is_passed(exit_code: int) -> bool:
    """True if an attempt that ended so is passed."""
    return exit_code in PASSED_EXITS


def is_station_fault(exit_code: int) -> bool:
    """True if an attempt ended by the station's fault."""
    return exit_code in STATION_EXITS


def is_countable(unit: str | None, exit_code: int, stages: Iterable[StageState]) -> bool:
    """True if an attempt of ``unit`` is countable."""
    if not unit or is_station_fault(exit_code):
        return False
    names = {stage.stage: stage.state for stage in stages}
    return not names or names.get("identify", "skipped") != "skipped"


def failure_key(outcome: str, code: str | None, stages: Iterable[StageState]) -> str:
    """Return the key under which a failure is counted."""
    passes = list(stages)
    failed = [stage.stage for stage in passes if stage.state == "failed"]
    began = [stage.stage for stage in passes if stage.state == "started"]
    stage = (failed or began or [one.stage for one in passes] or ["-"])[-1]
    return f"{stage}:{outcome}:{code or '-'}"
