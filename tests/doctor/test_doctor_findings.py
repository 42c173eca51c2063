"""How an examination ends: exit code, summary, and what is blamed first."""

import pytest

from atota.doctor.findings import GROUPS, Finding, Group, State, blamed, ending, summary, unseen
from atota.errors import NoAnswer


def finding(group: Group, check: str, state: State) -> Finding:
    return Finding(group=group, check=check, state=state, says=f"{check} is {state}", next=f"mend {check}")


OK = finding("port", "permission", "ok")
WARNING = finding("port", "latency", "warning")
UNKNOWN = finding("line", "answer", "unknown")


@pytest.mark.parametrize("found", [[], [OK], [OK, WARNING, UNKNOWN]])
def test_what_is_not_bad_ends_well(found: list[Finding]) -> None:
    assert ending(found) is None


@pytest.mark.parametrize(
    ("group", "check", "code", "outcome"),
    [
        ("port", "permission", 4, "port"),
        ("port", "stays", 4, "port"),
        ("line", "answer", 5, "no-answer"),
        ("module", "reboots", 5, "no-answer"),
        ("platform", "server", 8, "server"),
        ("platform", "clock", 8, "server"),
        ("platform", "key", 3, "bad-config"),
        ("platform", "authorization", 3, "bad-config"),
        ("platform", "product id", 3, "bad-config"),
    ],
)
def test_the_first_bad_finding_gives_the_exit_code(group: Group, check: str, code: int, outcome: str) -> None:
    error = ending([OK, WARNING, finding(group, check, "bad"), finding("port", "later", "bad")])
    assert error is not None
    assert (error.exit_code, error.outcome) == (code, outcome)
    assert error.message == f"2 things to mend, first: {check} is bad"
    assert error.hint == f"mend {check}"


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_can_end_badly(group: Group) -> None:
    error = ending([finding(group, "x", "bad")])
    assert error is not None
    assert error.exit_code in (3, 4, 5, 8)


@pytest.mark.parametrize(
    ("states", "wanted"),
    [
        ("", "nothing is wrong"),
        ("o", "nothing is wrong"),
        ("ow", "nothing is wrong, 1 warning"),
        ("owwu", "nothing is wrong, 2 warnings, 1 not known"),
        ("b", "1 thing to mend"),
        ("bbw", "2 things to mend, 1 warning"),
    ],
)
def test_the_summary_counts(states: str, wanted: str) -> None:
    names: dict[str, State] = {"o": "ok", "w": "warning", "b": "bad", "u": "unknown"}
    assert summary([finding("line", "x", names[state]) for state in states]) == wanted


def test_an_error_of_ours_becomes_a_finding_with_what_was_tried() -> None:
    made = blamed("line", "answer", NoAnswer("silence", hint="check power", tried=("9600", "115200")))
    assert (made.state, made.says, made.next) == ("bad", "silence; 9600; 115200", "check power")


def test_what_was_not_looked_at_says_why() -> None:
    (made,) = unseen("module", ("supply",), "see answer above", port="COM3")
    assert (made.state, made.port) == ("unknown", "COM3")
    assert made.says == "not looked at: see answer above"
