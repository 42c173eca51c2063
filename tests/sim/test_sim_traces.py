"""The literal conversations of tests/traces (`atota.transcript.trace`), replayed against the personas."""

from pathlib import Path

import pytest

from atota.clock import SimulatedClock
from atota.sim.link import SimLink, parse_sim_url
from atota.sim.module import SimModule
from atota.sim.personas.catalogue import PERSONAS, find_persona
from atota.transcript.trace import Host, Module, Noise, Trace, read_trace

TRACES = Path(__file__).parents[1] / "traces"
OURS = sorted(path for persona in PERSONAS for path in (TRACES / persona.name.lower()).glob("*.trace"))
LONGEST_S = 1500.0


def opened(trace: Trace) -> SimLink:
    """Open the simulated module of a trace; it has the persona's IMEI, and not a random one of its own."""
    url = parse_sim_url(trace.url)
    module = SimModule(find_persona(url.model), url.options, faults=url.faults)
    return SimLink(module, SimulatedClock(), baud=trace.baud, latency_s=url.latency_s)


class Replay:
    """The module's bytes, as they come."""

    def __init__(self, link: SimLink) -> None:
        self.link = link
        self.held = b""

    def fill(self, size: int) -> None:
        end = self.link.clock.monotonic() + LONGEST_S
        while len(self.held) < size and self.link.clock.monotonic() < end:
            self.held += self.link.read(end - self.link.clock.monotonic())

    def expect(self, expected: bytes, noise: int) -> None:
        self.fill(len(expected))
        for _ in range(noise):
            if self.held.startswith(expected):
                break
            self.held = self.held[1:]
            self.fill(len(expected))
        assert self.held[: len(expected)] == expected
        self.held = self.held[len(expected) :]

    def quiet(self, seconds: float) -> None:
        end = self.link.clock.monotonic() + seconds
        while (remaining := end - self.link.clock.monotonic()) > 1e-9:
            self.held += self.link.read(remaining)
        assert self.held == b""


@pytest.mark.parametrize("path", OURS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_persona_speaks_as_in_the_trace(path: Path) -> None:
    trace = read_trace(path)
    replay = Replay(opened(trace))
    noise = 0
    for line in trace.lines:
        if isinstance(line, Host):
            assert replay.held == b"" or not line.is_line
            replay.link.write(line.data)
        elif isinstance(line, Module):
            replay.expect(line.data, noise)
            noise = 0
        elif isinstance(line, Noise):
            noise = line.count
        else:
            replay.quiet(line.seconds)
    replay.quiet(1.0)


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.name)
def test_every_persona_has_traces_of_identification_and_update_with_sources(persona: object) -> None:
    folder = TRACES / persona.name.lower()  # type: ignore[attr-defined]
    for name in ("identify.trace", f"{persona.way.name}.trace"):  # type: ignore[attr-defined]
        assert read_trace(folder / name).values("source")
