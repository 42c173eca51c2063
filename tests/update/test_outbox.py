"""Verdicts that wait: told once, in order, to the platform that they are for; without a token."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest

from atota.clock import SimulatedClock
from atota.errors import AtotaError, Interrupted, PlatformRefused, ServerUnreachable
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.ota.onenet.wire import Task
from atota.update.outbox import Outgoing, Verdict, deliver, tell, waiting

HERE = "http://ota.test"
MD5 = "9e107d9d372bb6826bd81d3542a419d6"


class Answers:
    """A platform that answers as it is told, and remembers what it was told."""

    server = HERE

    def __init__(self, **troubles: AtotaError | None) -> None:
        self.told: list[tuple[str, Any]] = []
        self.troubles = troubles
        self.task: Task | None = Task(
            target="V2", token="a-token-that-is-secret", size=4, md5=MD5, kind="full"
        )

    def _answer(self, call: str, what: Any) -> None:
        trouble = self.troubles.get(call)
        if trouble is not None:
            raise trouble
        self.told.append((call, what))

    def tasking(self, dev_id: str, task_type: str = "fota", *, cdn: bool = False) -> Task | None:
        self._answer("tasking", dev_id)
        return self.task

    def report_step(self, dev_id: str, token: str, step: int) -> None:
        self._answer("step", (dev_id, step))

    def report_version(self, dev_id: str, f_version: str | None = None, s_version: str | None = None) -> None:
        self._answer("version", (dev_id, f_version, s_version))


def verdict(**changes: Any) -> Verdict:
    fields = {"place": HERE, "dev_id": "1", "type": "fota", "target": "V2", "md5": MD5, "status": 201}
    return Verdict(**{**fields, "version": "V2", **changes})


@pytest.fixture
def journal() -> Iterator[Journal]:
    with closing(sqlite3.connect(":memory:")) as database:
        made = Journal.on(database, clock=SimulatedClock())
        made.open_job(Opened(run="a" * 12, attempt=1, command="update", port="/dev/ttyUSB0"))
        yield made


def queue(journal: Journal, *verdicts: Verdict) -> None:
    for one in verdicts:
        journal.queue("a" * 12 + "-1", msgspec.to_builtins(one))


def test_a_success_is_told_with_a_token_asked_for_anew_and_then_the_version(journal: Journal) -> None:
    queue(journal, verdict())
    platform = Answers()
    told = deliver(journal, platform, HERE)  # type: ignore[arg-type]
    assert platform.told == [("tasking", "1"), ("step", ("1", 201)), ("version", ("1", "V2", None))]
    assert [one.how for one in told] == ["delivered"]
    assert waiting(journal) == []
    assert deliver(journal, platform, HERE) == []  # type: ignore[arg-type]


def test_they_are_told_in_order_and_what_is_for_another_platform_stays(journal: Journal) -> None:
    other = verdict(place="http://another.test")
    queue(
        journal,
        verdict(dev_id="1"),
        other,
        verdict(dev_id="2"),
        verdict(dev_id="3", status=206, version=None),
    )
    platform = Answers()
    deliver(journal, platform, HERE)  # type: ignore[arg-type]
    assert [what[0] for call, what in platform.told if call == "step"] == ["1", "2", "3"]
    assert [one for _, one in waiting(journal)] == [other]


def test_a_platform_that_cannot_be_reached_ends_it_and_everything_waits_on(journal: Journal) -> None:
    queue(journal, verdict(dev_id="1"), verdict(dev_id="2"))
    platform = Answers(tasking=ServerUnreachable("no route"))
    told = deliver(journal, platform, HERE)  # type: ignore[arg-type]
    assert [(one.how, one.detail) for one in told] == [(None, "no route")]
    assert len(waiting(journal)) == 2


def test_one_device_that_is_refused_does_not_hold_up_the_others_but_its_own(journal: Journal) -> None:
    queue(journal, verdict(dev_id="1"), verdict(dev_id="1", version="V3"), verdict(dev_id="2"))

    class Picky(Answers):
        def tasking(self, dev_id: str, task_type: str = "fota", *, cdn: bool = False) -> Task | None:
            if dev_id == "1":
                raise PlatformRefused("authentication failed", errno=1)
            return super().tasking(dev_id, task_type, cdn=cdn)

    told = deliver(journal, Picky(), HERE)  # type: ignore[arg-type]
    assert [(one.verdict.dev_id, one.how) for one in told] == [("1", None), ("2", "delivered")]
    assert [one.version for _, one in waiting(journal)] == ["V2", "V3"]


@pytest.mark.parametrize("errno", [2, 4, 11, 12, 20, 22])
def test_without_a_task_the_version_alone_tells_a_success(errno: int) -> None:
    platform = Answers(tasking=PlatformRefused("no such task", errno=errno))
    assert tell(platform, verdict()) == ("delivered", "version V2")  # type: ignore[arg-type]
    assert platform.told == [("version", ("1", "V2", None))]


def test_a_failure_of_a_task_that_is_gone_is_nobody_s_business_any_more() -> None:
    platform = Answers()
    platform.task = None
    how, _ = tell(platform, verdict(status=206, version=None))  # type: ignore[arg-type]
    assert (how, platform.told) == ("obsolete", [("tasking", "1")])


def test_a_verdict_about_another_package_is_not_told_of_the_task_that_is_there_now() -> None:
    platform = Answers()
    tell(platform, verdict(target="V9"))  # type: ignore[arg-type]
    assert [call for call, _ in platform.told] == ["tasking", "version"]


@pytest.mark.parametrize("errno", [4, 12, 13, 17, 20, 21, 22])
def test_a_task_that_is_further_on_is_told_the_version_all_the_same(errno: int) -> None:
    platform = Answers(step=PlatformRefused("task finish", errno=errno))
    how, detail = tell(platform, verdict())  # type: ignore[arg-type]
    assert how == "delivered"
    assert "not wanted any more" in detail


@pytest.mark.parametrize("errno", [1, 7, 19])
def test_what_the_platform_may_want_later_waits(errno: int) -> None:
    with pytest.raises(PlatformRefused):
        tell(Answers(step=PlatformRefused("later", errno=errno)), verdict())  # type: ignore[arg-type]


def test_a_version_that_the_platform_will_never_take_is_given_up(journal: Journal) -> None:
    queue(journal, verdict())
    deliver(journal, Answers(version=PlatformRefused("bad version", errno=27)), HERE)  # type: ignore[arg-type]
    assert waiting(journal) == []


def test_ctrl_c_keeps_what_waits(journal: Journal) -> None:
    queue(journal, verdict())
    with pytest.raises(Interrupted):
        deliver(journal, Answers(tasking=Interrupted("stopped")), HERE)  # type: ignore[arg-type]
    assert len(waiting(journal)) == 1


@pytest.mark.parametrize("told", [True, False])
def test_a_verdict_is_written_down_before_it_is_told(journal: Journal, told: bool) -> None:
    seen: list[int] = []

    def tell_it() -> bool:
        seen.append(len(waiting(journal)))
        return told

    outgoing = Outgoing(journal, HERE, lambda: "a" * 12 + "-1", pytest.fail)
    assert outgoing.send(verdict(), tell_it) is told
    assert seen == [1]
    assert len(waiting(journal)) == (0 if told else 1)


def test_nothing_of_a_token_is_in_what_waits(journal: Journal) -> None:
    queue(journal, verdict())
    platform = Answers(version=ServerUnreachable("no route"))
    deliver(journal, platform, HERE)  # type: ignore[arg-type]
    assert "secret" not in repr(journal.pending())
