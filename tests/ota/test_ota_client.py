"""The platform client: what it sends, and what it says to every answer that is no answer."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from atota import __version__
from atota.clock import SimulatedClock, StopToken
from atota.errors import (
    AtotaError,
    BadAnswer,
    ConfigError,
    Interrupted,
    PlatformRefused,
    ServerError,
    ServerUnreachable,
    UsageError,
)
from atota.ota.base import CheckQuery
from atota.ota.http import HttpClient
from atota.ota.onenet.generic import GenericPlatform
from atota.ota.onenet.signer import GivenAuth, fields

Make = Callable[..., GenericPlatform]
TOKEN = "ota_iF0hnXrq2CxLrP8vZ39l"
QUERY = CheckQuery(dev_id="6523", manuf="001", model="00108", version="1.2", signals=10)
TASK = {"target": "V1", "token": TOKEN, "size": 22, "md5": "ad2f4e4ea2a27eace7e4913139f8f01a", "type": 1}


def succ(data: object = None) -> httpx.Response:
    return httpx.Response(200, json={"errno": 0, "error": "succ", "data": data})


def refuse(errno: int, error: str = "no") -> httpx.Response:
    return httpx.Response(200, json={"errno": errno, "error": error})


class Script:
    """Answers in their order, the last one for ever; keeps what was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


