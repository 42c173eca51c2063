"""The BC26: it fetches the package by itself and says sloppily how it goes."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from atota.clock import SimulatedClock
from atota.errors import ServerUnreachable
from atota.sim.fetch import http_fetch
from atota.sim.link import open_sim_link
from atota.sim.options import Options
from atota.sim.package import build_package
from tests.sim.hosts import ERROR, OK, TimeHost

PACKAGE = build_package(model="BC26", base="BC26NBR01A01", target="BC26NBR01A02", size=20_000)
URL = b'AT+QFOTADL="http://server.test:100/update.zip"'


class Bench(TimeHost):
    """A host at the module's rate, echo off; ``web`` is what the network has."""

    def __init__(
        self, *faults: str, seed: int = 1, network: bool = True, web: bytes | None = PACKAGE
    ) -> None:
        self.urls: list[str] = []
        self.web = web
        options = Options(baud=115200, seed=seed, network=network, fetch=self.fetch)
        super().__init__("BC26", *faults, options=options, before=2.0)
        self.say(b"ATE0")

    def fetch(self, url: str) -> bytes:
        self.urls.append(url)
        if self.web is None:
            raise ServerUnreachable("no route")
        return self.web

    def events(self, seconds: float) -> list[str]:
        """The +QIND lines without their spelling."""
        return [
            text.replace(" ", "").replace("%", "").replace("HTTPTART", "HTTPSTART").replace('"', "")
            for text in re.findall(r"\+QIND: ?(.*?)\r\n", self.wait(seconds).decode("latin-1"))
        ]


def test_an_update_from_the_url_to_the_new_version() -> None:
    bench = Bench()
    assert bench.say(URL) == OK
    events = bench.events(300)
    assert bench.urls == ["http://server.test:100/update.zip"]
    assert [event for event in events if "ING" not in event] == [
        "FOTA,HTTPSTART",
        "FOTA,HTTPEND,0",
        "FOTA,START",
        "FOTA,END,0",
    ]
    assert any(event.startswith("FOTA,DOWNLOADING,") for event in events)
    assert any(event.startswith("FOTA,UPDATING,") for event in events)
    assert bench.module.starts == ["PACKAGE_OK"]
    bench.say(b"ATE0")
    assert bench.say(b"AT+CGMR") == b"\r\nRevision: BC26NBR01A02\r\n" + OK


def test_the_answer_comes_within_300_ms() -> None:
    bench = Bench()
    bench.wait(1)
    [(when, text)] = bench.module.feed(URL + b"\r", bench.now)
    assert text == OK
    assert when - bench.now <= 0.3


@pytest.mark.parametrize(
    "command",
    [
        b'AT+QFOTADL="https://server.test/update.zip"',
        b'AT+QFOTADL="ftp://server.test/update.zip"',
        b'AT+QFOTADL="update.zip"',
        b'AT+QFOTADL="http://"',
        b"AT+QFOTADL=http://server.test/update.zip",
        b'AT+QFOTADL="http://server.test/update.zip",1',
        b'AT+QFOTADL="http://s/' + b"x" * 247 + b'"',
        b"AT+QFOTADL",
        b"AT+QFOTADL?",
    ],
)
def test_what_is_no_url_of_its_kind_is_refused(command: bytes) -> None:
    bench = Bench()
    assert bench.say(command) == ERROR
    assert bench.events(60) == []


def test_a_url_of_255_bytes_is_taken() -> None:
    bench = Bench()
    url = b"http://s/" + b"x" * 246
    assert len(url) == 255
    assert bench.say(b'AT+QFOTADL="' + url + b'"') == OK


def test_a_second_download_is_refused_while_one_runs() -> None:
    bench = Bench()
    bench.say(URL)
    bench.wait(1)
    assert [data for _, data in bench.module.feed(URL + b"\r", bench.now)] == [ERROR]
    assert len(bench.urls) == 1


@pytest.mark.parametrize("seed", range(6))
def test_lines_are_spelt_by_the_seed(seed: int) -> None:
    def lines(number: int) -> bytes:
        bench = Bench(seed=number)
        bench.say(URL)
        return bench.wait(300)

    assert lines(seed) == lines(seed)
    assert lines(seed) != lines(seed + 1)


