"""Reports that wait: delivered once, in order, to the platform that they are for; without a token."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest

from atota.clock import SimulatedClock
from atota.errors import (
    AtotaError,
    Interrupted,
    JobTimeout,
    Outcome,
    PlatformRefused,
    ServerError,
    ServerUnreachable,
    StepResult,
    UsageError,
)
from atota.journal.facts import Told
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.ota.base import Capabilities, Status, Task
from atota.update.report import Outbox, Report, deliver, deliver_waiting, waiting
from atota.update.reporter import Reporter
from atota.values import TaskType

HERE = "http://ota.test"
JOB = "a" * 12 + "-1"
MD5 = "9e107d9d372bb6826bd81d3542a419d6"
TASK = Task(target="V2", token="a-token-that-is-secret", size=4, md5=MD5, kind="full")


class Answers:
    """A platform that answers as scripted, and keeps the reports that it accepted."""

    server = HERE
    capabilities = Capabilities()

    def __init__(self, **troubles: AtotaError | None) -> None:
        self.accepted: list[tuple[str, Any]] = []
        self.troubles = troubles
        self.task: Task | None = TASK

    def _answer(self, call: str, what: Any) -> None:
        trouble = self.troubles.get(call)
        if trouble is not None:
            raise trouble
        self.accepted.append((call, what))

    def tasking(self, dev_id: str, task_type: TaskType = "fota", *, cdn: bool = False) -> Task | None:
        self._answer("tasking", dev_id)
        return self.task

    def report_step(self, dev_id: str, token: str, step: int) -> None:
        assert token == TASK.token
        self._answer("step", (dev_id, step))

    def report_version(self, dev_id: str, f_version: str | None = None, s_version: str | None = None) -> None:
        self._answer("version", (dev_id, f_version, s_version))


def refused(result: StepResult) -> PlatformRefused:
    return PlatformRefused("no", result=result)


def report(**changes: Any) -> Report:
    fields = {"server": HERE, "device": "1", "type": "fota", "target": "V2", "md5": MD5, "status": 201}
    return Report(**{**fields, "version": "V2", **changes})


@pytest.fixture
def journal() -> Iterator[Journal]:
    with closing(sqlite3.connect(":memory:")) as database:
        made = Journal.on(database, clock=SimulatedClock())
        entry = made.open_job(Opened(run="a" * 12, attempt=1, command="update", port="/dev/ttyUSB0"))
        entry.verdict(Outcome.UPDATED_UNREPORTED)
        yield made


def queue(journal: Journal, *reports: Report) -> None:
    for one in reports:
        journal.queue(JOB, msgspec.to_builtins(one))


def delivered(journal: Journal, platform: Answers) -> list[Any]:
    return list(deliver_waiting(journal, platform))  # type: ignore[arg-type]


def test_a_success_is_reported_with_a_token_asked_for_anew_and_then_the_version(journal: Journal) -> None:
    queue(journal, report())
    platform = Answers()
    deliveries = delivered(journal, platform)
    assert platform.accepted == [("tasking", "1"), ("step", ("1", 201)), ("version", ("1", "V2", None))]
    assert [(one.how, one.job) for one in deliveries] == [("delivered", JOB)]
    assert waiting(journal) == []
    assert delivered(journal, platform) == []


def test_a_document_that_an_earlier_version_queued_is_delivered(journal: Journal) -> None:
    document = {"place": HERE, "dev_id": "1", "type": "sota", "target": "V2", "md5": MD5}
    journal.queue(JOB, {**document, "status": None, "version": "V2"})
    platform = Answers()
    assert [one.how for one in delivered(journal, platform)] == ["delivered"]
    assert platform.accepted == [("version", ("1", None, "V2"))]
    assert set(msgspec.to_builtins(report())) == {*document, "status", "version", "api", "handle"}


def test_they_are_delivered_in_order_and_those_for_another_platform_stay(journal: Journal) -> None:
    other = report(server="http://another.test")
    queue(
        journal,
        report(device="1"),
        other,
        report(device="2"),
        report(device="3", status=206, version=None),
    )
    platform = Answers()
    delivered(journal, platform)
    assert [what[0] for call, what in platform.accepted if call == "step"] == ["1", "2", "3"]
    assert [one for _, one in waiting(journal)] == [other]


def test_a_job_at_work_delivers_its_own_reports(journal: Journal) -> None:
    entry = journal.open_job(Opened(run="b" * 12, attempt=1, command="update", port="/dev/ttyUSB1"))
    journal.queue(entry.id, msgspec.to_builtins(report(device="2")))
    platform = Answers()
    assert delivered(journal, platform) == []
    entry.verdict(Outcome.INTERRUPTED)
    assert [one.how for one in delivered(journal, platform)] == ["delivered"]


def test_two_lanes_do_not_deliver_the_same_report_at_once(journal: Journal) -> None:
    queue(journal, report())
    platform = Answers()
    with journal.delivering:
        assert delivered(journal, platform) == []
    assert platform.accepted == []
    assert len(delivered(journal, platform)) == 1


def test_a_platform_that_cannot_be_reached_ends_it_and_everything_waits_on(journal: Journal) -> None:
    queue(journal, report(device="1"), report(device="2"))
    down = ServerUnreachable("no route")
    deliveries = delivered(journal, Answers(tasking=down, version=down))
    assert [(one.how, one.detail) for one in deliveries] == [(None, "no route")]
    assert len(waiting(journal)) == 2


def test_one_device_that_is_refused_does_not_hold_up_the_others_but_its_own(journal: Journal) -> None:
    queue(journal, report(device="1"), report(device="1", version="V3"), report(device="2"))

    class Picky(Answers):
        def tasking(self, dev_id: str, task_type: TaskType = "fota", *, cdn: bool = False) -> Task | None:
            if dev_id == "1":
                raise refused(StepResult.REFUSED)
            return super().tasking(dev_id, task_type, cdn=cdn)

    deliveries = delivered(journal, Picky())
    assert [(one.report.device, one.how) for one in deliveries] == [("1", None), ("2", "delivered")]
    assert [one.version for _, one in waiting(journal)] == ["V2", "V3"]


@pytest.mark.parametrize("result", [StepResult.NO_TASK, StepResult.EXPIRED, StepResult.OVER])
def test_without_a_task_the_version_alone_reports_a_success(result: StepResult) -> None:
    platform = Answers(tasking=refused(result))
    delivery = deliver(platform, report())  # type: ignore[arg-type]
    assert (delivery.how, delivery.detail) == ("delivered", "version V2")
    assert platform.accepted == [("version", ("1", "V2", None))]


def test_a_failure_of_a_task_that_is_gone_is_obsolete() -> None:
    platform = Answers()
    platform.task = None
    delivery = deliver(platform, report(status=206, version=None))  # type: ignore[arg-type]
    assert (delivery.how, platform.accepted) == ("obsolete", [("tasking", "1")])


def test_a_report_about_another_package_is_not_given_to_the_present_task() -> None:
    platform = Answers()
    deliver(platform, report(target="V9"))  # type: ignore[arg-type]
    assert [call for call, _ in platform.accepted] == ["tasking", "version"]


@pytest.mark.parametrize("result", [StepResult.EXPIRED, StepResult.MOVED_ON, StepResult.OVER])
def test_a_task_that_is_further_on_gets_the_version_all_the_same(result: StepResult) -> None:
    delivery = deliver(Answers(step=refused(result)), report())  # type: ignore[arg-type]
    assert delivery.is_delivered
    assert "201 is obsolete" in delivery.detail


@pytest.mark.parametrize("result", [StepResult.REFUSED, StepResult.LATER, StepResult.PAUSED])
def test_a_status_that_the_platform_may_take_later_waits(journal: Journal, result: StepResult) -> None:
    queue(journal, report())
    assert [one.how for one in delivered(journal, Answers(step=refused(result)))] == [None]
    assert len(waiting(journal)) == 1


@pytest.mark.parametrize("trouble", [refused(StepResult.BAD_VERSION), UsageError("21 characters")])
def test_a_version_that_the_platform_will_never_take_is_given_up(
    journal: Journal, trouble: AtotaError
) -> None:
    queue(journal, report())
    assert [one.how for one in delivered(journal, Answers(version=trouble))] == ["obsolete"]
    assert waiting(journal) == []


@pytest.mark.parametrize("stop", [Interrupted("stopped"), JobTimeout("over")])
def test_ctrl_c_and_the_time_limit_keep_what_waits(journal: Journal, stop: AtotaError) -> None:
    queue(journal, report())
    with pytest.raises(type(stop)):
        delivered(journal, Answers(tasking=stop))
    assert len(waiting(journal)) == 1


def test_an_expired_token_of_the_running_job_fails_a_failure_but_not_a_success() -> None:
    expired = Answers(step=refused(StepResult.EXPIRED))
    assert deliver(expired, report(), task=TASK).is_delivered  # type: ignore[arg-type]
    failure = report(status=206, version=None)
    assert deliver(expired, failure, task=TASK).how is None  # type: ignore[arg-type]


def test_a_platform_that_wants_the_status_gets_it_later(journal: Journal) -> None:
    expired = Answers(step=refused(StepResult.EXPIRED))
    expired.capabilities = Capabilities(reports_by_version=False)
    assert deliver(expired, report(), task=TASK).how is None  # type: ignore[arg-type]


# -- the running job ---------------------------------------------------------------------------


class Running:
    """The reporter of a running job, and all that leaves it."""

    def __init__(self, journal: Journal | None, platform: Answers) -> None:
        self.warnings: list[str] = []
        self.told: list[Told] = []
        self.outbox = Outbox(journal, lambda: JOB, self.warnings.append, self.told.append)
        self.reporter = Reporter(platform, "1", "fota", self.outbox)  # type: ignore[arg-type]


@pytest.mark.parametrize("trouble", [None, ServerUnreachable("no route")])
def test_a_report_is_queued_before_it_is_delivered(journal: Journal, trouble: AtotaError | None) -> None:
    class Looking(Answers):
        def _answer(self, call: str, what: Any) -> None:
            assert len(waiting(journal)) == 1
            super()._answer(call, what)

    running = Running(journal, Looking(step=trouble, version=trouble))
    assert running.reporter.updated(TASK, "V2") is (trouble is None)
    assert len(waiting(journal)) == (0 if trouble is None else 1)
    assert bool(running.warnings) is (trouble is not None)


def test_the_running_job_uses_its_own_token() -> None:
    platform = Answers()
    assert Running(None, platform).reporter.updated(TASK, "V2")
    assert [call for call, _ in platform.accepted] == ["step", "version"]


def test_each_accepted_value_is_a_fact() -> None:
    running = Running(None, Answers())
    running.reporter.version("V1")
    running.reporter.downloading(TASK, 50, 100)
    running.reporter.ready(TASK, renew=None, pause=lambda *_: None)
    running.reporter.updated(TASK, "V2")
    running.reporter.failed(TASK, Status.UPGRADE_UNKNOWN)
    assert [fact.what for fact in running.told] == [
        "version V1",
        "101: package downloaded",
        "201: upgraded",
        "version V2",
        "206: upgrade failed: unknown",
    ]


@pytest.mark.parametrize("trouble", [ServerError("HTTP 500"), refused(StepResult.REFUSED)])
def test_a_refused_value_is_not_a_fact(trouble: AtotaError) -> None:
    running = Running(None, Answers(step=trouble, version=trouble))
    running.reporter.version("V1")
    running.reporter.ready(TASK, renew=None, pause=lambda *_: None)
    assert not running.reporter.updated(TASK, "V2")
    assert running.told == []
    assert len(running.warnings) == 3


def test_after_the_task_is_over_only_the_version_goes_out() -> None:
    platform = Answers(step=refused(StepResult.OVER))
    reporter = Running(None, platform).reporter
    with pytest.raises(PlatformRefused):
        reporter.downloading(TASK, 50, 100)
    platform.troubles.clear()
    reporter.failed(TASK, Status.UPGRADE_UNKNOWN)
    assert reporter.updated(TASK, "V2")
    assert platform.accepted == [("version", ("1", "V2", None))]


def test_the_report_for_another_platform_is_queued_only(journal: Journal) -> None:
    running, platform = Running(journal, Answers()), Answers()
    other = report(server="http://another.test")
    assert not running.outbox.send(platform, other).is_delivered  # type: ignore[arg-type]
    assert not running.outbox.send(None, other).is_delivered
    assert platform.accepted == []
    assert len(waiting(journal)) == 2


def test_nothing_of_a_token_is_in_what_waits(journal: Journal) -> None:
    queue(journal, report())
    delivered(journal, Answers(version=ServerUnreachable("no route")))
    assert "secret" not in repr(journal.pending())
