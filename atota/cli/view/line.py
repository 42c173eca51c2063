"""Tables of the line for people: stations, batches, yields, conflicts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Group
from rich.table import Table

from atota.cli.view.output import plain
from atota.clock import utc_iso

if TYPE_CHECKING:
    from atota.line.tables.figures import BatchFigures, BatchState, Conflict
    from atota.line.tables.stations import StationState


def station(state: "StationState") -> dict[str, Any]:
    """Return a station as JSON has it."""
    fields: dict[str, Any] = msgspec.to_builtins(state)
    del fields["is_revoked"]
    return {"name": state.name, "state": state.state, **fields}


def stations(states: "Sequence[StationState]") -> Table | str:
    """Return the stations, one in a line."""
    if not states:
        return "no station is known; add one with `atota line station add NAME`"
    names = ("name", "state", "tool_version", "clock_offset_ms", "backlog", "lanes", "note")
    return _table(names, [[station(state)[name] for name in names] for state in states])


def grant(row: Sequence[Any]) -> dict[str, Any]:
    """Return a row of a batch's grants as JSON has it."""
    name, owner, size, spent, returned, written_off, granted_at, settled_at = row
    return {
        "grant": name,
        "station": owner,
        "size": size,
        "spent": spent,
        "returned": returned,
        "written_off": written_off,
        "granted_at": utc_iso(granted_at.timestamp()),
        "settled_at": None if settled_at is None else utc_iso(settled_at.timestamp()),
    }


def batches(states: "Sequence[BatchState]", grants: Sequence[Sequence[Any]]) -> Group | str:
    """Return batches, and the grants of one."""
    if not states:
        return "no batch is known; make one with `atota line batch new B --quota N`"
    names = ("batch", "state", "quota", "granted", "spent", "written_off", "product", "target")
    parts = [_table(names, [[getattr(state, name) for name in names] for state in states])]
    if grants:
        names = ("grant", "station", "size", "spent", "returned", "written_off", "granted_at", "settled_at")
        parts.append(_table(names, [[grant(row)[name] for name in names] for row in grants]))
    return Group(*parts)


def batch_yield(figures: "BatchFigures") -> Group:
    """Return the yield of a batch."""
    rows = [
        ("units", figures.units),
        ("passed", figures.passed),
        ("failed", figures.failed),
        ("first-pass yield", _percent(figures.first_pass_yield)),
        ("final yield", _percent(figures.final_yield)),
        ("retested", figures.retested),
        ("attempts", figures.attempts),
        ("cycle, median", _seconds(figures.cycle_median_ms)),
        ("cycle, 95 %", _seconds(figures.cycle_p95_ms)),
    ]
    parts = [_table((figures.batch, ""), rows)]
    if figures.pareto:
        parts.append(_table(("failure", "attempts"), [(cause.key, cause.count) for cause in figures.pareto]))
    return Group(*parts)


def conflicts(rows: "Sequence[Conflict]") -> Table | str:
    """Return the conflicts, one in a line."""
    names = ("number", "kind", "imei", "serial", "stations", "first", "second", "noticed_at")
    if not rows:
        return "no conflict was found"
    return _table(names, [[_joined(getattr(row, name)) for name in names] for row in rows])


def _joined(value: object) -> object:
    return ", ".join(value) if isinstance(value, list) else value


def _percent(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.1f} %"


def _seconds(value_ms: int | None) -> str:
    return "-" if value_ms is None else f"{value_ms / 1000:.1f} s"


def _table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    table = Table(box=None, header_style="bold")
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*("-" if cell is None else plain(cell) for cell in row))
    return table
