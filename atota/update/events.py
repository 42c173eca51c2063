"""What a job tells its listeners: stages, progress, notes. One stream, many readers."""

from collections.abc import Callable
from typing import Literal

import msgspec

from atota.values import STAGES as STAGES
from atota.values import Stage as Stage

State = Literal["started", "done", "failed", "skipped"]


class StageEvent(msgspec.Struct, frozen=True):
    """A stage began, ended, or does not apply. ``detail`` is one sentence for people."""

    stage: Stage
    state: State
    detail: str = ""
    elapsed_ms: int | None = None


class Progress(msgspec.Struct, frozen=True):
    """How far a stage is: bytes in ``download`` and ``write``, percent elsewhere."""

    stage: Stage
    done: int
    total: int
    unit: Literal["bytes", "percent"] = "bytes"


class Note(msgspec.Struct, frozen=True):
    """Something people should know that ends nothing."""

    text: str
    level: Literal["info", "warning"] = "info"


class UrcEvent(msgspec.Struct, frozen=True):
    """An unsolicited line of the module."""

    text: str


class Weights(msgspec.Struct, frozen=True):
    """The share of the time that each stage takes, as the profile says, for an honest progress bar."""

    shares: dict[str, float]


JobEvent = Weights | StageEvent | Progress | Note | UrcEvent
Listener = Callable[[JobEvent], None]
