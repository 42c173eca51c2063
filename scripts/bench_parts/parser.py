# ruff: noqa: SLF001 - the other library is driven where its own `write` would
"""The speed of reading AT answers, next to the best-known Python library for it, and whether it stays linear.

The whole exchange is measured: each command is submitted, its answer comes in 64-byte pieces, and
every result and unsolicited line is counted. CPU time of one thread, best of five.
"""

import argparse
import importlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs

from atota.at.events import Done, Garbage, Urc
from atota.at.exchange import Exchange
from atota.at.parser import Parser
from atota.at.syntax import V250_FINALS, Command, Syntax, UrcRule
from scripts.bench_parts import transcript

PEER = "python-gsmmodem-new==0.13.0"
GOAL_LINES_S, GOAL_RATIO = 300_000, 5.0
SYNTAX = Syntax(
    finals=V250_FINALS,
    urcs=(
        UrcRule(prefix="+CSCON:"),
        UrcRule(prefix="+NPSMR:"),
        UrcRule(prefix="+CEREG:", solicited=r"\+CEREG: ?\d,\d"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mb", type=float, default=4.0, help="megabytes of conversation (default 4)")
    parser.add_argument("--chunk", type=int, default=64, help="bytes a read (default 64)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the conversation (default 1)")
    parser.add_argument("--no-peer", action="store_true", help=f"do not compare with {PEER}")


def run(arguments: argparse.Namespace) -> int:
    talk = transcript.make(int(arguments.mb * 1e6), arguments.seed)
    seconds = best(lambda: atota_reads(talk, arguments.chunk))
    ours = report(f"atota, full exchange, {arguments.chunk}-byte pieces", talk, seconds)
    good = ours >= GOAL_LINES_S
    if not arguments.no_peer:
        good = compare(talk, arguments.seed, ours) and good
    good = linear() and good
    print("goals reached" if good else "GOALS MISSED")
    return 0 if good else 1


def best(measure: Callable[[], float], times: int = 5) -> float:
    return min(measure() for _ in range(times))


def report(name: str, talk: transcript.Transcript, seconds: float) -> float:
    rate = talk.lines / seconds
    finals = len(talk.exchanges)
    print(f"{name}: {rate:,.0f} lines/s, {talk.size / seconds / 1e6:.1f} MB/s")
    print(f"  all {finals:,} results and {talk.urcs:,} URCs of {talk.lines:,} lines found")
    return rate


def pieces(blob: bytes, size: int) -> list[bytes]:
    return [blob[at : at + size] for at in range(0, len(blob), size)]


def atota_reads(talk: transcript.Transcript, chunk: int) -> float:
    """Read the whole conversation; seconds of CPU. Every result and URC must have been found."""
    steps = [(Command.of(step.command), pieces(step.reply + step.urcs, chunk)) for step in talk.exchanges]
    exchange = Exchange(SYNTAX)
    finals = urcs = 0
    start = time.process_time()
    for command, parts in steps:
        exchange.send(command)
        for part in parts:
            for event in exchange.receive(part):
                kind = type(event)
                finals += kind is Done
                urcs += kind is Urc
    seconds = time.process_time() - start
    check((finals, urcs), (len(talk.exchanges), talk.urcs))
    return seconds


def check(counts: tuple[int, int], expected: tuple[int, int]) -> None:
    if counts != expected:
        raise SystemExit(f"results and URCs found: {counts}, expected: {expected}: the work was not done")


def compare(talk: transcript.Transcript, seed: int, ours: float) -> bool:
    """Measure the other library in the same run; a part of the conversation is enough for it."""
    module = peer()
    if module is None:
        print(f"{PEER} can't be had here: no comparison")
        return True
    part = transcript.make(min(talk.size, 1_000_000), seed)
    theirs = report(f"{PEER}, its own read loop", part, best(lambda: peer_reads(module, part)))
    ratio = ours / theirs
    print(f"ratio: {ratio:.1f} (goal {GOAL_RATIO:g})")
    return ratio >= GOAL_RATIO


def peer() -> Any:
    """The other library, from the environment or fetched once into a cache folder; None if not to be had."""
    try:
        return importlib.import_module("gsmmodem.serial_comms")
    except ImportError:
        pass
    folder = Path(platformdirs.user_cache_dir("atota-bench")) / "gsmmodem"
    if not (folder / "gsmmodem").is_dir():
        fetch = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), PEER]
        if subprocess.run(fetch, check=False, capture_output=True).returncode:
            return None
    sys.path.append(str(folder))
    return importlib.import_module("gsmmodem.serial_comms")


class MemorySerial:
    """A port that serves a conversation byte by byte, and arms the reader for each as its `write` would."""

    def __init__(self, comms: Any, talk: transcript.Transcript) -> None:
        self.comms = comms
        self.segments = [
            segment
            for step in talk.exchanges
            for segment in ((step.reply, True), (step.urcs, False))
            if segment[0]
        ]
        self.index, self.at, self.finals, self.blob = -1, 0, 0, b""

    def read(self, _: int) -> bytes:
        """Return the next byte; nothing at the end."""
        if self.at >= len(self.blob) and not self.advance():
            return b""
        self.at += 1
        return self.blob[self.at - 1 : self.at]

    def inWaiting(self) -> int:  # noqa: N802 - the name it calls
        """Return how many bytes of this answer are left."""
        return len(self.blob) - self.at

    def advance(self) -> bool:
        """Go on to the next answer or URC; False at the end."""
        comms = self.comms
        if comms._responseEvent is not None:
            self.finals += comms._responseEvent.is_set()
            comms._responseEvent = None
        self.index += 1
        if self.index >= len(self.segments):
            comms.alive = False
            return False
        self.blob, answers = self.segments[self.index]
        self.at = 0
        if answers:
            comms._response = []
            comms._responseEvent = threading.Event()
        return True


def peer_reads(module: Any, talk: transcript.Transcript) -> float:
    notified: list[str] = []
    comms = module.SerialComms("memory", notifyCallbackFunc=notified.extend)
    comms.serial = MemorySerial(comms, talk)
    comms.alive = True
    start = time.process_time()
    comms._readLoop()
    seconds = time.process_time() - start
    check((comms.serial.finals, len(notified)), (len(talk.exchanges), talk.urcs))
    return seconds


def linear() -> bool:
    """Noise at a wrong rate has no line ends: twice as much may take twice as long, and memory stays."""
    # Turn and turn about, so that other work on this machine falls on both.
    rounds = [(flood(5_000_000), flood(10_000_000)) for _ in range(5)]
    half, whole = (min(part[which][0] for part in rounds) for which in (0, 1))
    _, held, garbage = rounds[0][1]
    ratio = whole / half
    print(f"10 MB without a line end: {10 / whole:.0f} MB/s, {ratio:.2f} times 5 MB (linear is 2)")
    print(f"held at most {held:,} bytes; {garbage:,} bytes reported as garbage")
    return ratio < 3 and held <= Syntax().line_limit


def flood(total: int) -> tuple[float, int, int]:
    """Seconds of CPU, the most bytes held, and the bytes reported as garbage."""
    piece, parser, held, garbage = b"U" * 64, Parser(), 0, 0
    start = time.process_time()
    for count in range(total // len(piece)):
        for event in parser.receive(piece):
            garbage += len(event.raw) if isinstance(event, Garbage) else 0
        if count % 1000 == 0:
            held = max(held, len(parser.pending))
    return time.process_time() - start, held, garbage
