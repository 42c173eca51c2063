"""The traces of a new simulated module: those of the one that it was copied from, with its own responses."""

import re
from pathlib import Path

from atota.clock import SimulatedClock
from atota.sim.link import SimLink, parse_sim_url
from atota.sim.module import SimModule
from atota.sim.persona import Persona
from atota.transcript.trace import Host, Module, Pause, Trace, module_lines, parse_trace

TRACES = Path(__file__).resolve().parents[2] / "tests" / "traces"
SLACK_S = 0.05  # the new module's texts may be some characters longer than those it was copied from

HEAD = """\
# persona: {name}
# source: TODO: the document, or the recorded conversation, that each line is from
# FILL IN: these are the responses of the simulated module; replace them by the real ones, byte for byte
"""


def copied(base: Persona, persona: Persona, name: str, after: str) -> str:
    """Return the base's own trace, with the new module's responses to it at the same times."""
    path = TRACES / base.name.lower() / f"{name}.trace"
    pattern = r"^(# sim: .*(?:becomes|push)=)[^&\n]*"
    trace = parse_trace(re.sub(pattern, rf"\g<1>{after}", path.read_text("ascii"), flags=re.M), path)
    old, new = opened(base, trace), opened(persona, trace)
    lines = [f"# {key}: {text}" for key, text in trace.head if key in ("sim", "baud")]
    due = 0
    for line in trace.lines:
        if isinstance(line, Module):
            due += len(line.data)
            continue
        if due or isinstance(line, Pause):
            lines += module_lines(in_step(old, new, due, line.seconds if isinstance(line, Pause) else 0.0))
            due = 0
        if isinstance(line, Host):
            old.write(line.data)
            new.write(line.data)
        if isinstance(line, Host | Pause):
            lines.append(line.text)
    lines += module_lines(in_step(old, new, due, 1.0))
    return HEAD.format(name=persona.name) + "\n".join(lines) + "\n"


def in_step(old: SimLink, new: SimLink, due: int, more_s: float) -> bytes:
    """Read from the new module until the old one has sent the bytes of its trace, and for a while after."""
    count = 0
    while count < due and (data := old.read(1500.0)):
        count += len(data)
    old.clock.sleep(SLACK_S + more_s)
    old.read(0.0)
    return read_until(new, old.clock.monotonic())


def read_until(link: SimLink, until: float) -> bytes:
    data = b""
    while (remaining := until - link.clock.monotonic()) > 1e-9:
        data += link.read(remaining)
    return data


def opened(persona: Persona, trace: Trace) -> SimLink:
    """Open a simulated module as the head of a trace says."""
    url = parse_sim_url(trace.url)
    module = SimModule(persona, url.options, faults=url.faults)
    return SimLink(module, SimulatedClock(), baud=trace.baud, latency_s=url.latency_s)
