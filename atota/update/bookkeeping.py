"""What a job writes into the journal at its beginning and its end."""

from pathlib import Path

import msgspec

from atota.errors import PackageError, error_fields
from atota.link.ports import PortInfo
from atota.ota.package import digests_of
from atota.settings.spec import JobSpec
from atota.update.chronicle import Chronicle
from atota.update.result import JobResult
from atota.update.resume import Earlier
from atota.values import Identity


def begin(
    chronicle: Chronicle, spec: JobSpec, identity: Identity, adapter: PortInfo | None, found: Earlier | None
) -> None:
    """Open the job's page: which run it belongs to, and which module it is about."""
    known = None if adapter is None else msgspec.to_builtins(adapter)
    opened = msgspec.structs.replace(
        chronicle.opened, adapter=known, board=spec.board.name if spec.board is not None else None
    )
    if found is not None:
        opened = msgspec.structs.replace(opened, run=found.run, attempt=found.attempt + 1, resumes=found.id)
    chronicle.begin(opened)
    chronicle.fact("module", msgspec.to_builtins(identity))
    if found is not None and found.standing != "nothing":
        chronicle.fact("earlier", msgspec.to_builtins(found))


def end(chronicle: Chronicle, spec: JobSpec, result: JobResult) -> None:
    """Write down what came of the job, and close its page."""
    chronicle.fact(
        "tally",
        {
            "blocks": result.blocks,
            "retries": result.retries,
            "longest_silence_ms": result.longest_silence_ms,
            "boots": result.boots,
        },
    )
    if result.error is not None:
        chronicle.fact("error", error_fields(result.error))
    digest = _digest(spec.transcript)
    if digest is not None and (result.error is not None or spec.keeps_transcript):
        chronicle.fact("transcript", {"path": str(spec.transcript), "sha256": digest})
    chronicle.end(result.outcome, result.exit_code)


def _digest(path: Path | None) -> str | None:
    """The SHA-256 of a transcript that there is."""
    if path is None:
        return None
    try:
        return digests_of(path).sha256
    except PackageError:
        return None
