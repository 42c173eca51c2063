"""Every number of the platform has a sentence, an action and a next step."""

import pytest

from atota.ota.onenet.errnos import (
    Action,
    DownloadProblem,
    Endpoint,
    Status,
    download_problem,
    known_errnos,
    meaning,
)

DOCUMENTED = [0, 1, 2, 4, 7, 8, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20, 21, 22, 23, 24, 27, 32, 5116]

ACTIONS = [
    (0, Endpoint.CHECK, Action.OK),
    (1, Endpoint.CHECK, Action.FIX_INPUT),
    (1, Endpoint.REPORT, Action.FIX_INPUT),
    (2, Endpoint.CHECK, Action.FIX_INPUT),
    (2, Endpoint.REPORT, Action.STOP),
    (2, Endpoint.DEV_INFO, Action.FIX_INPUT),
    (2, Endpoint.TASKING, Action.FIX_INPUT),
    (4, Endpoint.TOKEN, Action.RECHECK),
    (4, Endpoint.TASKING, Action.RECHECK),
    (7, Endpoint.CHECK, Action.RETRY),
    (7, Endpoint.TOKEN, Action.RETRY),
    (8, Endpoint.CHECK, Action.STOP),
    (9, Endpoint.CHECK, Action.STOP),
    (10, Endpoint.CHECK, Action.NOT_NOW),
    (11, Endpoint.CHECK, Action.NO_TASK),
    (11, Endpoint.TASKING, Action.NO_TASK),
    (11, Endpoint.TOKEN, Action.STOP),
    (12, Endpoint.TOKEN, Action.RECHECK),
    (13, Endpoint.CHECK, Action.STOP),
    (15, Endpoint.TOKEN, Action.RECHECK),
    (17, Endpoint.TOKEN, Action.NOT_DOWNLOADABLE),
    (17, Endpoint.STEP, Action.STOP),
    (18, Endpoint.TOKEN, Action.STOP),
    (19, Endpoint.TOKEN, Action.PAUSED),
    (19, Endpoint.CHECK, Action.PAUSED),
    (20, Endpoint.TOKEN, Action.DONE),
    (20, Endpoint.REPORT, Action.DONE),
    (21, Endpoint.REPORT, Action.STOP),
    (22, Endpoint.TOKEN, Action.CANCELLED),
    (23, Endpoint.TOKEN, Action.RECHECK),
    (24, Endpoint.REPORT, Action.STOP),
    (27, Endpoint.CHECK, Action.FIX_INPUT),
    (32, Endpoint.CHECK, Action.STOP),
    (5116, Endpoint.CHECK, Action.STOP),
    (3, Endpoint.CHECK, Action.STOP),
    (-1, Endpoint.CHECK, Action.STOP),
]


def test_the_table_has_every_documented_number() -> None:
    assert known_errnos() == DOCUMENTED


@pytest.mark.parametrize(("errno", "endpoint", "action"), ACTIONS)
def test_what_is_done_about_each_number(errno: int, endpoint: Endpoint, action: Action) -> None:
    assert meaning(errno, endpoint).action is action


@pytest.mark.parametrize("endpoint", Endpoint)
@pytest.mark.parametrize("errno", [*DOCUMENTED, 3, 99999])
def test_each_number_has_words_on_each_call(errno: int, endpoint: Endpoint) -> None:
    found = meaning(errno, endpoint)
    assert found.errno == errno
    assert found.sentence
    assert found.hint.endswith(".")
    assert found.known == (errno in DOCUMENTED)


def test_only_zero_is_success() -> None:
    ok = [n for n in [*DOCUMENTED, 3, 5, 6] for e in Endpoint if meaning(n, e).action is Action.OK]
    assert set(ok) == {0}


def test_meanings_that_depend_on_the_call_differ() -> None:
    assert meaning(20, Endpoint.TOKEN).sentence != meaning(20, Endpoint.REPORT).sentence
    assert meaning(1, Endpoint.REPORT).sentence != meaning(1, Endpoint.CHECK).sentence
    assert meaning(4, Endpoint.TASKING).sentence != meaning(4, Endpoint.TOKEN).sentence


@pytest.mark.parametrize("number", range(1, 7))
def test_download_errors_come_as_ascii_and_as_binary(number: int) -> None:
    problem = DownloadProblem(number)
    assert download_problem(number) is problem
    assert download_problem(ord(str(number))) is problem
    assert problem.sentence
    assert problem.action in (Action.STOP, Action.RETRY, Action.RECHECK)


@pytest.mark.parametrize("byte", [0, 7, 0x30, 0x37, 0x0A, 255])
def test_other_bytes_are_no_download_error(byte: int) -> None:
    assert download_problem(byte) is None


def test_status_codes_and_what_they_do_to_the_task() -> None:
    assert [int(s) for s in Status] == [*range(101, 108), *range(201, 209)]
    assert all(status.sentence for status in Status)
    assert Status.DOWNLOADED.task_becomes == "upgrading"
    assert Status.UPGRADED.task_becomes == "done"
    assert {s.task_becomes for s in Status if s not in (101, 201)} == {"failed"}
