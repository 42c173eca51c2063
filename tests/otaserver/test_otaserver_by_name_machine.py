"""One task over the three APIs at once, against a model that is nothing but the documents' tables."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from atota.otaserver.service import LocalPlatform
from atota.otaserver.tasks import Task
from tests.otaserver.asking import DEV_ID, FUSE, STUDIO, ask, code, header, platform, value
from tests.otaserver.test_otaserver_machine import MOVES, kind_of

STATUS = {"pending": 1, "downloading": 2, "upgrading": 3, "done": 4, "failed": 5, "cancelled": 6}
ENDED = ("done", "failed", "cancelled")
GENERIC_REFUSAL = {"done": 20, "cancelled": 22}
BASES = {"fuse": FUSE, "studio": STUDIO}

codes = st.sampled_from([0, 50, 99, 100, 101, 102, 107, 201, 202, 207])
by_name = st.sampled_from(["fuse", "studio"])


class OneTaskThreeApis(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.platform: LocalPlatform = platform()
        self.state = "pending"
        self.version: str | None = None
        self.accepted: list[int] = []
        self.tids = [self.task.tid]

    @property
    def task(self) -> Task:
        return self.platform.task(DEV_ID)

    def move(self, step: int) -> None:
        self.state = MOVES[self.state, kind_of(step)]
        self.accepted.append(step)
        if self.state == "done":
            self.version = "v3.0"

    @rule(api=by_name, version=st.sampled_from(["V1", "v3.0"]))
    def check(self, api: str, version: str) -> None:
        reply = ask(self.platform, "GET", f"{BASES[api]}/check?type=1&version={version}")
        at_target = version == "v3.0" and self.state not in ("failed", "cancelled")
        none = {"fuse": 12013 if at_target else 12012, "studio": 10}[api]
        expected = none if at_target or self.state in ENDED else 0
        assert code(reply) == expected
        if expected == 0:
            assert value(reply)["data"]["status"] == STATUS[self.state]
            assert value(reply)["data"]["tid"] == self.task.tid
            self.tids.append(self.task.tid)

    @rule(api=by_name, step=codes)
    def step(self, api: str, step: int) -> None:
        reply = ask(self.platform, "POST", f"{BASES[api]}/{self.task.tid}/status", b'{"step":%d}' % step)
        if self.task.tid_expired:
            assert code(reply) == {"fuse": 12012, "studio": 10}[api]
        elif self.state in ENDED:
            assert code(reply) == 20
        elif (self.state, kind_of(step)) in MOVES:
            assert code(reply) == 0
            self.move(step)
        else:
            assert code(reply) == 21

    @rule(step=codes)
    def generic_step(self, step: int) -> None:
        address = f"/ota/south/device/download/{self.task.token}/progress?dev_id={DEV_ID}"
        reply = ask(self.platform, "POST", address, b'{"step":%d}' % step)
        if self.state in GENERIC_REFUSAL:
            assert code(reply) == GENERIC_REFUSAL[self.state]
        elif self.task.token_expired(self.platform.time()):
            assert code(reply) == 12
        elif (self.state, kind_of(step)) in MOVES:
            assert code(reply) == 0
            self.move(step)
        else:
            assert code(reply) == 21

    @rule(api=by_name)
    def status(self, api: str) -> None:
        reply = ask(self.platform, "GET", f"{BASES[api]}/{self.task.tid}/check")
        if self.task.tid_expired:
            assert code(reply) == {"fuse": 12012, "studio": 10}[api]
        else:
            assert value(reply)["data"] == {"status": STATUS[self.state]}

    @rule(api=by_name)
    def download(self, api: str) -> None:
        reply = ask(self.platform, "GET", f"{BASES[api]}/{self.task.tid}/download", range="0-9")
        is_granted = self.state in ("pending", "downloading") and not self.task.tid_expired
        assert header(reply, "Ota-Errno") == ("0" if is_granted else "5")
        assert reply.status == (206 if is_granted else 200)
        if is_granted:
            self.state = "downloading"

    @rule()
    def generic_token_check(self) -> None:
        reply = ask(self.platform, "GET", f"/ota/south/download/{self.task.token}/check?dev_id={DEV_ID}")
        if code(reply) == 0:
            assert self.state in ("pending", "downloading")
            self.state = "downloading"

    @rule(api=by_name, version=st.sampled_from(["V1", "v3.0"]), has_both=st.booleans())
    def report_versions(self, api: str, version: str, has_both: bool) -> None:
        body = b'{"f_version":"%s"%s}' % (version.encode(), b',"s_version":"S1"' if has_both else b"")
        assert (code(ask(self.platform, "POST", f"{BASES[api]}/version", body)) == 0) == has_both
        if has_both:
            self.version = version
            if version == "v3.0" and self.state not in ENDED:
                self.state = "done"

    @rule(luck=st.integers(0, 9))
    def cancel(self, luck: int) -> None:
        if luck == 0:
            self.task.cancel()
            if self.state not in ENDED:
                self.state = "cancelled"

    @rule()
    def expire(self) -> None:
        self.task.expire_token(self.platform.time())

    @rule(api=by_name)
    def old_task_ids_fetch_nothing(self, api: str) -> None:
        for tid in set(self.tids) - {self.task.tid}:
            assert header(ask(self.platform, "GET", f"{BASES[api]}/{tid}/download"), "Ota-Errno") == "5"

    @invariant()
    def the_platform_agrees_with_the_tables(self) -> None:
        assert self.task.state == self.state
        assert self.task.reported == self.accepted
        assert self.platform.version(DEV_ID) == self.version


TestOneTaskThreeApis = OneTaskThreeApis.TestCase
TestOneTaskThreeApis.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