CALLS: dict[str, tuple[Callable[[GenericPlatform], object], str, str, Any]] = {
    "version": (
        lambda c: c.report_version("6523", "1.0", "2.0"),
        "POST",
        "/ota/device/version?dev_id=6523",
        {"f_version": "1.0", "s_version": "2.0"},
    ),
    "check": (
        lambda c: c.check(QUERY),
        "GET",
        "/ota/south/check?dev_id=6523&manuf=001&model=00108&type=1&version=1.2&signals=10&cdn=false",
        None,
    ),
    "tasking": (
        lambda c: c.tasking("6523", "sota", cdn=True),
        "GET",
        "/ota/south/tasking?dev_id=6523&type=2&cdn=true",
        None,
    ),
    "token": (
        lambda c: c.check_token("6523", TOKEN),
        "GET",
        f"/ota/south/download/{TOKEN}/check?dev_id=6523",
        None,
    ),
    "step": (
        lambda c: c.report_step("6523", TOKEN, 40),
        "POST",
        f"/ota/south/device/download/{TOKEN}/progress?dev_id=6523",
        {"step": 40},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_call_is_the_documented_request(make_client: Make, name: str) -> None:
    call, method, target, body = CALLS[name]
    script = Script(succ({**TASK, "dev_id": "233444"}))
    call(make_client(script))
    (request,) = script.requests
    assert request.method == method
    assert str(request.url) == f"https://ota.example{target}"
    assert (json.loads(request.content) if request.content else None) == body
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"] == f"atota/{__version__}"
    assert list(fields(request.headers["Authorization"])) == ["version", "res", "et", "method", "sign"]


def test_a_check_that_finds_a_task_gives_it(make_client: Make) -> None:
    task = make_client(Script(succ(TASK))).check(QUERY)
    assert task is not None
    assert (task.target, task.size, task.token) == ("V1", 22, TOKEN)


def test_no_task_is_none_and_no_error(make_client: Make) -> None:
    client = make_client(Script(refuse(11)))
    assert client.check(QUERY) is None
    assert client.tasking("6523") is None


def test_no_task_on_a_token_check_is_no_success(make_client: Make) -> None:
    with pytest.raises(PlatformRefused):
        make_client(Script(refuse(11))).check_token("6523", TOKEN)


@pytest.mark.parametrize(
    "errno", [1, 2, 4, 8, 9, 10, 12, 13, 15, 17, 18, 19, 20, 21, 22, 23, 24, 27, 32, 5116, 77]
)
def test_every_refusal_is_asked_once_and_says_its_number(make_client: Make, errno: int) -> None:
    script = Script(refuse(errno, "because"))
    with pytest.raises(PlatformRefused, match=rf"errno {errno}, 'because'") as caught:
        make_client(script).check(QUERY)
    assert caught.value.errno == errno
    assert caught.value.hint
    assert len(script.requests) == 1


# -- wrong answers -------------------------------------------------------------------------------

HTML = b"<html><head><title>Hotel Wi-Fi</title></head><body>log in</body></html>"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (httpx.Response(401), PlatformRefused, "does not accept our authorization.*401"),
        (httpx.Response(403, content=HTML), PlatformRefused, "forbids.*403.*Hotel Wi-Fi"),
        (httpx.Response(404), BadAnswer, "does not have this call.*404"),
        (httpx.Response(418), BadAnswer, "does not accept the request.*418"),
        (httpx.Response(302, headers={"Location": "https://login.example/"}), BadAnswer, "redirects.*302"),
        (httpx.Response(500, content=b"Oops"), ServerError, "in trouble.*500.*Oops"),
        (httpx.Response(502, content=HTML), ServerError, "in trouble.*502.*Hotel Wi-Fi"),
        (httpx.Response(599), ServerError, "in trouble.*599"),
        (httpx.Response(429), ServerError, "too many requests"),
        (httpx.Response(200, content=HTML), BadAnswer, "web page came instead of JSON.*Hotel Wi-Fi"),
        (httpx.Response(200), BadAnswer, "empty"),
        (httpx.Response(200, json=[1]), BadAnswer, "not a JSON object"),
        (httpx.Response(200, json={"code": 0, "msg": "succ"}), BadAnswer, "errno"),
        (httpx.Response(200, json={"errno": 0, "error": "succ"}), BadAnswer, "task is missing"),
        (httpx.Response(200, json={"errno": 0, "data": {**TASK, "md5": "x"}}), BadAnswer, "MD5"),
        (httpx.Response(200, content=b"{" + b" " * 70000), BadAnswer, "longer than"),
    ],
)
def test_each_wrong_answer_has_its_own_words(
    make_client: Make, answer: httpx.Response, kind: type[AtotaError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        make_client(Script(answer)).check(QUERY)
    assert caught.value.exit_code == 8
    assert caught.value.hint


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_an_errno_counts_more_than_the_http_status(make_client: Make, status: int) -> None:
    answer = httpx.Response(status, json={"errno": 22, "error": "gone"})
    with pytest.raises(PlatformRefused) as caught:
        make_client(Script(answer)).check(QUERY)
    assert caught.value.errno == 22


def test_a_zero_errno_does_not_excuse_an_http_error(make_client: Make) -> None:
    answer = httpx.Response(404, json={"errno": 0, "error": "succ", "data": TASK})
    with pytest.raises(BadAnswer):
        make_client(Script(answer)).check(QUERY)


# -- the network ---------------------------------------------------------------------------------


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


FAILURES: dict[str, tuple[Exception, str, int]] = {
    "dns": (caused(httpx.ConnectError("x"), socket.gaierror(-2, "Name")), "cannot be resolved", 1),
    "dns by text": (httpx.ConnectError("[Errno -2] Name or service not known"), "cannot be resolved", 1),
    "refused": (caused(httpx.ConnectError("x"), ConnectionRefusedError(111, "no")), "nothing listens", 1),
    "route": (caused(httpx.ConnectError("x"), OSError(101, "no route")), "has no route", 1),
    "certificate": (
        caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError("CERTIFICATE_VERIFY_FAILED")),
        "certificate .* not trusted",
        1,
    ),
    "tls": (caused(httpx.ConnectError("x"), ssl.SSLError("WRONG_VERSION_NUMBER")), "no secure connection", 1),
    "other": (httpx.ConnectError("strange"), "no connection", 1),
    "connect timeout": (httpx.ConnectTimeout("t"), "did not accept a connection in time", 4),
    "read timeout": (httpx.ReadTimeout("t"), "did not answer in time", 4),
    "pool timeout": (httpx.PoolTimeout("t"), "did not answer in time", 4),
    "broke": (httpx.ReadError("reset"), "connection .* broke", 4),
    "hung up": (httpx.RemoteProtocolError("Server disconnected"), "connection .* broke", 4),
    "proxy": (httpx.ProxyError("407"), "a user name and a password", 1),
}


@pytest.mark.parametrize("name", FAILURES)
def test_each_network_failure_has_its_sentence_and_its_attempts(make_client: Make, name: str) -> None:
    error, words, asked = FAILURES[name]
    script = Script(error)
    with pytest.raises(ServerUnreachable, match=words) as caught:
        make_client(script).check(QUERY)
    assert len(script.requests) == asked
    assert "ota.example" in str(caught.value)
    assert len(caught.value.tried) == (asked if asked > 1 else 0)


def test_an_answer_that_breaks_off_is_a_broken_connection(make_client: Make) -> None:
    def body() -> Iterator[bytes]:
        yield b'{"errno":'
        raise httpx.ReadError("reset")

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body())

    with pytest.raises(ServerUnreachable, match="broke"):
        make_client(handler).check(QUERY)


