import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atota.otaserver.ranges import clamp


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("0-99", (0, 99)),
        ("bytes=0-99", (0, 99)),
        ("Bytes=0-99", (0, 99)),
        (" bytes=10-19 ", (10, 19)),
        ("01-02", (1, 2)),
        ("100-", (100, 999)),
        ("0-", (0, 999)),
        ("-100", (900, 999)),
        ("-1000", (0, 999)),
        ("-1001", None),  # a suffix longer than the file: the whole file
        ("-0", None),
        ("1000-", (0, 999)),  # a start past the end begins again at 0
        ("1000-1009", (0, 999)),
        ("2000-5", (0, 5)),
        ("990-5000", (990, 999)),  # an end past the end is the last byte
        ("50-10", (0, 10)),  # a start behind the end begins at 0
        ("999-999", (999, 999)),
        ("-", None),
        ("", None),
        (None, None),
        ("bytes=0-1,5-6", None),
        ("bytes 0-1", None),
        ("a-b", None),
        ("0 - 1", None),
        ("items=0-1", None),
        ("٣-٤", None),
        ("9" * 5000 + "-", None),
    ],
)
def test_a_range_is_read_as_the_download_page_says(
    header: str | None, expected: tuple[int, int] | None
) -> None:
    part = clamp(header, 1000)
    assert (None if part is None else (part.start, part.end)) == expected


def expected_slice(first: int | None, last: int | None, total: int) -> range:
    """The page's sentences, one after the other, on a list of positions."""
    if first is None:
        assert last is not None
        return range(total) if last > total or last == 0 else range(total - last, total)
    if first >= total:
        first = 0
    if last is None or last >= total:
        last = total - 1
    return range(0 if first > last else first, last + 1)


numbers = st.one_of(st.none(), st.integers(0, 40), st.integers(0, 10**30))


@given(numbers, numbers, st.integers(1, 30), st.sampled_from(["", "bytes="]))
@example(None, 1, 1, "")
def test_any_range_yields_the_bytes_of_the_documented_clamping(
    first: int | None, last: int | None, total: int, prefix: str
) -> None:
    data = bytes(range(total))
    header = f"{prefix}{'' if first is None else first}-{'' if last is None else last}"
    part = clamp(header, total)
    got = data if part is None else data[part.start : part.end + 1]
    if first is None and last is None:
        assert part is None
        return
    assert got == bytes(expected_slice(first, last, total))
    if part is not None:
        assert part.content_range == f"bytes {got[0]}-{got[-1]}/{total}"
        assert len(part) == len(got)


@given(st.text(max_size=20), st.integers(1, 100))
def test_no_header_is_ever_refused_or_reaches_outside(header: str, total: int) -> None:
    part = clamp(header, total)
    assert part is None or 0 <= part.start <= part.end < total


def test_a_request_that_was_bent_to_fit_is_marked() -> None:
    marks = {h: clamp(h, 100) for h in ("0-99", "99-", "0-100", "100-", "9-8")}
    assert [part is not None and part.asked_past_end for part in marks.values()] == [
        False,
        False,
        True,
        True,
        True,
    ]
