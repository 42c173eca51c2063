"""What a command prints: JSON Lines on stdout for programs, or text for people. Nothing else prints.

With ``--json`` stdout holds data only and people's text goes to stderr; the last line is always a
``result``, also on failure. Without it the result is text on stdout, progress and warnings go to stderr.
"""

import datetime as dt
import sys
from typing import Any, ClassVar

import msgspec

from atota.errors import AtotaError

SCHEMA = 1


def utc_now() -> str:
    """Now as UTC ISO 8601 with milliseconds."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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

    @property
    def draws(self) -> bool:
        """Whether a live picture makes sense: somebody looks at a terminal and wants it."""
        return self.progress and self.verbosity >= 0 and not self.json and sys.stderr.isatty()

    def begin(self, **fields: Any) -> None:
        """Print the first JSON line."""
        from atota import __version__

        self.event("begin", schema=SCHEMA, command=self.command, tool_version=__version__, **fields)

    def event(self, name: str, **fields: Any) -> None:
        """Print one JSON line; nothing for people."""
        if self.json:
            head = {"schema": fields.pop("schema")} if "schema" in fields else {}
            line = {**head, "event": name, "time": utc_now(), **fields}
            print(msgspec.json.encode(line).decode(), flush=True)  # noqa: T201

    def show(self, text: object = "") -> None:
        """Print a result for people: to stdout, or to stderr where stdout belongs to programs."""
        if self.verbosity < 0 and self.json:
            return
        _console(stderr=self.json).print(text, soft_wrap=not _is_renderable(text), highlight=False)

    def say(self, text: object) -> None:
        """Tell people how it goes, on stderr; not if they want quiet."""
        if self.verbosity >= 0:
            _console(stderr=True).print(text, soft_wrap=True, highlight=False)

    def warn(self, text: str) -> None:
        """Warn people, on stderr, however quiet they want it."""
        from rich.text import Text

        line = Text("warning: ", "yellow").append(text, "default")
        _console(stderr=True).print(line, soft_wrap=True, highlight=False)

    def result(self, *, ok: bool, outcome: str, exit_code: int, **fields: Any) -> None:
        """Print the last JSON line; once in the life of the process."""
        if not Output.ended:
            Output.ended = True
            head = {"command": self.command, "ok": ok, "outcome": outcome, "exit_code": exit_code}
            self.event("result", schema=SCHEMA, **head, **fields)

    def failure(self, error: AtotaError, **fields: Any) -> None:
        """Say what ended the command: what happened, what was tried, what to do next."""
        told = error_fields(error)
        self.result(ok=False, outcome=error.outcome, exit_code=error.exit_code, **fields, error=told)
        explain(error)


def explain(error: AtotaError) -> None:
    """Print an error for people."""
    from rich.text import Text

    console = _console(stderr=True)
    text = Text("error: ", "bold red").append(error.message, "default")
    text.append(f"  ({error.outcome}, exit {error.exit_code})", "dim")
    for place, line in enumerate(error.tried):
        text.append(f"\n{'  tried: ' if not place else '         '}", "dim").append(line, "default")
    text.append("\n  next:  ", "bold").append(error.hint, "default")
    console.print(text, soft_wrap=True, highlight=False)


def error_fields(error: AtotaError) -> dict[str, Any]:
    """An error as JSON has it."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "tried": list(error.tried),
        "retry": error.retry.value,
    }


def _is_renderable(text: object) -> bool:
    return hasattr(text, "__rich_console__")


def _console(*, stderr: bool) -> Any:
    from rich.console import Console  # rich is loaded when there is something to print

    return Console(stderr=stderr)