def test_an_answer_that_drips_is_given_up(make_client: Make, clock: SimulatedClock) -> None:
    def body() -> Iterator[bytes]:
        while True:
            clock.sleep(5)
            yield b" "

    with pytest.raises(ServerUnreachable, match="in time"):
        make_client(lambda request: httpx.Response(200, content=body()), attempts=1).check(QUERY)
    assert clock.monotonic() == pytest.approx(60, abs=5)


# -- attempts ------------------------------------------------------------------------------------

PASSING = [
    httpx.Response(500),
    httpx.Response(503),
    httpx.Response(429),
    refuse(7),
    httpx.ReadTimeout("t"),
    httpx.ConnectTimeout("t"),
]


@pytest.mark.parametrize("trouble", PASSING, ids=str)
def test_passing_trouble_is_waited_out(
    make_client: Make, clock: SimulatedClock, trouble: httpx.Response | Exception
) -> None:
    waits: list[tuple[str, float]] = []
    script = Script(trouble, trouble, succ(TASK))
    client = make_client(script, on_wait=lambda why, seconds: waits.append((why, seconds)))
    assert client.check(QUERY) is not None
    assert [seconds for _, seconds in waits] == [1.0, 2.0]
    assert all(why for why, _ in waits)
    assert clock.monotonic() == pytest.approx(3.0)


def test_the_attempts_are_bounded(make_client: Make, clock: SimulatedClock) -> None:
    script = Script(httpx.Response(503))
    with pytest.raises(ServerError) as caught:
        make_client(script).check(QUERY)
    assert len(script.requests) == 4
    assert len(caught.value.tried) == 4
    assert clock.monotonic() == pytest.approx(7.0)


@pytest.mark.parametrize(
    ("asked", "waited"), [("5", 5.0), ("100000", 60.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 1.0)]
)
def test_a_server_may_name_the_pause_within_reason(
    make_client: Make, clock: SimulatedClock, asked: str, waited: float
) -> None:
    make_client(Script(httpx.Response(429, headers={"Retry-After": asked}), succ())).check_token("1", TOKEN)
    assert clock.monotonic() == pytest.approx(waited)


@pytest.mark.parametrize("trouble", [httpx.ReadTimeout("t"), httpx.Response(502), refuse(7)], ids=str)
@pytest.mark.parametrize("code", [100, 101, 201, 206])
def test_a_report_that_moves_the_task_is_not_sent_twice(
    make_client: Make, trouble: httpx.Response | Exception, code: int
) -> None:
    script = Script(trouble)
    with pytest.raises(ServerError):
        make_client(script).report_step("1", TOKEN, code)
    assert len(script.requests) == 1


def test_a_report_that_never_left_is_sent_again(make_client: Make) -> None:
    script = Script(httpx.ConnectTimeout("t"), succ())
    make_client(script).report_step("1", TOKEN, 201)
    assert len(script.requests) == 2


def test_progress_is_sent_again(make_client: Make) -> None:
    script = Script(httpx.ReadTimeout("t"), succ())
    make_client(script).report_step("1", TOKEN, 99)
    assert len(script.requests) == 2


def test_each_attempt_is_signed_anew(make_client: Make) -> None:
    script = Script(httpx.Response(503), succ())
    make_client(script).check_token("1", TOKEN)
    first, second = (fields(r.headers["Authorization"])["et"] for r in script.requests)
    assert int(second) == int(first) + 1


