"""No answer of a command that timed out is ever given to another one, whatever the module does with time."""

import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from atota.dialects import loader
from atota.errors import Desynchronised, NoAnswer
from atota.module.session import Session

HARMLESS = {
    b"AT": b"",
    b"AT+CMEE=?": b"\r\n+CMEE:(0,1)\r\n",
    b"AT+CFUN?": b"\r\n+CFUN:1\r\n",
    b"AT+CEREG=?": b"\r\n+CEREG:(0,1,2)\r\n",
    b"AT+CGATT=?": b"\r\n+CGATT:(0,1)\r\n",
}
# How a module treats one command: the seconds that it takes, None: it never answers, "swallow": it is lost.
TREATMENT = st.one_of(
    st.just(0.01), st.sampled_from([0.3, 0.9, 1.1, 1.6, 2.5, 4.0, 9.0, 20.0]), st.none(), st.just("swallow")
)


class Queue:
    """A module that answers in order, one after the other, each command as slowly as it is told.

    ``echo``: ``receipt``: when the line comes; ``execution``: when the command is begun; ``off``.
    """

    def __init__(self, treatments: list[Any], echo: str, form: str) -> None:
        self._treatments = treatments
        self._echo = echo
        self._form = form
        self._free_at = 0.0
        self.link: Any = None

    def __call__(self, line: bytes, _number: int) -> list[tuple[float, bytes]]:
        treatment: Any = 0.01
        if self._treatments:
            treatment = self._treatments.pop(0)
        if treatment == "swallow":
            return []
        now = self.link.clock.monotonic()
        begin = max(now, self._free_at)
        echo = line + (b"\r\r\n" if self._form == "crcrlf" else b"\r")
        output = [(0.0 if self._echo == "receipt" else begin - now, echo)] if self._echo != "off" else []
        if treatment is None:
            return output
        self._free_at = begin + treatment
        return [*output, (self._free_at - now, self._answer(line))]

    def _answer(self, line: bytes) -> bytes:
        if line in HARMLESS:
            return HARMLESS[line] + b"\r\nOK\r\n"
        # Each question of the test has an answer of its own, with and without its name before it.
        number = line.rpartition(b"=")[2]
        if self._form == "bare":
            return b"\r\n" + number + b" is mine\r\n\r\nOK\r\n"
        return b"\r\n+Q: " + number + b"\r\n\r\nOK\r\n"


@settings(max_examples=300, deadline=None)
@given(
    treatments=st.lists(TREATMENT, max_size=14),
    echo=st.sampled_from(["receipt", "execution", "off"]),
    form=st.sampled_from(["named", "bare", "crcrlf"]),
    timeouts=st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=2, max_size=6),
)
def test_no_answer_is_given_to_another_command(
    treatments: list[Any], echo: str, form: str, timeouts: list[float], scripted: Callable[..., Any]
) -> None:
    module = Queue(list(treatments), echo, form)
    module.link = link = scripted(module)
    session = Session(link, loader.load("3gpp"))
    for number, timeout_s in enumerate(timeouts):
        sent = len(link.written)
        try:
            reply = session.command(f"AT+Q={number}", timeout_s=timeout_s)
        except NoAnswer:
            continue
        except Desynchronised:
            assert f"AT+Q={number}".encode() not in link.written[sent:]
            continue
        own = f"{number} is mine" if form == "bare" else f"+Q: {number}"
        assert reply.lines == (own,), link.written


@settings(max_examples=100, deadline=None)
@given(
    slow=st.sampled_from([1.5, 2.4, 6.0, 30.0]),
    echo=st.sampled_from(["receipt", "execution", "off"]),
    lost=st.booleans(),
)
def test_a_module_that_answers_again_is_talked_to_again(
    slow: float, echo: str, lost: bool, scripted: Callable[..., Any]
) -> None:
    module = Queue(["swallow" if lost else slow], echo, "named")
    module.link = link = scripted(module)
    session = Session(link, loader.load("3gpp"))
    try:
        session.command("AT+Q=1", timeout_s=1.0)
    except NoAnswer:
        link.clock.sleep(slow)
    assert session.command("AT+Q=2").lines == ("+Q: 2",)


def test_a_final_that_is_never_final_for_the_next(scripted: Callable[..., Any]) -> None:
    """An error that comes late is as little the next command's as an OK."""
    late = iter([[(3.0, b"\r\n+CME ERROR: 50\r\n")]])
    link = scripted(lambda line, _n: next(late, [(0.01, HARMLESS.get(line, b"") + b"\r\nOK\r\n")]))
    session = Session(link, loader.load("3gpp"))
    with contextlib.suppress(NoAnswer):
        session.command("AT+SLOW", timeout_s=1.0)
    assert session.command("AT+NEXT").ok
