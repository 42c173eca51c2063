"""The download: any cut ends in the exact file or a clear error, and nothing half is ever a package."""

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atota.clock import SimulatedClock, StopToken
from atota.errors import (
    AtotaError,
    BadAnswer,
    DownloadRefused,
    Interrupted,
    PackageError,
    PlatformRefused,
    ServerError,
    ServerUnreachable,
    UsageError,
)
from atota.ota.base import Task
from atota.ota.cache import Cache
from atota.ota.download import PackageFile, fetch
from atota.ota.http import HttpClient
from atota.ota.onenet.generic import GenericPlatform
from atota.ota.onenet.signer import KeyAuth, product_res

KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="
TOKEN = "ota_iF0hnXrq2CxLrP8vZ39l"
DATA = bytes((i * 7 + i // 251) % 256 for i in range(30_000))


def task_for(data: bytes, **changes: object) -> Task:
    values = {"target": "V2", "token": TOKEN, "size": len(data), "md5": hashlib.md5(data).hexdigest()}
    return Task(**(values | changes))  # type: ignore[arg-type]


def streamed(answer: httpx.Response) -> httpx.Response:
    """The same answer as the wire brings it: not read yet."""
    if not answer.is_stream_consumed:
        return answer
    return httpx.Response(answer.status_code, headers=answer.headers, content=iter([answer.content]))


@dataclass
class Platform:
    """The documented download call, with its clamping, and a list of odd answers to give first."""

    data: bytes = DATA
    odd: list[httpx.Response | Exception | int] = field(default_factory=list)  # int: cut after so many bytes
    token_errnos: list[int] = field(default_factory=list)
    sized: bool = True  # sends Content-Length
    understands: str = r"(?:bytes=)?(\d+)-"
    asked: list[str | None] = field(default_factory=list)
    downloads: list[httpx.Request] = field(default_factory=list)
    checks: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/check"):
            self.checks += 1
            errno = self.token_errnos.pop(0) if self.token_errnos else 0
            return httpx.Response(200, json={"errno": errno, "error": "text"})
        assert request.url.path == f"/ota/south/download/{TOKEN}"
        self.downloads.append(request)
        self.asked.append(request.headers.get("Range"))
        answer = self.odd.pop(0) if self.odd else None
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return streamed(answer)
        return self._serve(request.headers.get("Range"), answer)

    def _serve(self, wanted: str | None, cut: int | None) -> httpx.Response:
        size = len(self.data)
        found = re.fullmatch(self.understands, wanted or "")
        first = int(found.group(1)) if found else 0
        first = 0 if first >= size else first
        body = self.data[first:]
        headers = {"Content-Type": "application/octet-stream"}
        if self.sized:
            headers["Content-Length"] = str(len(body))
        if found:
            headers["Content-Range"] = f"bytes {first}-{size - 1}/{size}"
        return httpx.Response(206 if found else 200, headers=headers, content=self._cut(body, cut))

    def _cut(self, body: bytes, cut: int | None) -> Iterator[bytes]:
        if cut is None or cut >= len(body):
            yield body
            return
        yield body[:cut]
        if self.sized:
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


class Bench:
    """A client, a cache and a clock round one platform."""

    def __init__(self, folder: Path, platform: Platform) -> None:
        self.clock = SimulatedClock()
        self.platform = platform
        self.cache = Cache(folder)
        self.stop = StopToken()
        self.progress: list[tuple[int, int]] = []
        self.waits: list[tuple[str, float]] = []
        auth = KeyAuth(KEY, product_res("1"), clock=self.clock)
        self.client = GenericPlatform(
            HttpClient("https://ota.example", auth, clock=self.clock, transport=httpx.MockTransport(platform))
        )

    def fetch(self, task: Task | None = None, **options: object) -> PackageFile:
        try:
            return fetch(
                self.client,
                task or task_for(self.platform.data),
                "6523",
                self.cache,
                clock=self.clock,
                stop=self.stop,
                on_progress=options.pop("on_progress", self.note),  # type: ignore[arg-type]
                on_wait=lambda why, seconds: self.waits.append((why, seconds)),
                **options,  # type: ignore[arg-type]
            )
        finally:
            self.client.close()

    def note(self, done: int, total: int) -> None:
        self.progress.append((done, total))

    def again(self, platform: Platform) -> "Bench":
        """The next run of the program, on the same cache."""
        return Bench(self.cache.folder, platform)


MakeBench = Callable[..., Bench]


@pytest.fixture
def bench(tmp_path: Path) -> MakeBench:
    return lambda **options: Bench(tmp_path / "cache", Platform(**options))


def whole(package: PackageFile, data: bytes = DATA) -> bool:
    assert package.digests.md5 == hashlib.md5(data).hexdigest()
    assert package.digests.sha256 == hashlib.sha256(data).hexdigest()
    return package.path.read_bytes() == data


def test_a_plain_download_is_whole_and_asks_for_no_range(bench: MakeBench) -> None:
    b = bench()
    assert whole(b.fetch())
    assert b.platform.asked == [None]
    assert b.platform.checks == 1
    assert b.progress[0] == (0, len(DATA))
    assert b.progress[-1] == (len(DATA), len(DATA))
    assert b.clock.monotonic() == 0


def test_a_second_download_comes_from_the_cache(bench: MakeBench) -> None:
    b = bench()
    first = b.fetch()
    second = b.again(Platform())
    assert second.fetch() == first
    assert second.platform.asked == []
    assert second.platform.checks == 1
    assert second.progress == [], "the platform sees no download, and refuses progress of one"


def test_a_cut_download_goes_on_where_it_was_after_a_new_token_check(bench: MakeBench) -> None:
    b = bench(odd=[12_000])
    assert whole(b.fetch())
    assert b.platform.asked == [None, "bytes=12000-"]
    assert b.platform.checks == 2
    assert [seconds for _, seconds in b.waits] == [1.0]
    assert [done for done, _ in b.progress] == sorted(done for done, _ in b.progress)


def test_an_unannounced_end_is_a_cut_too(bench: MakeBench) -> None:
    b = bench(odd=[12_000], sized=False)
    assert whole(b.fetch())
    assert b.platform.asked == [None, "bytes=12000-"]


def test_the_next_run_goes_on_where_a_stopped_one_was(bench: MakeBench) -> None:
    b = bench(odd=[9_000])

    def stop_when_some_came(done: int, total: int) -> None:
        if done:
            b.stop.set()

    with pytest.raises(Interrupted):
        b.fetch(on_progress=stop_when_some_came)
    later = b.again(Platform())
    assert whole(later.fetch())
    assert later.platform.asked == ["bytes=9000-"]
    assert later.progress[0] == (9_000, len(DATA))


def test_a_callers_own_exception_passes_and_what_came_is_kept(bench: MakeBench) -> None:
    b = bench(odd=[9_000])

    def fail(done: int, total: int) -> None:
        if done:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        b.fetch(on_progress=fail)
    later = b.again(Platform())
    assert whole(later.fetch())
    assert later.platform.asked == ["bytes=9000-"]


def test_one_missing_byte_is_asked_for_with_its_neighbour(bench: MakeBench) -> None:
    b = bench(odd=[len(DATA) - 1])
    assert whole(b.fetch())
    assert b.platform.asked == [None, f"bytes={len(DATA) - 2}-"]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_tiny_packages_never_make_a_tiny_range(bench: MakeBench, size: int) -> None:
    data = b"1\x02x"[:size]
    b = bench(data=data, odd=[size - 1])
    assert whole(b.fetch(), data)
    assert all(r is None or int(r[6:-1]) <= size - 2 for r in b.platform.asked)


# -- answers that do not continue what we have ---------------------------------------------------


def part_answer(first: int, last: int, total: int | str, body: bytes) -> httpx.Response:
    return httpx.Response(206, headers={"Content-Range": f"bytes {first}-{last}/{total}"}, content=body)


def test_a_whole_answer_to_a_ranged_request_starts_again_from_zero(bench: MakeBench) -> None:
    b = bench(odd=[12_000], understands="nothing")
    assert whole(b.fetch())
    assert len(b.platform.asked) == 2


def test_after_a_range_that_was_not_understood_the_other_form_is_used(bench: MakeBench) -> None:
    b = bench(odd=[12_000, 15_000], understands=r"(\d+)-")
    assert whole(b.fetch())
    assert b.platform.asked == [None, "bytes=12000-", "15000-"]


@pytest.mark.parametrize(
    "wrong",
    [
        part_answer(0, len(DATA) - 1, len(DATA), DATA),  # the documented clamping
        part_answer(5, len(DATA) - 1, len(DATA), DATA[5:]),
        part_answer(12_000, len(DATA) + 5, "*", DATA[12_000:] + b"sixsix"),
        part_answer(12_000, 12_100, len(DATA), DATA[12_000:20_000]),
        httpx.Response(206, content=DATA[12_000:]),
        httpx.Response(206, headers={"Content-Range": "rubbish"}, content=DATA[12_000:]),
        httpx.Response(416),
    ],
)
def test_a_part_from_elsewhere_is_never_joined_on(bench: MakeBench, wrong: httpx.Response) -> None:
    b = bench(odd=[12_000, wrong])
    assert whole(b.fetch())
    assert b.platform.asked == [None, "bytes=12000-", None]


def test_a_server_that_never_continues_rightly_is_given_up(bench: MakeBench) -> None:
    wrong = [12_000, part_answer(5, 9, len(DATA), DATA[5:10])]
    b = bench(odd=wrong * 20)
    with pytest.raises(ServerError) as caught:
        b.fetch()
    assert len(caught.value.tried) >= 5
    assert len(b.platform.asked) < 20


def test_shorter_parts_than_asked_are_put_together(bench: MakeBench) -> None:
    b = bench(odd=[12_000, part_answer(12_000, 19_999, len(DATA), DATA[12_000:20_000])])
    assert whole(b.fetch())
    assert b.platform.asked == [None, "bytes=12000-", "bytes=20000-"]


# -- size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        httpx.Response(200, content=DATA + b"x"),
        part_answer(0, 99, 100, DATA[:100]),
        httpx.Response(200, content=iter([DATA, b"more"])),
        httpx.Response(200, content=b"Z"),
        httpx.Response(200, content=DATA[:10_000]),
        httpx.Response(200, headers={"Content-Length": "0"}),
        httpx.Response(206, content=DATA[:10_000]),
        httpx.Response(200, headers={"Content-Range": "bytes 0-9999/10000"}, content=DATA[:10_000]),
    ],
)
def test_another_size_than_the_task_says_is_a_bad_package(bench: MakeBench, wrong: httpx.Response) -> None:
    b = bench(odd=[wrong])
    with pytest.raises(PackageError, match=r"30000|bytes"):
        b.fetch()
    assert len(b.platform.asked) == 1
    assert not list(b.cache.folder.glob("*.pkg"))


