"""The promises, held against the true state of module and platform, never against what atota says."""

import re
from typing import Any

import msgspec

from atota.journal.store import Journal
from atota.testing.bench import ACCESS_KEY
from atota.update.events import JobResult, Progress
from scripts.simulate_parts.scenario import Scenario
from scripts.simulate_parts.world import World

CODES = {
    "updated": 0,
    "already-current": 0,
    "no-task": 0,
    "bad-config": 3,
    "port": 4,
    "no-answer": 5,
    "refused": 6,
    "bad-package": 7,
    "server": 8,
    "write-failed": 9,
    "unknown-after-reboot": 11,
    "old-version": 12,
    "limit": 13,
    "updated-unreported": 14,
    "timeout": 124,
    "interrupted": 130,
}
GOOD = ("updated", "already-current", "updated-unreported")
UNTOUCHED = ("refused", "bad-package", "no-task", "bad-config")
# Slots that nothing checks before the start: what was damaged on the wire is started; the boot refuses it.
UNCHECKED = ("raw-stream", "pushed-stream")
CSQ = 20  # what every persona tells of its signal
SECRET = re.compile(rf"ota_[0-9A-Za-z]{{20}}|{re.escape(ACCESS_KEY)}|sign=")
LONGEST_S = 6 * 3600.0
MOST_HELD = 65_536  # bytes of a line that does not end; the parser's own limit is below
MOST_EVENTS = 20_000  # a storm of lines every 50 ms through the longest of the updates
SETTLED_STATES = ("done", "failed", "cancelled")


class Broken(Exception):
    """A promise was broken."""


