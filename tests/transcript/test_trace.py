"""Traces: every line of the format, and every mistake named by its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.errors import ConfigError
from atota.transcript.trace import Host, Module, Noise, Pause, module_lines, parse_trace

TEXT = r"""# persona: BC28
# source: the manual, page 1
# source: the manual, page 2
# sim: accept=any&becomes=V2
# sim: seed=1
# 4.2 a comment
> AT+CGMR
< \r\nBC28\\\r\n
? 24
>> \x00\x1a
* 3 1A
~ 1.5
"""


def test_every_line_is_read() -> None:
    trace = parse_trace(TEXT)
    assert trace.values("source") == ["the manual, page 1", "the manual, page 2"]
    assert trace.values("") == ["4.2 a comment"]
    assert (trace.persona, trace.baud) == ("BC28", 9600)
    assert trace.url == "sim://BC28?accept=any&becomes=V2&seed=1"
    assert trace.lines == (
        Host("> AT+CGMR", b"AT+CGMR\r"),
        Module(r"< \r\nBC28\\\r\n", b"\r\nBC28\\\r\n"),
        Noise("? 24", 24),
        Host(r">> \x00\x1a", b"\x00\x1a"),
        Host("* 3 1A", b"\x1a\x1a\x1a"),
        Pause("~ 1.5", 1.5),
    )
    assert [line.is_line for line in trace.lines if isinstance(line, Host)] == [True, False, False]


@pytest.mark.parametrize(
    "line",
    ["AT", "", "! baud 9600", r"> \q", "* 3", "* -1 1A", "* 99999999 1A", "? many", "~ nan", "~ -1", "#x"],
)
def test_another_line_is_an_error_that_names_it(line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_trace(f"# persona: BC28\n{line}\n> AT\n", Path("a.trace"))
    assert caught.value.message.startswith("a.trace, line 2: not a line of a trace")


@given(st.binary(max_size=200))
def test_bytes_of_a_module_come_back(data: bytes) -> None:
    trace = parse_trace("\n".join(module_lines(data)))
    assert b"".join(line.data for line in trace.lines if isinstance(line, Module)) == data