@pytest.mark.parametrize("size", [0, 2, 12_000, len(DATA) - 1, len(DATA) + 1])
def test_a_size_that_the_servers_headers_contradict_ends_the_download_at_the_first_answer(
    bench: MakeBench, size: int
) -> None:
    b = bench(data=(DATA + b"x")[:size])
    with pytest.raises(PackageError, match=f"the task names 30000 bytes, the server's file has {size}"):
        b.fetch(task_for(DATA))
    assert b.platform.asked == [None]  # nothing was asked for behind the end of the file
    assert not b.waits


@pytest.mark.parametrize(
    "contradicting",
    [
        part_answer(0, 14_999, 15_000, DATA[:15_000]),  # the clamping of a range past the end
        part_answer(12_000, 14_999, 15_000, DATA[12_000:15_000]),
        httpx.Response(200, content=DATA[:15_000]),
        httpx.Response(416, headers={"Content-Range": "bytes */15000"}),
    ],
)
def test_a_size_that_is_contradicted_when_the_download_continues_ends_it_too(
    bench: MakeBench, contradicting: httpx.Response
) -> None:
    b = bench(odd=[12_000, contradicting])
    with pytest.raises(PackageError, match="the task names 30000 bytes, the server's file has 15000"):
        b.fetch()
    assert b.platform.asked == [None, "bytes=12000-"]


