"""No host command exists: the platform pushes the package while the module is logged in."""

from typing import Annotated, ClassVar

import msgspec

from atota.dialects.common import Command, Pattern, Profiled
from atota.dialects.watch import ReportingSpec


class LoginStep(Profiled, frozen=True, kw_only=True):
    """One command of the login; ``until`` is the line that completes it."""

    send: Annotated[str, Command()]
    until: Annotated[str, Pattern()] | None = None
    timeout_s: float = 60.0


class WatchedSpec(ReportingSpec, frozen=True, kw_only=True, tag="watched"):
    """No host command exists: the platform pushes over LwM2M while the module is logged in; we watch.

    ``log_in`` is sent in order; each step ends when its line has come (``until``), if it has one. If a step
    is refused, ``log_out`` removes what an earlier login left, and all is sent once more. ``stages`` tells
    people the meaning of a line: its event's number and the words.
    """

    streams: ClassVar[bool] = False
    can_start_before_activate: ClassVar[bool] = True
    starts_itself: ClassVar[bool] = True
    networked: ClassVar[bool] = True

    log_in: tuple[LoginStep, ...] = ()
    log_out: tuple[Annotated[str, Command()], ...] = ()
    event: Annotated[str, Pattern(1)] | None = None
    stages: dict[str, str] = msgspec.field(default_factory=dict)
