"""The options that choose records, shared by the commands that list and write them."""

import datetime as dt
import functools
import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer

from atota.cli.completion import complete_outcomes
from atota.errors import UsageError
from atota.journal.model import Record
from atota.journal.store import Journal
from atota.names import advice
from atota.outcomes import JOB_OUTCOMES
from atota.values import is_imei

_PANEL = "Which records"


def _option(kind: Any, flag: str, metavar: str, about: str, **more: Any) -> inspect.Parameter:
    option = typer.Option(flag, metavar=metavar, help=about, rich_help_panel=_PANEL, **more)
    name = flag.removeprefix("--")
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


_OPTIONS = (
    _option(str, "--imei", "DIGITS", "Of this module: its IMEI, or the last digits of it."),
    _option(
        str,
        "--outcome",
        "OUTCOME",
        "With this outcome, such as updated or write-failed.",
        autocompletion=complete_outcomes,
    ),
    _option(str, "--model", "NAME", "Of modules that call themselves so; * stands for any characters."),
    _option(str, "--version", "TEXT", "With this version before, as target, or after; * as above."),
    _option(str, "--port", "PORT", "Of this port, such as /dev/ttyUSB0 or ttyUSB0; * as above."),
    _option(str, "--board", "NAME", "Of the board of this name; * as above."),
    _option(str, "--since", "DATE", "Ended on this day or later; a day or a time such as 2026-07-01T08:00."),
    _option(str, "--until", "DATE", "Ended on this day or before, or before this time."),
    _option(str, "--batch", "BATCH", "Of this batch of a station."),
    _option(str, "--station", "NAME", "Of this station."),
    _option(int, "--lane", "N", "Of this lane of a station.", min=1),
    _option(str, "--serial", "TEXT", "Of the unit whose label or module has this serial number."),
    _option(int, "--limit", "N", "The newest N. \\[list: 20, unless with --json]", min=1),
)


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """A choice of records; times in seconds since the epoch, and None means any."""

    imei: str | None = None
    imei_end: str | None = None
    outcome: str | None = None
    model: str | None = None
    version: str | None = None
    port: str | None = None
    board: str | None = None
    since: float | None = None
    until: float | None = None
    batch: str | None = None
    station: str | None = None
    lane: int | None = None
    serial: str | None = None
    limit: int | None = None

    @classmethod
    def of(cls, **values: Any) -> "Filter":
        """Parse the options.

        Raises:
            UsageError: one of them fits no record at all.
        """
        imei, outcome = values.pop("imei"), values["outcome"]
        if imei is not None and re.fullmatch(r"\d{1,15}", imei) is None:
            raise UsageError(
                f"--imei {imei!r} is not an IMEI: it has fifteen digits, or give the last of them"
            )
        if outcome is not None and outcome not in JOB_OUTCOMES:
            hint = advice(outcome, JOB_OUTCOMES, known="Outcomes")
            raise UsageError(f"--outcome {outcome!r} is unknown", hint=hint)
        is_whole = imei is not None and is_imei(imei)
        values |= {
            "imei": imei if is_whole else None,
            "imei_end": None if is_whole else imei,
            "since": _moment("--since", values["since"]),
            "until": _moment("--until", values["until"], whole_day=True),
        }
        return cls(**values)

    def apply(self, journal: Journal | None, limit: int | None) -> list[Record]:
        """Return the newest records that fit."""
        if journal is None:
            return []
        return journal.records(**msgspec.structs.asdict(self) | {"limit": limit})

    @property
    def is_open(self) -> bool:
        """True if nothing is chosen but the number of records."""
        return msgspec.structs.replace(self, limit=None) == Filter()


def filtered(body: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of records; its body takes them as ``filter_``."""
    own = [one for one in inspect.signature(body, eval_str=True).parameters.values() if one.name != "filter_"]

    @functools.wraps(body)
    def run(call: Any, **values: Any) -> None:
        chosen = {one.name: values.pop(one.name) for one in _OPTIONS}
        body(call, filter_=Filter.of(**chosen), **values)

    run.__signature__ = inspect.Signature([*own, *_OPTIONS])  # type: ignore[attr-defined]
    return run


def _moment(flag: str, text: str | None, *, whole_day: bool = False) -> float | None:
    """Return a local day or time in seconds since the epoch; with ``whole_day``, the end of a day."""
    if text is None:
        return None
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{flag} {text!r} is not a date", hint="Write it as 2026-07-01 or 2026-07-01T08:00."
        ) from None
    if whole_day and len(text) <= len("2026-07-01"):
        at += dt.timedelta(days=1)
    return at.timestamp()
