"""Raw bytes on the wire: they go out if and only if the module asked for them, once, and alone."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atota.clock import Clock, SimulatedClock
from atota.dialects import loader
from atota.errors import ModuleError, NoAnswer, SlotLost, WriteFailed
from atota.fota.registry import method_for
from atota.module.data_phase import DataPhase, DataPrompt, leave_data_phase
from atota.module.session import Session
from atota.sim.link import SimLink
from atota.sim.module import SimModule
from atota.sim.personas.catalogue import find_persona

PAYLOAD = bytes(range(0x80, 0x100)) * 20
WINDOW_S = 8.0
KINDS = {
    "line": (DataPrompt(line="DOWNLOAD"), (b"\r\nDOWNLOAD\r\n",)),
    "prompt": (DataPrompt(prompt=">"), (b"\r\n>",)),
    "both": (DataPrompt(prompt=">", line="CONNECT"), (b"\r\n> ", b"\r\nCONNECT\r\n")),
}
NOISE = (
    b"\r\n+CEREG: 1\r\n",
    b"\r\nDOWNLOADING\r\n",
    b"\r\n+CSCON: 0\r\n\r\nCONNECTED\r\n",
    b"\r\n+X: >\r\n",
    b"\r\nA > B\r\n",
)


class Scripted:
    """A module that answers the command that asks with a script, and its payload with a result.

    Args:
        script: seconds after the one before, and what is said.
        wants: how many bytes make a payload, once all the signs have been said.
    """

    def __init__(self, script: list[tuple[float, bytes]], wants: int) -> None:
        self.name = "scripted"
        self.clock: Clock = SimulatedClock()
        self.baud = 115200
        self.written: list[tuple[float, bytes]] = []
        self.said: list[tuple[float, bytes]] = []
        self._script = script
        self._wants = wants
        self._due: list[tuple[float, bytes]] = []
        self._line = b""

    @property
    def payload(self) -> bytes:
        return bytes(byte for _, data in self.written for byte in data if byte >= 0x80)

    def read(self, timeout_s: float) -> bytes:
        end = self.clock.monotonic() + max(0.0, timeout_s)
        while True:
            now = self.clock.monotonic()
            if self._due and self._due[0][0] <= now:
                self.said.append((now, self._due[0][1]))
                return self._due.pop(0)[1]
            if now >= end:
                return b""
            self.clock.sleep(min(self._due[0][0] if self._due else inf, end) - now)

    def write(self, data: bytes) -> None:
        now = self.clock.monotonic()
        self.written.append((now, data))
        if any(byte >= 0x80 for byte in data):
            if len(self.payload) == self._wants:
                self._due.append((now + 0.01, b"\r\nOK\r\n"))
            return
        *lines, self._line = (self._line + data).split(b"\r")
        for line in lines:
            if line == b"AT+ASK":
                when = now
                for after_s, piece in self._script:
                    when += after_s
                    self._due.append((when, piece))
            else:
                self._due.append((now + 0.01, b"\r\nOK\r\n"))

    def set_baud(self, baud: int) -> None: ...

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None: ...

    def close(self) -> None: ...


def opened(link: Scripted) -> Session:
    return Session(link, loader.load("3gpp"))


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    before=st.lists(st.tuples(st.floats(0, 2), st.sampled_from(NOISE)), max_size=3),
    delays=st.lists(st.floats(0.01, 9), min_size=2, max_size=2),
    missing=st.none() | st.integers(0, 1),
    cut=st.integers(1, 6),
)
def test_the_payload_goes_out_only_behind_its_signs_once_and_alone(
    kind: str, before: list[tuple[float, bytes]], delays: list[float], missing: int | None, cut: int
) -> None:
    ready, signs = KINDS[kind]
    told = [sign for place, sign in enumerate(signs) if place != missing]
    whole = len(told) == len(signs)
    script = [*before, *zip(delays, told, strict=False)]
    # However the stream is cut: the same bytes in small reads.
    script = [
        (after_s if not start else 0.0, piece[start : start + cut])
        for after_s, piece in script
        for start in range(0, len(piece), cut)
    ]
    link = Scripted(script, len(PAYLOAD))
    session = opened(link)
    try:
        phase = DataPhase(session, "AT+ASK", ready, window_s=WINDOW_S)
        assert phase.open(30.0) is None
        reply = phase.push(PAYLOAD, timeout_s=5.0)
        assert reply.ok
    except NoAnswer:
        assert not whole
        assert not link.payload
        assert [data for _, data in link.written] == [b"AT+ASK\r"]
        return
    assert whole
    assert b"".join(data for _, data in link.written) == b"AT+ASK\r" + PAYLOAD
    first = next(when for when, data in link.written if data[0] >= 0x80)
    assert b"".join(data for when, data in link.said if when <= first).count(signs[-1].strip()) >= 1
    assert session.command("AT").ok


@pytest.mark.parametrize("late_s", [None, 21.0, 27.5, 40.0])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_after_a_missing_sign_nothing_is_said_for_as_long_as_the_module_may_wait(
    kind: str, late_s: float | None
) -> None:
    ready, signs = KINDS[kind]
    script = [] if late_s is None else [(late_s, b"".join(signs))]
    link = Scripted(script, len(PAYLOAD))
    session = opened(link)
    with pytest.raises(NoAnswer):
        DataPhase(session, "AT+ASK", ready, window_s=WINDOW_S).open(20.0)
    asked_again = link.clock.monotonic()
    heard = [when for when, _ in link.said]
    assert asked_again >= max([20.0, *heard]) + (WINDOW_S if not heard or heard[-1] < 29 else 0)
    assert len(link.written) == 1


def test_a_late_refusal_ends_the_wait() -> None:
    link = Scripted([(21.0, b"\r\nERROR\r\n")], len(PAYLOAD))
    session = opened(link)
    with pytest.raises(NoAnswer):
        DataPhase(session, "AT+ASK", KINDS["line"][0], window_s=WINDOW_S).open(20.0)
    assert link.clock.monotonic() < 21.5
    assert session.command("AT").ok


def test_a_result_in_the_middle_of_the_payload_ends_it() -> None:
    link = Scripted([(0.1, b"\r\nDOWNLOAD\r\n"), (0.25, b"\r\n+CME ERROR: 3\r\n")], 10**9)
    session = opened(link)
    data = PAYLOAD * 40
    phase = DataPhase(session, "AT+ASK", KINDS["line"][0], window_s=WINDOW_S)
    assert phase.open(5.0) is None
    reply = phase.push(data, timeout_s=5.0)
    assert (reply.ok, reply.final.code) == (False, 3)
    assert 0 < len(link.payload) < len(data) // 2  # what the wire had carried, and little more


def test_lines_between_acknowledgements_are_none() -> None:
    link = Scripted([(0.1, b"\r\nCONNECT\r\n")], 10**9)
    session = opened(link)
    said = iter([b"A", b"\r\n+CEREG: 1\r\nA", b"\r\n+CSCON: 0\r\n"])
    plain_write = link.write

    def write(data: bytes) -> None:
        plain_write(data)
        if data[0] >= 0x80:
            link._due.append((link.clock.monotonic() + 0.01, next(said)))
            if len(link.payload) == len(PAYLOAD):
                link._due.append((link.clock.monotonic() + 0.03, b"\r\n+ASK: 1\r\n\r\nOK\r\n"))

    link.write = write  # type: ignore[method-assign]
    phase = DataPhase(session, "AT+ASK", DataPrompt(line="CONNECT"), window_s=WINDOW_S)
    assert phase.open(5.0) is None
    reply = phase.push_acknowledged(
        PAYLOAD,
        ack=b"A",
        every=1024,
        timeout_s=5.0,
        on_sent=lambda _: None,
    )
    assert reply.ok
    assert reply.lines == ("+ASK: 1",)
    assert [len(data) for _, data in link.written[1:]] == [1024, 1024, 512]
    assert session.take_urcs() == ["+CEREG: 1", "+CSCON: 0"]


def test_leaving_waits_for_the_module_to_give_up_and_not_for_ever() -> None:
    link = Scripted([(0.1, b"\r\nDOWNLOAD\r\n")], 10**9)
    session = opened(link)
    phase = DataPhase(session, "AT+ASK", KINDS["line"][0], window_s=WINDOW_S)
    assert phase.open(5.0) is None
    began = link.clock.monotonic()
    link._due = [(began + 0.3 * tick, b"\r\n+CEREG: 1\r\n") for tick in range(1000)]
    leave_data_phase(session, WINDOW_S)
    assert WINDOW_S <= link.clock.monotonic() - began <= 3 * WINDOW_S + 1
    assert len(link.written) == 1


class Listening:
    """A simulated module's link, through which no command may go while the module waits for bytes."""

    def __init__(self, inner: SimLink) -> None:
        self.inner = inner
        self.name, self.clock = inner.name, inner.clock

    @property
    def baud(self) -> int:
        return self.inner.baud

    def read(self, timeout_s: float) -> bytes:
        return self.inner.read(timeout_s)

    def write(self, data: bytes) -> None:
        if self.inner.module.bytes_needed is not None:
            assert not data.startswith(b"AT"), "a command in the middle of a data phase"
        self.inner.write(data)

    def set_baud(self, baud: int) -> None:
        self.inner.set_baud(baud)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None: ...

    def close(self) -> None:
        self.inner.close()


