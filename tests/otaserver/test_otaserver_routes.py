import hashlib
import json
from typing import Any

import pytest

from atota.clock import SimulatedClock
from atota.otaserver.model import Auth, Device, TasksFile, TaskSpec, build
from atota.otaserver.reply import HttpReply, HttpRequest
from atota.otaserver.routes import parse_query, request_path, respond
from atota.otaserver.service import LocalPlatform
from atota.otaserver.tasks import TaskState

DATA = bytes(range(200))
CHECK = "/ota/south/check?dev_id=6523&manuf=001&model=00107&type=1&version=V1"


def platform(faults: str = "", **options: Any) -> LocalPlatform:
    file = TasksFile(
        auth=Auth(required=False, product_id="42"),
        devices=(Device(dev_id="6523", name="line1", imei="490154203237518"),),
        tasks=(TaskSpec(dev_id="6523", manuf="001", model="00107", package="a b.bin", target="V2"),),
    )
    return LocalPlatform(build(file, {"a b.bin": DATA}), clock=SimulatedClock(), faults=faults, **options)


def ask(p: LocalPlatform, method: str, target: str, body: bytes = b"", **headers: str) -> HttpReply:
    path, _, query = target.partition("?")
    sent = {"content-type": "application/json", **headers}
    return respond(p, HttpRequest(method, path, parse_query(query), sent, body, "10.0.0.1:8080"))


def envelope(reply: HttpReply) -> dict[str, Any]:
    assert reply.status == 200
    value = json.loads(reply.body)
    assert isinstance(value, dict)
    return value


def errno(reply: HttpReply) -> int:
    return int(envelope(reply)["errno"])


def handle(p: LocalPlatform) -> str:
    return p.task("6523").token


def test_the_whole_flow_over_its_addresses() -> None:
    p = platform()
    token = envelope(ask(p, "GET", CHECK))["data"]["token"]
    assert errno(ask(p, "GET", f"/ota/south/download/{token}/check?dev_id=6523")) == 0
    assert ask(p, "GET", f"/ota/south/download/{token}").body == DATA
    assert ask(p, "GET", f"/ota/download/{token}?dev_id=6523&s_id=1").body == DATA
    progress = f"/ota/south/device/download/{token}/progress?dev_id=6523"
    assert errno(ask(p, "POST", progress, b'{"step":99}')) == 0
    assert errno(ask(p, "POST", f"/ota/south/report?dev_id=6523&token={token}", b'{"result":101}')) == 0
    assert errno(ask(p, "GET", "/ota/south/tasking?dev_id=6523&type=1")) == 0
    assert errno(ask(p, "POST", progress, b'{"step":201}')) == 0
    assert errno(ask(p, "POST", "/ota/device/version?dev_id=6523", b'{"f_version":"V2"}')) == 0
    assert p.task("6523").state is TaskState.DONE
    assert p.complaints == []


def test_the_envelope_has_the_shape_of_the_real_replies() -> None:
    p = platform(token_source=lambda: "ota_iF0hnXrq2CxLrP8vZ39l")
    md5 = hashlib.md5(DATA).hexdigest()
    assert ask(p, "GET", CHECK).body.decode() == (
        '{"errno":0,"error":"succ","data":{"target":"V2","token":"ota_iF0hnXrq2CxLrP8vZ39l","size":200,'
        f'"md5":"{md5}","signal":0,"power":0,"retry":0,"interval":0,"type":1}}}}'
    )
    assert ask(p, "GET", CHECK + "&cdn=false").body == ask(p, "GET", CHECK).body


