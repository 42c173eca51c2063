"""The platform on a real socket, spoken to by clients that are not atota's."""

import base64
import hashlib
import hmac
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import httpx
import pytest

from atota.clock import Clock, SimulatedClock, StopToken, SystemClock
from atota.errors import ServerError, UsageError
from atota.listener import listen_on
from atota.otaserver.model import Auth, TasksFile, TaskSpec, build
from atota.otaserver.serve import RunningServer, serve
from atota.otaserver.service import LocalPlatform
from atota.otaserver.tasks import TaskState

DATA = bytes(range(256)) * 400
KEY = b"a key that is fake"
CHECK = "/ota/south/check?dev_id=6523&manuf=001&model=00107&type=1&version=V1"


def platform(faults: str = "", *, auth: bool = False, clock: Clock | None = None) -> LocalPlatform:
    encoded = base64.b64encode(KEY).decode()
    file = TasksFile(
        auth=Auth(product_id="42", access_key=encoded, required=auth),
        tasks=(TaskSpec(dev_id="6523", manuf="001", model="00107", package="a.bin", target="V2"),),
    )
    return LocalPlatform(build(file, {"a.bin": DATA}), clock=clock or SimulatedClock(), faults=faults)


@contextmanager
def running(faults: str = "", **options: Any) -> Iterator[tuple[LocalPlatform, httpx.Client, RunningServer]]:
    p = platform(faults, **options)
    with RunningServer(p) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        yield p, client, server


def raw(server: RunningServer, request: bytes) -> bytes:
    """Send ``request`` on one connection and read until the server closes it."""
    with socket.create_connection((server.host, server.port), timeout=10) as connection:
        connection.sendall(request)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


def signed(et: int = 9999999999) -> str:
    message = f"{et}\nsha256\nproducts/42\n2018-10-31"
    sign = base64.b64encode(hmac.digest(KEY, message.encode(), "sha256")).decode()
    return f"version=2018-10-31&res=products%2F42&et={et}&method=sha256&sign={quote(sign, safe='')}"


def test_the_whole_flow_with_signatures() -> None:
    with running(auth=True) as (p, client, server):
        client.headers["Authorization"] = signed()
        version = client.post("/ota/device/version?dev_id=6523", json={"f_version": "V1"})
        assert version.json() == {"errno": 0, "error": "succ"}
        data = client.get(CHECK + "&cdn=true").json()["data"]
        assert data["ipPort"] == f"127.0.0.1:{server.port}"
        token = data["token"]
        assert client.get(f"/ota/south/download/{token}/check?dev_id=6523").json()["errno"] == 0
        half = client.get(f"/ota/south/download/{token}", headers={"Range": f"bytes=0-{len(DATA) // 2}"})
        rest = client.get(f"/ota/south/download/{token}", headers={"Range": f"{len(DATA) // 2 + 1}-"})
        assert half.status_code == rest.status_code == 206
        assert hashlib.md5(half.content + rest.content).hexdigest() == data["md5"]
        for step in (99, 101, 201):
            target = f"/ota/south/device/download/{token}/progress?dev_id=6523"
            assert client.post(target, json={"step": step}).json()["errno"] == 0
        assert p.task("6523").state is TaskState.DONE
        assert p.complaints == []
        assert len(server.lines) == 8
        assert not any(token in line or "sign=" in line for line in server.lines)


def test_a_wrong_signature_is_errno_1_and_explained_in_the_log_only() -> None:
    with running(auth=True, clock=SystemClock()) as (_, client, server):
        reply = client.get(CHECK, headers={"Authorization": signed(et=1)})
        assert reply.json() == {"errno": 1, "error": "auth failed"}
        assert client.get(CHECK, headers={"Authorization": signed()}).json()["errno"] == 0
        assert "s in the past" in server.lines[0]


def test_a_whole_package_comes_to_the_standard_library_too() -> None:
    with running() as (p, _, server):
        url = f"{server.url}/ota/download/{p.task('6523').token}"
        with urlopen(url, timeout=10) as reply:
            assert reply.read() == DATA
            assert reply.headers["Content-Length"] == str(len(DATA))
            assert reply.headers["Content-Disposition"] == 'attachment; filename="a.bin"'


def test_a_refused_download_has_no_content_length() -> None:
    with running() as (_, client, _server):
        reply = client.get("/ota/south/download/ota_nothing")
        assert reply.status_code == 200
        assert reply.content == b"3"
        assert "content-length" not in reply.headers


