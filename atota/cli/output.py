"""What a command prints: JSON Lines on stdout for programs, or text for people. Nothing else prints.

With ``--json`` stdout holds data only and people's text goes to stderr; the first line is always a
``begin`` and the last one always a ``result``, also on failure. Without it the result is text on stdout,
progress and warnings go to stderr. A reader that goes away (``| head``) ends the words, never the work.
"""

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

from atota.clock import SystemClock, utc_iso
from atota.errors import AtotaError, error_fields

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

SCHEMA = 1
_LOCK = threading.Lock()  # lanes of the demo print at the same time


def plain(value: object) -> str:
    """A value as text that does nothing to a terminal: control characters are written as escapes."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def styled(template: str, *values: object) -> "Text":
    """Rich markup with values in its ``{}``, each shown as it is, whatever brackets it holds."""
    from rich.markup import escape
    from rich.text import Text

    return Text.from_markup(template.format(*(escape(plain(value)) for value in values)), emoji=False)


class Output:
    """Where a command's words go.

    Args:
        command: the command's name, as typed.
        json: print JSON Lines.
        verbosity: -1 quiet, 0 normal, 1 or more: more.
        progress: whether bars may be drawn.
    """

    ended: ClassVar[bool] = False
    """Whether a result line was printed: there is one process, one command and one result."""

    def __init__(self, command: str, *, json: bool, verbosity: int = 0, progress: bool = True) -> None:
        self.command = command
        self.json = json
        self.verbosity = verbosity
        self.progress = progress
        self._begun = False

    @property
    def draws(self) -> bool:
        """Whether a live picture makes sense: somebody looks at a terminal and wants it."""
        if not self.progress or self.verbosity < 0 or self.json or os.environ.get("TERM") == "dumb":
            return False
        return sys.stderr.isatty()

    def begin(self, **fields: Any) -> None:
        """Print the first JSON line; once."""
        from atota._version import __version__

        if not self._begun:
            self._begun = True
            self.event("begin", schema=SCHEMA, command=self.command, tool_version=__version__, **fields)

    def event(self, name: str, **fields: Any) -> None:
        """Print one JSON line; nothing for people."""
        if not self.json:
            return
        import msgspec

        head = {"schema": fields.pop("schema")} if "schema" in fields else {}
        told = {**head, "event": name, "time": utc_iso(SystemClock().time()), **fields}
        self.data(msgspec.json.encode(told) + b"\n")

    def data(self, data: bytes) -> None:
        """Write data to stdout as it is: it is UTF-8, whatever the terminal's encoding is."""
        try:
            with _LOCK:
                sys.stdout.buffer.write(data)
                sys.stdout.flush()
        except BrokenPipeError:
            _silence(sys.stdout)

    def show(self, text: object = "") -> None:
        """Print a result for people: to stdout, or to stderr where stdout belongs to programs."""
        if self.verbosity < 0 and self.json:
            return
        write(text, stderr=self.json)

    def say(self, text: object) -> None:
        """Tell people how it goes, on stderr; not if they want quiet."""
        if self.verbosity >= 0:
            write(text, stderr=True)

    def warn(self, text: str) -> None:
        """Warn people, on stderr, however quiet they want it."""
        write(styled("[yellow]warning:[/] {}", text), stderr=True)

    def result(self, *, ok: bool, outcome: str, exit_code: int, **fields: Any) -> None:
        """Print the last JSON line; once in the life of the process."""
        if not Output.ended:
            Output.ended = True
            self.begin()
            head = {"command": self.command, "ok": ok, "outcome": outcome, "exit_code": exit_code}
            self.event("result", schema=SCHEMA, **head, **fields)

    def failure(self, error: AtotaError, **fields: Any) -> None:
        """Say what ended the command: what happened, what was tried, what to do next."""
        told = error_fields(error)
        self.result(ok=False, outcome=error.outcome, exit_code=error.exit_code, **fields, error=told)
        explain(error)


def explain(error: AtotaError) -> None:
    """Print an error for people."""
    text = styled(
        "[bold red]error:[/] {}[dim]  ({}, exit {})[/]", error.message, error.outcome, error.exit_code
    )
    for place, line in enumerate(error.tried):
        text.append(styled("\n[dim]{}[/]{}", "         " if place else "  tried: ", line))
    text.append(styled("\n[bold]  next:  [/]{}", error.hint))
    write(text, stderr=True)


def write(text: object, *, stderr: bool) -> None:
    """Print text as it is, or something that rich can draw."""
    from rich.text import Text

    table = hasattr(text, "__rich_console__") and not isinstance(text, Text)
    shown = plain(text) if isinstance(text, str) else text
    console(stderr=stderr).print(shown, soft_wrap=not table)


def console(*, stderr: bool) -> "Console":
    """A rich console on stdout or stderr that outlives its reader."""
    from rich.console import Console  # rich is loaded when there is something to print

    class Lasting(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            _silence(sys.stderr if stderr else sys.stdout)

    return Lasting(stderr=stderr, markup=False, emoji=False, highlight=False)


def _silence(stream: TextIO) -> None:
    """Nobody reads a stream any more: let the rest go nowhere, so that the work itself goes on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
