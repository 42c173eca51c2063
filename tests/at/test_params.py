"""Fields of information lines: what vendors really print, and the round trip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.at.params import (
    Value,
    allowed_numbers,
    format_fields,
    parse_fields,
    parse_line,
    whole_number,
)

FIELDS: list[tuple[str, bytes, tuple[Value, ...]]] = [
    ("126 a comma in quotes", b'+X: "a,b",5', ("a,b", 5)),
    ("127 empty and omitted differ", b'+X: "",,""', ("", None, "")),
    ("128 a trailing comma is one more field", b"+TEST: 1,", (1, None)),
    ("129 omitted in front", b"+TEST: ,,,1", (None, None, None, 1)),
    ("131 backslashes stay", b'+X: "C:\\dir\\22"', ("C:\\dir\\22",)),
    ("135 a trailing comma behind a list", b'+COPS: (1,"","","310410",0),', ((1, "", "", "310410", 0), None)),
    ("136 a blank inside a number", b"+CREG: 2,1,  0 5, 2715", (2, 1, "0 5", 2715)),
    (
        "137 blanks round items",
        b'+CGDCONT: ( 1 ) , "IP" ,,, (0-2),(0-3)',
        ((1,), "IP", None, None, ("0-2",), ("0-3",)),
    ),
    ("138 no blank behind the colon", b"+NBAND:5,8,3,28,20,1", (5, 8, 3, 28, 20, 1)),
    ("139 signs and sizes", b"+X: 18446744073709551615,-113,+2,007", (18446744073709551615, -113, 2, 7)),
    ("140 no number", b"+NOTIF: 1,2,3 4,5", (1, 2, "3 4", 5)),
    ("142 eight-bit text", b'+COPS: 0,0,"T\xe9l\xe9com",7', (0, 0, "T\xe9l\xe9com", 7)),
    (
        "143 line ends in quotes",
        b'+URDBLOCK: "r.txt",31,"HTTP/1.1 200 OK\r\nOK\r\nX: y\r\n\r\n\r\n"',
        ("r.txt", 31, "HTTP/1.1 200 OK\r\nOK\r\nX: y\r\n\r\n\r\n"),
    ),
    (
        "144 a certificate",
        b'%CMNG: 16842753,0,"978C","-----BEGIN-----\nMIIB\n-----END-----"',
        (16842753, 0, "978C", "-----BEGIN-----\nMIIB\n-----END-----"),
    ),
    (
        "145 an empty tail is kept",
        b'+QENG: "servingcell","NOCONN",-68,,,,,,',
        ("servingcell", "NOCONN", -68, None, None, None, None, None, None),
    ),
    ("146 text without quotes", b'+CSCA: something,"+34600000001",145', ("something", "+34600000001", 145)),
    (
        "147 only the first colon splits",
        b"+GMI: LG Inc.+GMM: Model:LG-LX265",
        ("LG Inc.+GMM: Model:LG-LX265",),
    ),
    ("no fields", b"+NSORF:", ()),
    ("no prefix", b"0,192.0.2.7,5683", (0, "192.0.2.7", 5683)),
    ("digits of no alphabet we know", "+X: ٣".encode(), ("Ù£",)),
    ("a blank that is no ASCII stays", b"+X: a\xa0", ("a\xa0",)),
]


@pytest.mark.parametrize(("line", "values"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS])
def test_fields_as_vendors_print_them(line: bytes, values: tuple[Value, ...]) -> None:
    assert parse_line(line).values == values


def test_escapes_are_resolved_only_where_the_dialect_says_so() -> None:
    """Row 130: V.250 5.4.2.2."""
    line = b'+X: "say \\22hi\\22 \\5C"'
    assert parse_line(line, escapes=True).values == ('say "hi" \\',)
    assert parse_line(line).values == ("say \\22hi\\22 \\5C",)


def test_a_broken_list_gives_what_can_be_made_of_it() -> None:
    """Row 134: F3607gw closes more parentheses than it opens."""
    broken = parse_line(b'+COPS: (1,"AT&T","AT&T","310410"),2),(1,"AT&T","AT&T","310410"),0)')
    assert broken.prefix == "+COPS"
    assert broken.values[0] == (1, "AT&T", "AT&T", "310410")


def test_leading_zeros_are_kept_in_the_raw_text() -> None:
    line = parse_line('+X: 007,  0 5 ,"a"')
    assert line.raw == ("007", "0 5", '"a"')
    assert (line.text(0), line.text(1), line.text(2), line.text(3)) == ("007", "0 5", "a", None)
    assert (line.integer(0), line.integer(1), line.integer(-1), line.integer(9)) == (7, None, None, None)


@pytest.mark.parametrize(
    ("line", "prefix"),
    [
        ("+CEREG: 1", "+CEREG"),
        ("%CMNG: 1", "%CMNG"),
        ("Manufacturer: X", "Manufacturer"),
        ("867726031076062", ""),
        ("12:30:05", ""),
        ('"a": 1', ""),
    ],
)
def test_the_prefix_ends_at_the_first_colon(line: str, prefix: str) -> None:
    assert parse_line(line).prefix == prefix


BYTES = st.text(st.characters(max_codepoint=255), max_size=12)
SCALARS: st.SearchStrategy[Value] = st.one_of(st.none(), st.integers(), BYTES)
LISTS: st.SearchStrategy[Value] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4).map(tuple).filter(lambda values: values != (None,)),
    max_leaves=8,
)
VALUES = st.lists(LISTS, max_size=6).map(tuple).filter(lambda values: values != (None,))


def depth(value: Value) -> int:
    return 1 + max(map(depth, value), default=0) if isinstance(value, tuple) else 0


@given(VALUES.filter(lambda values: depth(values) <= 8))
def test_what_is_written_is_read_back(values: tuple[Value, ...]) -> None:
    assert parse_fields(format_fields(values), escapes=True)[0] == values


MESSY = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from([b'"', b",", b"(", b")", b" ", b"1", b"-2", b"a", b"\\22", b"+X: ", b"\r\n", b"\xe9"])
    ).map(b"".join),
)


@given(MESSY, st.booleans())
def test_any_line_gives_something_and_writing_it_again_changes_nothing(line: bytes, escapes: bool) -> None:
    once = parse_line(line, escapes=escapes)
    assert len(once.values) == len(once.raw)
    assert parse_fields(format_fields(once.values), escapes=True)[0] == once.values


@given(st.lists(st.integers(0, 255), min_size=1, max_size=4), VALUES)
def test_fields_that_a_later_release_adds_change_nothing(known: list[int], added: tuple[Value, ...]) -> None:
    """27.007: parameters after the ones that are known have to be accepted and ignored."""
    line = "+X: " + ",".join(filter(None, [format_fields(tuple(known)), format_fields(added)]))
    read = parse_line(line, escapes=True)
    assert [read.integer(index) for index in range(len(known))] == known


def test_lists_nested_deeper_than_any_answer_are_text() -> None:
    line = parse_line("+X: " + "(" * 3000 + ")" * 3000)
    assert depth(line.values) <= 10


def test_a_number_longer_than_any_field_is_text() -> None:
    assert parse_line("+X: " + "9" * 5000).values == ("9" * 5000,)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("007", 7),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("9" * 5000, None),
        ("\u0663", None),
        ("-1", None),
        ("", None),
        (None, None),
    ],
)
def test_a_whole_number_is_a_few_digits_or_nothing(text: str | None, number: int | None) -> None:
    assert whole_number(text) == number


def test_a_string_that_is_no_bytes_is_not_written() -> None:
    with pytest.raises(ValueError, match="latin-1"):
        format_fields(("中",))


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("(0-5)", {0, 1, 2, 3, 4, 5}),
        ("(0,1,2,5)", {0, 1, 2, 5}),
        ("0-2", {0, 1, 2}),
        ("( 1 - 3 ), 7", {1, 2, 3, 7}),
        ("", set()),
        ("5-1", set()),
    ],
)
def test_a_test_answer_says_which_numbers_are_allowed(text: str, allowed: set[int]) -> None:
    assert allowed_numbers(text) == allowed


def test_an_absurd_range_is_bounded() -> None:
    assert len(allowed_numbers("(0-99999),(0-99999)")) <= 1025
