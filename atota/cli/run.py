"""The edge of the process: starts the command line, and ends a wrong call as JSON where asked for."""

import io
import sys

USAGE = 2
_GROUPS = ("sim", "dialects", "records")


def main() -> None:
    """Run the command that ``sys.argv`` names."""
    from atota.cli.app import app
    from atota.cli.output import Output

    Output.ended = False
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character gets its number instead
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="atota")  # also as `python -m atota`
    except SystemExit as ended:
        if ended.code == USAGE and "--json" in sys.argv[1:]:
            _wrong_call()
        raise


def _wrong_call() -> None:
    """Typer has told people on stderr what is wrong with the call; tell the program, too."""
    from atota.cli.output import Output
    from atota.errors import UsageError, error_fields

    out = Output(_command(sys.argv[1:]), json=True)
    error = UsageError("the command line is wrong; stderr says where")
    out.result(ok=False, outcome=error.outcome, exit_code=USAGE, error=error_fields(error))


def _command(words: list[str]) -> str:
    """The command that was meant, as results name it."""
    named = [word for word in words if not word.startswith("-")]
    return " ".join(named[: 2 if named[:1] and named[0] in _GROUPS else 1])
