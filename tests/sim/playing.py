"""The host's side of a literal conversation, for each way of updating, without a wire."""

from collections.abc import Callable
from pathlib import Path

from atota.sim.link import make_module
from atota.sim.module import SimModule
from atota.sim.options import Options
from atota.sim.personas.catalogue import PERSONAS
from atota.transcript.trace import Host, Module, Pause, read_trace
from tests.sim.test_sim_traces import TRACES


def ways() -> dict[str, Path]:
    """A conversation of each way of updating, by the updater's class."""
    traces: dict[str, Path] = {}
    for persona in PERSONAS:
        kind = type(make_module(persona.name).updater).__name__
        traces.setdefault(kind, TRACES / persona.name.lower() / f"{persona.way.name}.trace")
    return {kind: path for kind, path in traces.items() if kind != "NoUpdater"}


WAYS = ways()


def module_of(path: Path, *faults: str) -> SimModule:
    """The module of a trace, for which every package is good."""
    trace = read_trace(path)
    options = dict(part.split("=") for one in trace.values("sim") for part in one.split("&"))
    push = options.get("push", "")
    return make_module(
        trace.persona,
        Options(
            baud=trace.baud,
            accept_any=True,
            becomes=push or "NEW",
            push=push,
            fetch=lambda _url: bytes(2000),
        ),
        faults=faults,
    )


def _ready(module: SimModule, is_line: bool, now: float) -> float:
    """Wait before a line for the end of an erase, a transfer or a boot; before bytes for the prompt."""
    now += 9.0 if is_line else 0.02
    module.tick(now)
    end = now + (3000.0 if is_line else 5.0)
    while now < end and (
        module.booting or module.bytes_needed is not None if is_line else module.bytes_needed is None
    ):
        now += 5.0 if is_line else 0.02
        module.tick(now)
    return now


def play(
    path: Path, *faults: str, until: Callable[[SimModule], bool] = lambda _module: False
) -> tuple[SimModule, set[str], float]:
    """Say what the host says, whatever the module answers, to the end or until something is so.

    Returns:
        The module, the positions that were passed, and the time.
    """
    module = module_of(path, *faults)
    now = 0.0
    passed: set[str] = set()
    is_payload = False
    for line in read_trace(path).lines:
        if isinstance(line, Module):
            now += 1.5 if is_payload else 0.0  # what was refused is asked for again
            is_payload = False
        elif isinstance(line, Host):
            now = _ready(module, line.is_line, now)
            passed |= module.updater.positions(line.data[:-1]) if line.is_line else set()
            module.feed(line.data, now)
            is_payload = not line.is_line
        elif isinstance(line, Pause):
            now = _ready(module, is_line=False, now=now) + line.seconds
            is_payload = False
        if until(module):
            return module, passed - {""}, now
    module.tick(now + 100.0)
    return module, passed - {""}, now + 100.0