def test_device_info_is_a_get_with_a_body() -> None:
    with running() as (_, client, _server):
        reply = client.request("GET", "/ota/devInfo", json={"pid": 42, "authInfo": "stranger"})
        assert reply.json()["errno"] == 2


def test_header_names_are_written_as_the_platform_writes_them() -> None:
    with running() as (p, _, server):
        token = p.task("6523").token
        request = f"GET /ota/south/download/{token} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        received = raw(server, request.encode())
        head, _, body = received.partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: 102400" in head
    assert b"\r\nContent-Disposition: attachment" in head
    assert body == DATA


def test_a_package_that_looks_like_a_head_arrives_as_it_is() -> None:
    data = b"HTTP/1.1 200 OK\ncontent-length: 5\n\n"
    file = TasksFile(
        auth=Auth(product_id="42", required=False),
        tasks=(TaskSpec(device_name="line1", package="p", target="V2"),),
    )
    with RunningServer(LocalPlatform(build(file, {"p": data}))) as server:
        address = f"{server.url}/fuse-ota/42/line1/1317438/download"
        with urlopen(address, timeout=10) as reply:
            assert reply.read() == data
            assert reply.headers["Ota-Errno"] == "0"


def test_studio_and_fuse_are_served_with_their_slashes_and_headers() -> None:
    file = TasksFile(auth=Auth(product_id="42", required=False))
    with RunningServer(LocalPlatform(build(file, {}))) as server:
        for path, text in (
            ("//ota/42/line1//check/", b'{"errno":10,'),
            ("/fuse-ota/42/line1/check", b'{"code":12012,'),
        ):
            request = f"GET {path}?type=1&version=V1 HTTP/1.1\r\nhost:x\r\ncontent-length:2\r\n\r\n\r\n"
            last = request.replace("host:x", "host:x\r\nconnection:close")
            received = raw(server, (request + last).encode())
            assert received.count(text) == 2
            assert received.count(b"Pragma: no-cache") == (2 if "fuse" in path else 0)


def test_requests_in_the_shapes_of_small_modules_are_taken() -> None:
    body = b'{"f_version":"V1"}'
    with running(auth=True) as (p, _, server):
        head = (
            b"POST http://ota.heclouds.com/ota/device/version?dev_id=6523 HTTP/1.1\r\n"
            b"authorization:" + signed().encode() + b"\r\nhost:ota.heclouds.com\r\n"
            b"content-type:application/json\r\ncontent-length:18\r\n"
        )
        request = head + b"\r\n" + body + b"\r\n"  # a CRLF after the body, and the connection goes on
        last = head + b"connection:close\r\n\r\n" + body + b"\r\n"
        received = raw(server, request + request + last)
        assert received.count(b'{"errno":0,"error":"succ"}') == 3
        assert received.count(b"HTTP/1.1 200 OK") == 3
        assert b"400" not in received
        assert p.version("6523") == "V1"


def test_a_line_end_that_comes_late_is_forgiven() -> None:
    request = b"GET " + CHECK.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    with (
        RunningServer(platform()) as server,
        socket.create_connection((server.host, server.port), timeout=10) as connection,
    ):
        for _ in range(3):
            connection.sendall(request)
            received = b""
            while not received.endswith(b"}}"):
                received += connection.recv(65536)
            assert received.startswith(b"HTTP/1.1 200")
            connection.sendall(b"\r\n")


def test_garbage_is_a_400_and_the_server_goes_on() -> None:
    with running() as (_, client, server):
        assert raw(server, b"\x00\xff not http\r\n\r\n").startswith(b"HTTP/1.1 400")
        assert client.get(CHECK).json()["errno"] == 0


def test_an_oversized_request_is_refused() -> None:
    with running() as (_, client, _server):
        assert client.post("/ota/device/version?dev_id=6523", content=b"x" * 70_000).status_code == 413