def test_every_sloppiness_of_the_guide_comes_up() -> None:
    text = b""
    for seed in range(40):
        bench = Bench(seed=seed)
        bench.say(URL)
        text += bench.wait(300)
    spellings = (b'"HTTPTART"', b'"HTTPSTART"', b'"DOWNLOADING", 5%', b'"DOWNLOADING",5\r', b'"UPDATING", 5%')
    assert [spelling for spelling in spellings if spelling not in text] == []


def test_an_unreachable_url_is_two_silent_minutes_and_12() -> None:
    bench = Bench(web=None)
    bench.say(URL)
    assert bench.events(110) == ["FOTA,HTTPSTART"]
    assert bench.events(20) == ["FOTA,HTTPEND,12"]
    assert bench.module.version == "BC26NBR01A01"
    assert bench.say(URL) == OK


def test_a_failing_download_is_12_whatever_the_web_has() -> None:
    bench = Bench("fail-download")
    bench.say(URL)
    assert bench.events(130) == ["FOTA,HTTPSTART", "FOTA,HTTPEND,12"]


def test_without_a_network_it_says_13() -> None:
    bench = Bench(network=False)
    assert bench.say(b"AT+CGATT?") == b"\r\n+CGATT: 0\r\n" + OK
    assert bench.say(b"AT+CEREG?") == b"\r\n+CEREG: 0,0\r\n" + OK
    assert bench.say(URL) == OK
    assert bench.events(10) == ["FOTA,HTTPEND,13"]
    assert bench.urls == []


def test_while_it_attaches_it_says_20_and_then_it_works() -> None:
    bench = Bench()
    bench.say(b"AT+CEREG=1")
    bench.say(b"AT+CFUN=0")
    assert bench.say(b"AT+CGATT?") == b"\r\n+CGATT: 0\r\n" + OK
    assert bench.say(b"AT+CFUN=1") == OK
    bench.now += 0.5
    assert bench.say(URL) == OK
    assert bench.events(1) == ["FOTA,HTTPEND,20"]
    assert b"\r\n+CEREG: 1\r\n" in bench.wait(10)
    assert bench.say(URL) == OK
    assert bench.events(300)[-1] == "FOTA,END,0"


def test_switching_the_radio_off_breaks_the_download() -> None:
    bench = Bench()
    bench.say(URL)
    bench.wait(3)
    bench.say(b"AT+CFUN=0")
    assert bench.events(60)[-1] == "FOTA,HTTPEND,13"


@pytest.mark.parametrize(
    ("web", "code"),
    [
        (build_package(model="BC26", base="BC26NBR01A00", target="X"), 254),
        (build_package(model="BC28", base="BC26NBR01A01", target="X"), 254),
        (PACKAGE[:-32], 255),
        (b"<html>no such file</html>", 255),
    ],
)
def test_a_package_that_does_not_fit_is_refused_with_its_code(web: bytes, code: int) -> None:
    bench = Bench(web=web)
    bench.say(URL)
    assert bench.events(300)[-2:] == ["FOTA,START", f"FOTA,END,{code}"]
    assert (bench.module.version, bench.module.starts, bench.module.reboots) == ("BC26NBR01A01", [], 0)


def test_a_file_that_is_too_large_is_not_taken() -> None:
    bench = Bench(web=bytes(600 * 1024))
    bench.say(URL)
    assert bench.events(300)[-1] == "FOTA,HTTPEND,12"


@pytest.mark.parametrize(
    ("fault", "end", "version"),
    [
        ("fail-update", "FOTA,END,1", "BC26NBR01A01"),
        ("rollback", "FOTA,END,0", "BC26NBR01A01"),
        ("refuse-validate", "FOTA,END,255", "BC26NBR01A01"),
        ("refuse-validate:PACKAGE_VERSION_MISMATCHED", "FOTA,END,254", "BC26NBR01A01"),
        ("reboot-in-update", "FOTA,END,0", "BC26NBR01A02"),
    ],
)
def test_an_update_that_goes_another_way(fault: str, end: str, version: str) -> None:
    bench = Bench(fault)
    bench.say(URL)
    assert bench.events(400)[-1] == end
    assert bench.module.version == version


