"""The traces of a new simulated module: those of the one it was copied from, with what it says itself."""

import re
from pathlib import Path

from atota.clock import SimulatedClock
from atota.review.traces import header, unescape
from atota.sim.link import SimLink, parse_sim_url
from atota.sim.module import SimModule
from atota.sim.persona import Persona

TRACES = Path(__file__).resolve().parents[2] / "tests" / "traces"
SLACK_S = 0.05  # the new module's texts may be some characters longer than those it was copied from

HEAD = """\
# persona: {name}
# source: TODO: the document, or the recorded conversation, that each line is from
# FILL IN: this is what the simulated module says; replace it by what the real one says, byte for byte
"""


def copied(base: Persona, persona: Persona, name: str, after: str) -> str:
    """The base's own trace, with what the new module says to it at the same times."""
    text = (TRACES / base.name.lower() / f"{name}.trace").read_text("ascii")
    text = re.sub(r"^(# sim: .*(?:becomes|push)=)[^&\n]*", rf"\g<1>{after}", text, flags=re.MULTILINE)
    old, new = opened(base, base, text), opened(persona, base, text)
    lines, owed = re.findall(r"^# (?:sim|baud): .*$", text, re.MULTILINE), 0
    for line in text.splitlines():
        mark, rest = line[:2], line[2:]
        if mark == "< ":
            owed += len(unescape(rest))
            continue
        if owed or mark == "~ ":
            lines += trace_lines(in_step(old, new, owed, float(rest) if mark == "~ " else 0.0))
            owed = 0
        if mark in ("> ", ">>", "* "):
            data = sent(mark, rest)
            old.write(data)
            new.write(data)
        if mark in ("> ", ">>", "* ", "~ "):
            lines.append(line)
    lines += trace_lines(in_step(old, new, owed, 1.0))
    return HEAD.format(name=persona.name) + "\n".join(lines) + "\n"


def sent(mark: str, rest: str) -> bytes:
    if mark == "* ":
        count, byte = rest.split()
        return bytes.fromhex(byte) * int(count)
    return unescape(rest) + b"\r" if mark == "> " else unescape(rest[1:])


def in_step(old: SimLink, new: SimLink, owed: int, more_s: float) -> bytes:
    """Read the new module until the old one has sent its trace, and for a while after."""
    count = 0
    while count < owed and (data := old.read(1500.0)):
        count += len(data)
    old.clock.sleep(SLACK_S + more_s)
    old.read(0.0)
    return read_until(new, old.clock.monotonic())


def read_until(link: SimLink, until: float) -> bytes:
    data = b""
    while (remaining := until - link.clock.monotonic()) > 1e-9:
        data += link.read(remaining)
    return data


def opened(persona: Persona, base: Persona, text: str) -> SimLink:
    """A simulated module as the head of a trace says."""
    what = parse_sim_url(f"sim://{base.name}?{'&'.join(header(text, 'sim'))}")
    module = SimModule(persona, what.options, faults=what.faults)
    baud = int((header(text, "baud") or ["9600"])[0])
    return SimLink(module, SimulatedClock(), baud=baud, latency_s=what.latency_s)


def trace_lines(data: bytes) -> list[str]:
    """The bytes as lines of a trace."""
    pieces = re.findall(rb"(?:\r\n)*[^\r\n][^\n]*(?:\n|$)|[\r\n]+", data)
    return [f"< {escaped(piece)}" for piece in pieces]


def escaped(data: bytes) -> str:
    known = {0x0D: "\\r", 0x0A: "\\n", 0x5C: "\\\\"}
    return "".join(known.get(b) or (chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}") for b in data)
