"""Every number of the platform has a sentence, an action and a next step."""

import pytest

from atota.errors import StepResult
from atota.ota.base import Status
from atota.ota.onenet.errnos import (
    DownloadProblem,
    Endpoint,
    download_problem,
    meaning,
)

DOCUMENTED = [0, 1, 2, 4, 7, 8, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20, 21, 22, 23, 24, 27, 32, 5116]

RESULTS = [
    (0, Endpoint.CHECK, StepResult.OK),
    (1, Endpoint.CHECK, StepResult.REFUSED),
    (2, Endpoint.CHECK, StepResult.REFUSED),
    (2, Endpoint.TASKING, StepResult.NO_TASK),
    (4, Endpoint.TOKEN, StepResult.EXPIRED),
    (4, Endpoint.TASKING, StepResult.EXPIRED),
    (7, Endpoint.CHECK, StepResult.LATER),
    (7, Endpoint.TOKEN, StepResult.LATER),
    (8, Endpoint.CHECK, StepResult.REFUSED),
    (9, Endpoint.CHECK, StepResult.REFUSED),
    (10, Endpoint.CHECK, StepResult.REFUSED),
    (11, Endpoint.CHECK, StepResult.NO_TASK),
    (11, Endpoint.TASKING, StepResult.NO_TASK),
    (11, Endpoint.TOKEN, StepResult.REFUSED),
    (12, Endpoint.TOKEN, StepResult.EXPIRED),
    (13, Endpoint.STEP, StepResult.MOVED_ON),
    (15, Endpoint.TOKEN, StepResult.EXPIRED),
    (17, Endpoint.TOKEN, StepResult.MOVED_ON),
    (17, Endpoint.STEP, StepResult.MOVED_ON),
    (13, Endpoint.TOKEN, StepResult.REFUSED),
    (21, Endpoint.TOKEN, StepResult.REFUSED),
    (18, Endpoint.TOKEN, StepResult.REFUSED),
    (19, Endpoint.TOKEN, StepResult.PAUSED),
    (19, Endpoint.CHECK, StepResult.PAUSED),
    (20, Endpoint.TOKEN, StepResult.OVER),
    (20, Endpoint.STEP, StepResult.OVER),
    (21, Endpoint.STEP, StepResult.MOVED_ON),
    (22, Endpoint.TOKEN, StepResult.OVER),
    (23, Endpoint.TOKEN, StepResult.EXPIRED),
    (24, Endpoint.STEP, StepResult.REFUSED),
    (27, Endpoint.VERSION, StepResult.BAD_VERSION),
    (32, Endpoint.CHECK, StepResult.REFUSED),
    (5116, Endpoint.CHECK, StepResult.REFUSED),
    (3, Endpoint.CHECK, StepResult.REFUSED),
    (-1, Endpoint.CHECK, StepResult.REFUSED),
]


def test_the_table_has_every_documented_number_and_no_other() -> None:
    known = [n for n in range(-1, 6000) if any(meaning(n, endpoint).known for endpoint in Endpoint)]
    assert known == DOCUMENTED


@pytest.mark.parametrize(("errno", "endpoint", "result"), RESULTS)
def test_what_is_done_about_each_number(errno: int, endpoint: Endpoint, result: StepResult) -> None:
    assert meaning(errno, endpoint).result is result


@pytest.mark.parametrize("endpoint", Endpoint)
@pytest.mark.parametrize("errno", [*DOCUMENTED, 3, 99999])
def test_each_number_has_words_on_each_call(errno: int, endpoint: Endpoint) -> None:
    found = meaning(errno, endpoint)
    assert found.errno == errno
    assert found.sentence
    assert found.hint.endswith(".")
    assert found.known == (errno in DOCUMENTED)


def test_only_zero_is_success() -> None:
    ok = [n for n in [*DOCUMENTED, 3, 5, 6] for e in Endpoint if meaning(n, e).result is StepResult.OK]
    assert set(ok) == {0}


def test_meanings_that_depend_on_the_call_differ() -> None:
    assert meaning(20, Endpoint.TOKEN).sentence != meaning(20, Endpoint.STEP).sentence
    assert meaning(4, Endpoint.TASKING).sentence != meaning(4, Endpoint.TOKEN).sentence


@pytest.mark.parametrize("number", range(1, 7))
def test_download_errors_come_as_ascii_and_as_binary(number: int) -> None:
    problem = DownloadProblem(number)
    assert download_problem(number) is problem
    assert download_problem(ord(str(number))) is problem
    assert problem.sentence
    assert problem.result in (StepResult.REFUSED, StepResult.LATER, StepResult.EXPIRED)


@pytest.mark.parametrize("byte", [0, 7, 0x30, 0x37, 0x0A, 255])
def test_other_bytes_are_no_download_error(byte: int) -> None:
    assert download_problem(byte) is None


def test_status_codes_have_sentences() -> None:
    assert [int(s) for s in Status] == [*range(101, 108), *range(201, 209)]
    assert all(status.sentence for status in Status)
