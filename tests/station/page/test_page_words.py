"""The operator's words: every end of a job has its sentence in each language."""

from typing import get_args

import pytest

from atota.errors import Outcome
from atota.station.lane import LaneState, Verdict
from atota.station.page import document
from atota.station.page.advice import outcome_words
from atota.station.page.words import state_words, verdict_words, words
from atota.station.view import LaneView, Language

LANGUAGES: tuple[Language, ...] = get_args(Language)


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_words_in_each_language(outcome: Outcome) -> None:
    sentences = [outcome_words(language)[outcome] for language in LANGUAGES]
    assert all(sentences)
    assert len(set(sentences)) == len(LANGUAGES)
    assert any(ord(letter) > 0x4E00 for letter in outcome_words("zh")[outcome])


def test_both_languages_have_the_same_words() -> None:
    assert words("en").keys() == words("zh").keys()
    for language in LANGUAGES:
        assert state_words(language).keys() == set(LaneState)
        assert verdict_words(language).keys() == set(Verdict)


def test_a_chinese_tile_has_the_operators_sentence_above_the_engineers() -> None:
    lane = LaneView(
        number=1,
        state=LaneState.FAILED,
        verdict=Verdict.FAIL,
        outcome="old-version",
        sentence="the module runs <V1> again",
    )
    assert document.advice(lane, "zh") == "重启后仍是旧版本：放入不良品。"
    assert document.sentence(lane, words("zh")) == "the module runs <V1> again"
    assert document.advice(LaneView(number=1, state=LaneState.EMPTY), "zh") == ""
    done = LaneView(number=1, state=LaneState.REMOVE_UNIT, done_before="updated on lane 1")
    assert document.advice(done, "zh") == "此件已做过：请取出。"
