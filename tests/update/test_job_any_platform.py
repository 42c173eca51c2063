"""Whole jobs against platforms that share nothing but `atota.ota.base.Platform`."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from atota.clock import SimulatedClock
from atota.errors import PlatformRefused, ServerUnreachable, StepResult
from atota.journal.store import Journal
from atota.module.module import Module
from atota.ota.base import Part, Platform, Status
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.settings.spec import JobSpec
from atota.sim.link import SimLink, open_sim_link
from atota.sim.package import build_package
from atota.update.events import JobEvent, JobResult, Note, StageEvent
from atota.update.job import Job
from atota.update.report import waiting
from tests.ota.platforms import EXPIRING, OPERATORS, PAUSING, Operator

BASE, TARGET = "BC28JAR01A03", "BC28JAR01A05"


class Bench:
    """A simulated module, an operator's platform and a journal."""

    def __init__(
        self, folder: Path, kind: type[Operator], database: sqlite3.Connection, clock: SimulatedClock
    ) -> None:
        self.clock = clock
        package = build_package(model="BC28", base=BASE, target=TARGET, size=4096)
        self.operator = kind(package, TARGET, clock)
        self.spoil: Callable[[Platform], None] = lambda _: None
        self.url = "sim://BC28"
        self._database = database
        self.begin_process()
        self.on_event: Callable[[JobEvent], None] = lambda _: None
        self.events: list[JobEvent] = []
        self._cache = Cache(folder)
        self.link: SimLink | None = None

    def begin_process(self) -> None:
        """Let the jobs that follow run in another process, with the same database."""
        self.journal = Journal.on(self._database, clock=self.clock)

    def _open(self, _port: str, **how: Any) -> Module:
        self.link = (
            open_sim_link(self.url, baud=how["baud"] or 9600, clock=self.clock)
            if self.link is None
            else self.link.replug()
        )
        return Module(
            self.link, baud=how["baud"], stop=how["stop"], listener=how["listener"], reopener=self._reopen
        )

    def _reopen(self, _port: str, _rate: int) -> SimLink:
        assert self.link is not None
        self.link = self.link.replug()
        return self.link

    def _listen(self, event: JobEvent) -> None:
        self.events.append(event)
        self.on_event(event)

    def run(self) -> JobResult:
        with self.operator.opened() as platform:
            self.spoil(platform)
            return Job(
                JobSpec(
                    port="sim://BC28",
                    dev_id="1",
                    product_id=self.operator.product_id,
                    device_name=self.operator.device_name,
                ),
                platform=platform,
                downloader=Downloader(platform, self.clock, self._cache),
                listener=self._listen,
                clock=self.clock,
                opener=self._open,
                journal=self.journal,
            ).run()

    def when(self, stage: str, act: Callable[[], None]) -> None:
        """Do something as a stage begins, once."""
        acts = [act]

        def look(event: JobEvent) -> None:
            if isinstance(event, StageEvent) and (event.stage, event.state) == (stage, "started") and acts:
                acts.pop()()

        self.on_event = look

    def resume_after_pause(self) -> None:
        """Let the operator resume the task as soon as the job waits for it."""
        before = self.on_event

        def look(event: JobEvent) -> None:
            before(event)
            if isinstance(event, Note) and "paused" in event.text:
                self.operator.resume()

        self.on_event = look


