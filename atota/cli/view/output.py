"""The output of a command: JSON Lines on stdout for programs, or text for people. Nothing else prints.

With ``--json`` stdout holds data only and people's text goes to stderr; the first line is always a
``begin`` and the last one always a ``result``, also on failure. Without it the result is a page on stdout,
progress and warnings go to stderr. A stream that cannot be written ends the words, never the work
(`atota.cli.streams`).
"""

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from atota._version import __version__
from atota.cli.streams import lost
from atota.clock import SystemClock, utc_iso
from atota.errors import AtotaError
from atota.journal.facts import ErrorFact

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

SCHEMA = 1
_UNCUT = 4000
"""Columns of a table that no terminal shows."""
Page = object
"""A page for people: a text, something that rich can draw, or a function that makes one of them."""
_LOCK = threading.Lock()  # lanes of the demo print at the same time


def plain(value: object) -> str:
    """Return a value as text that does nothing to a terminal: control characters are written as escapes."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def plural(count: int, noun: str) -> str:
    """Return a number of things: ``1 task``, ``2 tasks``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def styled(template: str, *values: object) -> "Text":
    """Return rich markup with values in its ``{}``, each shown as it is, whatever brackets it holds."""
    from rich.markup import escape
    from rich.text import Text

    return Text.from_markup(template.format(*(escape(plain(value)) for value in values)), emoji=False)


class Ending:
    """The end of one run of the program: a run prints one result line.

    Attributes:
        is_printed: True once the result line was printed.
        problem: the reason for which the call could not be parsed.
    """

    def __init__(self) -> None:
        self.is_printed = False
        self.problem: str | None = None


class Output:
    """The output of one command.

    Args:
        command: the command's name, as typed.
        json: print JSON Lines.
        verbosity: -1 quiet, 0 normal, 1 or more: more.
        progress: True if bars may be drawn.
        ending: the end of the run that the command belongs to.
    """

    def __init__(
        self,
        command: str,
        *,
        json: bool,
        verbosity: int = 0,
        progress: bool = True,
        ending: Ending | None = None,
    ) -> None:
        self.command = command
        self.json = json
        self.verbosity = verbosity
        self.progress = progress
        self._ending = ending or Ending()
        self._has_begun = False
        self._is_warned = False

    @property
    def draws(self) -> bool:
        """True if a live picture makes sense: a terminal shows it and the user wants it."""
        if not self.progress or self.verbosity < 0 or self.json or os.environ.get("TERM") == "dumb":
            return False
        return sys.stderr.isatty()

    def begin(self, **fields: Any) -> None:
        """Print the first JSON line; once."""
        if not self._has_begun:
            self._has_begun = True
            self.event("begin", schema=SCHEMA, command=self.command, tool_version=__version__, **fields)

    def event(self, name: str, page: Page | None = None, **fields: Any) -> None:
        """Print one JSON line; without ``--json``, the page."""
        if not self.json:
            if page is not None:
                self.page(page)
            return
        import msgspec

        head = {"schema": fields.pop("schema")} if "schema" in fields else {}
        line = {**head, "event": name, "time": utc_iso(SystemClock().time()), **fields}
        self.data(msgspec.json.encode(line) + b"\n")

    def page(self, page: Page) -> None:
        """Print a page for people on stdout; nothing with ``--json``."""
        if not self.json:
            write(page() if callable(page) else page, stderr=False)
            self._warn_of_lost_output()

    def data(self, data: bytes) -> None:
        """Write data to stdout as it is: it is UTF-8, whatever the terminal's encoding is."""
        with _LOCK:
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
        self._warn_of_lost_output()

    def _warn_of_lost_output(self) -> None:
        problem = lost(sys.stdout)
        if problem is not None and not self._is_warned:
            self._is_warned = True
            self.warn(f"stdout cannot be written ({problem.strerror}): nothing more is printed there")

    def say(self, text: object) -> None:
        """Print how it goes, on stderr; not if the user wants quiet."""
        if self.verbosity >= 0:
            write(text, stderr=True)

    def warn(self, text: str) -> None:
        """Print a warning on stderr, however quiet the user wants it."""
        write(styled("[yellow]warning:[/] {}", text), stderr=True)

    def warn_if_replaced(self, path: Path) -> None:
        """Warn of a file that is about to be written over."""
        if path.is_file():
            self.warn(f"{path} was there already, and is replaced")

    def result(
        self, page: Page | None = None, *, ok: bool, outcome: str, exit_code: int, **fields: Any
    ) -> None:
        """Print the last JSON line, once in a run; without ``--json``, the page."""
        if not self.json:
            if page is not None:
                self.page(page)
        elif not self._ending.is_printed:
            self._ending.is_printed = True
            self.begin()
            head = {"command": self.command, "ok": ok, "outcome": outcome, "exit_code": exit_code}
            self.event("result", schema=SCHEMA, **head, **fields)

    def end(self, error: AtotaError, **fields: Any) -> int:
        """Print the last JSON line of a failure; return the exit code."""
        self.result(
            ok=False,
            outcome=error.outcome,
            exit_code=error.exit_code,
            **fields,
            error=msgspec.to_builtins(ErrorFact.of(error)),
        )
        return error.exit_code

    def failure(self, error: AtotaError, **fields: Any) -> int:
        """Print the error that ends the command, what was tried and the next step; return the exit code."""
        code = self.end(error, **fields)
        explain(error)
        return code


def explain(error: AtotaError) -> None:
    """Print an error for people."""
    text = styled(
        "[bold red]error:[/] {}[dim]  ({}, exit {})[/]", error.message, error.outcome, error.exit_code
    )
    for index, line in enumerate(error.tried):
        text.append(styled("\n[dim]{}[/]{}", "         " if index else "  tried: ", line))
    text.append(styled("\n[bold]  next:  [/]{}", error.hint))
    write(text, stderr=True)


def write(text: object, *, stderr: bool) -> None:
    """Print text as it is, or something that rich can draw."""
    from rich.text import Text

    table = hasattr(text, "__rich_console__") and not isinstance(text, Text)
    shown = plain(text) if isinstance(text, str) else text
    console(stderr=stderr).print(shown, soft_wrap=not table)


def console(*, stderr: bool) -> "Console":
    """Return a rich console on stdout or stderr."""
    from rich.console import Console  # rich is loaded when there is something to print

    # Into a file or a pipe a table goes uncut: `grep` cannot find what was cut off.
    width = None if (sys.stderr if stderr else sys.stdout).isatty() else _UNCUT
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)