@pytest.mark.parametrize("understands", [r"bytes=(\d+)-", "nothing"])
@pytest.mark.parametrize("size", [0, 12_000, len(DATA) - 1])
def test_a_file_that_is_shorter_than_the_task_says_is_a_bad_package(
    bench: MakeBench, size: int, understands: str
) -> None:
    b = bench(data=DATA[:size], understands=understands)
    with pytest.raises(PackageError, match="30000"):
        b.fetch(task_for(DATA))
    assert not list(b.cache.folder.glob("*.pkg"))


@pytest.mark.parametrize(
    "short",
    [
        httpx.Response(206, headers={"Content-Range": "bytes 0-29999/30000"}, content=DATA[:9_000]),
        httpx.Response(200, content=iter([DATA[:9_000]])),  # its headers name no size
    ],
)
def test_one_answer_that_is_too_short_is_completed(bench: MakeBench, short: httpx.Response) -> None:
    b = bench(odd=[short])
    assert whole(b.fetch())
    assert len(b.platform.asked) == 2


def test_an_endless_body_is_left_at_the_tasks_size(bench: MakeBench) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 1024
            yield bytes(1024)

    b = bench(odd=[httpx.Response(200, content=endless())])
    with pytest.raises(PackageError, match="more than the 30000 bytes"):
        b.fetch()
    assert sent <= len(DATA) + 2 * 1024
    assert max(path.stat().st_size for path in b.cache.folder.glob("*.part")) == 0


