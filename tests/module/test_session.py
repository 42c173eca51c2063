"""The results and errors of a command, in literal bytes."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from atota.at.events import Event
from atota.at.syntax import Command
from atota.clock import Deadline, StopToken, SystemClock
from atota.dialects import loader
from atota.errors import (
    Desynchronised,
    Interrupted,
    JobTimeout,
    LinkLost,
    ModuleRebooted,
    NoAnswer,
    UsageError,
)
from atota.module.session import Session, open_session
from atota.testing.memory import memory_pair

Scripted = Callable[..., Any]
OK = b"\r\nOK\r\n"


def table(answers: dict[bytes, Any]) -> Callable[[bytes, int], Any]:
    """A module that answers by a table of bytes, or of what to say when."""

    def answer(line: bytes, _number: int) -> Any:
        output = answers.get(line, b"\r\nERROR\r\n")
        return [(0.01, output)] if isinstance(output, bytes) else output

    return answer


def session(link: Any, dialect: str = "3gpp", **more: Any) -> Session:
    return Session(link, loader.load(dialect), **more)


def test_a_reply_has_lines_and_a_final(scripted: Scripted) -> None:
    s = session(scripted(table({b"AT+CSQ": b"\r\n+CSQ: 20,99\r\n\r\nOK\r\n"})))
    reply = s.command("AT+CSQ")
    assert reply.ok
    assert reply.lines == ("+CSQ: 20,99",)
    assert (reply.final.kind, reply.final.code, reply.command) == ("OK", None, "AT+CSQ")


@pytest.mark.parametrize(
    ("output", "kind", "code", "text"),
    [
        (b"\r\nERROR\r\n", "ERROR", None, ""),
        (b"\r\n+CME ERROR: 50\r\n", "CME", 50, "50"),
        (b"\r\n+CME ERROR: SIM not inserted\r\n", "CME", 10, "SIM not inserted"),
        (b"\r\n+CMS ERROR: 305\r\n", "CMS", 305, "305"),
    ],
)
def test_a_refusal_is_a_value(
    scripted: Scripted, output: bytes, kind: str, code: int | None, text: str
) -> None:
    reply = session(scripted(table({b"AT+X": output}))).command("AT+X")
    assert not reply.ok
    assert (reply.final.kind, reply.final.code, reply.final.text) == (kind, code, text)


def test_urcs_are_kept_in_order_and_taken_once(scripted: Scripted) -> None:
    output = b"\r\n+CEREG: 2\r\n\r\n+CSQ: 20,99\r\n\r\n+CSCON: 1\r\n\r\nOK\r\n\r\n+CRING: VOICE\r\n"
    link = scripted(table({b"AT+CSQ": output}))
    s = session(link)
    assert s.command("AT+CSQ").lines == ("+CSQ: 20,99",)
    link.say(b"\r\nRING\r\n")
    assert s.take_urcs() == ["+CEREG: 2", "+CSCON: 1", "+CRING: VOICE", "RING"]
    assert s.take_urcs() == []


def test_urcs_that_came_before_the_port_was_lost_can_still_be_taken(scripted: Scripted) -> None:
    link = scripted(table({b"AT": b"\r\nRING\r\n\r\nOK\r\n"}))
    s = session(link)
    s.command("AT")
    link.lost_at = 0.0
    assert s.take_urcs() == ["RING"]
    with pytest.raises(LinkLost):
        s.take_urcs()


def test_silence_raises_after_the_time_given(scripted: Scripted) -> None:
    link = scripted(table({b"AT+CSQ": []}))
    with pytest.raises(NoAnswer, match=r"AT\+CSQ got no answer within 2 s"):
        session(link).command("AT+CSQ", timeout_s=2.0)
    assert link.clock.monotonic() == pytest.approx(2.0 + 7 * 10 / 9600)


def test_the_time_counts_from_when_the_line_has_left_the_wire(scripted: Scripted) -> None:
    text = "AT+X=" + "0" * 955
    link = scripted(table({text.encode(): []}))
    with pytest.raises(NoAnswer):
        session(link).command(text, timeout_s=1.0)
    assert link.clock.monotonic() == pytest.approx(2.0, abs=0.01)


def test_a_final_that_is_complete_at_the_deadline_counts(scripted: Scripted) -> None:
    at_deadline = 1.0 + 3 * 10 / 9600
    link = scripted(table({b"AT": [(at_deadline, OK)]}))
    assert session(link).command("AT", timeout_s=1.0).ok


def test_a_final_in_the_buffer_counts_even_if_reading_took_past_the_deadline(scripted: Scripted) -> None:
    class Slow(type(scripted(table({})))):  # type: ignore[misc]
        """A port whose reads come back late, as on a busy machine."""

        def read(self, timeout_s: float) -> bytes:
            data: bytes = super().read(timeout_s)
            if data:
                self.clock.sleep(30.0)
            return data

    link = Slow(table({b"AT+CSQ": [(0.1, b"\r\n+CSQ: 1,99\r\n"), (0.2, OK)]}))
    assert session(link).command("AT+CSQ", timeout_s=1.0).lines == ("+CSQ: 1,99",)


def test_half_an_answer_at_the_deadline_is_none(scripted: Scripted) -> None:
    link = scripted(table({b"AT": [(0.1, b"\r\nO"), (9.0, b"K\r\n")]}))
    with pytest.raises(NoAnswer, match="half a line: 'O'"):
        session(link).command("AT", timeout_s=1.0)


def test_noise_is_told_with_the_silence(scripted: Scripted) -> None:
    link = scripted(table({b"AT": [(0.1, b"\x00\xf8\x80\xff\r")]}))
    with pytest.raises(NoAnswer, match="bytes of noise"):
        session(link).command("AT", timeout_s=1.0)


def test_the_first_byte_has_a_deadline_of_its_own(scripted: Scripted) -> None:
    link = scripted(table({b"AT+A": [(0.5, OK)], b"AT+B": [(0.5, b"\r\n"), (3.0, OK)], b"AT+CMEE=?": OK}))
    s = session(link)
    with pytest.raises(NoAnswer):
        s.command("AT+A", timeout_s=5.0, first_s=0.2)
    assert link.clock.monotonic() < 0.3
    assert s.command("AT+B", timeout_s=5.0, first_s=0.6).ok


def test_a_banner_ends_the_command_and_keeps_its_own_ok(scripted: Scripted) -> None:
    banner = (
        b"\r\nREBOOTING\r\n\xf8\x80\r\nBoot: Unsigned\r\nSecurity B.. Verified\r\n"
        b"\r\nREBOOT_CAUSE_APPLICATION_WATCHDOG\r\nNeul \r\nOK\r\n"
    )
    link = scripted(table({b"AT+NFWUPD=2": [(0.1, banner)], b"AT+CSQ": b"\r\n+CSQ:9,99\r\n\r\nOK\r\n"}))
    s = session(link, "hi2115")
    with pytest.raises(ModuleRebooted, match="APPLICATION_WATCHDOG") as caught:
        s.command("AT+NFWUPD=2")
    assert caught.value.cause == "APPLICATION_WATCHDOG"
    assert s.command("AT+CSQ").lines == ("+CSQ:9,99",)
    assert (s.boots, s.last_boot_cause) == (1, "APPLICATION_WATCHDOG")


def test_a_banner_that_dribbles_in_is_waited_out(scripted: Scripted) -> None:
    parts = [(0.5, b"\r\nBoot: Unsigned\r\n"), (4.0, b"Apps A......"), (5.0, b" Verified\r\n")]
    parts += [(7.0, b"\r\nREBOOT_CAUSE_SECURITY_PMU_POWER_ON_RESET\r\n"), (8.0, b"Neul \r\nOK\r\n")]
    link = scripted(table({b"AT+CFUN=1": parts}))
    with pytest.raises(ModuleRebooted) as caught:
        session(link, "hi2115").command("AT+CFUN=1", timeout_s=5.0)
    assert caught.value.cause == "SECURITY_PMU_POWER_ON_RESET"
    assert link.clock.monotonic() == pytest.approx(8.0)


def test_a_lost_port_raises_link_lost(scripted: Scripted) -> None:
    link = scripted(table({b"AT": []}))
    link.lost_at = 1.0
    with pytest.raises(LinkLost):
        session(link).command("AT", timeout_s=5.0)


def test_the_stop_token_ends_a_wait(scripted: Scripted) -> None:
    stop = StopToken()

    def answer(_line: bytes, _number: int) -> Any:
        stop.set()
        return []

    with pytest.raises(Interrupted):
        session(scripted(answer), stop=stop).command("AT")


def test_the_limit_of_the_job_ends_a_wait(scripted: Scripted) -> None:
    link = scripted(table({b"AT": [(9.0, OK)]}))
    s = session(link)
    s.limit = Deadline(link.clock, 3.0)
    link.clock.slice_s = 0.1
    with pytest.raises(JobTimeout):
        s.command("AT", timeout_s=60.0)


def test_the_listener_gets_every_event(scripted: Scripted) -> None:
    seen: list[Event] = []
    s = session(scripted(table({b"AT": b"\r\nRING\r\n\r\nOK\r\n"})), listener=seen.append)
    s.command("AT")
    assert [type(event).__name__ for event in seen] == ["Urc", "Done"]


def test_it_pauses_after_a_final_as_the_dialect_says(scripted: Scripted) -> None:
    times: list[float] = []

    def answer(_line: bytes, _number: int) -> Any:
        times.append(link.clock.monotonic())
        return [(0.0, OK)]

    link = scripted(answer)
    s = session(link)
    s.command("AT")
    s.command("AT")
    assert times[1] - times[0] >= s.dialect.uart.pause_after_final_s


def test_a_command_can_say_what_may_come_back(scripted: Scripted) -> None:
    link = scripted(table({b"AT+NFWUPD=2": b"\r\n+NFWUPD:PACKAGE_OK\r\n\r\nREGISTERNOTIFY\r\n\r\nOK\r\n"}))
    s = session(link, "hi2115")
    command = Command(text="AT+NFWUPD=2", prefixes=("+NFWUPD",), free_text=False)
    assert s.command(command).lines == ("+NFWUPD:PACKAGE_OK",)
    assert s.take_urcs() == ["REGISTERNOTIFY"]


# -- late answers --------------------------------------------------------------------------------


def test_a_late_answer_is_not_given_to_the_next_command(scripted: Scripted) -> None:
    late = [(3.0, b"\r\n+CSQ: 1,99\r\n\r\nOK\r\n")]
    first = iter([late])
    link = scripted(
        lambda line, _number: {
            b"AT+CSQ": next(first, [(0.01, b"\r\n+CSQ: 2,99\r\n\r\nOK\r\n")]),
            b"AT": [(0.01, OK)],
        }.get(line, [(0.01, b"\r\nERROR\r\n")])
    )
    s = session(link)
    with pytest.raises(NoAnswer):
        s.command("AT+CSQ", timeout_s=2.0)
    assert s.command("AT+CSQ").lines == ("+CSQ: 2,99",)


def test_a_fence_that_the_late_command_could_answer_is_not_used(scripted: Scripted) -> None:
    """The answer of an AT+CMEE=? that was given up looks like that of the fence of this name."""
    link = scripted(table({b"AT+CMEE=?": [], b"AT": OK, b"AT+CFUN?": b"\r\n+CFUN: 1\r\n\r\nOK\r\n"}))
    s = session(link)
    with pytest.raises(NoAnswer):
        s.command("AT+CMEE=?", timeout_s=1.0)
    assert s.command("AT").ok
    assert link.written == [b"AT+CMEE=?", b"AT", b"AT+CFUN?", b"AT"]


def test_a_swallowed_command_is_paid_by_a_fence(scripted: Scripted) -> None:
    link = scripted(
        table(
            {
                b"AT+A": [],
                b"AT": OK,
                b"AT+CMEE=?": b"\r\n+CMEE:(0,1)\r\n\r\nOK\r\n",
                b"AT+B": b"\r\nB\r\n" + OK,
            }
        )
    )
    s = session(link)
    with pytest.raises(NoAnswer):
        s.command("AT+A", timeout_s=1.0)
    assert s.command("AT+B").lines == ("B",)
    assert link.written == [b"AT+A", b"AT", b"AT+CMEE=?", b"AT+B"]


def test_a_line_that_proves_nothing_is_out_of_step(scripted: Scripted) -> None:
    """It answers OK to everything and tells nothing: results cannot be told apart."""
    link = scripted(lambda line, _number: [] if line == b"AT+A" else [(0.01, OK)])
    s = session(link)
    with pytest.raises(NoAnswer):
        s.command("AT+A", timeout_s=1.0)
    with pytest.raises(Desynchronised) as caught:
        s.command("AT+B")
    assert b"AT+B" not in link.written
    assert "AT+CMEE=?" in caught.value.tried
    assert caught.value.hint


def test_a_mute_module_is_not_asked_for_fences(scripted: Scripted) -> None:
    link = scripted(lambda _line, _number: [])
    s = session(link)
    for _ in range(3):
        with pytest.raises(NoAnswer):
            s.command("AT+A", timeout_s=1.0)
    assert set(link.written) == {b"AT+A", b"AT"}
    assert link.written.count(b"AT+A") == 1


def test_is_alive_is_true_for_any_result_and_false_for_silence(scripted: Scripted) -> None:
    assert session(scripted(table({}))).is_alive(1.0)
    link = scripted(lambda _line, _number: [])
    assert not session(link).is_alive(1.0)
    assert link.clock.monotonic() == pytest.approx(1.0, abs=0.01)


def test_is_alive_goes_on_listening_after_a_late_line(scripted: Scripted) -> None:
    link = scripted(lambda _line, number: [[(1.5, b"\r\n+CSQ: 1,99\r\n"), (1.8, OK)], []][min(number, 2) - 1])
    s = session(link)
    with pytest.raises(NoAnswer):
        s.command("AT+CSQ", timeout_s=1.0)
    assert s.is_alive(1.0)


# -- real links ----------------------------------------------------------------------------------


@contextmanager
def tcp_module(answers: dict[bytes, bytes]) -> Iterator[int]:
    """A module behind a TCP port, that takes one connection."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(10)

    def work() -> None:
        try:
            peer, _ = server.accept()
        except OSError:
            return
        with peer:
            peer.settimeout(10)
            held = b""
            while data := peer.recv(100):
                *lines, held = (held + data).split(b"\r")
                for line in lines:
                    if line == b"BYE":
                        return
                    peer.sendall(answers.get(line, b""))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()
        thread.join(10)


