"""The transcripts of a command's conversations: where they are written, and when they are kept."""

import datetime as dt
import re
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TextIO

import platformdirs

from atota.cli.call import Call
from atota.errors import ConfigError
from atota.link.base import Link
from atota.settings.head import head_of
from atota.settings.spec import JobSpec
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
    written: list[TranscriptLink] = []

    def wrap(link: Link) -> Link:
        if path is not None:
            # One file holds all of a conversation, also when the adapter went away and came back.
            before = written[-1] if written else None
            file = before.file if before is not None else _created(path, stack)
            link = TranscriptLink(link, file, masker=Masker(), context=context, after=before)
            written.append(link)
        if call.out.verbosity >= 2:
            link = TranscriptLink(link, sys.stderr, masker=Masker(), context=context)
        return link

    return wrap


def _created(path: Path, stack: ExitStack) -> TextIO:
    try:
        return stack.enter_context(path.open("w", encoding="ascii"))
    except OSError as error:
        raise ConfigError(f"the transcript {path} cannot be written: {error.strerror}") from error


def transcript_path(call: Call) -> Path | None:
    """Return the path of a job's transcript: the user's choice, else one among those of failed jobs.

    None if that folder cannot be made: the job is done without a transcript.
    """
    if call.settings.transcript is not None:
        return call.settings.transcript
    folder = platformdirs.user_data_path("atota", appauthor=False) / "transcripts"
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]
    port = re.sub(r"[^0-9A-Za-z]+", "-", call.port.split("?")[0]).strip("-")[-40:]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        call.out.warn(f"no transcript is kept: {folder} cannot be made ({error.strerror})")
        return None
    return folder / f"{stamp}-{call.out.command}-{port}.transcript"


def tidy_transcript(call: Call, path: Path | None, result: JobResult) -> None:
    """Remove the transcript of a job that went well, unless the user asked for it."""
    if path is not None and call.settings.transcript is None and result.error is None:
        with suppress(OSError):
            path.unlink()
