"""The simulated recovery and real MCUboot in QEMU say the same, byte by byte."""

import base64
import contextlib
import socket
import struct
import time
from typing import Any

import pytest

from atota.clock import SystemClock
from atota.sim.chips.catalogue import make_chip
from atota.sim.chips.options import ChipOptions
from tests.sim.chips import qemu
from tests.sim.chips.test_nrf_smp import IMAGE, OS, READ, WRITE, lines
from tests.sim.serving import on_tcp

cbor2 = pytest.importorskip("cbor2")

FIRST = bytes(range(256)) * 4
CONVERSATION: tuple[tuple[int, int, int, bytes], ...] = (
    (READ, OS, 6, b"\xa0"),
    (READ, OS, 6, b""),
    (READ, OS, 6, b"\xa0\x00"),
    (WRITE, OS, 0, cbor2.dumps({"d": "hi"})),
    (READ, OS, 0, cbor2.dumps({"d": "hi"})),
    (WRITE, IMAGE, 0, cbor2.dumps({"hash": bytes(32)})),
    (READ, 9, 0, b"\xa0"),
    (WRITE, IMAGE, 1, cbor2.dumps({"off": 64, "data": bytes(64)})),
    (WRITE, IMAGE, 1, cbor2.dumps({"data": bytes(64)})),
    (WRITE, IMAGE, 1, cbor2.dumps({"off": 0, "len": 100_000_000, "data": bytes(64)})),
    (WRITE, IMAGE, 1, cbor2.dumps({"off": 0, "len": 1000, "image": 5, "data": bytes(64)})),
    (WRITE, IMAGE, 1, cbor2.dumps({"off": 0, "len": 2000, "data": FIRST[:101], "sha": bytes(32)})),
    (WRITE, IMAGE, 1, cbor2.dumps({"off": 101, "data": FIRST[101:200]})),
    (WRITE, IMAGE, 1, cbor2.dumps({"off": 100, "data": FIRST[100:200]})),
    (WRITE, IMAGE, 1, cbor2.dumps({"off": 100, "data": FIRST[100:200]})),
    (WRITE, IMAGE, 1, cbor2.dumps({"off": 200, "data": FIRST})),  # beyond the buffer of 1024 bytes
    (READ, OS, 6, b"\xa0"),
    (WRITE, OS, 5, b"\xa0"),
)


def answer(connection: socket.socket, limit_s: float) -> bytes:
    """Return the next message, without length and CRC; empty if none comes."""
    text, body, end = b"", b"", time.monotonic() + limit_s
    while (remaining := end - time.monotonic()) > 0:
        connection.settimeout(remaining)
        with contextlib.suppress(TimeoutError):
            text += connection.recv(4096)
        while b"\n" in text:
            line, _, text = text.partition(b"\n")
            if line[:2] in (b"\x06\x09", b"\x04\x14"):
                body += base64.b64decode(line[2:])
        if len(body) > 2 and len(body) == 2 + int.from_bytes(body[:2], "big"):
            return body[2:-2]
    return b""


def talk(url: str) -> list[bytes]:
    """Have the conversation; return the answers."""
    host, _, port = url.removeprefix("socket://").partition(":")
    answers = []
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        for number, (op, group, command, data) in enumerate(CONVERSATION):
            head = struct.pack(">BBHHBB", op, 0, len(data), group, number, command)
            connection.sendall(lines(head + data))
            answers.append(answer(connection, 3.0 if len(data) > 1024 else 20.0))
    return answers


def shown(message: bytes) -> Any:
    return (message[:8].hex(), cbor2.loads(message[8:])) if message else None


def test_the_simulated_recovery_answers_as_mcuboot_does() -> None:
    with qemu.recovery() as url:
        real = talk(url)
    assert sum(bool(message) for message in real) == len(CONVERSATION) - 1
    with on_tcp(make_chip("nrf52832", ChipOptions(boot="loader")), SystemClock()) as url:
        simulated = talk(url)
    assert [shown(message) for message in simulated] == [shown(message) for message in real]
    assert simulated == real
