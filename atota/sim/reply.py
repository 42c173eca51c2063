"""The reply of a simulated module to one command, and the action that follows."""

from dataclasses import dataclass
from typing import Protocol

import msgspec

from atota.sim.boot import Step
from atota.sim.timeline import Action

PLAIN = -1  # an error that is a bare ERROR under any AT+CMEE


class DataPhase(Protocol):
    """The receiver of the host's bytes in a data phase. They are never echoed."""

    @property
    def bytes_needed(self) -> int:
        """The bytes, at least one, until it does something: the wire delivers no later than that."""
        ...

    def begin(self, now: float) -> None:
        """The prompt has left; from now on bytes count."""
        ...

    def take(self, data: bytes, now: float) -> int:
        """Take bytes; return how many. At the phase's end call `Chassis.leave_data`."""
        ...


@dataclass(frozen=True, slots=True)
class Speed:
    """A change of rate that was accepted.

    Attributes:
        timeout_s: unused for so long, the rate is given up; 0: never.
        at_once: False: it counts from the next start on.
    """

    baud: int
    timeout_s: float
    store: bool
    at_once: bool = True


class Reply(msgspec.Struct, frozen=True):
    """The reply to a command. ``error`` of None is ``OK``; `PLAIN` a bare ``ERROR``.

    Attributes:
        body: bytes between the lines and the final result, as they stand.
        bare: no final result at all.
        tail: bytes behind the final result.
        reboot: restart for this cause when the reply has left.
        note: a change of the module's true state to report.
        refuse: until the reply comes, commands are refused with error 51 instead of not heard.
        start: begin the update when the reply has left.
        data: the command has no result yet: after the ``prompt`` this takes the bytes.
        then: called with the time when the reply has left.
    """

    lines: tuple[bytes, ...] = ()
    error: int | None = None
    seconds: float = 0.01
    body: bytes = b""
    bare: bool = False
    tail: bytes = b""
    reboot: bytes | None = None
    speed: Speed | None = None
    note: str = ""
    refuse: bool = False
    start: bool = False
    data: DataPhase | None = None
    prompt: tuple[Step, ...] = ()
    then: Action | None = None