def test_an_empty_package_is_refused_before_anything_is_asked(bench: MakeBench) -> None:
    b = bench(data=b"")
    with pytest.raises(PackageError, match="empty"):
        b.fetch()
    assert b.platform.checks == 0


# -- digests -------------------------------------------------------------------------------------


def test_a_wrong_digest_is_fetched_once_more_from_scratch(bench: MakeBench) -> None:
    b = bench(odd=[httpx.Response(200, content=bytes(len(DATA)))])
    assert whole(b.fetch())
    assert b.platform.asked == [None, None]


def test_a_digest_wrong_twice_is_a_bad_package_with_both_values(bench: MakeBench) -> None:
    b = bench()
    with pytest.raises(PackageError) as caught:
        b.fetch(task_for(DATA, md5="0" * 32))
    assert "0" * 32 in str(caught.value)
    assert hashlib.md5(DATA).hexdigest() in str(caught.value)
    assert b.platform.asked == [None, None]
    assert not list(b.cache.folder.glob("*.pkg"))


def test_a_sha256_from_elsewhere_is_compared(bench: MakeBench) -> None:
    b = bench()
    assert whole(b.fetch(sha256=hashlib.sha256(DATA).hexdigest().upper()))
    with pytest.raises(PackageError, match="SHA-256"):
        b.again(Platform()).fetch(sha256="0" * 64)
    with pytest.raises(UsageError):
        b.again(Platform()).fetch(sha256="short")


# -- one byte ------------------------------------------------------------------------------------


@pytest.mark.parametrize("byte", [b"1", b"\x01", b"2", b"\x02", b"5", b"\x05"])
def test_a_one_byte_answer_is_the_platforms_error(bench: MakeBench, byte: bytes) -> None:
    b = bench(odd=[httpx.Response(200, content=iter([byte]))])
    with pytest.raises(DownloadRefused) as caught:
        b.fetch()
    assert caught.value.errno == (int(byte) if byte.isdigit() else byte[0])
    assert len(b.platform.asked) == 1


