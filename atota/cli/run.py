"""The edge of the process: starts the command line, and ends a wrong call as JSON where asked for."""

import sys

USAGE = 2


def main() -> None:
    """Run the command that ``sys.argv`` names."""
    from atota.cli.app import app

    try:
        app()
    except SystemExit as ended:
        if ended.code == USAGE and "--json" in sys.argv[1:]:
            _wrong_call()
        raise


def _wrong_call() -> None:
    """Typer has told people on stderr what is wrong with the call; tell the program, too."""
    from atota.cli.output import Output, error_fields
    from atota.errors import UsageError

    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    out = Output(words[0] if words else "", json=True)
    error = UsageError("the command line is wrong; stderr says where")
    out.result(ok=False, outcome=error.outcome, exit_code=USAGE, error=error_fields(error))