@pytest.mark.parametrize("model", ["SIM7000C", "SIM7020C", "ME3616", "EC21", "EC800M"])
@settings(max_examples=12, deadline=None)
@given(
    faults=st.lists(
        st.sampled_from(
            [
                *(
                    f"{name}:{place}"
                    for name in ("no-prompt", "close-window", "refuse-data")
                    for place in "01"
                ),
                "late-prompt:0:25",
                "late-prompt:1:33",
                "late-prompt:0:4",
                "drop-byte:700",
                "lose-reply:0",
                "reboot-in-data:0",
                "lose-ack:1",
                "urc-storm:0.5",
            ]
        ),
        max_size=3,
    )
)
def test_no_command_is_taken_for_payload(
    model: str, faults: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    if any(
        "no-prompt" in fault for fault in faults
    ):  # its window begins unseen, and cannot begin later as well
        faults = [fault for fault in faults if "late-prompt" not in fault]
    package = tmp_path_factory.mktemp("p") / "p.bin"
    package.write_bytes(bytes(range(256)) * 6)
    persona = find_persona(model)
    link = Listening(
        SimLink(SimModule(persona, faults=["+".join(faults)]), SimulatedClock(), baud=persona.baud)
    )
    session = Session(link, loader.stranger())
    assert any(session.is_alive(1.0) for _ in range(3))
    session.use_dialect(loader.load(DIALECTS[model]))
    for command in session.dialect.setup:
        session.command(command)
    method = method_for(session.dialect)
    method.check(package)
    for _ in range(3):
        try:
            method.prepare(session)
            method.write(session, package, lambda _done, _total: None)
        except (SlotLost, ModuleError):
            if not any(session.is_alive(2.0) for _ in range(4)):
                session.await_boot(10.0)
            continue
        except WriteFailed:
            return  # refused as often as it may be tried
        break


DIALECTS = {
    "SIM7000C": "simcom-sim7000",
    "SIM7020C": "simcom-sim7020",
    "ME3616": "gosuncn-me3616",
    "EC21": "quectel-dfota",
    "EC800M": "quectel-cat1",
}