@pytest.fixture(params=OPERATORS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    clock = SimulatedClock()
    with closing(sqlite3.connect(":memory:")) as database:
        made = Bench(tmp_path, request.param, database, clock)
        yield made
        if made.link is not None:
            made.link.close()


def test_a_job_updates_and_its_record_has_what_the_platform_accepted(bench: Bench) -> None:
    result = bench.run()
    assert (result.outcome, result.version_after) == ("updated", TARGET), result.error
    assert bench.operator.state == "done"
    assert bench.operator.statuses == [Status.DOWNLOADED, Status.UPGRADED]
    (record,) = bench.journal.records()
    assert record.told == ["101: package downloaded", "201: upgraded", f"version {TARGET}"]
    assert waiting(bench.journal) == []


def test_no_task_is_nothing_to_do(bench: Bench) -> None:
    bench.operator.remove()
    assert bench.run().outcome == "no-task"


@pytest.mark.parametrize("bench", PAUSING, indirect=True)
@pytest.mark.parametrize("stage", ["check", "download", "write"])
def test_a_paused_task_is_waited_for(bench: Bench, stage: str) -> None:
    bench.when(stage, bench.operator.pause)
    bench.resume_after_pause()
    result = bench.run()
    assert result.outcome == "updated", result.error
    notes = [event.text for event in bench.events if isinstance(event, Note)]
    with bench.operator.opened() as platform:
        pause_s = platform.capabilities.pause_s
    assert f"the operator has paused the task; waiting {pause_s:g} s" in notes


@pytest.mark.parametrize("bench", PAUSING, indirect=True)
def test_a_task_that_stays_paused_ends_the_job_when_its_token_has_expired(bench: Bench) -> None:
    bench.operator.pause()
    began = bench.clock.monotonic()
    result = bench.run()
    with bench.operator.opened() as platform:
        life_s = platform.capabilities.token_life_s
    assert result.exit_code == 8
    assert life_s <= bench.clock.monotonic() - began < life_s + 120


def test_a_task_that_is_cancelled_in_mid_write_is_not_started(bench: Bench) -> None:
    bench.when("write", bench.operator.cancel)
    result = bench.run()
    assert (result.exit_code, result.version_after) == (8, None)
    assert bench.operator.statuses == []
    assert bench.link is not None
    assert (bench.link.module.version, bench.link.module.starts) == (BASE, [])
    assert bench.run().outcome == "no-task"


@pytest.mark.parametrize("bench", EXPIRING, indirect=True)
@pytest.mark.parametrize("stage", ["download", "write", "reboot"])
def test_a_token_that_expires_costs_nothing(bench: Bench, stage: str) -> None:
    bench.when(stage, bench.operator.expire)
    result = bench.run()
    assert (result.outcome, bench.operator.state) == ("updated", "done"), result.error


def test_a_platform_that_goes_down_gets_the_report_later(bench: Bench) -> None:
    bench.when("report", lambda: setattr(bench.operator, "is_down", True))
    assert bench.run().outcome == "updated-unreported"
    assert len(waiting(bench.journal)) == 1
    bench.operator.is_down = False
    bench.on_event = lambda _: None
    bench.run()
    assert bench.operator.state == "done"
    assert waiting(bench.journal) == []


@pytest.mark.parametrize("call", ["report_step", "report_version"])
def test_a_refused_report_waits_and_goes_out_later(bench: Bench, call: str) -> None:
    """A success that the platform does not take is not lost: another run delivers it, and writes nothing."""

    def refuse(platform: Platform) -> None:
        taken = getattr(platform, call)

        def refused(*given: Any, **how: Any) -> Any:
            if call == "report_step" and given[-1] != Status.UPGRADED:
                return taken(*given, **how)
            raise PlatformRefused("not now", result=StepResult.REFUSED)

        setattr(platform, call, refused)

    bench.spoil = refuse
    assert bench.run().outcome == "updated-unreported"
    assert len(waiting(bench.journal)) == 1
    bench.spoil = lambda _: None
    assert bench.run().outcome in ("no-task", "already-current")
    assert (waiting(bench.journal), bench.operator.state) == ([], "done")
    assert bench.link is not None
    assert len(bench.link.module.starts) == 1


class Killed(BaseException):
    """The end of the process."""


@pytest.mark.parametrize("stage", ["download", "write", "activate", "reboot", "report"])
def test_the_next_run_finishes_the_job_of_a_killed_process(bench: Bench, stage: str) -> None:
    def kill() -> None:
        raise Killed

    bench.when(stage, kill)
    with pytest.raises(Killed):
        bench.run()
    bench.on_event = lambda _: None
    bench.begin_process()
    result = bench.run()
    assert (result.outcome, result.version_after) == ("updated", TARGET), result.error
    assert bench.operator.state == "done"
    assert waiting(bench.journal) == []


def spoil(platform: Platform, change: Callable[[Iterator[bytes]], Iterator[bytes]]) -> None:
    """Change the bodies of a platform's downloads."""
    open_package = platform.open_package

    @contextmanager
    def changed(*asked: Any, **how: Any) -> Iterator[Part]:
        with open_package(*asked, **how) as part:
            yield replace(part, chunks=change(part.chunks))

    platform.open_package = changed  # type: ignore[method-assign]


def test_a_package_of_a_wrong_digest_is_fetched_twice_and_fails_the_task(bench: Bench) -> None:
    flipped = bytes.maketrans(b"\x00", b"\x01")
    bench.spoil = lambda platform: spoil(platform, lambda chunks: (one.translate(flipped) for one in chunks))
    result = bench.run()
    assert (result.exit_code, bench.operator.state) == (7, "failed")
    assert bench.operator.statuses == [Status.UPGRADE_MD5]


def test_a_download_that_is_cut_is_resumed(bench: Bench) -> None:
    cuts = [1000, 3000]

    def cut(chunks: Iterator[bytes]) -> Iterator[bytes]:
        if not cuts:
            yield from chunks
            return
        left = cuts.pop()
        for chunk in chunks:
            if len(chunk) >= left:
                yield chunk[:left]
                raise ServerUnreachable("the connection broke")
            left -= len(chunk)
            yield chunk

    bench.spoil = lambda platform: spoil(platform, cut)
    result = bench.run()
    assert (result.outcome, bench.operator.state, cuts) == ("updated", "done", []), result.error


def test_a_module_that_runs_the_target_already_is_not_written(bench: Bench) -> None:
    bench.url = f"sim://BC28?version={TARGET}"
    result = bench.run()
    assert (result.outcome in ("already-current", "no-task"), result.exit_code) == (True, 0), result.error
    assert bench.operator.statuses == []
