"""The question before a change: Enter means no, and Ctrl-C ends the command."""

import io
import os
import signal
import sys
import threading

import pytest

from atota.cli.view.prompt import confirm
from atota.errors import Interrupted


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    typed = io.StringIO()
    monkeypatch.setattr(sys, "stdin", typed)
    return typed


def type_in(answers: io.StringIO, text: str) -> None:
    answers.write(text)
    answers.seek(0)


@pytest.mark.parametrize(
    ("typed", "is_yes"), [("\n", False), ("y\n", True), ("n\n", False), ("what\nno\n", False)]
)
def test_an_answer_is_yes_or_no(
    answers: io.StringIO, capsys: pytest.CaptureFixture[str], typed: str, is_yes: bool
) -> None:
    type_in(answers, typed)
    assert confirm("Update BC28: 1 → 2?") is is_yes
    shown = capsys.readouterr()
    assert shown.err.startswith("Update BC28: 1 → 2? [y/N]")
    assert shown.out.strip() == ""


def test_the_end_of_the_input_ends_the_command(answers: io.StringIO) -> None:
    with pytest.raises(Interrupted) as caught:
        confirm("Update?")
    assert caught.value.exit_code == 130


class Pressing(io.StringIO):
    """Input during which the user presses Ctrl-C."""

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        os.kill(os.getpid(), signal.SIGINT)
        return super().readline(size)


def test_ctrl_c_breaks_into_the_question_and_elsewhere_only_notes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, _frame: noted.append(number))
    try:
        monkeypatch.setattr(sys, "stdin", Pressing("y\n"))
        with pytest.raises(Interrupted):
            confirm("Update?")
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert noted == [signal.SIGINT]


def test_a_question_from_another_thread_leaves_the_signals_alone(answers: io.StringIO) -> None:
    type_in(answers, "y\n")
    replies: list[bool] = []
    thread = threading.Thread(target=lambda: replies.append(confirm("Update?")))
    thread.start()
    thread.join(10)
    assert replies == [True]