def test_a_cut_breaks_the_connection_at_its_place_and_a_range_goes_on() -> None:
    with running("cut-after:30%") as (p, _, server):
        target = f"/ota/south/download/{p.task('6523').token}"
        connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
        connection.request("GET", target)
        with pytest.raises(http.client.IncompleteRead) as caught:
            connection.getresponse().read()
        connection.close()
        got = caught.value.partial
        assert got == DATA[: len(DATA) * 30 // 100]
        connection.request("GET", target, headers={"Range": f"bytes={len(got)}-"})
        assert got + connection.getresponse().read() == DATA
        connection.close()


def test_a_slow_body_costs_the_time_of_the_platforms_clock() -> None:
    clock = SimulatedClock()
    with running("slow:1000", clock=clock) as (p, client, _):
        reply = client.get(f"/ota/south/download/{p.task('6523').token}", headers={"Range": "0-9999"})
        assert reply.content == DATA[:10000]
    assert clock.monotonic() == pytest.approx(10.0)


def test_an_endless_body_ends_when_its_reader_leaves() -> None:
    with running("endless-body") as (p, client, _):
        with client.stream("GET", f"/ota/south/download/{p.task('6523').token}") as reply:
            assert "content-length" not in reply.headers
            received = 0
            for piece in reply.iter_raw():
                received += len(piece)
                if received > 3 * len(DATA):
                    break
        assert client.get(CHECK).json()["errno"] == 0


@pytest.mark.parametrize("fault", ["endless-body", "slow:10"])
def test_the_server_stops_while_a_body_is_under_way(fault: str) -> None:
    p = platform(fault, clock=SystemClock())
    with RunningServer(p) as server:
        connection = socket.create_connection((server.host, server.port), timeout=10)
        target = f"/ota/south/download/{p.task('6523').token}"
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.recv(10).startswith(b"HTTP/1.1")
    with connection, pytest.raises((ConnectionError, StopIteration)):
        while connection.recv(65536):
            pass
        raise StopIteration
    assert not any(thread.name == "ota-platform" for thread in threading.enumerate())


def test_a_connection_closes_after_its_requests() -> None:
    with running("close-after:3") as (_, client, _server):
        headers = [client.get(CHECK).headers.get("connection") for _ in range(6)]
    assert headers == [None, None, "close", None, None, "close"]


def test_a_connection_carries_no_more_than_a_thousand_requests() -> None:
    with running() as (_, _client, server):
        request = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
        received = raw(server, request * 1001)
    assert received.count(b"HTTP/1.1 404") == 1000
    assert received.count(b"Connection: close") == 1


def test_redirects_and_portals_arrive_as_such() -> None:
    with running("redirect:1+html:1") as (_, client, _server):
        portal = client.get(CHECK)
        redirect = client.get(CHECK)
        good = client.get(CHECK)
    assert portal.headers["content-type"].startswith("text/html")
    assert redirect.status_code == 302
    assert redirect.headers["location"].endswith(".invalid/login")
    assert good.json()["errno"] == 0


def test_many_clients_at_once_get_their_own_answers() -> None:
    with running() as (p, _, server):
        target = f"{server.url}/ota/south/download/{p.task('6523').token}"
        results: dict[int, bytes] = {}

        def fetch(number: int) -> None:
            headers = {"Range": f"{number * 100}-{number * 100 + 99}"}
            results[number] = httpx.get(target, headers=headers, trust_env=False).content

        threads = [threading.Thread(target=fetch, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == {n: DATA[n * 100 : n * 100 + 100] for n in range(8)}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_reply_in_two_pieces_does_not_wait_for_an_acknowledgement(host: str) -> None:
    try:
        listener = listen_on(host, 0)
    except ServerError:
        pytest.skip(f"{host} is not an address of this machine")
    with listener, socket.create_connection(listener.getsockname()[:2]), listener.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken_is_a_server_error() -> None:
    with RunningServer(platform()) as server, pytest.raises(ServerError, match="can't listen on"):
        RunningServer(platform(), port=server.port).__enter__()
    with pytest.raises(UsageError, match="port 99999 is out of range"):
        serve(platform(), "127.0.0.1", 99999)


def test_serve_tells_its_port_and_ends_by_its_stop_token() -> None:
    stop = StopToken()
    bound: list[tuple[str, int]] = []
    lines: list[str] = []

    def ready(host: str, port: int) -> None:
        bound.append((host, port))
        threading.Thread(target=use, args=(port,)).start()

    def use(port: int) -> None:
        lines.append(httpx.get(f"http://127.0.0.1:{port}{CHECK}", trust_env=False).text)
        stop.set()

    serve(platform(), "127.0.0.1", 0, on_ready=ready, stop=stop, log=lines.append)
    assert bound[0][0] == "127.0.0.1"
    assert bound[0][1] > 0
    assert "check 6523 V1: 200 succ, task pending" in lines
    assert any(json.loads(line)["errno"] == 0 for line in lines if line.startswith("{"))


def test_an_address_for_all_is_given_to_clients_as_the_loopback() -> None:
    with RunningServer(platform(), "0.0.0.0") as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert httpx.get(server.url + CHECK, trust_env=False).json()["errno"] == 0
