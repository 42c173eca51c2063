"""Inputs to start from: real lines of the recorded conversations, and the texts of real files."""

import functools
from collections.abc import Iterator
from pathlib import Path

from atota.dialects import loader
from atota.dialects.model import Dialect
from atota.review.traces import Turn, turns
from atota.transcript.trace import parse_trace
from scripts.fuzz_parts.target import doing

ROOT = Path(__file__).resolve().parent.parent.parent


@functools.cache
def traces() -> tuple[tuple[str, str], ...]:
    """The recorded conversations: the persona's folder and the text."""
    files = sorted((ROOT / "tests" / "traces").glob("*/*.trace"))
    return tuple((path.parent.name, path.read_text(encoding="utf-8")) for path in files)


@functools.cache
def conversations() -> tuple[tuple[Turn, ...], ...]:
    """The recorded conversations as turns of host and module."""
    return tuple(tuple(turns(parse_trace(text))) for _, text in traces())


@functools.cache
def commands() -> tuple[str, ...]:
    """Every command line that a recorded host sends; those that go with data first."""
    commands = (turn.command for talk in conversations() for turn in talk)
    return tuple(dict.fromkeys(sent for sent in commands if sent and "\r" not in sent and "\n" not in sent))[
        :250
    ]


@functools.cache
def lines() -> tuple[bytes, ...]:
    """Every line that a recorded module sends."""
    texts = (turn.response for talk in conversations() for turn in talk)
    return tuple(dict.fromkeys(line for text in texts for line in text.splitlines() if line))


def dialogues(prefix: bytes, longest: int) -> list[bytes]:
    """The recorded conversations as inputs of a dialogue, cut where they get longer than ``longest``."""
    known = {text: number for number, text in enumerate(commands())}
    inputs = []
    for talk in conversations():
        text = prefix
        for turn in talk:
            text += doing("S", known[turn.command]) if turn.command in known else b""
            text += turn.response
            if len(text) > longest:
                inputs.append(text[: 2 * longest])
                text = prefix
        inputs.append(text)
    return list(dict.fromkeys(inputs))


@functools.cache
def dialects() -> tuple[Dialect, ...]:
    """Every built-in dialect, and the one to meet strangers in."""
    return (*loader.all_built_in(), loader.stranger())


def texts(folder: str) -> Iterator[bytes]:
    """The TOML files of a folder of the project."""
    for path in sorted((ROOT / folder).glob("*.toml")):
        yield path.read_bytes()


AT_WORDS = (
    b"\r\n", b"\r", b"\n", b"OK", b"\r\nOK\r\n", b"ERROR", b"\r\nERROR\r\n", b"+CME ERROR: 50",
    b"+CMS ERROR: 500", b"+CME ERROR: SIM not inserted", b"> ", b">", b"CONNECT", b"CONNECT 115200\r\n",
    b"NO CARRIER", b"\x00", b"\xff", b'"', b'""', b",", b"(", b")", b"(0-5)", b"+CEREG: 0,1", b"+CEREG: 1",
    b"+CMT: ,5\r\n", b"RING", b"0\r", b"4\r", b"\xe7\xa7\xbb", b"\x1e\x1e",
)  # fmt: skip