@pytest.mark.parametrize("byte", [b"4", b"\x06", b"3"])
def test_a_passing_one_byte_error_is_tried_again_and_keeps_the_part(bench: MakeBench, byte: bytes) -> None:
    b = bench(odd=[12_000, httpx.Response(200, content=iter([byte]))])
    assert whole(b.fetch())
    assert b.platform.asked == [None, "bytes=12000-", "bytes=12000-"]


def test_an_invalid_token_is_explained_by_the_token_check(bench: MakeBench) -> None:
    b = bench(odd=[12_000, httpx.Response(200, content=iter([b"3"]))], token_errnos=[0, 0, 12])
    with pytest.raises(PlatformRefused, match="expired") as caught:
        b.fetch()
    assert caught.value.errno == 12


@pytest.mark.parametrize("data", [b"1", b"\x03", b"x"])
@pytest.mark.parametrize("sized", [True, False])
def test_a_package_of_one_byte_is_a_package(bench: MakeBench, data: bytes, sized: bool) -> None:
    assert whole(bench(data=data, sized=sized).fetch(), data)


def test_an_error_is_told_from_a_one_byte_package(bench: MakeBench) -> None:
    b = bench(data=b"x", odd=[httpx.Response(200, content=iter([b"1"]))])
    with pytest.raises(DownloadRefused):
        b.fetch()


def test_a_package_that_begins_like_an_error_is_a_package(bench: MakeBench) -> None:
    data = b"3" + DATA
    pieces = httpx.Response(200, content=iter([b"3", data[1:]]))
    assert whole(bench(data=data, odd=[pieces]).fetch(), data)


# -- no package at all ---------------------------------------------------------------------------


def test_a_web_page_is_no_package(bench: MakeBench) -> None:
    page = httpx.Response(200, html="<html><title>Log in</title></html>")
    with pytest.raises(BadAnswer, match=r"web page.*Log in"):
        bench(odd=[page]).fetch()


def test_a_json_refusal_is_understood(bench: MakeBench) -> None:
    refusal = httpx.Response(200, json={"errno": 22, "error": "cancelled"})
    with pytest.raises(PlatformRefused) as caught:
        bench(odd=[refusal]).fetch()
    assert caught.value.errno == 22


def test_a_package_that_is_json_or_html_is_a_package(bench: MakeBench) -> None:
    for data in (b'{"errno":22,"error":"x"}', b"<html>manual</html>"):
        kind = {"Content-Type": "application/json" if data[:1] == b"{" else "text/html"}
        b = bench(data=data, odd=[httpx.Response(200, content=data, headers=kind)])
        assert whole(b.fetch(), data)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_http_refusals_end_the_download_at_once(bench: MakeBench, status: int) -> None:
    b = bench(odd=[httpx.Response(status)])
    with pytest.raises(ServerError, match=str(status)):
        b.fetch()
    assert len(b.platform.asked) == 1


@pytest.mark.parametrize(
    "trouble",
    [httpx.Response(503), httpx.Response(429), httpx.ReadTimeout("t"), httpx.ConnectError("x")],
    ids=str,
)
def test_passing_trouble_is_waited_out(bench: MakeBench, trouble: httpx.Response | Exception) -> None:
    b = bench(odd=[trouble, trouble])
    assert whole(b.fetch())
    assert [seconds for _, seconds in b.waits] == [1.0, 2.0]


def test_trouble_that_stays_is_an_error_that_says_what_was_tried(bench: MakeBench) -> None:
    b = bench(odd=[httpx.ReadTimeout("t")] * 50)
    with pytest.raises(ServerUnreachable) as caught:
        b.fetch()
    assert len(b.platform.asked) == 6
    assert len(caught.value.tried) == 6


# -- the task's own policy -----------------------------------------------------------------------


def test_the_tasks_retry_and_interval_rule(bench: MakeBench) -> None:
    b = bench(odd=[httpx.ReadTimeout("t")] * 50)
    with pytest.raises(ServerUnreachable):
        b.fetch(task_for(DATA, retry=2, interval=90))
    assert len(b.platform.asked) == 3
    assert [seconds for _, seconds in b.waits] == [90.0, 90.0]


