"""Transcripts as tests: what was done in one is done again on the recorded module, and must end as it did.

A package is needed that is not in the repository: it is the file beside the transcript (``NAME.package``),
else it is put together from the transcript. Where the transfer broke off, or the module fetched the package
by itself, the bytes that nobody knows are zeros: they are not sent.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from atota.clock import SimulatedClock
from atota.dialects import loader
from atota.errors import AtotaError, ConfigError, ReplayDiverged
from atota.link.base import Link
from atota.link.ports import PortInfo
from atota.module.module import Module, expected_row
from atota.settings.spec import JobSpec, LocalPackage
from atota.testing.rebuilt import rebuild
from atota.transcript.format import escape
from atota.transcript.recording import Opened, Recording, read_recording
from atota.transcript.replay import ReplayLink
from atota.update.job import Job
from atota.update.retold import package_of, spec_of
from atota.values import Digests

JOBS = ("flash", "update")
_LOOKS = ("identify", "check", "download")
_SOME_BYTES = 1024  # of a package that nobody knows
_ADDRESS = re.compile(rb"https?://[^\s\"]*ota_\*+[^\s\"]*")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. ``goes_on``: the host had more to say when the recording ended."""

    outcome: str
    exit_code: int
    version_before: str | None = None
    version_after: str | None = None
    goes_on: bool = False


def expected(recording: Recording) -> Outcome:
    """What the head says that comes of it.

    Raises:
        ConfigError: it says nothing, or something that cannot be read.
    """
    told = dict(text.partition(" ")[::2] for key, text in recording.head if key == "expect")
    try:
        return msgspec.convert(
            {key.replace("-", "_"): text for key, text in told.items()}, Outcome, strict=False
        )
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{recording.path} does not say what is expected: {error}",
            hint="Make it a test with scripts/trace-to-test.",
        ) from error


def told(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    """The lines of the head that say what is expected."""
    fields = msgspec.to_builtins(outcome)
    words = {key: str(value).lower() if isinstance(value, bool) else value for key, value in fields.items()}
    return tuple(
        ("expect", f"{key.replace('_', '-')} {value}") for key, value in words.items() if value is not None
    )


def replayed(path: Path) -> Outcome:
    """Do again what was done in a transcript.

    Raises:
        ConfigError: the file cannot be read, or was not made by a command that can be done again.
        ReplayDiverged: host and recording part; the error says where.
    """
    recording = read_recording(path)
    beside = path.with_suffix(".package")
    return play(recording, beside.read_bytes() if beside.is_file() else known_package(recording))


def known_package(recording: Recording) -> bytes:
    """The package of a recorded job, with zeros for what nobody knows."""
    named = package_of(dict(recording.head))
    data = rebuild(recording, size=named.size if named else None, md5=named.md5 if named else None)
    return data.ljust(named.size if named else _SOME_BYTES, b"\0") if named or not data else data


def play(recording: Recording, package: bytes) -> Outcome:
    """Do again what was done in a recording, with this package.

    Raises:
        ConfigError: no such thing can be done again.
        ReplayDiverged: host and recording part.
    """
    command = recording.said("command") or ""
    if command not in (*JOBS, *_LOOKS):
        raise ConfigError(
            f"{recording.path} was made by {command or 'an unknown command'!r}, which cannot be done again",
            hint=f"Known: {', '.join((*JOBS, *_LOOKS))}. Add a line `# command flash` below the first.",
        )
    if command in JOBS and recording.said("target") is None:
        raise ConfigError(
            f"{recording.path} does not say which version the job was to bring",
            hint="Add a line `# target VERSION` to its head; scripts/trace-to-test does so with --target.",
        )
    stage = _Stage(recording)
    with tempfile.TemporaryDirectory(prefix="atota-replay-") as folder:
        named = package_of(dict(recording.head))
        path = Path(folder) / (named.name if named else "package.bin")
        path.write_bytes(package)
        local = LocalPackage(path, Digests.of(package).md5, recording.said("target") or "")
        spec = spec_of(dict(recording.head), port=f"replay://{recording.path}", package=local)
        spec = msgspec.structs.replace(spec, serve_url=_recorded_address(recording))
        outcome = _job(spec, stage) if command in JOBS else _look(spec, stage)
    stage.judge()
    return msgspec.structs.replace(outcome, goes_on=bool(stage.link.unheard))


def _recorded_address(recording: Recording) -> str | None:
    """The URL that the recorded module was to fetch the package from: a replayed one fetches nothing."""
    match = _ADDRESS.search(recording.stream(">"))
    return None if match is None else match[0].replace(b"*", b"0").decode("ascii", "replace")


@contextmanager
def _serve_nothing(_package: Path, address: str) -> Iterator[str]:
    yield address


def _job(spec: JobSpec, stage: "_Stage") -> Outcome:
    result = Job(spec, opener=stage.opened, clock=stage.clock, adapters=stage, serve=_serve_nothing).run()
    return Outcome(
        outcome=result.outcome,
        exit_code=result.exit_code,
        version_before=result.version_before,
        version_after=result.version_after,
    )


def _look(spec: JobSpec, stage: "_Stage") -> Outcome:
    try:
        with stage.opened(spec.port, baud=spec.baud, dialect=spec.dialect, model=spec.model) as module:
            identity = module.identify()
    except AtotaError as error:
        return Outcome(outcome=error.outcome, exit_code=error.exit_code)
    return Outcome(outcome="done", exit_code=0, version_before=identity.version)


class _Stage:
    """Where a recording is played: opens it, and opens it again where it was."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.clock = SimulatedClock()
        self.link = ReplayLink(recording, self.clock, baud=recording.baud or 9600, lines=False)

    def opened(
        self, _port: str, *, dialect: str | None, model: str | None, baud: int | None, **how: Any
    ) -> Module:
        """The recorded module, as `atota.module.module.open_module` would open it."""
        listener: Callable[..., None] | None = how.get("listener")
        return Module(
            self.link,
            dialect=loader.load(dialect) if dialect is not None else None,
            expected=expected_row(model) if model is not None else None,
            baud=baud,
            stop=how.get("stop"),
            listener=listener,
            reopener=self._reopened,
        )

    def _reopened(self, _port: str, rate: int) -> Link:
        self.link = self.link.reopened(rate)
        return self.link

    def remember(self, port: str) -> PortInfo | None:
        """The adapter, if the recorded one came back."""
        if not any(isinstance(entry, Opened) for entry in self.recording.entries):
            return None
        return PortInfo(device=port, usb_id="0000:0000")

    def find(self, known: PortInfo) -> str | None:
        """It is there again."""
        return known.device

    def judge(self) -> None:
        """See that all was played.

        Raises:
            ReplayDiverged: it was not.
        """
        if self.link.diverged is not None:
            raise self.link.diverged
        entry = self.link.under_way
        if entry is not None:
            raise ReplayDiverged(
                f"{self.recording.path}, line {entry.line}: the recording goes on with `{str(entry)[:120]}`, "
                "the host has ended",
                line=entry.line,
                expected=str(entry),
                got="! closed",
                tried=(f"the host wrote {escape(bytes(self.link.unheard[:60]))} after the end",)
                * bool(self.link.unheard),
            )
