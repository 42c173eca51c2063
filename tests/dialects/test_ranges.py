"""Numbers whose meaning has ranges: every one is judged by a table of its profile, with a source."""

import re

import pytest

from atota.dialects import loader
from atota.dialects.ranges import bounds, is_within
from atota.dialects.watch import Codes, ReportingSpec, Watch

WATCHED = {
    profile.name: profile.method.watch
    for profile in loader.all_built_in()
    if isinstance(profile.method, ReportingSpec)
}


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("0-100", (0, 100)),
        ("128", (128, 128)),
        ("129-", (129, float("inf"))),
        ("", None),
        ("-", None),
        ("-5", None),
        ("5-2", None),
        ("1,2", None),
        ("x", None),
    ],
)
def test_a_range_is_a_number_or_two_or_one_without_an_end(
    text: str, span: tuple[float, float] | None
) -> None:
    assert bounds(text) == span


def test_what_is_not_a_range_holds_no_number() -> None:
    assert not is_within(5, ("x", "6-", "0-4"))
    assert is_within(6, ("x", "6-"))


LINES = [
    *(("ublox-sara-r4", f"+UUFWINSTALL: {n}", n, False, False) for n in (0, 4, 57, 100)),
    *(("ublox-sara-r4", f"+UUFWINSTALL: {n}", None, False, False) for n in (101, 127, 256, 99999999999)),
    ("ublox-sara-r4", "+UUFWINSTALL: 128", None, True, False),
    *(("ublox-sara-r4", f"+UUFWINSTALL: {n}", None, False, True) for n in (129, 173, 247)),
    ("ublox-sara-r4", "+UFWPREVAL: 30", 30, False, False),
    ("quectel-dfota", '+QIND: "FOTA","UPDATING",41%', 41, False, False),
    ("quectel-dfota", '+QIND: "FOTA","RESTORE",41%', 41, False, False),
    ("quectel-dfota", '+QIND: "FOTA","END",0', None, True, False),
    *(("quectel-dfota", f'+QIND: "FOTA","END",{n}', None, False, True) for n in (1, 501, 505, 523, 999)),
    ("quectel-cat1", '+QIND: "FOTA","END",0', None, True, False),
    ("quectel-cat1", '+QIND: "FOTA","END",507', None, False, True),
    ("quectel-bc26", '+QIND: "FOTA","HTTPEND",0', None, False, False),
    ("quectel-bc26", '+QIND: "FOTA","HTTPEND",12', None, False, True),
    ("quectel-bc26", '+QIND: "FOTA", "END",254', None, False, True),
    ("quectel-bc26", '+QIND: "FOTA","END",0', None, True, False),
    ("simcom-sim7000", '+CFOTA: "Updating",55', 55, False, False),
    ("simcom-sim7000", '+CFOTA: "Updating",255', None, False, False),
    *(("cmcc-mt2625", f"+MIPLEVENT: 0,{n}", None, False, False) for n in (1, 4, 6, 20, 26, 40, 42, 43, 46)),
    ("cmcc-mt2625", "+MIPLEVENT: 0,44", None, True, False),
    *(("cmcc-mt2625", f"+MIPLEVENT:0,{n}", None, False, True) for n in (41, 45, 47, 49)),
]


@pytest.mark.parametrize(("name", "line", "percent", "success", "failure"), LINES)
def test_a_number_means_what_its_range_says(
    name: str, line: str, percent: int | None, success: bool, failure: bool
) -> None:
    watch = WATCHED[name]
    assert watch.percent(line) == percent
    assert watch.success(line) == success
    assert (watch.failure(line) is not None) == failure


@pytest.mark.parametrize("name", WATCHED)
def test_no_pattern_of_a_profile_judges_a_number_by_not_zero(name: str) -> None:
    watch = WATCHED[name]
    for pattern in (*watch.failed, *watch.succeeded):
        assert not re.search(r"\\d|\[[1-9]-9\]", pattern), f"{pattern}: make it a table of `codes`"
    for codes in watch.codes:
        assert codes.percent or codes.success or codes.failure
        assert codes.source


@pytest.mark.parametrize("name", WATCHED)
def test_every_failure_that_has_a_word_is_in_the_range_of_failures(name: str) -> None:
    for codes in WATCHED[name].codes:
        for key in codes.words:
            span = bounds(key)
            assert span is not None
            assert is_within(int(span[0]), codes.failure), f"{codes.pattern}: {key}"
        assert all(is_within(int(text), codes.failure) for text in codes.mismatch)


@pytest.mark.parametrize("name", WATCHED)
def test_a_profile_whose_module_reports_progress_names_the_longest_wait(name: str) -> None:
    profile, watch = loader.load(name), WATCHED[name]
    if watch.progress or any(codes.percent for codes in watch.codes):
        assert profile.reboot is not None
        assert profile.reboot.longest_s is not None
        assert profile.reboot.longest_s > profile.reboot.limit_s


def test_words_may_stand_for_a_range() -> None:
    assert "the update failed" in str(WATCHED["quectel-dfota"].failure('+QIND: "FOTA","END",523'))


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("quectel-bg96", '+QIND: "FOTA","END",500', "the module did not receive the whole file"),
        ("quectel-bc26", '+QIND: "FOTA","HTTPEND",714', "the server's name could not be resolved"),
        ("quectel-cat1", '+QIND: "FOTA","END",520', "the update failed"),
        ("quectel-dfota", '+QIND: "FOTA","END",503', "an error of the update that the guides do not explain"),
        ("quectel-bc66", '+QIND: "FOTA","END",77', "not explained by its documents"),
        ("ublox-sara-r5", "+UUFWINSTALL: 133", "not explained by its documents"),
    ],
)
def test_11_8_no_failure_is_told_as_a_bare_number(name: str, line: str, words: str) -> None:
    told = str(WATCHED[name].failure(line))
    assert told.startswith(f"{line}: ")
    assert words in told


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"percent": ("0-100",), "success": ("50",)}, "50 has two meanings"),
        ({"failure": ("1-",), "success": ("0", "128")}, "128 has two meanings"),
        ({"words": {"x": "y"}, "failure": ("1",)}, "A number or a range is expected"),
        ({}, "no number would mean anything"),
    ],
)
def test_a_table_of_numbers_that_contradicts_itself_is_a_mistake(
    fields: dict[str, object], said: str
) -> None:
    codes = Codes(pattern=r"X (\d+)", source="s", **fields)  # type: ignore[arg-type]
    assert said in "\n".join(what for _, what in codes.mistakes())


def test_a_failure_after_which_success_comes_is_forgotten_only_by_the_reader() -> None:
    watch = Watch(codes=(Codes(pattern=r"X (\d+)", success=("0",), failure=("1-",), source="s"),), source="s")
    assert watch.failure("X 7") == "X 7: not explained by its documents"
    assert watch.success("X 0")
    assert watch.failure("X none") is None
