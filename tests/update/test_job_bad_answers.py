"""What each bad answer of a platform makes of a whole job, in each API, against the true state of both."""

from pathlib import Path

import pytest

from atota.ota.memory import MemoryRequest, MemoryResponse
from atota.otaserver.model import Knobs
from atota.otaserver.routes import parse_query
from atota.testing.bench import ACCESS_KEY, Bench
from atota.update.events import JobResult, Note

APIS = ("fuse", "studio", "generic")
BY_NAME = ("fuse", "studio")


class Listening(Bench):
    """A bench that keeps what was sent to the platform."""

    def __init__(self, api: str, faults: str = "", **how: object) -> None:
        super().__init__("M5310-A", api=api, platform_faults=faults, size=20_000, **how)  # type: ignore[arg-type]
        self.sent: list[MemoryRequest] = []

    def answer(self, request: MemoryRequest) -> MemoryResponse:
        self.sent.append(request)
        return super().answer(request)

    def judged(self) -> JobResult:
        result = self.run()
        runs_target = self.module.version == self.target
        assert runs_target is (result.outcome in ("updated", "updated-unreported")), result.error
        assert (self.task.state == "done") <= runs_target
        assert all(self.started_whole)
        if result.error is not None:
            assert result.error.hint.endswith((".", "`"))
        assert not self.platform.complaints
        queries = [parse_query(one.query) for one in self.sent]
        assert not [query for query in queries if "sign" in query or ACCESS_KEY in query.values()]
        return result

    @property
    def notes(self) -> str:
        return "\n".join(event.text for event in self.events if isinstance(event, Note))


# Fault, APIs, outcome, exit code, words of the error or of a note.
BAD = [
    ("large-tid", BY_NAME, "updated", 0, ""),
    ("upper-md5", APIS, "updated", 0, ""),
    ("quoted-code", APIS, "updated", 0, ""),
    ("quoted-numbers", APIS, "updated", 0, ""),
    ("shuffled-keys", APIS, "updated", 0, ""),
    ("null-data", BY_NAME, "no-task", 0, ""),
    ("no-data", BY_NAME, "no-task", 0, ""),
    ("null-data", ("generic",), "server", 8, "task"),
    ("long-target", APIS, "server", 8, "20"),
    ("html", APIS, "server", 8, "web page"),
    ("redirect", APIS, "server", 8, "redirects"),
    ("http-407", APIS, "server", 8, "proxy"),
    ("http-500:2", APIS, "updated", 0, ""),
    ("http-500", APIS, "server", 8, "500"),
    ("wrong-md5", APIS, "bad-package", 7, "MD5"),
    ("wrong-size", APIS, "bad-package", 7, "bytes"),
    ("short-body:2", APIS, "bad-package", 7, "bytes"),
    ("cut-after:30%:3", APIS, "updated", 0, ""),
    ("ignore-range+cut-after:50%", APIS, "updated", 0, ""),
    ("wrong-range:1+cut-after:50%", APIS, "updated", 0, ""),
    ("no-ota-errno", BY_NAME, "updated", 0, ""),
    ("ota-errno:2", BY_NAME, "server", 8, "does not exist"),
    ("ota-errno:5", BY_NAME, "server", 8, "the task is over"),
    ("ota-errno:6", BY_NAME, "server", 8, "authorization"),
    ("expired-token:2", APIS, "updated", 0, ""),
    ("cancelled-after:50%", APIS, "server", 8, "cancelled"),
    ("errno:10500:2@check", ("fuse",), "updated", 0, ""),
    ("errno:10411:1@check", ("fuse",), "updated", 0, ""),
    ("errno:10403@check", ("fuse",), "server", 8, "key"),
    ("errno:10410@check", ("fuse",), "server", 8, "device"),
    ("errno:12012@check", ("fuse",), "no-task", 0, ""),
    ("errno:12013@check", ("fuse",), "no-task", 0, ""),
    ("errno:10@check", ("studio",), "no-task", 0, ""),
    ("errno:11@check", ("generic",), "no-task", 0, ""),
    ("unknown-errno@check", APIS, "server", 8, "99"),
]
CASES = [(api, *row[:1], *row[2:]) for row in BAD for api in row[1]]


@pytest.mark.parametrize(
    ("api", "fault", "outcome", "exit_code", "words"), CASES, ids=[f"{one[0]}-{one[1]}" for one in CASES]
)
def test_a_bad_answer_has_its_own_outcome(
    api: str, fault: str, outcome: str, exit_code: int, words: str
) -> None:
    with Listening(api, fault) as bench:
        result = bench.judged()
        said = f"{bench.notes}\n{result.error}\n{result.error.hint if result.error is not None else ''}"
    assert (result.outcome, result.exit_code) == (outcome, exit_code), said
    assert words in said


@pytest.mark.parametrize("api", APIS)
def test_a_redirect_to_another_host_gets_no_authorization(api: str) -> None:
    with Listening(api, "redirect@download") as bench:
        bench.judged()
        followed = [one for one in bench.sent if one.path == "/login"]
    assert all("authorization" not in {name.lower() for name in one.headers} for one in followed)
    assert len(followed) <= 1


KNOBS = [
    {"downloading_by": "status"},
    {"downloading_by": "either", "version_body": "none"},
    {"content_range": "none"},
    {"content_range": "header", "error_body": "empty"},
    {"content_range": "pair", "auth_status": 401},
    {"content_range": "both", "invalid_state": 10407, "after_done": 12012},
]


@pytest.mark.parametrize("api", BY_NAME)
@pytest.mark.parametrize("knobs", KNOBS, ids=str)
def test_whatever_the_platform_does_where_no_source_says_it_a_job_updates(
    api: str, knobs: dict[str, str]
) -> None:
    with Listening(api, "cut-after:40%", knobs=Knobs(**knobs)) as bench:  # type: ignore[arg-type]
        assert bench.judged().outcome == "updated"
        assert bench.task.state == "done"
        assert bench.platform.version(bench.dev_id) == bench.target
        assert bench.run().outcome in ("no-task", "already-current")


@pytest.mark.parametrize("by", ["download", "status"])
@pytest.mark.parametrize("api", APIS)
def test_a_package_from_the_cache_is_no_download_and_has_no_progress(
    api: str, by: str, tmp_path: Path
) -> None:
    """A station fetches a package once: the platform sees no download of its sister devices' tasks."""
    with Listening(api, folder=tmp_path) as bench:
        bench.run()
        package = bench.package
    knobs = Knobs(downloading_by=by)  # type: ignore[arg-type]
    with Listening(api, folder=tmp_path, package=package, knobs=knobs) as bench:
        assert bench.judged().outcome == "updated"
        steps = [one.value for one in bench.task.history if one.call == "progress"]
        assert (steps, bench.task.state) == ([101, 201], "done")


@pytest.mark.parametrize("api", APIS)
def test_a_task_that_has_moved_on_is_asked_and_takes_no_progress_and_no_101(api: str, tmp_path: Path) -> None:
    """A run that was cut off behind its 101 left the task at "upgrading": from there on only 2xx counts."""
    with Listening(api, folder=tmp_path) as bench:
        bench.run(listener=None)
        package, version = bench.package, bench.base
    with Listening(api, folder=tmp_path, package=package) as bench:
        bench.task.begin_download()
        assert bench.task.step_by_id(101) == 0
        assert (bench.base, bench.task.state) == (version, "upgrading")
        assert bench.judged().outcome == "updated"
        steps = [one.value for one in bench.task.history if one.call == "progress"]
        assert (steps, bench.task.state) == ([201], "done")
