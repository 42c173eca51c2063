"""The edge of the process: starts the command line, and ends a wrong call as JSON where asked for."""

import sys

from atota.cli.app import GROUPS, app
from atota.cli.bash import whole_words
from atota.cli.streams import make_lasting
from atota.cli.view.output import Ending, Output
from atota.errors import ConfigError, Outcome, UsageError


def main() -> None:
    """Run the command that ``sys.argv`` names."""
    make_lasting()
    ending = Ending()
    try:
        with whole_words():
            app(prog_name="atota", obj=ending)  # also as `python -m atota`
    except SystemExit as end:
        if end.code == Outcome.USAGE.exit_code and "--json" in sys.argv[1:]:
            _end_wrong_call(ending)
        raise
    except OSError as error:  # a command's own errors end in `perform`: this is the shell's start-up file
        out = Output(_command(sys.argv[1:]), json="--json" in sys.argv[1:], ending=ending)
        sys.exit(out.failure(_not_installed(error)))


def _end_wrong_call(ending: Ending) -> None:
    """Print the result line of a call that Typer refused, unless a command has printed one."""
    out = Output(_command(sys.argv[1:]), json=True, ending=ending)
    out.end(UsageError(ending.problem or "the command line is wrong; stderr says where"))


def _command(words: list[str]) -> str:
    """Return the name of the command that was meant, as results have it."""
    names = [word for word in words if not word.startswith("-")]
    groups = [name for name, _, _ in GROUPS]
    return " ".join(names[: 2 if names[:1] and names[0] in groups else 1])


def _not_installed(error: OSError) -> ConfigError:
    where = error.filename or "the shell's start-up file"
    return ConfigError(
        f"the completion cannot be installed: {where}: {error.strerror}",
        hint="Make the file writable, or add the output of `atota --show-completion` to it yourself.",
    )
