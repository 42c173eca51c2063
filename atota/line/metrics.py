"""The line's numbers for Prometheus, in its text format 0.0.4."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from atota.line.tables.figures import BatchState
from atota.line.tables.stations import StationState
from atota.station.page.metrics import label_value

_NAMES = ("records", "quarantined_records", "conflicts", "forked_journals", "waiting_records")


def metrics(
    stations: Sequence[StationState],
    totals: Sequence[Any],
    batches: Iterable[BatchState],
    free: float | None,
) -> str:
    """Return the numbers of a line; ``free`` is that of `atota.line.tables.disk`."""
    return "\n".join(_lines(stations, totals, batches, free)) + "\n"


def _lines(
    stations: Sequence[StationState],
    totals: Sequence[Any],
    batches: Iterable[BatchState],
    free: float | None,
) -> Iterator[str]:
    for name, value in zip(_NAMES, totals, strict=False):
        yield f"# TYPE atota_line_{name} gauge"
        yield f"atota_line_{name} {value}"
    yield "# HELP atota_line_holds_grants 1 if nothing is granted: the database was restored or is rebuilt."
    yield "# TYPE atota_line_holds_grants gauge"
    yield f"atota_line_holds_grants {int(bool(totals[len(_NAMES)]))}"
    yield "# TYPE atota_line_station_live gauge"
    for one in stations:
        yield f'atota_line_station_live{{station="{label_value(one.name)}"}} {int(one.state == "live")}'
    yield "# TYPE atota_line_station_waiting_records gauge"
    for one in stations:
        if one.backlog is not None:
            yield f'atota_line_station_waiting_records{{station="{label_value(one.name)}"}} {one.backlog}'
    if free is not None:
        yield "# HELP atota_line_disk_free_ratio The free part of the disk that the database lies on."
        yield "# TYPE atota_line_disk_free_ratio gauge"
        yield f"atota_line_disk_free_ratio {free:.4f}"
    yield "# TYPE atota_line_batch_tickets gauge"
    for batch in batches:
        for kind in ("quota", "granted", "spent", "written_off"):
            labels = f'batch="{label_value(batch.batch)}",kind="{kind}"'
            yield f"atota_line_batch_tickets{{{labels}}} {getattr(batch, kind)}"
