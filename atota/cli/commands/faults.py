"""The command that explains what can go wrong in the simulator: sim faults."""

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table

from atota.cli.call import Call
from atota.cli.view.output import plain, styled
from atota.otaserver.faults import CALLS, KNOWN
from atota.sim.chips.faults import CHIP_FAULTS
from atota.sim.chips.options import CHIP_OPTIONS
from atota.sim.faults import KNOWN_FAULTS, POSITIONS
from atota.sim.options import KNOWN_OPTIONS

_USAGE_WIDTH = 38
"""The longest syntax is that of the platform's cut-after."""


class _Section(NamedTuple):
    """Names of one kind, each with its syntax and its effect; ``key`` is the list's name in JSON."""

    key: str
    title: str
    rows: tuple[tuple[str, str, str], ...]


def explain_faults(call: Call) -> None:
    """Print every fault and option of the simulator with its effect."""
    fields: dict[str, Any] = {one.key: list(map(_fields, one.rows)) for one in _sections()}
    call.done(partial(_page, _sections()), **fields)


def _sections() -> tuple[_Section, ...]:
    positions = (("POS", kind.usage, kind.help) for kind in POSITIONS)
    return (
        _Section(
            "faults",
            "Faults of a module: `sim module --fault`, sim://MODEL?fault=NAME+NAME",
            tuple((name, kind.usage, kind.help) for name, kind in KNOWN_FAULTS.items()),
        ),
        _Section(
            "positions",
            "POS is one of these; BYTE counts the bytes from 1; without TIMES a fault strikes once",
            tuple(positions),
        ),
        _Section(
            "options",
            "Options of a module: `sim module --options`, sim://MODEL?NAME=VALUE&NAME=VALUE",
            tuple((name, kind.usage, kind.help) for name, kind in KNOWN_OPTIONS.items()),
        ),
        _Section(
            "chip_faults",
            "Faults of a chip: sim://ESP32?fault=NAME; POS is also the name of a loader's command",
            tuple((name, kind.usage, kind.help) for name, kind in CHIP_FAULTS.kinds.items()),
        ),
        _Section(
            "chip_options",
            "Options of a chip: `sim module ESP32 --options`, sim://ESP32?NAME=VALUE&NAME=VALUE",
            tuple((name, kind.usage, kind.help) for name, kind in CHIP_OPTIONS.items()),
        ),
        _Section(
            "platform_faults",
            f"Faults of the local platform: `sim server --fault`; @CALL limits one to {', '.join(CALLS)}",
            tuple((name, kind.syntax, kind.help) for name, kind in KNOWN.items()),
        ),
    )


def _fields(row: tuple[str, str, str]) -> dict[str, Any]:
    return dict(zip(("name", "usage", "help"), row, strict=True))


def _page(sections: Iterable[_Section]) -> Group:
    parts: list[RenderableType] = []
    for section in sections:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column(max_width=_USAGE_WIDTH, overflow="fold")
        table.add_column(overflow="fold")
        for _, usage, about in section.rows:
            table.add_row(plain(f"  {usage}"), plain(about))
        parts += (
            ["", styled("[bold]{}[/]", section.title), table]
            if parts
            else [
                styled("[bold]{}[/]", section.title),
                table,
            ]
        )
    return Group(*parts)
