"""Records as files for other programs: JSON Lines, or CSV with one flat row a record."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import msgspec

from atota.journal.model import Record

_PARTS = {
    "package": ("name", "size", "md5", "sha256"),
    "written": ("done", "total"),
    "error": ("code", "message", "hint"),
    "transcript": ("path", "sha256"),
    "station": ("name", "lane", "batch", "operator", "serial", "scan", "attempt", "handling_ms", "is_golden"),
    "release": ("stop", "reason", "by"),
}
"""Of these the parts are columns of their own."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def json_lines(records: Sequence[Record]) -> bytes:
    """One JSON object a line."""
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def as_csv(records: Sequence[Record]) -> bytes:
    """A head and one row a record, in UTF-8. No cell is a formula to a spreadsheet."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)  # its line ends of CR LF are the standard, and make it quote each of the two
    writer.writerow(columns())
    writer.writerows([cell(value) for value in _flat(record)] for record in records)
    return text.getvalue().encode()


def columns() -> list[str]:
    """The names of the columns."""
    return [
        f"{name}_{part}" if part else name
        for name in Record.__struct_fields__
        for part in _PARTS.get(name, ("",))
    ]


def _flat(record: Record) -> list[Any]:
    values: list[Any] = []
    for name in Record.__struct_fields__:
        value = getattr(record, name)
        if name in _PARTS:
            values += [getattr(value, part, None) for part in _PARTS[name]]
        elif name == "stages":
            values.append("; ".join(f"{one.stage} {one.state} {_ms(one.elapsed_ms)}" for one in value))
        elif isinstance(value, list):
            values.append("; ".join(map(str, value)))
        else:
            values.append(value)
    return values


def _ms(elapsed: int | None) -> str:
    return "-" if elapsed is None else f"{elapsed} ms"


def cell(value: object) -> str:
    """Return a value as a cell that is not a formula to a spreadsheet."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
