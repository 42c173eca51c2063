"""The host's side of a literal conversation, for each way of updating, without a wire."""

import re
from collections.abc import Callable
from pathlib import Path

from atota.sim.link import make_module
from atota.sim.module import SimModule
from atota.sim.options import Options
from atota.sim.personas.catalogue import PERSONAS
from tests.sim.test_sim_traces import TRACES, header, unescape


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
    text = path.read_text("ascii")
    options = dict(part.split("=") for one in header(text, "sim") for part in one.split("&"))
    push = options.get("push", "")
    return make_module(
        header(text, "persona")[0],
        Options(
            baud=int((header(text, "baud") or ["9600"])[0]),
            accept_any=True,
            becomes=push or "NEW",
            push=push,
            fetch=lambda _url: bytes(2000),
        ),
        faults=faults,
    )


def _ready(module: SimModule, mark: str, now: float) -> float:
    """Wait before a line for the end of an erase, a transfer or a boot; before bytes for the prompt."""
    if mark == "< ":
        return now
    now += 9.0 if mark == "> " else 0.02
    module.tick(now)
    end = now + (3000.0 if mark == "> " else 5.0)
    while now < end and (
        module.booting or module.bytes_needed is not None if mark == "> " else module.bytes_needed is None
    ):
        now += 5.0 if mark == "> " else 0.02
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
    before = ""
    for mark, rest in re.findall(r"^(> |>>|\* |~ |< )(.*)$", path.read_text("ascii"), re.MULTILINE):
        now = _ready(module, mark, now)
        if mark == "< ":
            now += 1.5 if before in (">>", "* ") else 0.0  # what was refused is asked for again
        elif mark == "~ ":
            now += float(rest)
        elif mark == "> ":
            passed |= module.updater.positions(unescape(rest))
            module.feed(unescape(rest) + b"\r", now)
        else:
            count, byte = rest.split() if mark == "* " else (1, "")
            module.feed(bytes.fromhex(byte) * int(count) if byte else unescape(rest[1:]), now)
        before = mark
        if until(module):
            return module, passed - {""}, now
    module.tick(now + 100.0)
    return module, passed - {""}, now + 100.0
