"""One call of a command: its settings and output; and the one place where errors end it."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Self

from atota.cli.streams import lost
from atota.cli.view.output import Ending, Output, Page
from atota.clock import StopToken
from atota.errors import AtotaError, ConfigError, Interrupted, Outcome, UsageError
from atota.settings.adapter import port_of
from atota.settings.board import Board
from atota.settings.resolve import load_settings, unknown_variables
from atota.settings.table import Settings

_HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none


class Call:
    """The argument of a command's body.

    Attributes:
        out: the output.
        stop: set by Ctrl-C.
    """

    def __init__(self, options: Mapping[str, object], out: Output) -> None:
        self.out = out
        self.stop = StopToken()
        self._options = options
        self._merged: tuple[Settings, Board | None] | None = None
        self._port: str | None = None

    @classmethod
    def of(
        cls, command: str, options: Mapping[str, object], output: Mapping[str, Any], ending: Ending
    ) -> Self:
        """Make the call of ``command`` from its settings' options and its output's options."""
        verbosity = -1 if output["quiet"] else output["verbose"]
        out = Output(
            command,
            json=output["json"],
            verbosity=verbosity,
            progress=not output["no_progress"],
            ending=ending,
        )
        return cls(options, out)

    @property
    def settings(self) -> Settings:
        """The settings, merged from options, environment, board file and user configuration."""
        return self._merge()[0]

    @property
    def board(self) -> Board | None:
        """The board file, if one is named."""
        return self._merge()[1]

    def settings_on(self, board: Path | None) -> tuple[Settings, Board | None]:
        """Return the settings merged with another board file than the one that they name; None: with it."""
        return (
            self._merge() if board is None else load_settings({**self._options, "board": board}, os.environ)
        )

    @property
    def port(self) -> str:
        """The port that the settings name, or the one that their board's adapter is on.

        Raises:
            UsageError: they name none.
            PortNotFound: no port, or more than one, fits the board or the search.
            NoAnswer: the port was to be searched, and no module answers.
        """
        if self._port is None:
            self._port = self._found_port()
        return self._port

    @property
    def names_port(self) -> bool:
        """True if the settings name a port, or a board whose adapter is on one."""
        return self.settings.port is not None or self._has_adapter

    @property
    def _has_adapter(self) -> bool:
        return self.board is not None and self.board.adapter.given

    def _found_port(self) -> str:
        settings, board = self.settings, self.board
        if settings.port is not None and settings.port.lower() == "auto":
            from atota.module.search import find_port  # few commands need it

            port = find_port(board=board, baud=settings.baud, stop=self.stop, note=self.out.say)
        elif settings.port is not None:
            return settings.port
        elif board is not None and board.adapter.given:
            port = port_of(board)
        else:
            raise UsageError("no port was given", hint="Give -p PORT; `atota ports` lists what is there.")
        self.out.say(f"port: {port}")
        return port

    def _merge(self) -> tuple[Settings, Board | None]:
        if self._merged is None:
            for name, meant in unknown_variables(os.environ).items():
                guess = f"; did you mean {' or '.join(meant)}?" if meant else ""
                self.out.warn(f"the variable {name} is unknown{guess}")
            self._merged = load_settings(self._options, os.environ)
            if self.out.verbosity > 0:
                for line in self._merged[0].explain():
                    self.out.say(f"  {line}")
        return self._merged

    def done(self, page: Page | None = None, *, outcome: Outcome = Outcome.DONE, **fields: Any) -> None:
        """End well, as a command that does not run a job: print the page, or the result line.

        Raises:
            ConfigError: stdout cannot be written, so what the user asked for is lost.
        """
        self.out.result(page, ok=True, outcome=outcome, exit_code=0, **fields)
        problem = lost(sys.stdout)
        if problem is not None:
            raise ConfigError(
                f"stdout cannot be written: {problem.strerror}",
                hint="Make room on the disk, or send stdout elsewhere, and run the command again.",
            )


def perform(call: Call, body: Callable[[Call], int | None]) -> None:
    """Run a command's body; every error ends here, as words, a last JSON line and an exit code."""
    try:
        with _interruptible(call):
            code = body(call) or 0
    except AtotaError as error:
        code = call.out.failure(error)
    except KeyboardInterrupt:
        code = call.out.failure(Interrupted("stopped by the user"))
    except Exception as error:  # noqa: BLE001 - the edge of the process: a bug must still end in a result line
        code = _bug(call, error)
    sys.exit(code)


def _bug(call: Call, error: Exception) -> int:
    code = call.out.failure(AtotaError(f"this is a bug of ours: {type(error).__name__}: {error}"))
    if call.out.verbosity > 0:
        traceback.print_exception(error)
    else:
        last = traceback.extract_tb(error.__traceback__)[-1]
        call.out.say(f"  at {Path(last.filename).name}:{last.lineno}; -v shows all of it")
    return code


@contextmanager
def _interruptible(call: Call) -> Iterator[None]:
    """Let Ctrl-C and a lost terminal set the stop token; a second Ctrl-C breaks in where that is allowed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if number == _HANGUP and call.stop.is_noted:
            return  # one hang-up arrives several times: from the terminal, and from the shell
        if call.stop.is_set:
            raise KeyboardInterrupt
        call.stop.set()
        if number == signal.SIGINT and sys.stderr.isatty():
            call.out.say("")  # the terminal has just shown ^C
        if not call.stop.is_set:
            call.out.say("An update was started, and is waited for. Ctrl-C again leaves its module alone.")

    numbers = [signal.SIGINT, signal.SIGTERM]
    if _HANGUP is not None and signal.getsignal(_HANGUP) is not signal.SIG_IGN:  # as under `nohup`
        numbers.append(_HANGUP)
    previous = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
