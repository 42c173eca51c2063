"""Completion for the shell: the names that a word of the command line may become.

A completer never fails: where a journal or a file cannot be read, the shell gets no names.
"""

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from atota.errors import AtotaError
from atota.outcomes import JOB_OUTCOMES, Outcome

if TYPE_CHECKING:
    from atota.journal.model import Record

_NEWEST = 200
"""Records of a journal among which names are looked for."""
Completer = Callable[..., Iterable[str | tuple[str, str]]]


def complete_ports(incomplete: str) -> list[str]:
    """Return names of serial ports, and ``sim://`` URLs."""
    from atota.link.ports import port_names

    begun = [name for name in port_names() if name.startswith(incomplete)]
    schemes = [] if incomplete.startswith("sim://") else ["sim://", "socket://", "rfc2217://", "replay://"]
    urls = complete_sim_urls(incomplete) if incomplete.startswith("sim://") else []
    return [*begun, *urls, *(scheme for scheme in schemes if scheme.startswith(incomplete))]


def complete_sim_urls(incomplete: str) -> list[str]:
    """Return ``sim://`` URLs that begin so: the model first, then an option, then a fault."""
    from atota.sim.chips.catalogue import find_chip
    from atota.sim.chips.faults import CHIP_FAULTS
    from atota.sim.chips.options import CHIP_OPTIONS
    from atota.sim.faults import KNOWN_FAULTS
    from atota.sim.options import KNOWN_OPTIONS

    begun = re.fullmatch(r"(.*[?&])([^?&=]*)(=(?:.*\+)?)?([^=+]*)", incomplete)
    if begun is None:
        return [f"sim://{model}" for model in complete_simulated(incomplete.removeprefix("sim://"))]
    head, option, equals, value = begun.groups()
    chip = find_chip(incomplete.removeprefix("sim://").partition("?")[0])
    if equals is None:
        options = CHIP_OPTIONS if chip else KNOWN_OPTIONS
        return [f"{head}{name}=" for name in options if name.startswith(option)]
    faults = CHIP_FAULTS.kinds if chip else KNOWN_FAULTS
    names = faults if option == "fault" else ()
    return [f"{head}{option}{equals}{name}" for name in names if name.startswith(value)]


def complete_simulated(incomplete: str) -> list[str]:
    """Return names of simulated modules and chips."""
    from atota.sim.chips.catalogue import CHIPS
    from atota.sim.personas.catalogue import PERSONAS

    return _begun(incomplete, (*(persona.name for persona in PERSONAS), *CHIPS))


def complete_faults(incomplete: str) -> list[tuple[str, str]]:
    """Return names of faults of a simulated module, each with its effect."""
    from atota.sim.faults import KNOWN_FAULTS

    return [(name, kind.help) for name, kind in KNOWN_FAULTS.items() if name.startswith(incomplete)]


def complete_platform_faults(incomplete: str) -> list[tuple[str, str]]:
    """Return names of faults of the local platform, each with its effect."""
    from atota.otaserver.faults import KNOWN

    return [(name, kind.help) for name, kind in KNOWN.items() if name.startswith(incomplete)]


def complete_dialects(incomplete: str) -> list[str]:
    """Return names of dialects."""
    from atota.dialects.loader import names, own_files

    return _begun(incomplete, (*names(), *own_files()))


def complete_methods(incomplete: str) -> list[str]:
    """Return names of methods."""
    from atota.dialects.registry import method_names

    return _begun(incomplete, method_names())


def complete_apis(incomplete: str) -> list[str]:
    """Return names of the APIs of platforms."""
    from atota.ota.registry import names

    return _begun(incomplete, names())


def complete_models(incomplete: str) -> list[str]:
    """Return names of the catalogue's models."""
    from atota.dialects.catalogue import rows

    return _begun(incomplete, (row.model for row in rows() if row.task_type == "fota"))


def complete_outcomes(incomplete: str) -> list[str]:
    """Return the outcomes of jobs."""
    return _begun(incomplete, (outcome.value for outcome in JOB_OUTCOMES))


def complete_records(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return ids of records, the newest first, each with its model and outcome."""
    return [
        (record.id, f"{record.model or '-'} {record.outcome}")
        for record in _records(ctx)
        if record.id.startswith(incomplete)
    ]


def complete_runs(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return runs that are not settled, the newest first, each with its model and outcome."""
    runs: dict[str, str] = {}
    for record in _records(ctx):
        is_open = not Outcome(record.outcome).is_settled
        if record.run not in runs:
            runs[record.run] = f"{record.model or '-'} {record.outcome}" if is_open else ""
    return [(run, words) for run, words in runs.items() if words and run.startswith(incomplete)]


def complete_words(*words: str) -> Completer:
    """Return a completer of these words."""

    def complete(incomplete: str) -> list[str]:
        return _begun(incomplete, words)

    return complete


def _begun(incomplete: str, names: Iterable[str]) -> list[str]:
    """Return the names that begin so, in any case of letters."""
    start = incomplete.casefold()
    return [name for name in names if name.casefold().startswith(start)]


def _records(ctx: typer.Context) -> list["Record"]:
    from atota.clock import SystemClock
    from atota.journal.store import Journal, default_path
    from atota.settings.resolve import load_settings
    from atota.values import nature_of

    records: list[Record] = []
    with suppress(AtotaError):
        given = {name: ctx.params.get(name) for name in ("journal", "port")}
        settings, _ = load_settings(given, os.environ)
        path = settings.journal or default_path(nature_of(settings.port or ""))
        journal = Journal.reading(path, clock=SystemClock())
        if journal is not None:
            with journal:
                records += journal.records(limit=_NEWEST)
    return records
