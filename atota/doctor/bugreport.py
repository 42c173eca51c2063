"""A bug report: all that is known of one job, its identities masked, in one archive.

It holds the record, the transcript where one was kept, the doctor's view of the ports, and the versions of
atota and of all that it runs on. Nothing is sent: the user looks at it, and gives it away.
"""

import hashlib
import io
import platform
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from atota._version import __version__
from atota.doctor.findings import Finding
from atota.journal.model import Record, SentReport
from atota.link.ports import PortInfo
from atota.transcript.identities import Identities

_PACKAGES = (
    "pyserial", "httpx", "typer", "rich", "msgspec", "platformdirs", "xmodem",
    "starlette", "uvicorn", "psycopg", "esptool",
)  # fmt: skip
_ABOUT = """\
A bug report of atota: one job of its journal. Look at it before you give it away.

record.json      the record of the job, and the reports to the platform
record.txt       the same for people
transcript.txt   the conversation with the module, if it was kept
doctor.json      the serial ports of the machine, none of them opened
versions.json    the versions of atota, Python, the system and the packages

IMEI, IMSI, serial numbers, device names, operators, the host's and the user's names are masked; in the
transcript they keep their form, so that it can be played: atota identify -p replay://transcript.txt
No key, token or signature is ever written into a journal or a transcript.
"""


def identities_of(record: Record, ports: Sequence[PortInfo], words: Sequence[str | None]) -> Identities:
    """Return the identities that a job knows of.

    Args:
        record: its record.
        ports: the ports of this machine.
        words: further names, such as the user's.
    """
    station, task, adapter = record.station, record.task, record.adapter
    known: list[str | None] = [record.imei, record.serial, record.host, *words]
    if station is not None:
        known += [station.serial, station.scan, station.operator]
    if task is not None:
        known += [task.dev_id, *task.dev_id.split("/")]
    known += [info.serial_number for info in (*ports, *((adapter,) if adapter is not None else ()))]
    return Identities(known)


def files_of(
    record: Record,
    reports: Sequence[SentReport],
    findings: Sequence[Finding],
    *,
    page: str,
    identities: Identities,
) -> dict[str, str]:
    """Return the files of a report by their names, masked.

    Args:
        record: the job's record.
        reports: its reports to the platform.
        findings: the doctor's.
        page: the record for people.
        identities: what is masked.
    """
    document: dict[str, Any] = {
        "record": _without_short_names(record),
        "reports": [msgspec.to_builtins(sent) for sent in reports],
    }
    files = {
        "README.txt": _ABOUT,
        "record.json": _json(_masked(document, identities)),
        "record.txt": identities.masked(page),
        "doctor.json": _json(_masked(msgspec.to_builtins(findings), identities)),
        "versions.json": _json(versions()),
    }
    transcript = _transcript(record)
    if transcript is not None:
        files["transcript.txt"] = identities.masked_transcript(transcript)
    return files


def _masked(value: Any, identities: Identities) -> Any:
    """Mask the texts of a document; its numbers stay as they are."""
    if isinstance(value, str):
        return identities.masked(value)
    if isinstance(value, dict):
        return {name: _masked(part, identities) for name, part in value.items()}
    return [_masked(part, identities) for part in value] if isinstance(value, list) else value


def _without_short_names(record: Record) -> dict[str, Any]:
    """Return a record as JSON has it; names too short to be looked for in a text are left out."""
    document: dict[str, Any] = msgspec.to_builtins(record)
    for table, names in (("task", ("dev_id",)), ("station", ("operator", "serial", "scan"))):
        for name in names:
            if document.get(table) and document[table].get(name):
                document[table][name] = "*" * min(6, len(document[table][name]))
    return document


def _transcript(record: Record) -> str | None:
    """Return the kept transcript; None if there is none, or another file has taken its place."""
    if record.transcript is None:
        return None
    try:
        data = Path(record.transcript.path).read_bytes()
    except OSError:
        return None
    is_same = not record.transcript.sha256 or hashlib.sha256(data).hexdigest() == record.transcript.sha256
    return data.decode("ascii", "backslashreplace") if is_same else None


def versions() -> dict[str, Any]:
    """Return the versions of atota and of all that it runs on."""
    packages: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    return {
        "atota": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "packages": packages,
    }


def archive(files: Mapping[str, str], folder: str) -> bytes:
    """Return a zip archive that holds the files in one folder."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, text in files.items():
            zipped.writestr(f"{folder}/{name}", text)
    return data.getvalue()


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode() + "\n"
