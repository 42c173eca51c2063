"""FUSE and STUDIO against recorded exchanges, byte for byte, and against answers that nobody documented."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from atota.clock import SimulatedClock
from atota.errors import (
    AtotaError,
    BadAnswer,
    DownloadRefused,
    PlatformRefused,
    ServerError,
    StepResult,
    UsageError,
)
from atota.ota.base import Access, CheckQuery, ContentRange, Platform, Status, Task, Versions
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.ota.memory import MemoryRequest
from atota.ota.registry import open_platform
from atota.values import Digests
from tests.ota.path_server import DEVICE, KEY, NAME, PRODUCT, PathServer

BASE = f"/fuse-ota/{DEVICE}"
TASK = Task(target="v3.0", token=f"{DEVICE}/1317438", size=8260, md5="b54809186a2dd720e80265402e8cb168")
QUERY = CheckQuery(dev_id=DEVICE, version="V1.0", type="sota")

# Recorded replies of the platform (onenet-generations.md section 4), with their recorded Content-Length.
VERSION_REPLY = (71, b'{"code":0,"msg":"succ","request_id":"399527bd39274e4e8f881e4714911a19"}')
CHECK_REPLY = (
    183,
    (
        b'{"code":0,"msg":"succ","data":{"target":"v3.0","tid":1317438,"size":8260,'
        b'"md5":"b54809186a2dd720e80265402e8cb168","status":1,"type":1},'
        b'"request_id":"8b9b21aff5f84af7ad9595c368613e16"}'
    ),
)
STATUS_REPLY = (
    91,
    b'{"code":0,"msg":"succ","data":{"status":5},"request_id":"8b9b21aff5f84af7ad9595c368613e16"}',
)
FINISHED_REPLY = (79, b'{"code":20,"msg":"task finish","request_id":"03e88f9bc9394c12ba59ea741c6a817a"}')
STEP_REPLY = (71, b'{"code":0,"msg":"succ","request_id":"20c0b0ac5dfe4193b69f3d7f74dd6468"}')
HEADERS = {
    "Date": "Thu, 01 Jan 2026 00:00:00 GMT",
    "Content-Type": "application/json;charset=UTF-8",
    "Connection": "keep-alive",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Origin": "*",
    "Server": "nginx",
    "Pragma": "no-cache",
}

Answer = Callable[[httpx.Request], httpx.Response]
Headers = Mapping[str, str] | None


class Wire:
    """A platform that gives the scripted answers in order; the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(request)

    @property
    def lines(self) -> list[str]:
        """The requests that were made: method, path and query."""
        return [f"{one.method} {one.url.raw_path.decode()}" for one in self.requests]


def reply(recorded: tuple[int, bytes] | bytes, status: int = 200, headers: Headers = None) -> Answer:
    """A reply as it was recorded."""
    length, body = recorded if isinstance(recorded, tuple) else (len(recorded), recorded)
    assert length == len(body)
    return streamed(status, body, {**HEADERS, "Content-Length": str(length), **(headers or {})})


def streamed(status: int, body: bytes, headers: Mapping[str, str]) -> Answer:
    """A reply whose body is still on the wire."""
    return lambda _: httpx.Response(status, headers=headers, content=iter([body]))


def said(code: int, msg: str = "", **more: Any) -> Answer:
    return reply(json.dumps({"code": code, "msg": msg, **more}).encode())


def opened(wire: Wire, api: str = "fuse", **fields: Any) -> Platform:
    given: dict[str, Any] = {"access_key": KEY, "product_id": PRODUCT, "device_name": NAME}
    clock = fields.pop("clock", None) or SimulatedClock()
    access = Access(
        server="https://iot.example", clock=clock, transport=httpx.MockTransport(wire), **{**given, **fields}
    )
    return open_platform(api, access)


def refusal(wire: Wire, call: Callable[[Platform], object]) -> AtotaError:
    with pytest.raises(AtotaError) as caught:
        call(opened(wire))
    return caught.value


def check(platform: Platform) -> Task | None:
    return platform.check(QUERY)


# -- the recorded exchanges ---------------------------------------------------------------------------


def test_a_version_report_is_the_recorded_one_with_both_keys() -> None:
    wire = Wire(reply(VERSION_REPLY))
    opened(wire).report_version(DEVICE, f_version="V1.0", s_version="V1.0")
    (request,) = wire.requests
    assert wire.lines == [f"POST {BASE}/version"]
    assert request.content == b'{"s_version":"V1.0","f_version":"V1.0"}'
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Authorization"].startswith(
        "version=2022-05-01&res=products%2F9x8aBcD3eF%2Fdevices"
    )