@pytest.mark.parametrize(("configured", "expected"), [(None, "10.0.0.1:8080"), ("1.2.3.4", "1.2.3.4")])
def test_cdn_brings_the_address_of_the_server(configured: str | None, expected: str) -> None:
    data = envelope(ask(platform(ip_port=configured), "GET", CHECK + "&cdn=true"))["data"]
    assert data["ipPort"] == expected
    assert list(data)[-2:] == ["ipPort", "type"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (CHECK.replace("type=1", "type=3"), 2),
        (CHECK.replace("&type=1", ""), 2),
        (CHECK.replace("type=1", "type=fota"), 2),
        (CHECK.replace("&version=V1", ""), 2),
        (CHECK.replace("version=V1", "version="), 27),
        (CHECK.replace("version=V1", "version=V+1"), 27),
        (CHECK.replace("dev_id=6523&", ""), 2),
        (CHECK.replace("dev_id=6523", "dev_id=1"), 1),
        (CHECK + "&cdn=maybe", 2),
        (CHECK + "&signals=strong", 2),
        (CHECK + "&signals=20&powers=80", 0),
        (CHECK.replace("manuf=001&model=00107&", ""), 0),
        (CHECK.replace("type=1", "type=2"), 11),
        (CHECK.replace("manuf=001", "manuf=1"), 8),
    ],
)
def test_the_arguments_of_a_check_are_judged(target: str, expected: int) -> None:
    reply = ask(platform(), "GET", target)
    assert errno(reply) == expected
    assert ("data" in envelope(reply)) == (expected == 0)


@pytest.mark.parametrize(
    ("body", "progress", "report"),
    [
        (b"", 2, 2),
        (b"{", 2, 2),
        (b"{}", 2, 24),
        (b'{"step":"5","result":"5"}', 2, 24),
        (b'{"step":true,"result":true}', 2, 24),
        (b'{"step":null,"result":null}', 2, 24),
        (b'{"step":1.5,"result":101.5}', 2, 24),
        (b"\xff", 2, 2),
        (b'{"more":' + b"[" * 30000, 2, 2),
        (b'{"step":101,"result":101,"more":1}', 0, 0),
    ],
)
def test_the_bodies_of_reports_are_judged(body: bytes, progress: int, report: int) -> None:
    p, q = platform(), platform()
    assert (
        errno(ask(p, "POST", f"/ota/south/device/download/{handle(p)}/progress?dev_id=6523", body))
        == progress
    )
    assert errno(ask(q, "POST", f"/ota/south/report?dev_id=6523&token={handle(q)}", body)) == report


def test_device_info_takes_numbers_and_strings_and_both_methods() -> None:
    p = platform()
    for method, pid in (("GET", b"42"), ("POST", b'"42"')):
        body = b'{"pid":' + pid + b',"authInfo":"490154203237518"}'
        assert envelope(ask(p, method, "/ota/devInfo", body))["data"] == {"dev_id": "6523"}
    assert errno(ask(p, "GET", "/ota/devInfo", b"")) == 2
    assert errno(ask(p, "GET", "/ota/devInfo", b'{"pid":42,"authInfo":"nobody"}')) == 2


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("POST", "/", 405),
        ("GET", "/ota", 404),
        ("GET", "/ota/south/check/", 404),
        ("POST", CHECK, 405),
        ("GET", "/ota/device/version?dev_id=6523", 405),
        ("GET", "/ota/south/download/", 404),
        ("GET", "http://[/ota/south/check", 404),
    ],
)
def test_other_addresses_and_methods_are_plain_http_errors(method: str, target: str, status: int) -> None:
    assert ask(platform(), method, target).status == status


def test_an_absolute_request_target_is_taken() -> None:
    assert request_path("http://ota.heclouds.com/ota/south/check") == "/ota/south/check"
    assert errno(ask(platform(), "GET", "http://ota.heclouds.com" + CHECK)) == 0


def test_ranges_are_served_with_their_place() -> None:
    p = platform()
    target = f"/ota/south/download/{handle(p)}"
    for text in ("0-99", "bytes=0-99"):
        reply = ask(p, "GET", target, range=text)
        assert reply.status == 206
        assert reply.body == DATA[:100]
        assert ("Content-Range", "bytes 0-99/200") in reply.headers
        assert ("Content-Disposition", 'attachment; filename="a_b.bin"') in reply.headers
    whole = ask(p, "GET", target, range="nonsense")
    assert whole.status == 200
    assert not [name for name, _ in whole.headers if name == "Content-Range"]


def test_careless_ranges_are_served_and_noticed() -> None:
    p = platform()
    envelope(ask(p, "GET", f"/ota/south/download/{handle(p)}/check?dev_id=6523"))
    assert ask(p, "GET", f"/ota/south/download/{handle(p)}", range="200-299").body == DATA
    assert ask(p, "GET", f"/ota/south/download/{handle(p)}", range="199-").body == DATA[199:]
    assert p.complaints == [
        "device 6523 asks for a range outside the file, 200-299",
        "device 6523 asks for one byte; the smallest range is two",
    ]


