"""The task state machine against a model that is nothing but the documents' tables."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from atota.clock import SimulatedClock
from atota.otaserver.model import Auth, TasksFile, TaskSpec, build
from atota.otaserver.service import LocalPlatform

DEVICE = "6523"
HOUR = 3600

# (state, kind of report) -> next state; what is not here is refused.
MOVES = {
    ("pending", "got"): "upgrading",
    ("pending", "download failed"): "failed",
    ("pending", "upgraded"): "done",
    ("pending", "upgrade failed"): "failed",
    ("downloading", "percent"): "downloading",
    ("downloading", "all"): "upgrading",
    ("downloading", "got"): "upgrading",
    ("downloading", "download failed"): "failed",
    ("downloading", "upgraded"): "done",
    ("downloading", "upgrade failed"): "failed",
    ("upgrading", "upgraded"): "done",
    ("upgrading", "upgrade failed"): "failed",
}
REFUSED = {"done": 20, "cancelled": 22, "paused": 19, "failed": 21, "pending": 21, "upgrading": 21}
TOKEN_CHECK = {
    "pending": 0,
    "downloading": 0,
    "upgrading": 17,
    "failed": 17,
    "paused": 19,
    "done": 20,
    "cancelled": 22,
}
CHECK = {
    "pending": 0,
    "downloading": 0,
    "upgrading": 0,
    "paused": 19,
    "failed": 11,
    "done": 11,
    "cancelled": 11,
}


def kind_of(code: int) -> str:
    if code <= 100:
        return "all" if code == 100 else "percent"
    if code in (101, 201):
        return "got" if code == 101 else "upgraded"
    return "download failed" if code < 200 else "upgrade failed"


codes = st.sampled_from([0, 1, 50, 99, 100, 101, 102, 105, 107, 201, 202, 205, 208])


class TaskLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = SimulatedClock()
        spec = TaskSpec(
            dev_id=DEVICE, manuf="001", model="00107", package="a", target="V2", kind="delta", base="V1"
        )
        config = build(TasksFile(auth=Auth(required=False), tasks=(spec,)), {"a": b"data"})
        self.platform = LocalPlatform(config, clock=self.clock)
        self.state = "pending"
        self.before_pause = "pending"
        self.age = 0
        self.accepted: list[int] = []
        self.calls = 0
        self.version: str | None = None

    @property
    def token(self) -> str:
        return self.platform.task(DEVICE).token

    @property
    def expired(self) -> bool:
        return self.age > 48 * HOUR

    def expected_check(self, version: str, codes_fit: bool) -> int:
        errno = CHECK[self.state]
        if errno:
            return errno
        return 0 if codes_fit and version == "V1" else 9 if codes_fit else 8

    @rule(
        version=st.sampled_from(["V1", "V1", "V1", "V2", "V3"]),
        codes_fit=st.sampled_from([True, True, False]),
    )
    def check(self, version: str, codes_fit: bool) -> None:
        expected = self.expected_check(version, codes_fit)
        answer = self.platform.check(DEVICE, "fota", version, "001" if codes_fit else "002", "00107")
        self.version = version
        assert answer.errno == expected
        assert (answer.data is not None) == (expected == 0)
        if expected in (8, 9):
            self.state = "failed"
        if expected == 0 and self.expired:
            self.age = 0
        if expected != 11:
            self.calls += 1

    @rule()
    def check_token(self) -> None:
        expected = TOKEN_CHECK[self.state]
        if self.expired and expected not in (20, 22):
            expected = 12
        assert self.platform.check_token(self.token, DEVICE).errno == expected
        if expected == 0:
            self.state = "downloading"
        self.calls += 1

    @rule(code=codes, older=st.booleans())
    def report(self, code: int, older: bool) -> None:
        if older and code <= 100:
            expected = 24
        elif self.state in ("done", "cancelled"):
            expected = REFUSED[self.state]
        elif self.expired:
            expected = 12
        else:
            target = MOVES.get((self.state, kind_of(code)))
            expected = 0 if target else REFUSED[self.state]
        call = self.platform.report if older else self.platform.progress
        assert call(self.token, DEVICE, code).errno == expected
        if expected == 0:
            self.state = MOVES[self.state, kind_of(code)]
            self.accepted.append(code)
            if self.state == "done":
                self.version = "V2"
        self.calls += 1

    @rule(version=st.sampled_from(["V1", "V2"]))
    def report_version(self, version: str) -> None:
        assert self.platform.report_version(DEVICE, version, None).errno == 0
        self.version = version
        if version == "V2" and self.state in ("pending", "downloading", "upgrading"):
            self.state = "done"
        self.calls += 1

    @rule()
    def download(self) -> None:
        allowed = self.state in ("pending", "downloading") and not self.expired
        assert (self.platform.open_download(self.token) is not None) == allowed
        if not allowed:
            self.calls += 1

    @rule(hours=st.sampled_from([1, 30]))
    def wait(self, hours: int) -> None:
        self.clock.sleep(hours * HOUR)
        self.age += hours * HOUR

    @precondition(lambda self: self.state in ("pending", "downloading", "upgrading"))
    @rule()
    def pause(self) -> None:
        self.platform.task(DEVICE).pause()
        self.before_pause, self.state = self.state, "paused"

    @rule()
    def resume(self) -> None:
        self.platform.task(DEVICE).resume()
        if self.state == "paused":
            self.state = self.before_pause

    @precondition(lambda self: len(self.platform.task(DEVICE).history) > 8)
    @rule()
    def cancel(self) -> None:
        self.platform.task(DEVICE).cancel()
        if self.state not in ("done", "failed"):
            self.state = "cancelled"

    @invariant()
    def the_platform_agrees_with_the_tables(self) -> None:
        task = self.platform.task(DEVICE)
        assert task.state == self.state
        assert task.reported == self.accepted
        assert len(task.history) == self.calls
        assert self.platform.version(DEVICE) == self.version


TestTaskLife = TaskLife.TestCase
TestTaskLife.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