def test_a_report_of_one_version_asks_for_the_other_first() -> None:
    wire = Wire(said(0, data={"f_version": "V0.9", "s_version": "APP7"}), reply(VERSION_REPLY))
    opened(wire).report_version(DEVICE, f_version="V1.0")
    assert wire.lines == [f"GET {BASE}/version", f"POST {BASE}/version"]
    assert json.loads(wire.requests[1].content) == {"s_version": "APP7", "f_version": "V1.0"}


@pytest.mark.parametrize(
    "stored",
    [
        said(0),
        said(0, data=None),
        said(0, data={}),
        said(0, data={"f_version": None, "s_version": ""}),
        said(0, data={"s_version": "a version with spaces"}),
        said(0, data=["V1"]),
        said(10410, "device not exist"),
        reply(b"<html>404</html>", 404),
    ],
)
def test_both_keys_have_the_same_version_where_the_other_is_not_known(stored: Answer) -> None:
    wire = Wire(stored, reply(VERSION_REPLY))
    opened(wire).report_version(DEVICE, s_version="V1.0")
    assert json.loads(wire.requests[-1].content) == {"s_version": "V1.0", "f_version": "V1.0"}


def test_a_check_is_the_recorded_one() -> None:
    wire = Wire(reply(CHECK_REPLY))
    assert check(opened(wire)) == TASK
    assert wire.lines == [f"GET {BASE}/check?type=2&version=V1.0"]


def test_a_task_status_is_the_recorded_one() -> None:
    wire = Wire(reply(STATUS_REPLY))
    error = refusal(wire, lambda platform: platform.check_token(DEVICE, TASK.token))
    assert isinstance(error, PlatformRefused)
    assert (error.result, error.message) == (StepResult.OVER, "the task is over: failed")
    assert wire.lines == [f"GET {BASE}/1317438/check"]


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (1, None),
        (2, None),
        (3, StepResult.MOVED_ON),
        (4, StepResult.OVER),
        (5, StepResult.OVER),
        (6, StepResult.OVER),
    ],
)
def test_each_status_decides_on_the_download(status: int, result: StepResult | None) -> None:
    platform = opened(Wire(said(0, data={"status": status})))
    if result is None:
        platform.check_token(DEVICE, TASK.token)
        assert platform.capabilities.needs_token_check
        return
    with pytest.raises(PlatformRefused) as caught:
        platform.check_token(DEVICE, TASK.token)
    assert caught.value.result is result


def test_a_step_is_the_recorded_one() -> None:
    wire = Wire(reply(STEP_REPLY))
    opened(wire).report_step(DEVICE, TASK.token, 201)
    assert (wire.lines, wire.requests[0].content) == ([f"POST {BASE}/1317438/status"], b'{"step":201}')


def test_a_step_on_a_finished_task_is_over_and_its_status_is_read() -> None:
    wire = Wire(reply(FINISHED_REPLY), reply(STATUS_REPLY))
    error = refusal(wire, lambda platform: platform.report_step(DEVICE, TASK.token, 10))
    assert isinstance(error, PlatformRefused)
    assert (error.result, error.errno) == (StepResult.OVER, 20)
    assert "(code 20, 'task finish')" in error.message
    assert wire.lines == [f"POST {BASE}/1317438/status", f"GET {BASE}/1317438/check"]


def test_201_on_a_task_that_is_done_is_a_success_and_on_a_failed_one_is_not() -> None:
    wire = Wire(reply(FINISHED_REPLY), said(0, data={"status": 4}))
    opened(wire).report_step(DEVICE, TASK.token, Status.UPGRADED)
    assert len(wire.requests) == 2
    for answer in (said(0, data={"status": 5}), reply(b"<html>", 502)):
        error = refusal(
            Wire(reply(FINISHED_REPLY), answer),
            lambda platform: platform.report_step(DEVICE, TASK.token, Status.UPGRADED),
        )
        assert isinstance(error, PlatformRefused)
        assert error.result is StepResult.OVER


def test_a_status_that_these_apis_do_not_have_is_reported_as_an_unknown_failure() -> None:
    wire = Wire(reply(STEP_REPLY))
    opened(wire).report_step(DEVICE, TASK.token, Status.UPGRADE_EXPIRED)
    assert wire.requests[0].content == b'{"step":206}'
    with pytest.raises(UsageError):
        opened(wire).report_step(DEVICE, TASK.token, 299)