def test_attempts_that_get_on_are_not_counted(bench: MakeBench) -> None:
    b = bench(odd=[5_000] * 5)
    assert whole(b.fetch(task_for(DATA, retry=1, interval=1)))


def test_a_paused_task_is_waited_for_without_using_up_a_retry(bench: MakeBench) -> None:
    b = bench(token_errnos=[19] * 5, odd=[httpx.ReadTimeout("t")])
    assert whole(b.fetch(task_for(DATA, retry=1, interval=60)))
    assert [seconds for _, seconds in b.waits] == [60.0] * 6
    assert "paused" in b.waits[0][0]


def test_a_task_paused_for_longer_than_its_token_lives_is_an_error(bench: MakeBench) -> None:
    b = bench(token_errnos=[19] * 10_000)
    with pytest.raises(PlatformRefused) as caught:
        b.fetch(task_for(DATA, interval=3600))
    assert caught.value.errno == 19
    assert b.clock.monotonic() == pytest.approx(48 * 3600)
    assert b.platform.asked == []


@pytest.mark.parametrize("errno", [4, 12, 15, 18, 20, 21, 22, 23])
def test_a_refused_token_ends_the_download_before_it_begins(bench: MakeBench, errno: int) -> None:
    b = bench(token_errnos=[errno])
    with pytest.raises(PlatformRefused) as caught:
        b.fetch()
    assert caught.value.errno == errno
    assert b.platform.asked == []


def test_a_cancelled_task_stops_in_the_middle_and_reports_nothing(bench: MakeBench) -> None:
    b = bench(odd=[12_000], token_errnos=[0, 22])
    with pytest.raises(PlatformRefused, match="cancelled"):
        b.fetch()
    assert b.platform.asked == [None]


def test_a_task_past_its_download_is_served_from_the_cache_only(bench: MakeBench) -> None:
    with pytest.raises(PlatformRefused) as caught:
        bench(token_errnos=[17]).fetch()
    assert caught.value.errno == 17
    b = bench()
    b.fetch()
    assert whole(b.again(Platform(token_errnos=[17])).fetch())


# -- addresses and redirects ---------------------------------------------------------------------


def test_the_platforms_address_is_used_with_the_hosts_name(bench: MakeBench) -> None:
    b = bench()
    b.fetch(task_for(DATA, ip_port="183.230.40.50"))
    (request,) = b.platform.downloads
    assert str(request.url.copy_with(path="/")) == "https://183.230.40.50/"
    assert request.headers["Host"] == "ota.example"
    assert request.extensions["sni_hostname"] == "ota.example"
    assert "Authorization" not in request.headers


def test_a_plain_address_does_not_lower_https(bench: MakeBench) -> None:
    b = bench()
    b.fetch(task_for(DATA, ip_port="183.230.40.50:80"))
    assert b.platform.downloads[0].url.host == "ota.example"
    assert b.platform.downloads[0].url.scheme == "https"


def test_over_plain_http_the_default_port_is_80(tmp_path: Path) -> None:
    platform = Platform()
    clock = SimulatedClock()
    auth = KeyAuth(KEY, product_res("1"), clock=clock)
    with GenericPlatform(
        HttpClient("http://ota.example:8080", auth, clock=clock, transport=httpx.MockTransport(platform))
    ) as client:
        task = task_for(DATA, ip_port="183.230.40.50")
        assert whole(fetch(client, task, "1", Cache(tmp_path), clock=clock))
    (request,) = platform.downloads
    assert (request.url.scheme, request.url.host, request.url.port) == ("http", "183.230.40.50", None)
    assert request.headers["Host"] == "ota.example:8080"


def redirect(location: str) -> httpx.Response:
    return httpx.Response(302, headers={"Location": location})


