"""A look at a server's front page: what is asked, what is told, and how failures are said."""

import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from atota.clock import SimulatedClock
from atota.errors import ServerUnreachable, UsageError
from atota.ota.http import reach
from atota.ota.probe import Reached


def look(handler: object, server: str = "ota.example") -> Reached:
    return reach(server, clock=SimulatedClock(), transport=httpx.MockTransport(handler))  # type: ignore[arg-type]


def test_nothing_of_a_device_and_no_key_is_in_the_request() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    look(answer)
    (request,) = seen
    assert (request.method, str(request.url)) == ("GET", "https://ota.example/")
    assert "authorization" not in request.headers


@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_any_status_is_an_answer(status: int) -> None:
    told = look(lambda _: httpx.Response(status, headers={"Date": "Thu, 01 Jan 2026 00:00:07 GMT"}))
    assert (told.status, told.skew_s, told.elsewhere) == (status, 7.0, None)


def test_a_redirect_is_told_and_not_followed() -> None:
    told = look(lambda _: httpx.Response(302, headers={"Location": "http://login.example/?x=1"}))
    assert (told.elsewhere, told.skew_s) == ("login.example", None)


def test_an_endless_page_is_not_read() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000

    assert look(lambda _: httpx.Response(200, content=endless())).status == 200


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError("[Errno -2] Name or service not known"), "cannot be resolved"),
        (httpx.ConnectError("[Errno 111] Connection refused"), "refuses the connection"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), "is not trusted"),
        (httpx.ConnectTimeout("slow"), "did not accept a connection in time"),
        (httpx.ReadTimeout("slow"), "did not answer in time"),
        (httpx.ProxyError("407"), "a user name and a password"),
    ],
)
def test_a_failure_is_said_in_words(error: Exception, words: str) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(ServerUnreachable, match=words) as caught:
        look(answer)
    assert caught.value.hint


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(UsageError):
        look(lambda _: httpx.Response(200), "ftp://x")


def test_what_was_reached_needs_no_http_library() -> None:
    code = "import sys, atota.ota.probe; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