def test_a_step_that_moves_the_task_is_not_sent_twice_after_a_cut() -> None:
    def cut(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("cut")

    for step, attempts in ((101, 1), (201, 1), (50, 4)):
        wire = Wire(cut)
        with pytest.raises(ServerError):
            opened(wire).report_step(DEVICE, TASK.token, step)
        assert len(wire.requests) == attempts, step


# -- downloads ----------------------------------------------------------------------------------------

PACKAGE = bytes((i * 7 + i // 256) % 256 for i in range(8260))
PACKAGE_TASK = Task(target="v3.0", token=TASK.token, size=8260, md5=Digests.of(PACKAGE).md5)
STREAM = {"Content-Type": "application/octet-stream;charset=UTF-8", "Ota-Errno": "0"}


def part(first: int, *, status: int = 206, headers: Headers = None) -> Answer:
    body = PACKAGE[first:]
    return streamed(status, body, {**STREAM, "Content-Length": str(len(body)), **(headers or {})})


def test_a_download_is_signed_whole_without_a_range_and_in_parts_with_a_bare_one() -> None:
    disposition = {"Content-Disposition": 'attachment; filename="ry"'}
    wire = Wire(part(0, status=200, headers=disposition), part(1024))
    platform = opened(wire)
    for first in (0, 1024):
        with platform.open_package(PACKAGE_TASK, first, bare_range=True) as answer:
            assert b"".join(answer.chunks) == PACKAGE[first:]
    assert [one.headers.get("Range") for one in wire.requests] == [None, "1024-8259"]
    for request in wire.requests:
        assert str(request.url) == f"https://iot.example{BASE}/1317438/download"
        assert "sign=" in request.headers["Authorization"]


NAMED = {"Content-Range": "bytes 1024-8259/8260"}


def pair(first: int) -> dict[str, str]:
    return {"Content-Range-Start": str(first), "Content-Range-End": "8259"}


@pytest.mark.parametrize(
    ("headers", "place"),
    [
        ({}, ContentRange(1024, 8259, None)),
        (NAMED, ContentRange(1024, 8259, 8260)),
        ({"Content-Range": "1024-8259/8260"}, ContentRange(1024, 8259, 8260)),
        (pair(1024), ContentRange(1024, 8259, None)),
        (NAMED | pair(1024), ContentRange(1024, 8259, 8260)),
        (NAMED | pair(0), None),
        (pair(0), ContentRange(0, 8259, None)),
        ({"Content-Range": "nonsense"}, None),
        ({"Content-Range-Start": "1024"}, None),
    ],
)
def test_the_place_of_a_part_is_that_of_headers_that_agree(
    headers: dict[str, str], place: ContentRange | None
) -> None:
    with opened(Wire(part(1024, headers=headers))).open_package(PACKAGE_TASK, 1024) as answer:
        assert answer.content_range == place


def test_a_part_without_a_place_and_of_another_length_has_none() -> None:
    with opened(Wire(part(2048))).open_package(PACKAGE_TASK, 1024) as answer:
        assert answer.content_range is None


def fetched(wire: Wire, folder: Path, api: str = "fuse") -> bytes:
    clock = SimulatedClock()
    platform = opened(wire, api, clock=clock)
    return Downloader(platform, clock, Cache(folder)).fetch(PACKAGE_TASK, DEVICE).path.read_bytes()


def cut_after(count: int) -> Answer:
    def chunks() -> Iterator[bytes]:
        yield PACKAGE[:count]
        raise httpx.ReadError("cut")

    return lambda _: httpx.Response(200, headers={**STREAM, "Content-Length": "8260"}, content=chunks())


OPEN = said(0, data={"status": 2})


@pytest.mark.parametrize(("done", "range_", "first"), [(5000, "5000-8259", 5000), (8259, "8258-8259", 8258)])
def test_a_cut_download_resumes_and_never_asks_for_one_byte(
    tmp_path: Path, done: int, range_: str, first: int
) -> None:
    wire = Wire(OPEN, cut_after(done), OPEN, part(first))
    assert fetched(wire, tmp_path) == PACKAGE
    assert [one.headers.get("Range") for one in wire.requests if one.url.path.endswith("download")] == [
        None,
        range_,
    ]


def test_a_whole_answer_to_a_range_is_not_appended(tmp_path: Path) -> None:
    wire = Wire(OPEN, cut_after(5000), OPEN, part(0, status=200))
    assert fetched(wire, tmp_path) == PACKAGE


def test_a_status_that_is_over_ends_a_download_before_its_resume(tmp_path: Path) -> None:
    wire = Wire(OPEN, cut_after(5000), said(0, data={"status": 6}))
    with pytest.raises(PlatformRefused, match="cancelled"):
        fetched(wire, tmp_path)
    assert wire.lines[-1] == f"GET {BASE}/1317438/check"


@pytest.mark.parametrize("status", [200, 206, 403, 500])
@pytest.mark.parametrize(
    ("number", "words", "result"),
    [
        ("1", "does not know the device", StepResult.REFUSED),
        ("2", "package does not exist", StepResult.REFUSED),
        ("3", "store does not have", StepResult.REFUSED),
        ("4", "another size", StepResult.REFUSED),
        ("5", "task is over", StepResult.OVER),
        ("6", "authorization is not accepted", StepResult.REFUSED),
        ("7", "does not list this number", StepResult.REFUSED),
        ("x", "does not list this number", StepResult.REFUSED),
    ],
)
def test_ota_errno_counts_before_anything_else(
    status: int, number: str, words: str, result: StepResult
) -> None:
    answer = streamed(status, PACKAGE, {**STREAM, "Ota-Errno": number})
    with (
        pytest.raises(DownloadRefused, match=words) as caught,
        opened(Wire(answer)).open_package(PACKAGE_TASK),
    ):
        pass
    assert (caught.value.result, f"(Ota-Errno {number})" in caught.value.message) == (result, True)
    assert caught.value.hint


def test_an_envelope_in_place_of_a_package_is_its_refusal() -> None:
    answer = said(10403, "authentication failed:invalid authorization")
    with pytest.raises(PlatformRefused, match="10403"), opened(Wire(answer)).open_package(PACKAGE_TASK):
        pass


def test_a_redirect_to_another_host_gets_no_authorization() -> None:
    moved = streamed(302, b"", {"Location": "https://store.example/p.bin"})
    wire = Wire(moved, part(0, status=200))
    with opened(wire).open_package(PACKAGE_TASK) as answer:
        assert b"".join(answer.chunks) == PACKAGE
    first, second = wire.requests
    assert ("Authorization" in first.headers, "Authorization" in second.headers) == (True, False)
    assert "sign" not in str(second.url)


def test_a_redirected_call_is_not_followed() -> None:
    wire = Wire(streamed(302, b"", {"Location": "https://other.example/"}))
    assert isinstance(refusal(wire, check), BadAnswer)
    assert len(wire.requests) == 1


def test_a_handle_of_another_device_is_wrong_usage() -> None:
    wire = Wire(reply(STEP_REPLY))
    for handle in ("", "1317438", f"{DEVICE}/x", f"{DEVICE}/../1", f"{PRODUCT}/other/1317438"):
        with pytest.raises(UsageError, match="not a task of the device"):
            opened(wire).report_step(DEVICE, handle, 5)
    assert wire.requests == []


# -- numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [12012, 12013, 11, 1178])
def test_each_number_of_nothing_to_do_is_no_task(code: int) -> None:
    assert check(opened(Wire(said(code, "not exist")))) is None


@pytest.mark.parametrize(
    ("code", "msg", "words", "result"),
    [
        (20, "task finish", "the task is finished", StepResult.OVER),
        (500, "", "has an error", StepResult.LATER),
        (10001, "", "a parameter of the request is wrong", StepResult.REFUSED),
        (10406, "", "exists already", StepResult.REFUSED),
        (10407, "", "does not allow", StepResult.REFUSED),
        (10408, "", "does not know the product", StepResult.REFUSED),
        (10409, "", "refuses the request", StepResult.REFUSED),
        (10410, "", "does not know the device", StepResult.REFUSED),
        (10411, "", "did not answer the platform", StepResult.LATER),
        (10417, "", "does not have the item", StepResult.REFUSED),
        (10421, "", "offline", StepResult.REFUSED),
        (10500, "", "internal error", StepResult.LATER),
        (4711, "invalid state", "not allowed in the task's present state", StepResult.MOVED_ON),
        (4711, "what", "does not list", StepResult.REFUSED),
    ],
)
def test_each_code_is_a_sentence_and_an_action(code: int, msg: str, words: str, result: StepResult) -> None:
    error = refusal(Wire(said(code, msg)), check)
    assert isinstance(error, PlatformRefused)
    assert words in error.message
    assert f"(code {code}" in error.message
    assert (error.result, error.errno) == (result, code)
    assert error.hint.endswith(".")


@pytest.mark.parametrize(
    ("code", "result"),
    [
        (12012, StepResult.EXPIRED),
        (11, StepResult.EXPIRED),
        (1178, StepResult.EXPIRED),
        (12013, StepResult.OVER),
    ],
)
def test_a_number_of_nothing_to_do_about_one_task_is_an_expired_handle(code: int, result: StepResult) -> None:
    """Whether the task itself is gone, a new check tells; a task that succeeded is over."""
    error = refusal(Wire(said(code, "not exist")), lambda platform: platform.check_token(DEVICE, TASK.token))
    assert isinstance(error, PlatformRefused)
    assert error.result is result


@pytest.mark.parametrize(
    ("msg", "words", "hint"),
    [
        ("authentication failed:invalid authorization", "wrong, cut, or of another level", "--key-level"),
        (
            "authentication failed:token expire is too long,max expire limit 10 years",
            "longer than the platform accepts",
            "--auth-ttl",
        ),
        (
            "authentication failed:request has expired:expire=1767225000,now=1767226200",
            "ended at 2025-12-31 23:50:00 UTC, and the server's clock says 2026-01-01 00:10:00 UTC",
            "clock",
        ),
    ],
)
def test_the_three_texts_of_10403_are_told_apart(msg: str, words: str, hint: str) -> None:
    error = refusal(Wire(said(10403, msg)), check)
    assert words in error.message
    assert hint in error.hint
    assert KEY not in error.message + error.hint


def test_a_wrong_clock_is_shown_and_not_corrected() -> None:
    late = {"Date": "Thu, 01 Jan 2026 00:20:00 GMT"}
    notes: list[str] = []
    wire = Wire(
        reply(b'{"code":10403,"msg":"x request has expired:expire=1767225000,now=1767226200"}', headers=late)
    )
    platform = opened(wire, warn=notes.append)
    for _ in range(2):
        with pytest.raises(PlatformRefused) as caught:
            platform.check(QUERY)
        assert "The server's clock is 1200 s ahead of this computer's." in caught.value.hint
    assert notes == ["The server's clock is 1200 s ahead of this computer's"]
    ends = {one.headers["Authorization"].partition("et=")[2].partition("&")[0] for one in wire.requests}
    assert ends == {"1767229200"}


def test_studio_has_its_own_envelope_path_version_and_number() -> None:
    task = {"target": "V2.0", "tid": 7, "size": 10, "md5": "a" * 32, "status": 1, "type": 2}
    wire = Wire(
        reply(json.dumps({"errno": 0, "error": "succ", "data": task}).encode()),
        reply(b'{"errno":10,"error":"not exist"}'),
        reply(b'{"errno":1,"error":"auth failed"}'),
    )
    platform = opened(wire, "studio")
    found = platform.check(QUERY)
    assert found is not None
    assert (found.token, found.kind) == (f"{DEVICE}/7", "delta")
    assert platform.check(QUERY) is None
    with pytest.raises(PlatformRefused, match=r"authentication failed.*\(errno 1, 'auth failed'\)"):
        platform.check(QUERY)
    assert wire.lines[0] == f"GET /ota/{DEVICE}/check?type=2&version=V1.0"
    assert wire.requests[0].headers["Authorization"].startswith("version=2018-10-31&")


# -- bad input ----------------------------------------------------------------------------------------


def task_reply(**changes: Any) -> Answer:
    data = {"target": "v3.0", "tid": 1317438, "size": 8260, "md5": TASK.md5, "status": 1, "type": 1}
    return said(0, "succ", data={**data, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tid": 2**31 + 5}, {"token": f"{DEVICE}/{2**31 + 5}"}),
        ({"tid": 2**63 - 1}, {"token": f"{DEVICE}/{2**63 - 1}"}),
        ({"tid": "1317438"}, {}),
        ({"md5": TASK.md5.upper()}, {}),
        ({"size": "8260"}, {}),
        ({"status": 3}, {}),
        ({"type": 2}, {"kind": "delta"}),
        ({"type": None, "extra": 1}, {}),
    ],
)
def test_a_task_is_read_tolerantly(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    task = check(opened(Wire(task_reply(**changes))))
    assert task is not None
    for name in ("target", "token", "size", "md5", "kind"):
        assert getattr(task, name) == expected.get(name, getattr(TASK, name))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (task_reply(target="v" * 21), "21 characters"),
        (task_reply(target="v 3"), "not one that the platform accepts"),
        (task_reply(target=""), "does not match the documentation"),
        (task_reply(md5="b548"), "not 32 hex digits"),
        (task_reply(tid=-1), "does not match the documentation"),
        (task_reply(tid=2**63), "does not match the documentation"),
        (task_reply(tid=None), "does not match the documentation"),
        (task_reply(type=3), "package type is 3"),
        (said(0, data=[1]), "does not match the documentation"),
        (reply(b'{"code":"OK","msg":"succ"}'), "does not match the documentation"),
        (reply(b'{"msg":"succ"}'), "does not match the documentation"),
        (reply(b"<!DOCTYPE html><title>Log in</title>", headers={"Content-Type": "text/html"}), "'Log in'"),
        (reply(b""), "is empty"),
    ],
)
def test_an_answer_that_cannot_be_is_named(answer: Answer, words: str) -> None:
    error = refusal(Wire(answer), check)
    assert isinstance(error, BadAnswer)
    assert words in error.message


def test_a_code_as_a_string_is_read_as_its_number() -> None:
    assert check(opened(Wire(reply(b'{"code":"12012","msg":"not exist"}')))) is None
    error = refusal(Wire(reply(b'{"code":"10410","msg":""}')), check)
    assert isinstance(error, PlatformRefused)
    assert error.errno == 10410


@pytest.mark.parametrize("body", [b'{"code":0,"msg":"succ","data":null}', b'{"code":0,"msg":"succ"}'])
def test_success_without_a_task_is_no_task_with_a_warning(body: bytes) -> None:
    notes: list[str] = []
    assert check(opened(Wire(reply(body)), warn=notes.append)) is None
    assert notes == ["the platform reports success without a task: taken for no task"]


def test_a_proxy_that_wants_a_password_is_named() -> None:
    wire = Wire(streamed(407, b"Proxy Authentication Required", {}))
    error = refusal(wire, check)
    assert isinstance(error, ServerError)
    assert "a proxy" in error.message
    assert "HTTPS_PROXY" in error.hint


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (f"{PRODUCT}/", "1 to 64 letters"),
        (f"{PRODUCT}/a b", "1 to 64 letters"),
        (f"{PRODUCT}/a/b", "1 to 64 letters"),
        (f"{PRODUCT}/..", "1 to 64 letters"),
        (f"{PRODUCT}/水表", "1 to 64 letters"),
        (f"{PRODUCT}/{'x' * 65}", "this has 65 characters"),
        ("9x8a-BcD/dev", "not a product id"),
        ("/dev", "not a product id"),
    ],
)
def test_a_device_that_the_platform_refuses_is_wrong_usage_and_nothing_is_sent(
    device: str, words: str
) -> None:
    wire = Wire(reply(CHECK_REPLY))
    with pytest.raises(UsageError, match=words):
        opened(wire).check(CheckQuery(dev_id=device, version="V1.0"))
    assert wire.requests == []


