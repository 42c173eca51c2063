"""The update that a job is about to begin: as a question needs it, as a dry run ends, and as JSON has it."""

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from atota.cli.view.output import plain, styled
from atota.dialects import loader
from atota.doctor import timing
from atota.settings.spec import JobSpec
from atota.update.plan import Proposal
from atota.values import mask


def expected_s(proposal: Proposal, spec: JobSpec) -> float | None:
    """Return the seconds that the update is expected to take; None where this cannot be told from here."""
    identity, name = proposal.identity, spec.dialect or proposal.dialect
    if spec.task_type == "sota" or proposal.size is None or identity.baud is None:
        return None
    dialect = loader.load(name)
    rate = timing.transfer_rate(dialect, identity.baud, spec.transfer_baud)
    cost = timing.estimate(dialect, size=proposal.size, baud=rate, turn_s=timing.UNMEASURED_TURN_S)
    return cost.total_s if cost is not None else None


def proposal_text(proposal: Proposal, spec: JobSpec) -> Text:
    """Return the update, one fact in a line."""
    lines = (styled("[dim]{}[/]{}", f"  {name:<9}", value) for name, value in _rows(proposal, spec))
    return Text("\n").join(lines)


def _rows(proposal: Proposal, spec: JobSpec) -> Iterator[tuple[str, str]]:
    identity, goal = proposal.identity, proposal.goal
    is_chip = spec.task_type == "sota"
    imei = "" if is_chip else f", IMEI {mask(identity.imei)}"
    yield "chip" if is_chip else "module", f"{plain(identity.model or 'unknown')}{imei}"
    target = goal.expected if goal is not None else "not known: the platform was not asked"
    yield "version", f"{identity.version or '?'} → {target}"
    package, size = proposal.package or "the platform's", proposal.size
    yield "package", f"{package}, {size:,} bytes" if size is not None else package
    block = f", blocks of {proposal.block} bytes" if proposal.block is not None else ""
    yield "method", f"{proposal.method} ({identity.evidence}){block}"
    if goal is not None and goal.base is not None:
        yield "base", f"{goal.base}: {'the module runs it' if proposal.fits_base else 'it runs another'}"
    else:
        yield "base", "not told by the package's name; the module itself compares it"
    if proposal.room is not None:
        fits = {True: ": it fits", False: ": too small", None: ""}[proposal.fits_slot]
        yield "slot", f"{proposal.room:,} bytes{fits}"
    else:
        yield "slot", "no document says its size"
    seconds = expected_s(proposal, spec)
    yield "time", f"about {timing.spell(seconds)}" if seconds is not None else "cannot be told from here"


def proposal_fields(proposal: Proposal, spec: JobSpec) -> dict[str, Any]:
    """Return the update as JSON has it; the module stands beside it."""
    goal, seconds = proposal.goal, expected_s(proposal, spec)
    return {
        "target": goal.target if goal is not None else None,
        "expected": goal.expected if goal is not None else None,
        "method": proposal.method,
        "dialect": proposal.dialect,
        "block": proposal.block,
        "package": proposal.package,
        "size": proposal.size,
        "base": goal.base if goal is not None else None,
        "fits_base": proposal.fits_base,
        "slot": proposal.room,
        "fits_slot": proposal.fits_slot,
        "expected_ms": round(1000 * seconds) if seconds is not None else None,
    }
