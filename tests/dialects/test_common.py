"""What profiles read in a module's lines, and what they make of lines that nobody foresaw."""

import pytest

from atota.dialects import loader
from atota.dialects.common import Ask, Watch, pattern_problem
from atota.review.traces import read_traces
from atota.transcript.trace import parse_trace

WATCH = Watch(
    progress=(r'"UPDATING", ?(\d+)', r"DONE (\w+)"), fetching=(r'"LOADING", ?(\d+)', "LOADS"), source="s"
)


@pytest.mark.parametrize(
    ("line", "percent"),
    [
        ('"UPDATING", 7', 7),
        ('"UPDATING", 100', 100),
        ('"UPDATING", 101', None),
        ('"UPDATING", 250', None),
        ('"UPDATING", ' + "9" * 5000, None),
        ("DONE half", None),
        ("OK", None),
    ],
)
def test_progress_is_a_percentage_or_nothing(line: str, percent: int | None) -> None:
    assert WATCH.percent(line) == percent


@pytest.mark.parametrize(
    ("line", "percent"), [('"LOADING",30', 30), ('"LOADING",' + "9" * 5000, None), ("LOADS", 0), ("OK", None)]
)
def test_a_download_of_the_module_s_own_is_a_percentage_or_nothing(line: str, percent: int | None) -> None:
    assert WATCH.fetched(line) == percent


def test_a_group_that_took_no_part_in_the_match_tells_nothing() -> None:
    assert Ask(send="AT+X?", pattern=r"^\+X(?:: (\d+))?").find(("+X",)) is None


@pytest.mark.parametrize(
    "text",
    ["(", r"\d{4294967296}", rf"\d{{{'1' * 4400}}}", "(" * 9000, b"\\u0041"],
    ids=lambda text: text[:9],
)
def test_what_re_does_not_take_is_told_and_not_raised(text: str | bytes) -> None:
    assert "is not a regular expression" in str(pattern_problem(text))


def test_a_turn_of_more_than_one_line_is_nobody_s_question() -> None:
    reading = read_traces(
        loader.load("3gpp"), [parse_trace("> AT+CGMR\\r\\nAT\n< \\r\\nV1\\r\\n\\r\\nOK\\r\\n")]
    )
    assert reading.fields == {}
