r"""Labels: a ZPL template, filled from a record, and the printer that takes it.

A template is the text that the printer gets, with ``{imei}``, ``{serial}``, ``{model}``, ``{version}``,
``{batch}``, ``{station}``, ``{lane}``, ``{operator}``, ``{date}`` and ``{record}`` in it. Printers draw bar
codes by themselves (``^BC``, ``^BQ``, ``^BX``). What comes from a module or a scanner cannot give orders to
the printer: ``^``, ``~`` and ``\`` in it become ``_``, since they begin commands (ZPL II Programming Guide).
"""

import re
import socket
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from atota.errors import ConfigError, LinkError
from atota.journal.model import Record

PORT = 9100
CONNECT_S = 3.0
ANSWER_S = 1.0
_FIELD = re.compile(r"\{([a-z_]+)\}")
_COMMANDS = re.compile(r"[\^~\\]|[^\x20-\x7e]")
FIELDS = (
    "imei", "serial", "model", "version", "batch", "station", "lane", "operator", "date", "record",
)  # fmt: skip


class PrinterError(LinkError):
    """A printer that does not print."""

    code = "printer"
    default_hint = "Look at the printer: supply, network, paper, pause. The label is printed once it works."


def load_template(path: Path) -> str:
    """Read a template.

    Raises:
        ConfigError: it cannot be read, or has a field that records lack.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}", hint="Correct `template` in [label].") from error
    for name in _FIELD.findall(text):
        if name not in FIELDS:
            near = get_close_matches(name, FIELDS, 1)
            raise ConfigError(
                f"{path}: {{{name}}} is not a field of a label",
                hint=f"Did you mean {{{near[0]}}}?" if near else f"Use {', '.join(FIELDS)}.",
            )
    return text


def filled(template: str, record: Record) -> str:
    """Return the label of a record."""
    station = record.station
    values = {
        "imei": record.imei,
        "serial": (station.serial if station is not None else None) or record.serial,
        "model": record.model,
        "version": record.version_after,
        "batch": station.batch if station is not None else None,
        "station": station.name if station is not None else None,
        "lane": str(station.lane) if station is not None else None,
        "operator": station.operator if station is not None else None,
        "date": record.ended_at[:10],
        "record": record.id,
    }
    return _FIELD.sub(lambda match: _COMMANDS.sub("_", values[match[1]] or ""), template)


def print_label(printer: str, label: str) -> None:
    """Print a label, on ``tcp://HOST:PORT`` or at a device.

    Raises:
        PrinterError: the printer is off, out of paper, paused, or not there.
    """
    data = label.encode("utf-8")
    try:
        if printer.startswith("tcp://"):
            _print_by_network(printer, data)
        else:
            with Path(printer).open("r+b", buffering=0) as device:
                device.write(data)
    except OSError as error:
        raise PrinterError(f"the printer {printer} cannot be reached: {error.strerror or error}") from error


def _print_by_network(printer: str, data: bytes) -> None:
    parts = urlsplit(printer)
    with socket.create_connection((parts.hostname or "", parts.port or PORT), CONNECT_S) as connection:
        problem = _status_problem(connection)
        if problem is not None:
            raise PrinterError(f"the printer {printer} {problem}")
        connection.sendall(data)


def _status_problem(connection: socket.socket) -> str | None:
    """Ask for the printer's status; one that answers nothing is believed to be ready.

    The answer to ``~HS`` is three lines between STX and ETX; in the first one the second field is "paper out"
    and the third "pause" (ZPL II Programming Guide, ~HS).
    """
    connection.sendall(b"~HS")
    connection.settimeout(ANSWER_S)
    answer = b""
    try:
        while b"\x03" not in answer:
            received = connection.recv(256)
            if not received:
                break
            answer += received
    except TimeoutError:
        return None
    fields = answer.strip(b"\x02\x03\r\n").split(b"\x03")[0].split(b",")
    if len(fields) > 2 and fields[1] == b"1":
        return "is out of paper"
    if len(fields) > 2 and fields[2] == b"1":
        return "is paused"
    return None


def printer_problem(printer: str) -> str | None:
    """Return the reason for which a printer does not print; None if it seems ready."""
    if not printer.startswith("tcp://"):
        return None if Path(printer).exists() else f"the printer {printer} is not there"
    parts = urlsplit(printer)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or PORT), CONNECT_S) as connection:
            problem = _status_problem(connection)
    except OSError as error:
        return f"the printer {printer} cannot be reached: {error.strerror or error}"
    return None if problem is None else f"the printer {printer} {problem}"