def test_a_stop_ends_the_wait(make_client: Make, clock: SimulatedClock) -> None:
    stop = StopToken()
    script = Script(httpx.Response(503))
    client = make_client(script, stop=stop, on_wait=lambda why, seconds: stop.set())
    with pytest.raises(Interrupted):
        client.check(QUERY)
    assert len(script.requests) == 1
    assert clock.monotonic() == 0
    with pytest.raises(Interrupted):
        client.check(QUERY)
    assert len(script.requests) == 1


# -- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.report_version("6523"),
        lambda c: c.report_version("6523", "a b"),
        lambda c: c.report_version("x", "1"),
        lambda c: c.tasking("6523", "both"),
        lambda c: c.check_token("6523", "../x"),
        lambda c: c.check_token("", TOKEN),
        lambda c: c.report_step("1", TOKEN, 150),
        lambda c: c.report_step("1", TOKEN, -1),
    ],
)
def test_wrong_arguments_never_leave_the_house(
    make_client: Make, call: Callable[[GenericPlatform], object]
) -> None:
    script = Script(succ())
    with pytest.raises(UsageError):
        call(make_client(script))
    assert script.requests == []


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("ota.heclouds.com", "https://ota.heclouds.com"),
        (" OTA.heclouds.com/ ", "https://ota.heclouds.com"),
        ("127.0.0.1:8080", "https://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("HTTPS://host", "https://host"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_a_server_without_a_scheme_is_https(make_client: Make, server: str, expected: str) -> None:
    assert make_client(Script(succ()), server=server).server == expected


@pytest.mark.parametrize(
    "server",
    [
        "",
        "ftp://x",
        "http://",
        "http://u:pw@host",
        "host/path",
        "host?x",
        "host:0",
        "host:70000",
        "a b",
        "http://x#y",
    ],
)
def test_what_is_no_server_is_refused(make_client: Make, server: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_client(Script(succ()), server=server)
    assert "pw" not in str(caught.value)


def test_a_broken_proxy_setting_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://proxy.example")
    with pytest.raises(ConfigError, match="environment"):
        GenericPlatform(HttpClient("ota.example", GivenAuth("sign=x"), clock=SimulatedClock()))


def test_a_dry_run_shows_the_request_and_sends_nothing(make_client: Make) -> None:
    script = Script(succ())
    shown = make_client(script).dry_run(QUERY)
    assert script.requests == []
    assert shown["method"] == "GET"
    assert str(shown["url"]).startswith("https://ota.example/ota/south/check?dev_id=6523&manuf=001")
    headers = shown["headers"]
    assert isinstance(headers, dict)
    assert headers["Authorization"].endswith("&sign=***")
    assert "res=products%2F123123" in headers["Authorization"]
    assert headers["User-Agent"] == f"atota/{__version__}"


# -- the time as the reason ----------------------------------------------------------------------


def test_an_expired_header_is_named_as_the_reason(make_client: Make, clock: SimulatedClock) -> None:
    auth = GivenAuth(
        f"version=2018-10-31&res=products%2F1&et={int(clock.time()) - 60}&method=md5&sign=abcdef"
    )
    with pytest.raises(PlatformRefused) as caught:
        make_client(Script(refuse(1)), auth=auth).check(QUERY)
    assert "ended 60 s ago" in caught.value.hint


@pytest.mark.parametrize(
    ("date", "words"),
    [
        ("Thu, 01 Jan 2026 01:00:00 GMT", "3600 s ahead"),
        ("Wed, 31 Dec 2025 23:00:00 GMT", "3600 s behind"),
    ],
)
def test_a_wrong_clock_is_named_as_the_reason(make_client: Make, date: str, words: str) -> None:
    answer = httpx.Response(200, json={"errno": 1, "error": "auth"}, headers={"Date": date})
    with pytest.raises(PlatformRefused) as caught:
        make_client(Script(answer)).check(QUERY)
    assert words in caught.value.hint


@pytest.mark.parametrize("date", ["Thu, 01 Jan 2026 00:00:10 GMT", "yesterday", "Thu, 01 Jan 2026 00:00:00"])
def test_a_right_or_unreadable_date_is_no_reason(make_client: Make, date: str) -> None:
    answer = httpx.Response(200, json={"errno": 1, "error": "auth"}, headers={"Date": date})
    with pytest.raises(PlatformRefused) as caught:
        make_client(Script(answer)).check(QUERY)
    assert "clock is" not in caught.value.hint
