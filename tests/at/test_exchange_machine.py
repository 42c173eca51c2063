"""A careful caller and a module that is late, mute, noisy, forgetful or rebooting: no answer goes astray.

Each command asks for a token of its own and each answer carries one, so an answer given to the wrong command
shows. The module answers in order, as V.250 has it; it echoes as it receives, as it executes, or not.
"""

from collections import deque

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from atota.at.events import Boot, Done, Event, Garbage, StaleResponse, Urc
from atota.at.exchange import Exchange
from atota.at.syntax import BootRule, Command, Syntax
from atota.testing import strategies as at

SYNTAX = Syntax(
    urcs=at.SYNTAX.urcs,
    finals=at.SYNTAX.finals,
    boot=BootRule(lines=("Boot: ", "CAUSE_"), cause=r"CAUSE_(\w+)", ends_with_ok=True),
    line_limit=512,
)
BANNER = b"\r\nBoot: Unsigned\r\nCAUSE_WATCHDOG\r\nOK\r\n"


class Module:
    """The other end: commands that it has not answered, and bytes that have not arrived."""

    def __init__(self) -> None:
        self.echoes = "receipt"
        self.asked: deque[tuple[bytes, str]] = deque()
        self.wire = b""
        self.booting = False

    def write(self, line: bytes) -> None:
        if self.booting:
            return
        text = line.removesuffix(b"\r")
        self.asked.append((text, self.echoes))
        if self.echoes == "receipt":
            self.wire += line + b"\r\n"

    def execute(self, *, swallow: bool) -> None:
        text, echoes = self.asked.popleft()
        if echoes == "execution":
            self.wire += text + b"\r\r\n"
        if not swallow:
            token = text.rpartition(b"=")[2]
            prefix = b"+TOK: " if b"+TOK=" in text else b"860000"
            self.wire += b"\r\n" + prefix + token + b"\r\n\r\nOK\r\n"

    def reboot(self) -> None:
        self.asked.clear()
        self.booting = True
        self.wire += BANNER

    def transmit(self, count: int) -> bytes:
        piece, self.wire = self.wire[:count], self.wire[count:]
        if not self.wire:
            self.booting = False
        return piece


class Conversation(RuleBasedStateMachine):
    """The caller keeps the rules of the exchange; the module does what modules do."""

    def __init__(self) -> None:
        super().__init__()
        self.exchange = Exchange(SYNTAX)
        self.module = Module()
        self.number = 0
        self.written = 0
        self.results = 0
        self.outcomes: dict[int, str] = {}
        self.urcs_sent: list[Urc] = []
        self.urcs_seen: list[Urc] = []

    @initialize(belief=st.sampled_from([None, True, False]))
    def begin(self, belief: bool | None) -> None:
        self.exchange.echo = belief

    @precondition(lambda self: self.exchange.in_flight is None and not self.exchange.booting)
    @rule(prefixed=st.booleans())
    def submit(self, prefixed: bool) -> None:
        self.number += 1
        text = f"AT+TOK={self.number}" if prefixed else f"AT+NUM={self.number}"
        self.written += 1
        self.module.write(self.exchange.send(Command.of(text)))

    @precondition(lambda self: self.module.asked)
    @rule(swallow=st.sampled_from([False, False, False, True]))
    def execute(self, swallow: bool) -> None:
        self.module.execute(swallow=swallow)

    @precondition(lambda self: self.module.wire)
    @rule(count=st.integers(1, 40))
    def feed_piece(self, count: int) -> None:
        for event in self.exchange.receive(self.module.transmit(count)):
            self.note(event)

    @rule()
    def feed_all(self) -> None:
        for event in self.exchange.receive(self.module.transmit(len(self.module.wire))):
            self.note(event)

    @precondition(lambda self: self.exchange.in_flight is not None)
    @rule()
    def abandon(self) -> None:
        self.exchange.abandon()
        self.end("given up")

    @precondition(lambda self: self.exchange.outstanding and not self.module.wire and not self.module.asked)
    @rule()
    def forgive_what_will_never_come(self) -> None:
        if self.exchange.in_flight is not None:
            self.abandon()
        self.written -= self.exchange.outstanding
        self.exchange.forgive()

    @precondition(lambda self: not self.module.booting)
    @rule(urc=at.urcs())
    def inject_urc(self, urc: Urc) -> None:
        self.urcs_sent.append(urc)
        self.module.wire += b"".join(b"\r\n" + raw + b"\r\n" for raw in (urc.raw, *urc.more))

    @rule(noise=st.sampled_from([b"\x00", b"\xff\xff\x00", b"\x7f\x01"]), ended=st.booleans())
    def inject_noise(self, noise: bytes, ended: bool) -> None:
        self.module.wire += noise + (b"\r\n" if ended else b"")

    @precondition(lambda self: not self.module.booting)
    @rule()
    def modem_reset(self) -> None:
        self.module.reboot()

    @rule(echoes=st.sampled_from(["receipt", "execution", "none"]))
    def change_echo(self, echoes: str) -> None:
        self.module.echoes = echoes

    def end(self, outcome: str) -> None:
        assert self.number not in self.outcomes
        self.outcomes[self.number] = outcome

    def note(self, event: Event) -> None:
        if isinstance(event, Done):
            self.results += 1
            self.end("answered")
            tokens = [int(line.removeprefix(b"+TOK: ").removeprefix(b"860000")) for line in event.lines]
            assert tokens == [self.number]
        elif isinstance(event, StaleResponse) and event.result:
            self.results += 1
        elif isinstance(event, Boot) and self.number not in self.outcomes and self.number:
            self.end("rebooted")
        elif isinstance(event, Urc) and event.known:
            self.urcs_seen.append(event)
        if isinstance(event, Boot):
            assert self.exchange.in_flight is None
            self.written = self.results
        if isinstance(event, Garbage):
            assert not event.raw.isalnum()

    @invariant()
    def every_command_ends_once(self) -> None:
        ended = set(self.outcomes)
        flying = {self.number} if self.exchange.in_flight is not None else set()
        assert ended | flying == set(range(1, self.number + 1))
        assert not ended & flying

    @invariant()
    def results_and_debts_add_up(self) -> None:
        flying = self.exchange.in_flight is not None
        assert self.results + self.exchange.outstanding + flying == self.written

    @invariant()
    def what_is_held_is_bounded(self) -> None:
        assert len(self.exchange.pending) <= SYNTAX.line_limit

    @invariant()
    def urcs_come_in_order_each_once(self) -> None:
        assert self.urcs_seen == self.urcs_sent[: len(self.urcs_seen)]

    def teardown(self) -> None:
        for event in self.exchange.receive(self.module.transmit(len(self.module.wire))):
            self.note(event)
        if self.exchange.in_flight is not None:
            self.abandon()
        for event in self.exchange.receive(b"\r\n"):
            self.note(event)
        assert self.urcs_seen == self.urcs_sent
        assert set(self.outcomes) == set(range(1, self.number + 1))


TestConversation = Conversation.TestCase
