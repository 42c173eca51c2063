"""Transcripts as tests: the recorded job runs again with the recorded module, and must end as it did.

It needs a package that is not in the repository: the file beside the transcript (``NAME.package``), else the
package is rebuilt from the transcript. If the transfer broke off, or the module fetched the package itself,
the unknown bytes are zeros: they are not sent.
"""

import re
import tempfile
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from atota.clock import SimulatedClock
from atota.errors import AtotaError, ConfigError, ReplayDiverged
from atota.link.base import Link
from atota.link.ports import PortInfo
from atota.settings.head import spec_of
from atota.settings.spec import JobSpec, LocalPackage
from atota.testing.bench import opener
from atota.testing.rebuilt import rebuild
from atota.transcript.format import escape
from atota.transcript.head import parse_head
from atota.transcript.recording import Opened, Recording, read_recording
from atota.transcript.replay import ReplayLink
from atota.update.job import Job
from atota.values import Digests

JOBS = ("flash", "update")
_QUERIES = ("identify", "check", "download")
_UNKNOWN_SIZE = 1024  # bytes of a package of which neither the name nor any byte is known
_ADDRESS = re.compile(rb"https?://[^\s\"]*ota_\*+[^\s\"]*")


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a recorded job. ``goes_on``: the host had more to send when the recording ended."""

    outcome: str
    exit_code: int
    version_before: str | None = None
    version_after: str | None = None
    goes_on: bool = False


def expected(recording: Recording) -> Ending:
    """Read the ending that the head of a transcript expects.

    Raises:
        ConfigError: it is missing or cannot be read.
    """
    lines = (text.partition(" ") for key, text in recording.head if key == "expect")
    texts = {key.replace("-", "_"): text for key, _, text in lines}
    try:
        return msgspec.convert(
            {key.replace("-", "_"): text for key, text in texts.items()}, Ending, strict=False
        )
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{recording.path} does not say what is expected: {error}",
            hint="Make it a test with scripts/trace-to-test.",
        ) from error


def expectations(ending: Ending) -> tuple[tuple[str, str], ...]:
    """Return the keys and texts of the head's lines that expect this ending."""
    fields = msgspec.to_builtins(ending)
    words = {key: str(value).lower() if isinstance(value, bool) else value for key, value in fields.items()}
    return tuple(
        ("expect", f"{key.replace('_', '-')} {value}") for key, value in words.items() if value is not None
    )


def replayed(path: Path) -> Ending:
    """Run the job of a transcript again.

    Raises:
        ConfigError: the file cannot be read, or its command cannot be run again.
        ReplayDiverged: host and recording differ; the error names the line.
    """
    recording = read_recording(path)
    beside = path.with_suffix(".package")
    return play(recording, beside.read_bytes() if beside.is_file() else known_package(recording))


def known_package(recording: Recording) -> bytes:
    """Return the package of a recorded job, with zeros for unknown bytes."""
    package = parse_head(recording.head).package
    if package is None:
        return rebuild(recording) or bytes(_UNKNOWN_SIZE)
    return rebuild(recording, size=package.size, md5=package.md5).ljust(package.size, b"\0")


def play(recording: Recording, package: bytes) -> Ending:
    """Run the job of a recording again, with this package.

    Raises:
        ConfigError: its command cannot be run again.
        ReplayDiverged: host and recording differ.
    """
    head = parse_head(recording.head)
    if head.command not in (*JOBS, *_QUERIES):
        raise ConfigError(
            f"{recording.path} was made by {head.command or 'an unknown command'!r}: it cannot be run again",
            hint=f"Known: {', '.join((*JOBS, *_QUERIES))}. Add a line `# command flash` below the first.",
        )
    if head.command in JOBS and head.target is None:
        raise ConfigError(
            f"{recording.path} does not name the target version of the job",
            hint="Add a line `# target VERSION` to its head; scripts/trace-to-test does so with --target.",
        )
    stage = _Stage(recording)
    with tempfile.TemporaryDirectory(prefix="atota-replay-") as folder:
        path = Path(folder) / (head.package.name if head.package is not None else "package.bin")
        path.write_bytes(package)
        is_task = head.command == "update"
        local = LocalPackage(path, Digests.of(package).md5, head.target or "", stands_in=is_task)
        spec = spec_of(head, port=f"replay://{recording.path}", package=local)
        ending = _job(spec, stage) if head.command in JOBS else _identify(spec, stage)
    stage.check_end()
    return msgspec.structs.replace(ending, goes_on=bool(stage.link.surplus))


def _job(spec: JobSpec, stage: "_Stage") -> Ending:
    # A replayed module fetches nothing: it needs the address of the recording, and no server there.
    address = stage.package_address()
    job = Job(
        msgspec.structs.replace(spec, serve_url=address and f"http://{urlsplit(address).netloc}"),
        opener=stage.open,
        clock=stage.clock,
        adapters=stage,
        serve=lambda _package, _address: nullcontext(address or ""),
    )
    result = job.run()
    return Ending(
        outcome=result.outcome,
        exit_code=result.exit_code,
        version_before=result.version_before,
        version_after=result.version_after,
    )


def _identify(spec: JobSpec, stage: "_Stage") -> Ending:
    try:
        with stage.open(spec.port, baud=spec.baud, dialect=spec.dialect, model=spec.model) as module:
            identity = module.identify()
    except AtotaError as error:
        return Ending(outcome=error.outcome, exit_code=error.exit_code)
    return Ending(outcome="done", exit_code=0, version_before=identity.version)


class _Stage:
    """The recorded module and its adapter; each opening of its port goes on in the recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.clock = SimulatedClock()
        self.link = ReplayLink(recording, self.clock, baud=recording.baud or 9600, lines=False)
        self.open = opener(lambda _baud: self.link, self._reopen)

    def _reopen(self, _port: str, rate: int) -> Link:
        self.link = self.link.reopened(rate)
        return self.link

    def package_address(self) -> str | None:
        """Return the address from which the recorded module was told to fetch the package."""
        match = _ADDRESS.search(self.recording.stream(">"))
        return match[0].replace(b"*", b"0").decode("ascii", "replace") if match is not None else None

    def remember(self, port: str) -> PortInfo | None:
        """Return the adapter, if the recorded one came back."""
        if not any(isinstance(entry, Opened) for entry in self.recording.entries):
            return None
        return PortInfo(device=port, usb_id="0000:0000")

    def find(self, known: PortInfo) -> str | None:
        """Return the adapter's device name."""
        return known.device

    def check_end(self) -> None:
        """Check that all of the recording was played.

        Raises:
            ReplayDiverged: it was not.
        """
        if self.link.diverged is not None:
            raise self.link.diverged
        entry = self.link.current
        if entry is not None:
            surplus = bytes(self.link.surplus[:60])
            raise ReplayDiverged(
                f"{self.recording.path}, line {entry.line}: the recording continues with "
                f"`{str(entry)[:120]}`, the host has ended",
                line=entry.line,
                expected=str(entry),
                got="! closed",
                tried=(f"the host wrote {escape(surplus)} after the end",) if surplus else (),
            )
