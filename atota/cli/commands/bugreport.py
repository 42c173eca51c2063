"""The command that packs all that is known of one job, identities masked: bugreport."""

import getpass
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from atota.cli.call import Call
from atota.cli.completion import complete_records
from atota.cli.view.record import page, short_id
from atota.cli.wiring import journal_path, write_output
from atota.clock import SystemClock
from atota.doctor.bugreport import archive, files_of, identities_of
from atota.doctor.examine import Request, examine_unopened
from atota.doctor.timing import parse_size
from atota.errors import UsageError
from atota.journal.store import Journal
from atota.link import ports


def bugreport(
    call: Call,
    job: Annotated[
        str,
        typer.Argument(
            metavar="JOB", help="A record, or the beginning of its id.", autocompletion=complete_records
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The archive to write; named after the job without it."
        ),
    ] = None,
) -> None:
    """Write the archive of one job.

    Raises:
        UsageError: no record, or more than one, has such an id.
    """
    call.out.begin()
    path = journal_path(call)
    journal = Journal.reading(path, clock=SystemClock())
    if journal is None:
        raise UsageError(f"there is no journal at {path}", hint="Name the journal with --journal FILE.")
    with journal:
        record = journal.record(job)
        reports = journal.reports_of(record.id)
    infos = ports.list_ports()
    request = Request(exchanges=0, size=parse_size("200k"), baud=None, transfer_baud=None)
    findings = [finding for info in infos for finding in examine_unopened(info, request)]
    identities = identities_of(record, infos, (Path.home().name, _user()))
    files = files_of(record, reports, findings, page=f"{page(record, reports)}\n", identities=identities)
    name = f"atota-bugreport-{short_id(record)}"
    output = output if output is not None else Path(f"{name}.zip")
    call.out.warn_if_replaced(output)
    write_output(output, archive(files, name), "-o FILE")
    call.done(f"{output}: {', '.join(sorted(files))}", job=record.id, path=str(output), files=sorted(files))
    if "transcript.txt" not in files:
        call.out.say("  without a transcript: a job that goes well keeps none, and old ones are removed")
    call.out.say("  identities are masked; look at it before you give it away")


def _user() -> str | None:
    with suppress(OSError, KeyError, ImportError):  # the user id has no name
        return getpass.getuser()
    return None
