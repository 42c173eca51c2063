"""The recorded FUSE exchanges of 2022-2026, byte for byte: bodies, lengths, headers, key order."""

from hashlib import md5

import pytest

from atota.otaserver.model import TaskSpec
from tests.otaserver.asking import FUSE, ID, NAME, ask, header, platform

PACKAGE = bytes(index % 256 for index in range(8260))
HEADERS = {
    "Content-Type": "application/json;charset=UTF-8",
    "Connection": "keep-alive",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Origin": "*",
    "Server": "nginx",
    "Pragma": "no-cache",
}
TID = 1317438
SPACES = b"\r\n "
"""Recorded requests are longer than their JSON: white space follows it."""


def test_a_report_of_both_versions_is_answered_by_71_bytes() -> None:
    body = b'{"s_version": "V1.0", "f_version": "V1.0"}'
    reply = ask(platform(), "POST", f"{FUSE}/version", body + SPACES)
    assert reply.body == b'{"code":0,"msg":"succ","request_id":"399527bd39274e4e8f881e4714911a19"}'
    assert (len(body), len(reply.body), reply.status) == (42, 71, 200)


def test_every_reply_has_the_recorded_headers() -> None:
    reply = ask(platform(), "POST", f"{FUSE}/version", b'{"s_version":"V1.0","f_version":"V1.0"}')
    assert dict(reply.headers) == HEADERS | {"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}
    assert reply.declare_length


def test_a_check_is_answered_by_183_bytes_in_the_recorded_order() -> None:
    p = platform(data=PACKAGE, type="sota")
    reply = ask(p, "GET", f"{FUSE}/check?type=2&version=V1.0")
    digest = md5(PACKAGE).hexdigest()
    assert reply.body.decode() == (
        f'{{"code":0,"msg":"succ","data":{{"target":"v3.0","tid":{TID},"size":8260,"md5":"{digest}",'
        f'"status":1,"type":1}},"request_id":"{ID}"}}'
    )
    assert len(reply.body) == 183


def test_no_task_and_a_task_that_is_done() -> None:
    no_task = ask(platform(tasks=()), "GET", f"{FUSE}/check?type=2&version=V1.0")
    assert no_task.body.decode() == f'{{"code":12012,"msg":"not exist","request_id":"{ID}"}}'
    at_target = ask(platform(type="sota"), "GET", f"{FUSE}/check?type=2&version=v3.0")
    assert at_target.body.decode() == f'{{"code":12013,"msg":"task succ","request_id":"{ID}"}}'


def test_the_status_of_a_task_is_answered_by_91_bytes() -> None:
    p = platform()
    ask(p, "POST", f"{FUSE}/{TID}/status", b'{"step":107}')
    reply = ask(p, "GET", f"{FUSE}/{TID}/check?type=2&version=V1.0")
    assert reply.body.decode() == f'{{"code":0,"msg":"succ","data":{{"status":5}},"request_id":"{ID}"}}'
    assert len(reply.body) == 91


def test_a_bare_range_is_answered_by_206() -> None:
    reply = ask(platform(data=PACKAGE), "GET", f"{FUSE}/{TID}/download", range="0-1023")
    assert (reply.status, reply.body) == (206, PACKAGE[:1024])
    assert header(reply, "Content-Type") == "application/octet-stream;charset=UTF-8"
    assert header(reply, "Ota-Errno") == "0"
    assert header(reply, "Content-Range") == "bytes 0-1023/8260"


@pytest.mark.parametrize("query", ["", "?range=0-1023"])
def test_without_a_range_the_whole_file_comes_with_its_name(query: str) -> None:
    spec = TaskSpec(device_name=NAME, package="p", target="v3.0")
    reply = ask(platform(data=PACKAGE, tasks=(spec,)), "GET", f"{FUSE}/{TID}/download{query}")
    assert (reply.status, reply.body) == (200, PACKAGE)
    assert header(reply, "Content-Disposition") == 'attachment; filename="p"'
    assert header(reply, "Ota-Errno") == "0"
    assert header(reply, "Content-Range") is None


def test_a_step_on_a_finished_task_is_answered_by_79_bytes() -> None:
    p = platform()
    upgraded = ask(p, "POST", f"{FUSE}/{TID}/status", b'{"step":201}' + SPACES)
    assert upgraded.body.decode() == f'{{"code":0,"msg":"succ","request_id":"{ID}"}}'
    reply = ask(p, "POST", f"{FUSE}/{TID}/status", b'{"step":10}' + SPACES)
    assert reply.body.decode() == f'{{"code":20,"msg":"task finish","request_id":"{ID}"}}'
    assert (len(reply.body), reply.status) == (79, 200)


def test_the_status_stays_at_waiting_until_the_download() -> None:
    p = platform()
    bodies = [ask(p, "GET", f"{FUSE}/{TID}/check").body for _ in range(3)]
    assert all(b'"status":1' in body for body in bodies)
    ask(p, "GET", f"{FUSE}/{TID}/download", range="0-99")
    assert b'"status":2' in ask(p, "GET", f"{FUSE}/{TID}/check").body
