"""The transcripts of a command's conversations: where they are written, and when they are kept."""

import datetime as dt
import re
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TextIO

from atota.cli.call import Call
from atota.clock import SystemClock
from atota.errors import ConfigError
from atota.files import DISK_FULL
from atota.link.base import Link
from atota.settings.head import head_of
from atota.settings.spec import JobSpec
from atota.transcript.kept import kept_folder, prune
from atota.transcript.masking import Masker
from atota.transcript.writer import TranscriptLink
from atota.update.events import JobResult


def recording(call: Call, spec: JobSpec, stack: ExitStack) -> Callable[[Link], Link] | None:
    """Return a function that puts the transcripts of the options round a link; None without them.

    The transcripts' heads describe the job. ``stack`` closes their files.
    """
    path = spec.transcript
    if path is None and call.out.verbosity < 2:
        return None
    context = head_of(call.out.command, spec).lines()
    file = None if path is None else _created(call, path, stack)
    written: list[TranscriptLink] = []

    def wrap(link: Link) -> Link:
        if file is not None:
            # One file holds all of a conversation, also when the adapter went away and came back.
            before = written[-1] if written else None
            link = TranscriptLink(
                link, file, masker=Masker(), context=context, after=before, on_problem=call.out.warn
            )
            written.append(link)
        if call.out.verbosity >= 2:
            link = TranscriptLink(link, sys.stderr, masker=Masker(), context=context)
        return link

    return wrap


def _created(call: Call, path: Path, stack: ExitStack) -> TextIO | None:
    """Create a transcript; None if that cannot be: the work is done without one.

    Raises:
        ConfigError: the user named a file that can never be written.
    """
    call.out.warn_if_replaced(path)
    try:
        file = path.open("w", encoding="ascii")
    except OSError as error:
        if call.settings.transcript is not None and error.errno not in DISK_FULL:
            raise ConfigError(f"the transcript {path} cannot be written: {error.strerror}") from error
        call.out.warn(f"no transcript is kept: {path} cannot be written ({error.strerror})")
        return None
    stack.callback(_close, file)
    return file


def _close(file: TextIO) -> None:
    with suppress(OSError):  # a full disk fails once more; `TranscriptLink` has said so
        file.close()


def transcript_path(call: Call, port: str | None = None) -> Path | None:
    """Return the path of a job's transcript: the user's choice, else one among those of failed jobs.

    None if that folder cannot be made: the job is done without a transcript. ``port`` names the file of one
    of many jobs, for which the user has no choice.
    """
    if port is None and call.settings.transcript is not None:
        return call.settings.transcript
    folder = kept_folder()
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]
    name = re.sub(r"[^0-9A-Za-z]+", "-", (port or call.port).split("?")[0]).strip("-")[-40:]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        call.out.warn(f"no transcript is kept: {folder} cannot be made ({error.strerror})")
        return None
    return folder / f"{stamp}-{call.out.command.replace(' ', '-')}-{name}.transcript"


def tidy_transcript(call: Call, path: Path | None, result: JobResult) -> None:
    """Remove the transcript of a job that went well, unless the user asked for it; and those of long ago."""
    if call.settings.transcript is None:
        tidy(path, result)
    prune_transcripts(call, path)


def tidy(path: Path | None, result: JobResult) -> None:
    """Remove the transcript of a job that went well."""
    if path is not None and result.error is None:
        with suppress(OSError):
            path.unlink()


def prune_transcripts(call: Call, present: Path | None = None) -> None:
    """Remove the transcripts of failed jobs that are too old or too many; ``present`` stays."""
    settings = call.settings
    removed = prune(
        kept_folder(),
        now=SystemClock().time(),
        days=settings.transcripts_days,
        megabytes=settings.transcripts_mb,
        present=present,
    )
    if removed and call.out.verbosity > 0:
        call.out.say(f"  transcripts removed, for their age or their size: {len(removed)}")
