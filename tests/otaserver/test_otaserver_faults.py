import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.clock import SimulatedClock
from atota.errors import UsageError
from atota.otaserver.faults import CALLS, KNOWN, Faults
from atota.otaserver.model import Auth, TasksFile, TaskSpec, build
from atota.otaserver.reply import HttpReply, HttpRequest
from atota.otaserver.routes import parse_query, respond
from atota.otaserver.service import LocalPlatform
from atota.otaserver.tasks import TaskState

DATA = bytes(range(200))
EVERY_FAULT = {
    "http-500": "http-500:2",
    "http-401": "http-401",
    "http-404": "http-404",
    "http-407": "http-407",
    "html": "html",
    "redirect": "redirect",
    "errno": "errno:7:2",
    "unknown-errno": "unknown-errno",
    "no-data": "no-data",
    "null-data": "null-data",
    "quoted-code": "quoted-code",
    "long-target": "long-target",
    "delta-type": "delta-type",
    "large-tid": "large-tid",
    "ota-errno": "ota-errno:5",
    "no-ota-errno": "no-ota-errno",
    "quoted-numbers": "quoted-numbers",
    "shuffled-keys": "shuffled-keys",
    "upper-md5": "upper-md5",
    "wrong-md5": "wrong-md5",
    "wrong-size": "wrong-size",
    "no-ipport": "no-ipport",
    "ipport-no-port": "ipport-no-port",
    "short-body": "short-body:1",
    "cut-after": "cut-after:50%:3",
    "slow": "slow:1000",
    "endless-body": "endless-body",
    "wrong-range": "wrong-range:1",
    "ignore-range": "ignore-range",
    "one-byte-error": "one-byte-error:4:1",
    "expired-token": "expired-token:2",
    "cancelled-after": "cancelled-after:50%",
    "paused": "paused:2",
    "close-after": "close-after:3",
    "clock-skew": "clock-skew:-90",
}


def platform(faults: str) -> LocalPlatform:
    spec = TaskSpec(dev_id="1", manuf="001", model="00107", package="a", target="V2")
    file = TasksFile(auth=Auth(required=False), tasks=(spec,))
    return LocalPlatform(build(file, {"a": DATA}), clock=SimulatedClock(), faults=faults)


def ask(p: LocalPlatform, target: str, **headers: str) -> HttpReply:
    path, _, query = target.partition("?")
    return respond(p, HttpRequest("GET", path, parse_query(query), headers, b"", "10.0.0.1:80"))


def check(p: LocalPlatform) -> dict[str, Any]:
    target = "/ota/south/check?dev_id=1&manuf=001&model=00107&type=1&version=V1&cdn=true"
    value = json.loads(ask(p, target).body)
    assert isinstance(value, dict)
    return value


def check_token(p: LocalPlatform) -> int:
    return int(json.loads(ask(p, f"/ota/south/download/{p.task('1').token}/check?dev_id=1").body)["errno"])


def download(p: LocalPlatform, part: str | None = None) -> HttpReply:
    headers = {} if part is None else {"range": part}
    return ask(p, f"/ota/south/download/{p.task('1').token}", **headers)


def test_every_fault_has_a_form_that_is_read() -> None:
    assert set(EVERY_FAULT) == set(KNOWN)
    faults = Faults.parse("+".join(EVERY_FAULT.values()))
    assert "cut-after" in repr(faults)
    assert all(kind.syntax.startswith(name) and kind.help for name, kind in KNOWN.items())


def test_no_faults_is_empty_text() -> None:
    assert Faults.parse("").take("http-500", "check") is None
    assert Faults.parse("  ").requests_per_connection is None


def test_an_unknown_name_is_told_with_those_that_are_known() -> None:
    with pytest.raises(UsageError) as caught:
        Faults.parse("http-500+explode")
    assert "'explode'" in str(caught.value)
    assert all(name in str(caught.value) for name in KNOWN)


@pytest.mark.parametrize(
    "text",
    [
        "http-500:x",
        "http-500:1:2",
        "http-500:-1",
        "errno",
        "errno:x",
        "html@nowhere",
        "html@",
        "cut-after",
        "cut-after:101%",
        "cut-after:half",
        "slow:0",
        "slow:",
        "one-byte-error:7",
        "paused:0",
        "close-after",
        "clock-skew:soon",
        "no-data:1:1",
    ],
)
def test_a_wrong_argument_is_told_with_the_right_form(text: str) -> None:
    with pytest.raises(UsageError, match="is not of the form") as caught:
        Faults.parse(text)
    assert text.split(":")[0].split("@")[0] in str(caught.value)


@given(st.text(alphabet="abhtml-50:@+%x", max_size=20))
def test_any_text_is_faults_or_a_usage_error(text: str) -> None:
    try:
        faults = Faults.parse(text)
    except UsageError:
        return
    assert isinstance(faults, Faults)


@pytest.mark.parametrize(
    ("fault", "status"),
    [("http-500", 500), ("http-401", 401), ("http-404", 404), ("redirect", 302), ("html", 200)],
)
def test_replies_of_others_come_as_often_as_asked(fault: str, status: int) -> None:
    p = platform(f"{fault}:2")
    target = "/ota/south/check?dev_id=1&type=1&version=V1"
    replies = [ask(p, target) for _ in range(3)]
    assert [reply.status for reply in replies] == [status, status, 200]
    assert b'"errno":0' in replies[2].body
    assert b"errno" not in replies[1].body
    assert len(p.task("1").history) == 1


