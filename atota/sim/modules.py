"""Simulated modules by their model's name."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from atota.sim.fetch import http_fetch
from atota.sim.module import SimModule
from atota.sim.options import Options
from atota.sim.personas.catalogue import find_persona


def make_module(
    model: str,
    options: Options | None = None,
    *,
    faults: Iterable[str] = (),
    on_change: Callable[[str], None] | None = None,
) -> SimModule:
    """Make a simulated module by its model's name; one that downloads by itself does so over HTTP.

    Raises:
        UsageError: the model or a fault is unknown.
    """
    options = options or Options()
    if options.fetch is None:
        options = replace(options, fetch=http_fetch)
    return SimModule(find_persona(model), options, faults=faults, on_change=on_change)
