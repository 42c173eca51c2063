"""The client against the local platform, over real sockets; written apart, from the same pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from atota.clock import ScaledClock
from atota.errors import (
    AtotaError,
    BadAnswer,
    DownloadRefused,
    PackageError,
    PlatformRefused,
    ServerError,
    ServerUnreachable,
    UsageError,
)
from atota.ota.base import Auth, CheckQuery, OnProgress, Status, Task
from atota.ota.cache import Cache
from atota.ota.download import PackageFile, fetch
from atota.ota.http import HttpClient
from atota.ota.onenet.generic import GenericPlatform
from atota.ota.onenet.signer import METHODS, KeyAuth, device_res, product_res
from atota.otaserver.model import Auth as ServerAuth
from atota.otaserver.model import Device, TasksFile, TaskSpec, build
from atota.otaserver.serve import RunningServer
from atota.otaserver.service import LocalPlatform
from atota.otaserver.tasks import TaskState
from atota.values import Digests

KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="
DEVICE_KEY = "c2VjcmV0IG9mIHRoZSBkZXZpY2UgZm9yIHRlc3Rz"
DATA = bytes((i * 31 + i // 255) % 256 for i in range(80_000))
QUERY = CheckQuery(dev_id="6523", manuf="014", model="01404", version="V1", signals=20, powers=80)


class Line:
    """A served platform and a client that talks to it, at three hundred times the speed."""

    def __init__(
        self, server: RunningServer, client: GenericPlatform, clock: ScaledClock, folder: Path
    ) -> None:
        self.platform = server.platform
        self.client = client
        self.clock = clock
        self.cache = Cache(folder)

    def state(self) -> TaskState:
        return self.platform.task("6523").state

    def check(self) -> Task:
        task = self.client.check(QUERY)
        assert task is not None
        return task

    def fetch(self, task: Task, *, on_progress: OnProgress | None = None) -> PackageFile:
        return fetch(self.client, task, "6523", self.cache, clock=self.clock, on_progress=on_progress)


@contextmanager
def line(
    folder: Path, faults: str = "", *, auth: Auth | None = None, data: bytes = DATA, **spec: Any
) -> Iterator[Line]:
    clock = ScaledClock(300.0)
    file = TasksFile(
        auth=ServerAuth(product_id="123123", access_key=KEY),
        devices=(
            Device(dev_id="6523", name="line1", imei="490154203237518", key=DEVICE_KEY, f_version="V1"),
        ),
        tasks=(TaskSpec(dev_id="6523", manuf="014", model="01404", package="a.bin", target="V2", **spec),),
    )
    platform = LocalPlatform(build(file, {"a.bin": data}), clock=clock, faults=faults)
    auth = auth or KeyAuth(KEY, product_res("123123"), clock=clock)
    with (
        RunningServer(platform) as server,
        GenericPlatform(HttpClient(server.url, auth, clock=clock, timeout_s=2.0)) as client,
    ):
        yield Line(server, client, clock, folder)


def test_a_whole_job_from_check_to_version(tmp_path: Path) -> None:
    with line(tmp_path, retry=3, interval=5) as a:
        task = a.check()
        assert (task.target, task.size, task.kind, task.retry, task.interval) == (
            "V2",
            len(DATA),
            "full",
            3,
            5,
        )
        package = a.fetch(task)
        assert package.digests == Digests.of(DATA)
        assert a.state() is TaskState.DOWNLOADING
        a.client.report_step("6523", task.token, 99)
        a.client.report_step("6523", task.token, Status.DOWNLOADED)
        assert a.state() is TaskState.UPGRADING
        again = a.client.tasking("6523")
        assert again is not None
        assert again.md5 == task.md5
        a.client.report_step("6523", task.token, Status.UPGRADED)
        a.client.report_version("6523", "V2")
        assert a.state() is TaskState.DONE
        assert a.client.check(QUERY) is None
        assert a.platform.complaints == []


def test_signatures_of_product_and_device_are_taken(tmp_path: Path) -> None:
    with line(tmp_path) as a:
        for method in METHODS:
            for key, res in ((KEY, product_res("123123")), (DEVICE_KEY, device_res("123123", "line1"))):
                auth = KeyAuth(key, res, clock=a.clock, method=method)
                with GenericPlatform(HttpClient(a.client.server, auth, clock=a.clock)) as client:
                    assert client.check(QUERY) is not None


def test_a_wrong_key_is_an_authentication_failure(tmp_path: Path) -> None:
    with line(tmp_path, auth=KeyAuth(DEVICE_KEY, product_res("123123"), clock=ScaledClock(1.0))) as a:
        with pytest.raises(PlatformRefused, match="authentication") as caught:
            a.check()
        assert caught.value.errno == 1


HARMLESS = [
    "cut-after:10%:5+http-500:1@download+quoted-numbers+shuffled-keys+upper-md5+close-after:2",
    "ignore-range+cut-after:50%",
    "wrong-range+cut-after:30%+errno:7:2",
    "cut-after:20%+one-byte-error:4:1+paused:3",
    "one-byte-error:3:1+one-byte-error:6:1+cut-after:40%",
]
FATAL = [
    ("errno:22", PlatformRefused, "cancelled"),
    ("no-data", BadAnswer, "task is missing"),
    ("html@download", BadAnswer, "web page"),
    ("redirect@download", ServerError, "portal.invalid"),
    ("wrong-md5", PackageError, "wrong MD5"),
    ("wrong-size", PackageError, "bytes"),
    ("short-body", PackageError, "bytes"),
    ("short-body:1", PackageError, "the server's file has"),
    ("endless-body", PackageError, "more than"),
    ("one-byte-error:1", DownloadRefused, "does not exist"),
    ("expired-token:1", PlatformRefused, "expired"),
    ("expired-token:2+cut-after:30%", PlatformRefused, "expired"),
    ("cancelled-after:30%+cut-after:40%", PlatformRefused, "cancelled"),
]


@pytest.mark.parametrize("faults", HARMLESS)
def test_what_passes_does_not_keep_the_package_away(tmp_path: Path, faults: str) -> None:
    with line(tmp_path, faults) as a:
        assert a.fetch(a.check()).path.read_bytes() == DATA


@pytest.mark.parametrize(("faults", "kind", "words"), FATAL)
def test_what_does_not_pass_is_named(tmp_path: Path, faults: str, kind: type[AtotaError], words: str) -> None:
    with line(tmp_path, faults) as a:
        with pytest.raises(kind, match=words) as caught:
            a.fetch(a.check())
        assert caught.value.hint
        assert not list(tmp_path.glob("*.pkg"))


def test_an_expired_token_is_mended_by_a_new_check_and_nothing_is_fetched_twice(tmp_path: Path) -> None:
    with line(tmp_path, "expired-token:2+cut-after:30%") as a:
        with pytest.raises(PlatformRefused):
            a.fetch(a.check())
        already = next(tmp_path.glob("*.part")).stat().st_size
        assert already >= len(DATA) // 4
        seen: list[int] = []
        package = fetch(
            a.client,
            a.check(),
            "6523",
            a.cache,
            clock=a.clock,
            on_progress=lambda done, total: seen.append(done),
        )
        assert package.path.read_bytes() == DATA
        assert seen[0] == already


def test_an_operators_cancel_is_final(tmp_path: Path) -> None:
    with line(tmp_path) as a:
        task = a.check()
        a.platform.task("6523").cancel()
        with pytest.raises(PlatformRefused, match="cancelled"):
            a.fetch(task)
        with pytest.raises(PlatformRefused) as caught:
            a.client.report_step("6523", task.token, 5)
        assert caught.value.errno == 22


def test_an_upgrading_task_is_served_from_the_cache(tmp_path: Path) -> None:
    with line(tmp_path) as a:
        task = a.check()
        first, done = a.fetch(task), list[int]()
        a.client.report_step("6523", task.token, 101)
        again = a.fetch(task, on_progress=lambda done_, _total: done.append(done_))
        assert (again.path, again.digests) == (first.path, first.digests)
        assert (first.has_moved_on, again.has_moved_on) == (False, True)
        assert done == [], "nothing was downloaded, and the platform takes no progress any more"


@pytest.mark.parametrize("size", [1, 65537])
def test_odd_sizes_are_fetched_after_any_cut(tmp_path: Path, size: int) -> None:
    with line(tmp_path, "cut-after:99%", data=DATA[:size]) as a:
        assert a.fetch(a.check()).path.read_bytes() == DATA[:size]


def test_a_server_that_is_gone_is_told_as_such(tmp_path: Path) -> None:
    with line(tmp_path) as a:
        a.check()
        server = a.client.server
    clock = ScaledClock(1.0)
    client = GenericPlatform(HttpClient(server, KeyAuth(KEY, product_res("1"), clock=clock), clock=clock))
    with client, pytest.raises(ServerUnreachable, match="nothing listens"):
        client.check(QUERY)
    with pytest.raises(UsageError, match="closed"):
        client.check(QUERY)


def test_tls_towards_a_plain_server_is_told_as_such(tmp_path: Path) -> None:
    with line(tmp_path) as a:
        auth = KeyAuth(KEY, product_res("1"), clock=a.clock)
        server = a.client.server.replace("http://", "")
        with (
            GenericPlatform(HttpClient(server, auth, clock=a.clock)) as client,
            pytest.raises(ServerUnreachable, match="TLS"),
        ):
            client.check(QUERY)


def test_a_name_that_does_not_exist_is_told_as_such() -> None:
    clock = ScaledClock(300.0)
    auth = KeyAuth(KEY, product_res("1"), clock=clock)
    client = GenericPlatform(HttpClient("http://no-such-host.invalid", auth, clock=clock))
    with client, pytest.raises(ServerUnreachable, match="cannot be resolved"):
        client.check(QUERY)