def test_a_fault_can_be_kept_to_one_call() -> None:
    p = platform("http-500@download")
    assert check(p)["errno"] == 0
    assert check_token(p) == 0
    assert download(p).status == 500
    assert set(CALLS) >= {"check", "token", "download"}


def test_an_errno_has_no_side_effect_and_passes() -> None:
    p = platform("errno:7:2")
    assert [check(p)["errno"] for _ in range(3)] == [7, 7, 0]
    assert check(platform("unknown-errno"))["errno"] == 99
    assert check(platform("errno:55"))["errno"] == 55
    assert p.task("1").state is TaskState.PENDING


def test_the_data_of_a_check_is_spoilt_by_name() -> None:
    good = check(platform(""))["data"]
    assert "data" not in check(platform("no-data"))
    quoted = check(platform("quoted-numbers"))["data"]
    assert (quoted["size"], quoted["type"]) == ("200", "1")
    shuffled = check(platform("shuffled-keys"))
    assert list(shuffled) == ["data", "error", "errno"]
    assert list(shuffled["data"]) == list(reversed(good))
    assert check(platform("upper-md5"))["data"]["md5"] == good["md5"].upper()
    wrong = check(platform("wrong-md5"))["data"]["md5"]
    assert wrong != good["md5"]
    assert len(wrong) == 32
    assert check(platform("wrong-size"))["data"]["size"] == 201
    assert "ipPort" not in check(platform("no-ipport"))["data"]
    assert check(platform("ipport-no-port"))["data"]["ipPort"] == "10.0.0.1"
    assert good["ipPort"] == "10.0.0.1:80"


def test_faults_compose() -> None:
    data = check(platform("quoted-numbers+upper-md5+no-ipport"))["data"]
    assert data["size"] == "200"
    assert data["md5"].isupper()
    assert "ipPort" not in data


def test_a_cut_breaks_once_and_then_no_more() -> None:
    p = platform("cut-after:25%")
    assert download(p).cut_at == 50
    assert download(p, "50-").cut_at is None


def test_cuts_count_what_was_sent_since_the_last_one_over_slices_too() -> None:
    p = platform("cut-after:70:2")
    cuts = [download(p, f"{start}-{start + 39}").cut_at for start in (0, 40, 70, 110, 150)]
    assert cuts == [None, 30, None, 30, None]


def test_short_bodies_wrong_and_ignored_ranges() -> None:
    short = download(platform("short-body"))
    assert (short.body, short.declare_length) == (DATA[:100], True)
    wrong = download(platform("wrong-range"), "0-9")
    assert ("Content-Range", "bytes 1-10/200") in wrong.headers
    assert wrong.body == DATA[:10]
    ignored = download(platform("ignore-range"), "0-9")
    assert (ignored.status, ignored.body) == (200, DATA)
    p = platform("one-byte-error:5:1")
    assert download(p).body == b"5"
    assert download(p).body == DATA


def test_slow_and_endless_are_left_to_the_delivery() -> None:
    reply = download(platform("slow:1000+endless-body"))
    assert (reply.bytes_per_s, reply.endless, reply.declare_length) == (1000, True, False)


def test_a_token_expires_after_its_requests_and_the_next_one_lives() -> None:
    p = platform("expired-token:2")
    check(p)
    assert check_token(p) == 0
    assert download(p, "0-99").status == 206
    assert download(p, "100-").body == b"3"
    assert check_token(p) == 12
    assert check(p)["errno"] == 0
    assert check_token(p) == 0
    assert download(p).body == DATA


def test_the_operator_cancels_after_requests_or_in_the_middle_of_a_body() -> None:
    p = platform("cancelled-after:1")
    assert check_token(p) == 0
    assert check_token(p) == 22

    q = platform("cancelled-after:60%")
    assert check_token(q) == 0
    assert download(q).cut_at == 120
    assert q.task("1").state is TaskState.CANCELLED
    assert download(q).body == b"3"
    assert check_token(q) == 22

    r = platform("cancelled-after:100b")
    assert download(r, "0-99").cut_at is None
    assert check_token(r) == 22


def test_a_pause_lasts_for_its_calls_and_gives_the_state_back() -> None:
    p = platform("paused:3")
    assert check(p)["errno"] == 0
    assert check_token(p) == 19
    assert check(p)["errno"] == 19
    assert download(p).body == b"3"
    assert check_token(p) == 0
    assert p.task("1").state is TaskState.DOWNLOADING
    assert check_token(p) == 0


def test_the_clock_can_be_ahead() -> None:
    clock = SimulatedClock()
    config = build(TasksFile(auth=Auth(required=False)), {})
    assert LocalPlatform(config, clock=clock, faults="clock-skew:90").time() == clock.time() + 90
    assert LocalPlatform(config, clock=clock, faults="clock-skew:-90").time() == clock.time() - 90
    reply = ask(LocalPlatform(config, clock=clock, faults="clock-skew:86400"), "/")
    assert dict(reply.headers)["Date"] == "Fri, 02 Jan 2026 00:00:00 GMT"
