# ruff: noqa: SLF001 - the line that a module holds cannot be seen from outside
"""Simulated modules as any host may treat them."""

from atota.sim.module import SimModule
from atota.sim.options import Options
from atota.sim.personas.catalogue import PERSONAS
from scripts.fuzz_parts import seeds
from scripts.fuzz_parts.target import Target, doing, head, need, steps

_FAULTS = (
    "", "", "", "echo", "urc-storm:5", "reboot-at-block:c2", "brownout-at-block:0", "refuse-block:1:2",
    "late-reply:c1:3", "silent-at:c4", "no-prompt:0", "close-window:0", "short-write:0",
    "reboot-in-data:0", "urc-inside-reply", "fail-update", "rollback", "reboot-in-update", "boot-garbage",
    "double-byte:9+flip-byte:3+drop-byte:5", "back-at-baud:115200", "refuse-md5",
)  # fmt: skip
_MOST_A_STEP = 60_000
"""Bytes that one line, or one piece of boot text, may bring about: AT+CLAC and read-back are the longest."""


def module(data: bytes) -> None:
    (kind, fault), rest = head(data, 2)
    persona = PERSONAS[kind % len(PERSONAS)]
    options = Options(accept_any=bool(fault & 128), becomes="V9", asleep=bool(fault & 64), push="V9")
    made = SimModule(persona, options, faults=[_FAULTS[fault % 64 % len(_FAULTS)]])
    now, size, acts = 0.0, 0, 1
    for letter, argument, chunk in steps(rest):
        sent = []
        if letter == "T":
            now += argument * 0.5
            sent = made.tick(now)
        elif letter == "R":
            sent = made.reset_pin(now)
        elif letter == "C":
            sent = made.power_cut(now)
        elif letter == "P":
            chunk = bytes([argument]) * 1024 + chunk
        acts += 2 + argument + chunk.count(b"\r")
        last = -1.0
        for one in sent:
            need(one.when >= last, "answers out of order")
            last = one.when
        size += sum(len(one.data) for one in sent)
        size += sum(len(answer) for _, answer in made.feed(chunk, now))
        now += 0.05 + len(chunk) / 960
        need(len(made._port._line._held) < persona.line_limit, "a line longer than its limit is held")
        need(len(made.slot) <= persona.way.capacity, "more than the slot holds")
    need(size <= acts * _MOST_A_STEP, f"{size} bytes for {acts} steps")


def _seeds() -> list[bytes]:
    inputs: list[bytes] = []
    names = [persona.name.lower() for persona in PERSONAS]
    for (name, _), talk in zip(seeds.traces(), seeds.conversations(), strict=True):
        kind = names.index(name) if name in names else len(inputs) % len(PERSONAS)
        text = bytes([kind, 128])
        for turn in talk:
            text += turn.command.encode("latin-1", "replace") + b"\r" + doing("T", 1)
            if len(text) > 300:
                inputs.append(text)
                text = bytes([kind, len(inputs) % 64])
        inputs.append(text)
    return inputs


TARGETS = (
    Target(
        name="sim",
        promise="any bytes at any time to any simulated module: no exception, bounded output and lines",
        check=module,
        seeds=_seeds,
        words=lambda: [
            *(sent.encode() + b"\r" for sent in seeds.commands()),
            *(doing(letter, number) for letter in "TRCP" for number in (1, 200)),
            *(b"AT", b"\r", b";", b"=?", b"?", b"=", b",", b'"'),
            *(b"\x06", b"\x15", b"\x18", b"\x04", b"\x01\x01\xfe", b"C"),  # XMODEM's own
        ],
        longest=600,
    ),
)
