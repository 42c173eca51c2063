"""Commands about dialect profiles: dialects list, dialects show, dialects check."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atota.cli.command import Call, command
from atota.cli.options import SHOW, complete_dialects

if TYPE_CHECKING:
    from rich.table import Table

    from atota.review.review import Review

_NAME = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="A dialect.", autocompletion=complete_dialects)
]


def declare(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for name, example, body in (
        ("list", "atota dialects list", list_dialects),
        ("show", "atota dialects show quectel-hi2115", show_dialect),
        ("check", "atota dialects check quectel-hi2115", check_dialects),
    ):
        command(app, name, SHOW, example=example, shown_as=f"dialects {name}")(body)


def list_dialects(call: Call) -> None:
    """List the built-in dialects and your own: what they are for, and how they update."""
    from atota.dialects.loader import listed

    call.out.begin()
    entries = listed()
    if not call.out.json:
        call.out.show(_list_table(entries))
    for entry in entries:
        if entry.wrong is not None:
            call.out.warn(entry.wrong)
    import msgspec

    call.done(dialects=msgspec.to_builtins(entries))


def _list_table(entries: Any) -> "Table":
    from rich.table import Table

    from atota.cli.output import plain, styled

    table = Table(box=None, header_style="bold")
    for heading in ("name", "method", "extends", "for"):
        table.add_column(heading, no_wrap=heading != "for", overflow="fold")
    for entry in entries:
        if entry.wrong is not None:
            table.add_row(plain(entry.name), styled("[red]{}[/]", "wrong"), "-", plain(entry.where))
            continue
        told = [entry.title]
        if entry.hardware == "seen":
            told.append("seen on hardware")
        if entry.where != "built-in":
            told.append(entry.where)
        table.add_row(*map(plain, (entry.name, entry.method, entry.extends or "-", "; ".join(told))))
    return table


def show_dialect(call: Call, name: _NAME) -> None:
    """Show a whole dialect as TOML, with the file that each value comes from and the sources written out."""
    import msgspec

    from atota.dialects import loader
    from atota.dialects.dump import as_toml, explain

    call.out.begin()
    dialect = loader.load(name)
    origins = explain(name)
    files = [layer.label for layer in loader.layers(name)]
    if not call.out.json:
        call.out.show(as_toml(name).rstrip())
    call.done(
        dialect=msgspec.to_builtins(dialect), files=files, origins=msgspec.to_builtins(origins, str_keys=True)
    )


def check_dialects(
    call: Call,
    dialect: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE|NAME]...", help="Profiles; if none: all.", show_default=False),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL", help="Play it against this simulated module too; may be given again."),
    ] = None,
    traces: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Literal conversations, a folder for each simulated module."),
    ] = None,
) -> int:
    """Validate profiles, then play them against simulated modules and literal conversations.

    Exit 3 if one is wrong. Nothing is sent to any port.
    """
    from atota.cli.reviews import review_fields, show_review
    from atota.errors import ConfigError
    from atota.review.review import every_profile, review, traces_folder

    call.out.begin()
    folder = traces if traces is not None else traces_folder()
    found: list[Review] = []
    for name in dialect or every_profile():
        found.append(review(name, against=against or (), traces=folder))
        if not call.out.json:
            show_review(call.out, found[-1], whole=bool(dialect) or call.out.verbosity > 0)
    told = [review_fields(one) for one in found]
    wrong = [one.file for one in found if one.wrong]
    if not wrong:
        call.done(dialects=told)
        return 0
    error = ConfigError(
        f"{len(wrong)} of {len(found)} profiles wrong: {', '.join(wrong)}",
        hint="Correct each file at the place named, and run the command again.",
        tried=tuple(str(mistake) for one in found for mistake in one.mistakes) if call.out.json else (),
    )
    call.out.failure(error, dialects=told)
    return error.exit_code
