"""The check of a station's connection to its line: key, versions, clock, and the stock for work offline."""

from collections.abc import Iterator
from pathlib import Path

from atota.clock import Clock
from atota.doctor.findings import Finding, State, blamed
from atota.errors import AtotaError
from atota.line.client import LineClient, LineKey
from atota.line.escrow import Escrow, purse_of
from atota.line.protocol import PROTOCOL

_CLOCK_S = 60.0
"""A clock that is further off makes the times of its records useless for people (station.md 4.4)."""
_NO_JOURNAL = "station-check"


def examine_line(
    url: str,
    key_file: Path,
    journal: Path,
    *,
    batch: str | None,
    product: str | None,
    clock: Clock,
    timeout_s: float,
    ca_file: Path | None = None,
) -> Iterator[Finding]:
    """Yield the findings about a line and the station's stock; nothing is changed.

    Args:
        url: the line.
        key_file: holds the station's key.
        journal: the path of the journal, beside which the purse lies.
        batch: the batch whose tickets are counted; None: it needs none.
        product: the product whose device ids are counted; None: the station names the devices.
        clock: the station's time.
        timeout_s: the longest silence.
        ca_file: the certificate of a line that no public authority knows.
    """
    try:
        client = LineClient(url, LineKey.of_file(key_file), clock=clock, ca_file=ca_file, timeout_s=timeout_s)
        try:
            cursor = client.cursor(_NO_JOURNAL)
        finally:
            client.close()
    except AtotaError as error:
        yield blamed("station", "line", error)
    else:
        says = f"{url} answers, takes the key and speaks protocol {PROTOCOL}"
        yield _finding("line", "ok", says)
        offset_s = clock.time() - cursor.time
        yield _finding(
            "line clock",
            "ok" if abs(offset_s) <= _CLOCK_S else "warning",
            f"{offset_s:+.0f} s beside the clock of the line",
            "" if abs(offset_s) <= _CLOCK_S else "Set both clocks by NTP.",
        )
    purse = purse_of(journal)
    if not purse.exists():
        yield _finding("stock", "ok", "this station has never had tickets or device ids of the line")
        return
    with Escrow(purse) as escrow:
        if batch is not None and escrow.is_limited(batch):
            yield _stock(f"tickets of the batch {batch}", escrow.held(batch))
        if product is not None:
            yield _stock(f"device ids of the product {product}", escrow.free_devices(product))


def _stock(things: str, count: int) -> Finding:
    if count:
        return _finding("stock", "ok", f"{count} {things} are held for work without the network")
    return _finding(
        "stock",
        "warning",
        f"no {things} are held",
        "Start the station with the line in reach, so that it is filled.",
    )


def _finding(check: str, state: State, says: str, next_: str = "") -> Finding:
    return Finding(group="station", check=check, state=state, says=says, next=next_)