def test_a_power_cut_while_updating_makes_it_begin_again() -> None:
    bench = Bench()
    bench.say(URL)
    while not bench.module.booting:
        bench.wait(1)
    bench.wait(30)
    bench.module.power_cut(bench.now)
    events = bench.events(300)
    assert events[0] == "FOTA,START"
    assert events[-1] == "FOTA,END,0"
    assert bench.module.version == "BC26NBR01A02"


def test_a_reboot_in_the_download_leaves_it_with_nothing() -> None:
    bench = Bench("reboot-in-download")
    bench.say(URL)
    events = bench.events(300)
    assert not any("END" in event for event in events)
    assert (bench.module.reboots, bench.module.version) == (1, "BC26NBR01A01")
    bench.say(b"ATE0")
    bench.wait(10)
    assert bench.say(URL) == OK


def test_quiet_updates_say_nothing_and_happen() -> None:
    bench = Bench("quiet-update")
    bench.say(URL)
    assert bench.events(300) == []
    assert bench.module.version == "BC26NBR01A02"


def test_a_cut_line_has_no_end() -> None:
    bench = Bench("cut-urc")
    bench.say(URL)
    assert b'"HTTPSTART"' not in bench.wait(300)
    assert bench.module.version == "BC26NBR01A02"


def test_it_takes_the_rate_of_the_first_at_and_keeps_it_with_w() -> None:
    link = open_sim_link("sim://BC26", baud=9600)
    for _ in range(3):
        link.write(b"AT\r")
        link.clock.sleep(0.5)
    assert link.read(1).endswith(OK)
    link.write(b"AT+IPR?\r")
    link.clock.sleep(0.5)
    assert link.read(1).endswith(b"\r\n+IPR: 0\r\n" + OK)
    for command in (b"AT+IPR=9600\r", b"AT&W\r", b"AT+QRST=1\r"):
        link.write(command)
        link.clock.sleep(0.5)
    link.clock.sleep(20)
    link.read(0)
    link.write(b"AT+IPR?\r")
    link.clock.sleep(0.5)
    assert link.read(1).endswith(b"\r\n+IPR: 9600\r\n" + OK)


# --- real HTTP ---------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = {"/update.zip": 200, "/short": 200}.get(self.path, 404)
        self.send_response(status)
        self.send_header("Content-Length", str(len(PACKAGE)))
        self.end_headers()
        self.wfile.write(PACKAGE[: 100 if self.path == "/short" else None])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_the_default_fetcher_gets_a_file(server: str) -> None:
    assert http_fetch(server + "/update.zip") == PACKAGE


@pytest.mark.parametrize("path", ["/missing", "/short"])
def test_the_default_fetcher_refuses_what_is_not_whole(server: str, path: str) -> None:
    with pytest.raises(ServerUnreachable):
        http_fetch(server + path)


class _Hurried(SimulatedClock):
    """A quarter of a minute passes whenever a test looks."""

    def monotonic(self) -> float:
        self.sleep(15.0)
        return super().monotonic()


def test_a_download_that_takes_too_long_is_given_up(server: str) -> None:
    with pytest.raises(ServerUnreachable, match="too long"):
        http_fetch(server + "/update.zip", clock=_Hurried())


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "https://127.0.0.1/x", "http:///x", "http://h:x/"])
def test_the_default_fetcher_translates_every_failure(url: str) -> None:
    with pytest.raises(ServerUnreachable):
        http_fetch(url)


def test_a_simulated_bc26_really_downloads(server: str) -> None:
    link = open_sim_link("sim://BC26?baud=115200", baud=115200)
    link.write(b'AT+QFOTADL="' + server.encode() + b'/update.zip"\r')
    link.clock.sleep(300)
    assert b'"END",0' in link.read(1)
    assert link.module.version == "BC26NBR01A02"
