"""Records of the line as JSON Lines or CSV, one after the other: for the command line and the page."""

import csv
import io
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from atota.journal.export import cell
from atota.line.store import Store, StoreBusy
from atota.line.tables import figures

Form = Literal["json", "csv"]
_COLUMNS = (
    "journal",
    "seq",
    "id",
    "station",
    "lane",
    "batch",
    "imei",
    "serial",
    "outcome",
    "exit_code",
    "started_at",
    "ended_at",
    "duration_ms",
    "version_before",
    "version_target",
    "version_after",
    "model",
    "tool_version",
)


_AT_ONCE, _LIMIT_MS, _PART = 2, 600_000, 64 * 1024
"""Exports of a page, each with one of the connections; the limit of one; the bytes of a part of it."""


class Exports:
    """The exports of a page.

    Args:
        store: the line's database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._free = threading.Semaphore(_AT_ONCE)

    def parts(self, batch: str | None, form: Form) -> Iterator[bytes]:
        """Yield the file of a batch, or of all, in parts, from one transaction.

        Raises:
            StoreBusy: too many of them are running, or the database does not answer.
        """
        if not self._free.acquire(blocking=False):
            raise StoreBusy(f"{_AT_ONCE} exports are running", hint="Wait until one of them has ended.")
        try:
            with self._store.transaction(limit_ms=_LIMIT_MS) as session:
                part = bytearray()
                for line in lines(figures.documents(session, batch), form):
                    part += line
                    if len(part) > _PART:
                        yield bytes(part)
                        part.clear()
                yield bytes(part)
        finally:
            self._free.release()


def lines(documents: Iterable[dict[str, Any]], form: Form) -> Iterator[bytes]:
    """Yield the lines of a file: CSV has a head."""
    if form == "csv":
        yield _row(_COLUMNS)
    for document in documents:
        if form == "json":
            yield msgspec.json.encode(document) + b"\n"
        else:
            yield _row(_cells(document))


def _cells(document: dict[str, Any]) -> Iterator[str]:
    station = document.get("station")
    bench = station if isinstance(station, dict) else {}
    for name in _COLUMNS:
        value = bench.get(name) or document.get(name) if name != "station" else document["line_station"]
        yield cell(value)


def _row(cells: Iterable[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()
