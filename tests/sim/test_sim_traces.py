"""The literal conversations of tests/traces, replayed against the personas.

A trace is text: ``# key: value`` (``persona``, ``source``, ``baud``, ``sim`` for the URL), ``> `` a line
of the host (a CR is added), ``>> `` bytes of the host as they stand, ``< `` bytes of the module; in these
``\\r``, ``\\n``, ``\\xNN`` and ``\\\\`` are escaped; ``* N XX`` the host sends N times the byte XX,
``? N`` up to N bytes of noise before the next ``<``, ``~ S`` the host waits S seconds.
"""

import re
from pathlib import Path

import pytest

from atota.sim.link import SimLink, open_sim_link
from atota.sim.personas.catalogue import PERSONAS

TRACES = Path(__file__).parents[1] / "traces"
OURS = sorted(path for persona in PERSONAS for path in (TRACES / persona.name.lower()).glob("*.trace"))
LONGEST_S = 1500.0


def unescape(text: str) -> bytes:
    return re.sub(
        rb"\\(r|n|\\|x[0-9a-fA-F]{2})",
        lambda m: {b"r": b"\r", b"n": b"\n", b"\\": b"\\"}.get(m[1]) or bytes([int(m[1][1:], 16)]),
        text.encode("ascii"),
    )


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


def header(text: str, key: str) -> list[str]:
    return re.findall(rf"^# {key}: (.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("path", OURS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_persona_speaks_as_in_the_trace(path: Path) -> None:
    text = path.read_text("ascii")
    options = "&".join(header(text, "sim"))
    baud = int((header(text, "baud") or ["9600"])[0])
    replay = Replay(open_sim_link(f"sim://{header(text, 'persona')[0]}?{options}", baud=baud))
    noise = 0
    for line in text.splitlines():
        mark, rest = line[:2], line[2:]
        if mark == "> ":
            assert replay.held == b""
            replay.link.write(unescape(rest) + b"\r")
        elif mark == ">>":
            replay.link.write(unescape(rest[1:]))
        elif mark == "* ":
            count, byte = rest.split()
            replay.link.write(bytes.fromhex(byte) * int(count))
        elif mark == "< ":
            replay.expect(unescape(rest), noise)
            noise = 0
        elif mark == "? ":
            noise = int(rest)
        elif mark == "~ ":
            replay.quiet(float(rest))
        else:
            assert mark == "# "
    replay.quiet(1.0)


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.name)
def test_every_persona_has_traces_of_identification_and_update_with_sources(persona: object) -> None:
    folder = TRACES / persona.name.lower()  # type: ignore[attr-defined]
    for name in ("identify.trace", f"{persona.way.name}.trace"):  # type: ignore[attr-defined]
        assert header((folder / name).read_text("ascii"), "source")
