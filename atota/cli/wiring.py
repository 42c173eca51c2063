"""The parts that commands need, made from their settings: the opened module, the platform, the journal."""

import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from atota.cli.call import Call
from atota.cli.transcripts import recording
from atota.clock import Deadline, SystemClock
from atota.errors import AtotaError, ConfigError, Refused
from atota.journal.model import PastJob
from atota.journal.store import Journal, default_path
from atota.module.module import Module, Opener, open_module
from atota.settings.adapter import check_adapter
from atota.settings.board import Board
from atota.settings.spec import JobSpec, job_spec
from atota.sota.opening import ChipOpener, open_chip
from atota.sota.target import ChipTarget
from atota.update.job_journal import may_be_updating
from atota.values import nature_of


@contextmanager
def opened_module(call: Call, *, restarts: bool = True, shows_search: bool = True) -> Iterator[Module]:
    """Open the module on the port that the settings name, behind a transcript where one is wanted.

    Args:
        call: the call, with its settings.
        restarts: let the lines of the board restart the module; never if it may be in mid-update.
        shows_search: show the outcome at each rate that is not answered.
    """
    settings = call.settings
    spec = job_spec(settings, call.board, port=call.port)
    board = call.board
    if board is not None and restarts and may_be_updating_on_port(call) is not None:
        call.out.warn("the module may be in the middle of an update: the lines of its board are left alone")
        restarts = False
    if board is not None and not restarts:
        board = board.untouched
    with ExitStack() as stack:
        module = module_opener(call, spec, stack)(
            call.port,
            baud=settings.baud,
            first_baud=settings.first_baud,
            dialect=settings.dialect,
            model=settings.model,
            board=board,
            clock=None,
            stop=call.stop,
            listener=None,
        )
        with module:
            if shows_search:
                module.on_try = partial(_show_try, call)
            if settings.wait:
                module.on_update = partial(_show_update, call)
            if settings.timeout_s is not None:
                module.session.limit = Deadline(module.session.clock, settings.timeout_s)
            yield module


def _show_try(call: Call, line: str) -> None:
    """Show that the module does not answer at a rate."""
    call.out.say(f"  no answer at {line}")
    call.out.event("note", level="info", text=f"no answer at {line}")


@contextmanager
def opened_chip(call: Call) -> Iterator[ChipTarget]:
    """Open the chip on the port that the settings name, behind a transcript where one is wanted."""
    spec = job_spec(call.settings, call.board, port=call.port)
    with ExitStack() as stack:
        chip = chip_opener(call, spec, stack)(
            spec,
            clock=None,
            stop=call.stop,
            note=call.out.say,
            warn=call.out.warn,
            on_urc=lambda text: call.out.event("urc", text=text),
        )
        stack.callback(chip.close)
        chip.limit = Deadline(chip.clock, call.settings.timeout_s)
        yield chip


def _show_update(call: Call, percent: int | None, line: str) -> None:
    """Show the progress of an update that the module carries out by itself."""
    shown = f"{percent} %: " if percent is not None else ""
    call.out.say(f"  the module is updating itself, waiting for the end: {shown}{line}")
    if percent is not None and call.out.json:
        call.out.event("progress", stage="self-update", done=percent, total=100, unit="percent")


def may_be_updating_on_port(call: Call) -> PastJob | None:
    """Return the newest job on the port if its module may be in the middle of its update, else None.

    A journal that cannot be read says nothing of the module.
    """
    clock = SystemClock()
    with suppress(AtotaError):
        journal = Journal.reading(journal_path(call), clock=clock)
        if journal is not None:
            with journal:
                past = journal.past(port=call.port)
            return past if may_be_updating(past, clock.time()) else None
    return None


def require_settled(call: Call) -> None:
    """Refuse to touch the supply or the reset of a module that may be updating itself.

    Raises:
        Refused: the journal says so.
    """
    past = may_be_updating_on_port(call)
    if past is not None:
        raise Refused(
            f"{call.port}: job {past.id} started an update here, or may have, and did not see its end",
            hint="Leave the module powered, and run the same job again, to confirm it; or give --force.",
        )


def module_opener(call: Call, spec: JobSpec, stack: ExitStack) -> Opener:
    """Return `open_module` with the transcripts of the options; ``stack`` closes their files."""
    return opener_of(call, spec, call.board, stack)


def opener_of(call: Call, spec: JobSpec, board: Board | None, stack: ExitStack) -> Opener:
    """Return `open_module` with the transcripts of the options, on another board."""

    def opener(port: str, /, **options: Any) -> Module:
        warning = check_adapter(board, port) if board is not None else None
        if warning is not None:
            call.out.warn(warning)
        return open_module(port, **options)

    return partial(opener, wrap=recording(call, spec, stack))


def chip_opener(call: Call, spec: JobSpec, stack: ExitStack) -> ChipOpener:
    """Return `open_chip` with the transcripts of the options; ``stack`` closes their files."""
    return partial(open_chip, wrap=recording(call, spec, stack))


@contextmanager
def opened_journal(call: Call) -> Iterator[Journal]:
    """Open the journal that the settings name, for writing.

    Raises:
        ConfigError: it cannot be used.
        LimitReached: the disk is full, or another process holds it.
    """
    with Journal(journal_path(call), clock=SystemClock()) as journal:
        yield journal


def write_output(path: Path, data: bytes, option: str) -> None:
    """Write a file that the user asked for by ``option``.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", hint=f"Name another file with {option}."
        ) from error


def journal_path(call: Call) -> Path:
    """Return the path of the journal; jobs of simulated and replayed modules have one of their own."""
    if call.settings.journal is not None:
        return call.settings.journal
    port = call.settings.port
    return default_path("real" if port is None else nature_of(port))


def journal_option(call: Call) -> str:
    """Return the option that a printed command needs to find the journal; empty for the default one."""
    path = journal_path(call)
    return "" if path == default_path() else f" --journal {shlex.quote(str(path))}"