def test_a_key_of_another_level_is_refused_with_the_way_out() -> None:
    server = PathServer("fuse", PACKAGE, "v3.0")

    def answer(request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = MemoryRequest(request.method, request.url.path, request.url.query.decode(), headers, b"")
        made = server.answer(asked)
        return httpx.Response(made.status, headers=made.headers, content=b"".join(made.body))

    assert opened(Wire(answer)).check(QUERY) is not None
    with pytest.raises(PlatformRefused, match="of another level") as caught:
        opened(Wire(answer), key_level="product").check(QUERY)
    assert "--key-level device" in caught.value.hint


def test_the_versions_of_a_device_are_read_leniently() -> None:
    platform = opened(Wire(said(0, data={"f_version": "V1", "s_version": None, "more": 1})))
    assert platform.versions(DEVICE) == Versions("V1", None)
    assert opened(Wire(said(0))).versions(DEVICE) == Versions()


def test_a_dry_run_shows_the_request_without_its_signature() -> None:
    wire = Wire(reply(CHECK_REPLY))
    shown = opened(wire).dry_run(QUERY)
    assert shown["url"] == f"https://iot.example{BASE}/check?type=2&version=V1.0"
    assert shown["headers"]["Authorization"].endswith("sign=***")
    assert wire.requests == []
