"""The station's numbers for Prometheus, in its text format 0.0.4."""

from collections import Counter

from atota.station.lane import LaneState
from atota.station.view import StationView


def metrics(view: StationView) -> str:
    """Return the numbers of a station."""
    name = label_value(view.name)
    counters = view.counters
    lanes = Counter(lane.state for lane in view.lanes)
    lines = [
        "# HELP atota_station_units Units of the batch by their last verdict.",
        "# TYPE atota_station_units gauge",
        *(
            f'atota_station_units{{station="{name}",verdict="{verdict}"}} {number}'
            for verdict, number in (
                ("pass", counters.passed),
                ("fail", counters.failed),
                ("station-error", counters.station_error),
            )
        ),
        "# HELP atota_station_retested_units Units that were run more than once.",
        "# TYPE atota_station_retested_units gauge",
        f'atota_station_retested_units{{station="{name}"}} {counters.retested}',
        "# HELP atota_station_lanes Lanes by their state.",
        "# TYPE atota_station_lanes gauge",
        *(f'atota_station_lanes{{station="{name}",state="{state}"}} {lanes[state]}' for state in LaneState),
        "# HELP atota_station_waiting_records Records that the line server does not have yet.",
        "# TYPE atota_station_waiting_records gauge",
        f'atota_station_waiting_records{{station="{name}"}} {counters.waiting_records}',
    ]
    if counters.is_online is not None:
        lines += [
            "# HELP atota_station_line_online 1 if the line server is within reach.",
            "# TYPE atota_station_line_online gauge",
            f'atota_station_line_online{{station="{name}"}} {int(counters.is_online)}',
        ]
    return "\n".join(lines) + "\n"


def label_value(text: str) -> str:
    """Return a text as the value of a label, escaped."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