def test_the_contract_over_a_socket() -> None:
    answers = {
        b"AT+CSQ": b"\r\n+CEREG: 1\r\n\r\n+CSQ: 17,99\r\n\r\nOK\r\n",
        b"AT+BAD": b"\r\n+CME ERROR: 4\r\n",
    }
    with tcp_module(answers) as port, open_session(f"socket://127.0.0.1:{port}", dialect="3gpp") as s:
        reply = s.command("AT+CSQ", timeout_s=5.0)
        assert (reply.ok, reply.lines) == (True, ("+CSQ: 17,99",))
        assert s.take_urcs() == ["+CEREG: 1"]
        reply = s.command("AT+BAD", timeout_s=5.0)
        assert (reply.ok, reply.final.kind, reply.final.code, reply.final.text) == (False, "CME", 4, "4")
        with pytest.raises(NoAnswer):
            s.command("AT+NOTHING", timeout_s=0.05)
    with tcp_module({}) as port, open_session(f"socket://127.0.0.1:{port}") as s, pytest.raises(LinkLost):
        s.command("BYE", timeout_s=5.0)


def test_a_memory_link_under_the_machines_time() -> None:
    host, module = memory_pair(SystemClock())
    with session(host) as s:
        module.write(OK)
        module.write(b"\r\n+CRING: VOICE\r\n")
        assert s.take_urcs() == ["+CRING: VOICE"]
    with pytest.raises(LinkLost):
        host.read(0.0)
    module.close()


def test_an_unknown_dialect_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        open_session("sim://BC28", dialect="hayes")
    assert "3gpp" in caught.value.hint