@pytest.mark.parametrize(("binary", "byte"), [(False, b"3"), (True, b"\x03")])
def test_a_refused_download_is_one_byte_without_a_length(binary: bool, byte: bytes) -> None:
    reply = ask(platform(binary_errors=binary), "GET", "/ota/south/download/ota_unknown")
    assert (reply.status, reply.body, reply.declare_length) == (200, byte, False)


def test_a_post_without_its_content_type_is_noticed() -> None:
    p = platform()
    ask(p, "POST", "/ota/device/version?dev_id=6523", b'{"f_version":"V1"}', **{"content-type": "text/plain"})
    assert p.complaints == ["the version call has no Content-Type: application/json"]


def test_signatures_are_required_where_the_file_says_so() -> None:
    file = TasksFile(
        auth=Auth(product_id="42", access_key="ZmFrZQ=="),
        tasks=(TaskSpec(dev_id="*", manuf="001", model="00107", package="a", target="V2"),),
    )
    p = LocalPlatform(build(file, {"a": DATA}), clock=SimulatedClock())
    lines: list[str] = []
    request = HttpRequest(
        "GET", "/ota/south/check", parse_query(CHECK.partition("?")[2]), {"authorization": "x"}
    )
    assert errno(respond(p, request, lines.append)) == 1
    assert "auth failed: the header has a field" in lines[0]
    assert ask(p, "GET", "/ota/south/download/ota_unknown").body == b"3"  # the token alone opens a download


def test_a_device_signature_speaks_for_that_device_only() -> None:
    import base64
    import hmac

    file = TasksFile(
        auth=Auth(product_id="42", access_key="ZmFrZQ=="),
        devices=(Device(dev_id="1", name="one", key="b25l"), Device(dev_id="2", name="two")),
    )
    p = LocalPlatform(build(file, {}), clock=SimulatedClock())
    message = "99999999999\nsha256\nproducts/42/devices/one\n2018-10-31"
    sign = base64.b64encode(hmac.digest(b"one", message.encode(), "sha256")).decode()
    header = f"version=2018-10-31&res=products/42/devices/one&et=99999999999&method=sha256&sign={sign}"
    assert errno(ask(p, "GET", CHECK.replace("6523", "1"), authorization=header)) == 11
    assert errno(ask(p, "GET", CHECK.replace("6523", "2"), authorization=header)) == 1


def test_log_lines_hold_no_token_and_no_imei() -> None:
    p = platform()
    lines: list[str] = []
    targets = [
        ("GET", CHECK, b""),
        ("GET", CHECK.replace("6523", "490154203237518"), b""),
        ("GET", f"/ota/south/download/{handle(p)}/check?dev_id=6523", b""),
        ("GET", f"/ota/south/download/{handle(p)}", b""),
        ("GET", f"/ota/south/nowhere/{handle(p)}", b""),
        ("POST", f"/ota/south/report?dev_id=6523&token={handle(p)}", b'{"result":101}'),
        ("POST", "/ota/devInfo", b'{"pid":42,"authInfo":"490154203237518"}'),
    ]
    for method, target, body in targets:
        path, _, query = target.partition("?")
        respond(p, HttpRequest(method, path, parse_query(query), {}, body), lines.append)
    assert len(lines) == len(targets)
    assert handle(p) not in "\n".join(lines)
    assert "490154203237518" not in "\n".join(lines)
    assert lines[0] == "check 6523 V1: 200 succ, task pending"
    assert lines[3] == "download -: 200 device 6523, bytes 0-199 of 200"
    assert lines[5] == "report 6523: 200 succ, task upgrading: result 101"


def test_a_log_line_stays_one_line() -> None:
    lines: list[str] = []
    query = {"dev_id": "1\r\nfake 2", "type": "1", "version": "\x1b[2J" * 200}
    respond(platform(), HttpRequest("GET", "/ota/south/check", query), lines.append)
    assert lines[0].isprintable()
    assert len(lines[0]) <= 300