class Judge:
    """The judge of one world, after each of its jobs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._scenario: Scenario = world.scenario
        self._began = world.clock.monotonic()
        self._version = world.module.version
        self._starts = 0
        self._jobs = 0

    def begin(self) -> None:
        """Note the state at the beginning of a job."""
        world = self._world
        self._began = world.clock.monotonic()
        self._version, self._starts = world.module.version, len(world.module.starts)
        self._jobs += 1

    def after(self, result: JobResult | None) -> None:
        """Judge a job that has ended, or died (None)."""
        world = self._world
        if world.false_words:
            raise Broken(f"the platform was told {world.false_words[0]}")
        if not self._may_start_damaged and not all(world.started_whole):
            raise Broken("something was started that was not the package")
        self._orders()
        if result is not None:
            self._verdict(result)
            self._time(result)
        self._journal(result)
        self._secrets(result)
        self._memory()

    # -- the verdict ---------------------------------------------------------------------------------

    def _verdict(self, result: JobResult) -> None:
        module, outcome = self._world.module, result.outcome
        runs_target = self._world.runs_target
        if CODES.get(outcome) != result.exit_code:
            raise Broken(f"outcome {outcome} with exit code {result.exit_code}")
        if (result.error is None) != (result.exit_code in (0, 14)):
            raise Broken(f"outcome {outcome} with the error {result.error!r}")
        if outcome in GOOD:
            if not runs_target or module.updating:
                raise Broken(f"{outcome}, and the module runs {module.version}")
            if result.version_after != self._world.target:
                raise Broken(f"{outcome}, and it says that the module runs {result.version_after}")
        if outcome == "updated" and not self._scenario.flashed and self._state not in self._ended:
            raise Broken(f"updated, and the task is {self._state}")
        self._platform_knows(result)
        if outcome in ("old-version", "write-failed") and (runs_target or module.updating):
            raise Broken(f"{outcome}, and the module runs {module.version} (updating: {module.updating})")
        if outcome == "old-version" and not module.starts and not self._scenario.target_judges:
            raise Broken("old-version, and nothing was ever started")
        if outcome in UNTOUCHED and len(module.starts) > self._starts:
            raise Broken(f"{outcome}, and something was started")
        hint = result.error.hint if result.error is not None else ""
        if "still runs" in hint and (module.version != self._version or module.updating):
            raise Broken(f"{outcome} says that the module still runs what it ran; it runs {module.version}")
        self._excuse(result)

    def _platform_knows(self, result: JobResult) -> None:
        """After a success the platform has the module's version; a cancelled task may hide it."""
        world, stored = (
            self._world,
            self._world.platform.version(self._world.dev_id, self._scenario.task_type),
        )
        if result.outcome != "updated" or self._scenario.flashed or self._state == "cancelled":
            return
        if stored != world.target:
            raise Broken(f"updated, and the platform believes that the module runs {stored}")

    def _excuse(self, result: JobResult) -> None:
        """Every end but the good one needs a reason in what really happened."""
        world, outcome = self._world, result.outcome
        module, host = world.module, self._scenario.of("h")
        struck = self._is_struck
        ending = f"{outcome}: {result.error.message if result.error else ''}"
        platform = bool(self._scenario.of("p") or self._scenario.of("n"))
        jumped = any(f.startswith("clock-jump") for f in host)
        scenario = self._scenario
        thresholds = scenario.has_policy and (scenario.signal >= CSQ or scenario.power > 0)
        is_delta = any(fault.startswith("delta-type") for fault in scenario.of("p"))
        reasons: dict[str, Any] = {
            "port": "unplug-at" in " ".join(module.faults.struck),
            "no-answer": struck or "baud" in " ".join(host),
            "refused": thresholds or struck or is_delta,
            "bad-package": platform or "other-package" in host,
            "server": platform or jumped or self._state in SETTLED_STATES,
            "write-failed": struck or "other-package" in host,
            "unknown-after-reboot": struck or self._jobs > 1,
            "old-version": struck or "other-package" in host or self._jobs > 1,
            "limit": any(f.startswith("disk-full") for f in host),
            "timeout": world.timeout_s is not None,
            "interrupted": any(f.startswith("stop") for f in host),
            "no-task": self._state in SETTLED_STATES or platform,
            "already-current": module.updates > 0,
            "updated-unreported": platform or jumped or any(f.startswith(("stop", "timeout")) for f in host),
        }
        if not reasons.get(outcome, outcome == "updated"):
            raise Broken(f"nothing that happened is a reason for {ending}")

    @property
    def _is_struck(self) -> bool:
        """True if a fault of the target occurred."""
        return bool(self._world.module.faults.struck or self._world.module.faults.shown)

    @property
    def _ended(self) -> tuple[str, ...]:
        """The states that a task may have once its target is updated."""
        return ("done", "cancelled")

    @property
    def _is_refused(self) -> bool:
        """True if the module has a reason to call the package a bad one, again and again."""
        faults = self._scenario.faults
        is_refused = any(fault.startswith(("h/other-package", "m/refuse-validate")) for fault in faults)
        return is_refused or (self._scenario.method == "pushed-stream" and self._may_start_damaged)

    @property
    def _may_start_damaged(self) -> bool:
        """No method of this module looks at the slot, and its bytes were damaged on the wire."""
        scenario = self._scenario
        unchecked = scenario.method in UNCHECKED or (
            scenario.method == "file-append" and not scenario.read_back
        )
        damaging = ("drop-byte", "flip-byte", "double-byte", "bad-above", "short-write", "lose-command")
        faults = self._world.module.faults
        struck = " ".join((*faults.struck, *faults.shown))
        if scenario.method == "xmodem" and "short-write" in struck:
            return True  # every packet came whole, and the module acknowledged what it did not store
        return unchecked and any(name in struck for name in damaging)

    @property
    def _state(self) -> str:
        return self._world.task.state.value

    # -- the platform ----------------------------------------------------------------------------------

    def _orders(self) -> None:
        reported = self._world.task.reported
        steps = [step for step in reported if step <= 100]
        if 100 in reported:
            raise Broken("100 was reported: 101 means the same")
        if reported.count(101) > 1 or reported.count(201) > 1:
            raise Broken(f"a status was taken twice: {reported}")
        if 101 in reported and any(step <= 100 for step in reported[reported.index(101) :]):
            raise Broken(f"progress after 101: {reported}")
        complaints = self._world.platform.complaints
        if complaints:
            raise Broken(f"the platform complains: {complaints[0]}")
        if any(step > 99 or step < 0 for step in steps):
            raise Broken(f"a percentage out of bounds: {reported}")
        failures = [step for step in reported if step in range(102, 108) or step in range(202, 209)]
        if not set(failures) <= {204, 205, 206, 207}:
            raise Broken(f"a failure was told that none of the faults is: {failures}")
        if 205 in failures and not self._scenario.of("p"):
            raise Broken("205 was reported, and the platform's package was right")
        if 204 in failures and not self._is_refused:
            raise Broken("204 was reported, and the package was right")
        if 207 in failures and not (self._scenario.retry and self._scenario.has_policy):
            raise Broken("207 was reported, and the task names no number of retries")

    # -- time, journal, secrets ------------------------------------------------------------------------

    def _time(self, result: JobResult) -> None:
        took = self._world.clock.monotonic() - self._began
        limit = self._world.timeout_s
        if limit is not None and took > limit + 700.0 and result.outcome != "timeout" and not self._starts:
            raise Broken(f"a job with a limit of {limit} s took {took:.0f} s and ended {result.outcome}")
        if took > LONGEST_S:
            raise Broken(f"the job took {took:.0f} s")

    def _journal(self, result: JobResult | None) -> None:
        database = self._world.database
        full = any(f.startswith("disk-full") for f in self._scenario.of("h")) and not self._world.healed
        rows = database.execute(
            "SELECT job.id, verdict.outcome, record.document FROM job"
            " LEFT JOIN verdict ON verdict.job = job.id LEFT JOIN record ON record.job = job.id"
        ).fetchall()
        open_jobs = [job for job, outcome, _ in rows if outcome is None]
        if result is not None and not full:
            entry = next((row for row in rows if row[0] == result.record_id), None)
            if entry is None:
                raise Broken("the journal has nothing of the job")
            if entry[1] != result.outcome or entry[2] is None:
                raise Broken(f"the journal says {entry[1]} of a job that ended {result.outcome}")
            if open_jobs:
                raise Broken(f"jobs without a verdict: {open_jobs}")
            record = msgspec.json.decode(entry[2])
            if result.outcome in GOOD and record.get("version_after") != self._world.target:
                raise Broken(f"the record of {result.outcome} has the version {record.get('version_after')}")
            if result.outcome == "updated-unreported":
                with_journal = Journal.on(database, clock=self._world.clock)
                if not with_journal.pending():
                    raise Broken("updated-unreported, and nothing waits to be told")
        if len(open_jobs) > 1:
            raise Broken(f"more than one job without a verdict: {open_jobs}")

    def _memory(self) -> None:
        world = self._world
        if world.opened is not None and len(world.opened.session.exchange.pending) > MOST_HELD:
            raise Broken("the parser holds more than it may")
        if len(world.events) > MOST_EVENTS:
            raise Broken(f"{len(world.events)} events of one job")

    def _secrets(self, result: JobResult | None) -> None:
        shown: list[object] = [event for event in self._world.events if not isinstance(event, Progress)]
        if result is not None and result.error is not None:
            shown += [str(result.error), result.error.hint, *result.error.tried]
        if SECRET.search(repr(shown)):
            raise Broken("a secret stands in the events or the errors")

    def end(self) -> None:
        """All jobs of a world are over: what they left in the journal holds no secret."""
        written: list[object] = []
        for table in ("stage", "fact", "record", "report", "report_end"):
            written += self._world.database.execute(f"SELECT * FROM {table}")  # noqa: S608
        if SECRET.search(repr(written)):
            raise Broken("a secret stands in the journal")


