"""What an earlier run left behind, read from the journal alone. Pure: rows in, a standing out."""

from typing import Any, Literal

import msgspec

from atota.dialects.registry import method_specs
from atota.errors import Outcome
from atota.journal.model import Past
from atota.update.writing import Left

Standing = Literal["nothing", "writing", "started"]
"""How far the module was brought: untouched or settled; its slot in the making; the update started."""

_CARRIED = ("target", "package", "task", "dialect")


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was cut off, as the next one needs it.

    Attributes:
        id: its name in the journal.
        run, attempt: the next attempt belongs to the same run.
        standing: how far it came.
        certain: the module said that it starts.
        command: what the user had called.
        facts: what it had written down, and the record of whoever brings it to its end needs.
        left: what is in the module.
        window_s: how long the module may still be waiting for bytes of a package: whatever is written to it
            meanwhile it takes for them. 0: it is not.
    """

    id: str
    run: str
    attempt: int
    standing: Standing
    certain: bool = False
    command: str = ""
    facts: dict[str, dict[str, Any]] = {}
    left: Left = Left()
    window_s: float = 0.0

    @property
    def before(self) -> tuple[str, ...]:
        """The version texts that the module printed before."""
        target = self.facts.get("target", {})
        return tuple(target[name] for name in ("before", "before_revision") if target.get(name))

    @property
    def expected(self) -> str:
        """What the module will print once it is updated."""
        return str(self.facts.get("target", {}).get("expected", ""))

    @property
    def target(self) -> str:
        """What the platform, or the user, calls that."""
        return str(self.facts.get("target", {}).get("target", ""))

    @property
    def md5(self) -> str:
        """The package's; empty if it had none yet."""
        return str(self.facts.get("package", {}).get("md5", ""))

    @property
    def dialect(self) -> str | None:
        """How the module talks."""
        return self.facts.get("dialect", {}).get("name")

    @property
    def task(self) -> dict[str, Any] | None:
        """The platform's task, with its server, device and type; None if it had none."""
        return self.facts.get("task")


def earlier(past: Past | None) -> Earlier | None:
    """What ``past`` left to be gone on with; None if it came to its end, or nowhere."""
    if past is None or (past.verdict is not None and Outcome(past.verdict.outcome).is_settled):
        return None
    standing = _standing(past)
    inherited = past.fact("earlier")
    if standing == "nothing" and inherited:
        # It had taken over from another run, and was cut off before it touched anything itself.
        found = msgspec.convert(inherited, Earlier)
        return msgspec.structs.replace(found, id=past.id, run=past.run, attempt=past.attempt)
    facts = {kind: fact for kind in _CARRIED if (fact := past.fact(kind)) is not None}
    return Earlier(
        id=past.id,
        run=past.run,
        attempt=past.attempt,
        standing=standing,
        certain=standing == "started" and bool((past.fact("started") or {}).get("certain")),
        command=past.opened.command,
        facts=facts,
        left=_left(past, facts.get("package", {})) if standing == "writing" else Left(),
        window_s=_window_s(past, facts.get("dialect", {})),
    )


def _standing(past: Past) -> Standing:
    marks = {"nothing": -1, "writing": -1, "started": -1}
    for step in past.steps:
        if step.state == "started" and step.stage in ("prepare", "activate"):
            marks["writing" if step.stage == "prepare" else "started"] = step.seq
    for fact in past.facts:
        if fact.kind == "start-lost":
            marks["writing"] = fact.seq
    last = max(marks, key=lambda name: marks[name])
    if marks[last] < 0:
        return "nothing"
    name = (past.fact("dialect") or {}).get("method")
    if any(spec.starts_itself for spec in method_specs() if spec.method_name() == name):
        return "started"  # once it is logged in, the platform may push and start whenever it likes
    return "writing" if last == "writing" else "started"


def _window_s(past: Past, dialect: dict[str, Any]) -> float:
    """The time that a module waits for bytes, if the run was cut off while it sent some.

    A pushed stream holds its last byte back until the start, so the end of the write is not the end of that.
    """
    cut = past.reached("write") and not past.reached("activate", "done")
    return float(dialect.get("window_s", 0.0)) if cut else 0.0


def _left(past: Past, package: dict[str, Any]) -> Left:
    undo = (past.fact("changed") or {}).get("undo", [])
    noted = [fact for fact in past.facts if fact.kind in ("written", "start-lost")]
    written = noted[-1].data.get("done", 0) if noted else 0
    return Left(written=int(written), sha256=str(package.get("sha256", "")), undo=tuple(undo))
