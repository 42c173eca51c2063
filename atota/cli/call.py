"""One call of a command: its options, settings and output; and the one place where errors end it."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from atota.cli.output import Output
from atota.clock import StopToken
from atota.errors import AtotaError, Interrupted, UsageError

if TYPE_CHECKING:
    from atota.settings.board import Board
    from atota.settings.resolve import Settings

_SETTINGS = (
    "port",
    "baud",
    "dialect",
    "model",
    "board",
    "server",
    "dev_id",
    "product_id",
    "fw_version",
    "auth_method",
    "device_name",
    "auth_ttl_s",
    "timeout_s",
    "reboot_timeout_s",
    "transcript",
    "journal",
    "access_key_file",
)
BUG = 1


class Call:
    """What a command's body is given.

    Attributes:
        options: every option by name, as given.
        out: where words go.
        stop: set by Ctrl-C.
    """

    def __init__(self, command: str, options: Mapping[str, Any]) -> None:
        self.options = options
        self.stop = StopToken()
        verbosity = -1 if options.get("quiet") else options.get("verbose", 0)
        progress = not options.get("no_progress", False)
        self.out = Output(
            command, json=options.get("json_lines", False), verbosity=verbosity, progress=progress
        )
        self._settings: Settings | None = None
        self._board: Board | None = None

    @property
    def settings(self) -> "Settings":
        """The settings, resolved from options, environment, board file and user configuration."""
        self._resolve()
        assert self._settings is not None
        return self._settings

    @property
    def board(self) -> "Board | None":
        """The board file, if one is named."""
        self._resolve()
        return self._board

    @property
    def port(self) -> str:
        """The port that was asked for.

        Raises:
            UsageError: none was.
        """
        if self.settings.port is None:
            raise UsageError("no port was given", hint="Give -p PORT; `atota ports` lists what is there.")
        return self.settings.port

    def _resolve(self) -> None:
        if self._settings is not None:
            return
        import os

        from atota.settings import resolve as where
        from atota.settings.board import load_board

        given = {name: self.options.get(name) for name in _SETTINGS}
        given["type"] = self.options.get("type_")
        config = where.load_user_config(os.environ)
        path = where.board_path(given, os.environ, config)
        self._board = load_board(path) if path is not None else None
        self._settings = where.resolve(given, os.environ, self._board, config)
        if self.out.verbosity > 0:
            for line in self._settings.explain():
                self.out.say(f"  {line}")

    def done(self, **fields: Any) -> None:
        """End well, as a command that is no job."""
        self.out.result(ok=True, outcome=fields.pop("outcome", "done"), exit_code=0, **fields)


def perform(command: str, options: Mapping[str, Any], body: Callable[[Call], int | None]) -> None:
    """Run a command's body; every error ends here, as words, a last JSON line and an exit code."""
    call = Call(command, options)
    Output.ended = False
    try:
        with _interruptible(call):
            code = body(call) or 0
    except AtotaError as error:
        call.out.failure(error)
        code = error.exit_code
    except KeyboardInterrupt:
        interrupted = Interrupted("stopped by the user")
        call.out.failure(interrupted)
        code = interrupted.exit_code
    except Exception as error:  # noqa: BLE001 - the edge of the process: a bug must still end in a result line
        code = _bug(call, error)
    sys.exit(code)


def _bug(call: Call, error: Exception) -> int:
    import traceback

    told = AtotaError(f"this is a bug of ours: {type(error).__name__}: {error}")
    call.out.failure(told)
    if call.out.verbosity > 0:
        traceback.print_exception(error)
    else:
        last = traceback.extract_tb(error.__traceback__)[-1]
        call.out.say(f"  at {Path(last.filename).name}:{last.lineno}; -v shows all of it")
    return BUG


@contextmanager
def _interruptible(call: Call) -> Iterator[None]:
    """Let Ctrl-C set the stop token; when that has been ignored for good, let it break in."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if call.stop.is_set:
            raise KeyboardInterrupt
        call.stop.set()
        if not call.stop.is_set:
            call.out.say("The module is updating itself: waiting for it. Ctrl-C again leaves it alone.")

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
