"""Numbers in information lines."""

import pytest

from atota.at.params import allowed_numbers, whole_number


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
