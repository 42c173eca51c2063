"""atota term: a module as one types, and atota at where a command asks for data."""

import io
import sys
from pathlib import Path

import pytest

from atota.cli.call import Call
from atota.cli.commands.talk import cancel_prompt
from atota.cli.view.output import Output
from atota.cli.view.typed import TypedLines
from atota.clock import SimulatedClock
from atota.dialects import loader
from atota.errors import NoAnswer
from atota.link.forward import ForwardingLink
from atota.module.session import Session
from atota.testing.memory import memory_pair
from tests.cli.running import Cli, Ran
from tests.cli.test_cli_process import on_terminal


@pytest.fixture
def typed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run the program with these lines on its standard input."""

    def run(*words: object, lines: str = "", **env: str) -> Ran:
        monkeypatch.setattr(io, "StringIO", lambda _text="": _Typed(lines))
        return cli(*words, **env)

    return run


class _Typed(io.TextIOWrapper):
    """Standard input in memory."""

    def __init__(self, text: str) -> None:
        super().__init__(io.BytesIO(text.encode()), "utf-8")


def test_each_typed_line_is_a_command_with_its_own_response(typed: Cli) -> None:
    ran = typed("term", "-p", "sim://BC28", lines="AT+CSQ\n\n  AT+CGMM  \nAT+NOSUCH\nAT")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == ["+CSQ:20,99", "OK", "BC28", "OK", "+CME ERROR: 4", "OK"]
    assert "quectel-hi2115 at 9600 baud" in ran.err


def test_programs_get_the_responses_and_the_sums(typed: Cli) -> None:
    ran = typed("term", "-p", "sim://BC28", "--json", lines="AT+CSQ\nAT+NOSUCH\n")
    responses = [line for line in ran.lines if line["event"] == "response"]
    assert [(one["command"], one["ok"]) for one in responses] == [("AT+CSQ", True), ("AT+NOSUCH", False)]
    assert (ran.result["ok"], ran.result["commands"], ran.result["refused"]) == (True, 2, 1)


def test_what_is_not_a_command_or_gets_no_answer_does_not_end_it(typed: Cli) -> None:
    port = "sim://BC28?fault=lose-reply:c20"
    ran = typed("term", "-p", port, "--within", "2", "--json", lines="hello\n" + "AT+CSQ\n" * 12)
    assert ran.code == 0, ran.err
    troubles = [line["code"] for line in ran.lines if line["event"] == "trouble"]
    assert troubles == ["usage", "module.no-answer"]
    assert ran.result["commands"] == 12
    assert ran.lines[-2]["final"]["text"] == "OK"


def test_lines_that_come_unasked_are_told_apart(typed: Cli) -> None:
    ran = typed("term", "-p", "sim://BC28?fault=urc-before-reply:3", lines="AT+CSQ\n")
    asked = [line for line in ran.out.splitlines() if not line.startswith("~ ")]
    assert asked == ["+CSQ:20,99", "OK"]
    urcs = typed("term", "-p", "sim://BC28?fault=urc-storm:0.02", "--json", lines="AT+CSQ\n" * 3)
    assert any(line["event"] == "urc" for line in urcs.lines)


def test_a_port_that_is_lost_ends_it(typed: Cli) -> None:
    ran = typed("term", "-p", "sim://BC28?fault=unplug-at:c20", lines="AT+CSQ\n" * 20)
    assert (ran.code, "unplugged" in ran.err) == (4, True)


def test_it_has_a_transcript(typed: Cli, tmp_path: Path) -> None:
    file = tmp_path / "t.transcript"
    assert typed("term", "-p", "sim://BC28", "--transcript", file, lines="AT+CSQ\n").code == 0
    assert "> AT+CSQ\\r" in file.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="ptys")
@pytest.mark.parametrize("key", [b"\x04", b"\x03"], ids=["ctrl-d", "ctrl-c"])
def test_on_a_terminal_it_goes_on_until_it_is_left(key: bytes) -> None:
    words = ("term", "-p", "sim://BC28?fault=urc-storm:0.5&speed=10")
    code, shown = on_terminal(words, key, until=b"\x1b[36m~ ")
    assert code == 0, shown
    assert "unasked" in shown


def test_a_line_without_an_end_is_the_last_one() -> None:
    lines = TypedLines(_Typed("AT\r\nAT+CSQ"))
    assert [lines.take(1.0), lines.take(1.0)] == ["AT", "AT+CSQ"]
    with pytest.raises(EOFError):
        lines.take(1.0)


def test_a_command_that_asks_for_data_is_taken_back() -> None:
    host, module = memory_pair(SimulatedClock())

    class Asking(ForwardingLink):
        """A module that asks for the text of a message, and answers nothing but the end of it."""

        def write(self, data: bytes) -> None:
            super().write(data)
            if data.startswith(b"AT+CMGS"):
                module.write(b"\r\n> ")
            if data == b"\x1b":
                module.write(b"\r\nOK\r\n")

    call = Call({}, Output("at", json=False, verbosity=-1))
    session = Session(Asking(host), loader.load("3gpp"))
    with pytest.raises(NoAnswer):
        session.command('AT+CMGS="1"', timeout_s=2.0)
    cancel_prompt(call, session)
    assert module.read(0.0) == b'AT+CMGS="1"\r\x1b'
    with pytest.raises(NoAnswer):
        session.command("AT+CSQ", timeout_s=1.0)
    cancel_prompt(call, session)
    assert b"\x1b" not in module.read(0.0)
