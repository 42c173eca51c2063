"""The doctor's findings, for people."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from atota.cli.view.output import plain, styled
from atota.doctor.findings import GROUPS, Finding

_COLOURS = {"ok": "green", "warning": "yellow", "bad": "bold red", "unknown": "cyan"}


def findings_page(findings: Sequence[Finding], ending: str) -> Group:
    """Return the findings by group, each with its mark and the next step, and the ``ending`` below them."""
    width = max(len(finding.check) for finding in findings)
    parts: list[RenderableType] = []
    for group in GROUPS:
        members = [finding for finding in findings if finding.group == group]
        for name in dict.fromkeys(finding.port for finding in members):
            parts.append(styled("[bold]{}[/]{}", group, f"  {name}" if group == "port" and name else ""))
            parts.append(_table([finding for finding in members if finding.port == name], width))
    return Group(*parts, plain(ending))


def _table(findings: Sequence[Finding], width: int) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(width=2 + len("warning"), no_wrap=True)
    table.add_column(width=width, no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        mark = Text(f"  {finding.state}", _COLOURS[finding.state])
        table.add_row(mark, finding.check, plain(finding.says))
        if finding.next:
            table.add_row("", "", Text.assemble(("next: ", "bold"), plain(finding.next)))
    return table
