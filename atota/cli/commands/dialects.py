"""Commands about dialect profiles: dialects list, dialects show, dialects check."""

from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from atota.cli.call import Call
from atota.cli.completion import complete_dialects, complete_simulated
from atota.cli.view.output import plural
from atota.cli.view.review import checkout_traces, review_fields, show_review
from atota.cli.view.tables import dialects_table
from atota.dialects import loader
from atota.dialects.dump import as_toml, explain
from atota.errors import ConfigError
from atota.review.review import Review, every_profile, review
from atota.testing.rehearse import Rehearsal

_NAME = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="A dialect.", autocompletion=complete_dialects)
]


def list_dialects(call: Call) -> None:
    """Print the dialects; warn of files that are wrong."""
    entries = loader.listed()
    call.out.begin()
    for entry in entries:
        if entry.wrong is not None:
            call.out.warn(entry.wrong)
    call.done(partial(dialects_table, entries), dialects=msgspec.to_builtins(entries))


def show_dialect(call: Call, name: _NAME) -> None:
    """Print one dialect, with the origin of each value."""
    call.out.begin()
    dialect = loader.load(name)
    origins = explain(name)
    files = [layer.label for layer in loader.layers(name)]
    call.done(
        lambda: as_toml(name).rstrip(),
        dialect=msgspec.to_builtins(dialect),
        files=files,
        origins=msgspec.to_builtins(origins, str_keys=True),
    )


def check_dialects(
    call: Call,
    dialect: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|NAME",
            help="Profiles; all without it.",
            show_default=False,
            autocompletion=complete_dialects,
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="Play it against this simulated module too; may be given again.",
            autocompletion=complete_simulated,
        ),
    ] = None,
    traces: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Literal conversations, a folder for each simulated module."),
    ] = None,
) -> int:
    """Print a review of each profile; return 3 if one is wrong."""
    call.out.begin()
    folder = traces if traces is not None else checkout_traces()
    reviews: list[Review] = []
    for name in dialect or every_profile():
        reviews.append(review(name, rehearsal=Rehearsal(), against=against or (), traces=folder))
        show_review(call.out, reviews[-1], whole=bool(dialect) or call.out.verbosity > 0)
    fields = [review_fields(one) for one in reviews]
    wrong = [one.file for one in reviews if one.wrong]
    if not wrong:
        call.done(dialects=fields)
        return 0
    error = ConfigError(
        f"{len(wrong)} of {plural(len(reviews), 'profile')} wrong: {', '.join(wrong)}",
        hint="Correct each file at the place named, and run the command again.",
        tried=tuple(str(mistake) for one in reviews for mistake in one.mistakes) if call.out.json else (),
    )
    return call.out.failure(error, dialects=fields)