def ends_right(world: World, result: JobResult | None, killed_task: bool) -> str | None:
    """Return the problem with the end of a last attempt on a healed world; None if it is right."""
    if result is None:
        return "the process died, though nothing killed it"
    state = world.task.state.value
    if world.runs_target:
        if result.outcome not in GOOD and not (state in SETTLED_STATES and result.outcome == "no-task"):
            return f"the module runs the target, and the last attempt ended {result.outcome}"
        return None
    if killed_task or state in ("failed", "cancelled"):
        return None
    if result.outcome in _lasting_reasons(world):
        return None
    return f"the last attempt ended {result.outcome} ({result.error})"


def _lasting_reasons(world: World) -> tuple[str, ...]:
    """Return the outcomes that even a healed world may have, for a reason in its task or package."""
    scenario = world.scenario
    reasons: tuple[str, ...] = ()
    if scenario.signal >= CSQ and scenario.has_policy:
        reasons += ("refused",)
    if "other-package" in scenario.of("h"):
        reasons += ("old-version", "write-failed", "bad-package")
    if "protected" in scenario.of("m") and not scenario.erase:
        reasons += ("refused",)  # the chip stays protected
    if {"encrypted", "encrypted-release", "secure-boot-v2", "no-table"}.intersection(scenario.of("m")):
        reasons += ("refused",)  # the chip stays as it was made
    if scenario.method == "watched" and world.module.starts:
        reasons += ("write-failed",)  # the platform pushes once
    return reasons