def test_a_redirect_is_followed_without_our_authorization(bench: MakeBench) -> None:
    b = bench(odd=[redirect(f"https://cdn.example/ota/south/download/{TOKEN}?sig=x"), 12_000])
    assert whole(b.fetch())
    first, second, _third = b.platform.downloads
    assert "Authorization" in first.headers
    assert second.url.host == "cdn.example"
    assert "Authorization" not in second.headers


def test_a_redirect_within_the_host_keeps_range_and_authorization(bench: MakeBench) -> None:
    b = bench(odd=[12_000, redirect(f"/ota/south/download/{TOKEN}?x=1")])
    assert whole(b.fetch())
    assert b.platform.asked == [None, "bytes=12000-", "bytes=12000-"]
    assert "Authorization" in b.platform.downloads[2].headers


@pytest.mark.parametrize(
    "location",
    [
        f"http://ota.example/ota/south/download/{TOKEN}",
        "ftp://x/y",
        "file:///etc/passwd",
        "//[bad",
        "https://x:99999/",
    ],
)
def test_a_redirect_to_less_than_https_is_refused(bench: MakeBench, location: str) -> None:
    b = bench(odd=[redirect(location)])
    with pytest.raises(BadAnswer, match=r"without TLS|invalid address"):
        b.fetch()


def test_redirects_are_bounded(bench: MakeBench) -> None:
    b = bench(odd=[redirect(f"/ota/south/download/{TOKEN}")] * 9)
    with pytest.raises(BadAnswer, match="more than 3"):
        b.fetch()
    assert len(b.platform.asked) == 4


def failure(b: Bench, task: Task) -> AtotaError | None:
    """What a download ends with; None if it is the exact file."""
    try:
        package = b.fetch(task)
    except AtotaError as error:
        return error
    assert whole(package, b.platform.data)
    return None


# -- any pattern ---------------------------------------------------------------------------------

_ANSWERS = st.one_of(
    st.integers(0, 3000),
    st.sampled_from([b"1", b"3", b"\x04", b"x", b""]).map(lambda b: httpx.Response(200, content=iter([b]))),
    st.integers(200, 599).map(httpx.Response),
    st.just(httpx.ReadError("reset")),
    st.tuples(st.integers(-5, 3000), st.integers(0, 3000)).map(
        lambda t: httpx.Response(
            206, headers={"Content-Range": f"bytes {t[0]}-{t[1]}/2500"}, content=bytes(50)
        )
    ),
)


@settings(max_examples=80, deadline=None)
@given(
    size=st.integers(1, 2500),
    odd=st.lists(_ANSWERS, max_size=12),
    sized=st.booleans(),
    understands=st.sampled_from([r"(?:bytes=)?(\d+)-", r"(\d+)-", r"bytes=(\d+)-", "nothing"]),
    tokens=st.lists(st.sampled_from([0, 0, 0, 7, 19, 12]), max_size=5),
)
def test_any_pattern_of_trouble_ends_in_the_exact_file_or_a_clear_error(
    size: int, odd: list[httpx.Response | Exception | int], sized: bool, understands: str, tokens: list[int]
) -> None:
    data = DATA[:size]
    with tempfile.TemporaryDirectory() as folder:
        b = Bench(Path(folder), Platform(data, list(odd), list(tokens), sized, understands))
        error = failure(b, task_for(data))
        assert error is None or (error.exit_code in (7, 8) and error.hint)
        later = b.again(Platform(data))
        assert whole(later.fetch(), data)  # whatever was left behind does not stand in the way


@settings(max_examples=80, deadline=None)
@given(cuts=st.lists(st.integers(0, 9000), max_size=9), sized=st.booleans(), retry=st.integers(0, 3))
def test_any_pattern_of_cuts_ends_in_the_exact_file_or_a_clear_error(
    cuts: list[int], sized: bool, retry: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        b = Bench(Path(folder), Platform(odd=list(cuts), sized=sized))
        error = failure(b, task_for(DATA, retry=retry))
        assert error is not None or b.progress[-1] == (len(DATA), len(DATA))
        assert error is None or error.tried
        assert whole(b.again(Platform()).fetch())
