"""The commands, put together. Importing this loads none of what they need."""

import typer

from atota.cli import (
    commands_dialects,
    commands_doctor,
    commands_jobs,
    commands_look,
    commands_platform,
    commands_records,
    commands_report,
    commands_sim,
)

_PROMISE = "Take a cellular module from the firmware it has to the firmware that the OTA platform wants."

app = typer.Typer(
    name="atota",
    help=_PROMISE,
    epilog="Start with `atota demo`: it needs no hardware and no network.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
sim = typer.Typer(help="Simulated modules and the local OTA platform, for any program.", no_args_is_help=True)
dialects = typer.Typer(help="How modules talk: built-in profiles and your own.", no_args_is_help=True)
records = typer.Typer(help="The journal: what came of the jobs of this machine.", no_args_is_help=True)

commands_look.declare(app)
commands_platform.declare(app)
commands_jobs.declare(app)
commands_report.declare(app)
commands_doctor.declare(app)
commands_sim.declare(app, sim)
commands_dialects.declare(dialects)
commands_records.declare(records)
app.add_typer(sim, name="sim")
app.add_typer(dialects, name="dialects")
app.add_typer(records, name="records")


def _version(wanted: bool) -> None:
    if wanted:
        from atota._version import __version__

        typer.echo(f"atota {__version__}")
        raise typer.Exit


@app.callback(help=_PROMISE)
def root(
    *,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Hold the options of the program itself."""
