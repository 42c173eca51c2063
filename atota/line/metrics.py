"""The line's numbers for Prometheus, in its text format 0.0.4."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from atota.line.document import station_state
from atota.line.tables.figures import BatchState
from atota.station.page.metrics import label_value

_NAMES = ("records", "quarantined_records", "conflicts", "forked_journals", "waiting_records")


def metrics(stations: Sequence[Sequence[Any]], totals: Sequence[Any], batches: Iterable[BatchState]) -> str:
    """Return the numbers of a line."""
    return "\n".join(_lines(stations, totals, batches)) + "\n"


def _lines(
    stations: Sequence[Sequence[Any]], totals: Sequence[Any], batches: Iterable[BatchState]
) -> Iterator[str]:
    for name, value in zip(_NAMES, totals, strict=False):
        yield f"# TYPE atota_line_{name} gauge"
        yield f"atota_line_{name} {value}"
    yield "# HELP atota_line_holds_grants 1 if nothing is granted: the database was restored or is rebuilt."
    yield "# TYPE atota_line_holds_grants gauge"
    yield f"atota_line_holds_grants {int(bool(totals[len(_NAMES)]))}"
    yield "# TYPE atota_line_station_live gauge"
    for row in stations:
        is_live = int(station_state(row) == "live")
        yield f'atota_line_station_live{{station="{label_value(row[0])}"}} {is_live}'
    yield "# TYPE atota_line_station_waiting_records gauge"
    for row in stations:
        if row[5] is not None:
            yield f'atota_line_station_waiting_records{{station="{label_value(row[0])}"}} {row[5]}'
    yield "# TYPE atota_line_batch_tickets gauge"
    for batch in batches:
        for kind in ("quota", "granted", "spent", "written_off"):
            labels = f'batch="{label_value(batch.batch)}",kind="{kind}"'
            yield f"atota_line_batch_tickets{{{labels}}} {getattr(batch, kind)}"
