"""STUDIO and FUSE: signatures, arguments, codes, ranges, knobs and faults."""

import json

import pytest

from atota.clock import SimulatedClock
from atota.otaserver.model import Knobs, TaskSpec
from atota.otaserver.service import LocalPlatform
from atota.otaserver.tasks import TaskState
from tests.otaserver.asking import (
    DATA,
    DEV_ID,
    DEVICE_KEY,
    FUSE,
    NAME,
    PRODUCT,
    PRODUCT_KEY,
    STUDIO,
    USER_KEY,
    ask,
    code,
    header,
    platform,
    resource,
    signed,
    value,
)

TID = 1317438
LEVELS, VERSIONS, METHODS = (
    ("product", "device", "user"),
    ("2018-10-31", "2022-05-01"),
    ("md5", "sha1", "sha256"),
)
BASES = (FUSE, STUDIO)
YEAR = 365 * 86400


def check(p: LocalPlatform, base: str = FUSE, query: str = "?type=1&version=V1", **headers: str) -> int:
    return code(ask(p, "GET", f"{base}/check{query}", b"", **headers))


def step(p: LocalPlatform, number: int, base: str = FUSE, tid: int = TID) -> int:
    return code(ask(p, "POST", f"{base}/{tid}/status", b'{"step":%d}' % number))


def ota_errno(p: LocalPlatform, base: str = FUSE, tid: int = TID) -> str | None:
    return header(ask(p, "GET", f"{base}/{tid}/download"), "Ota-Errno")


# -- signatures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("base", BASES)
def test_a_key_of_each_level_signs_in_both_versions_by_each_method(
    base: str, level: str, version: str, method: str, encoded: bool
) -> None:
    p = platform(required=True)
    assert check(p, base, authorization=signed(p, level, version, method, encoded=encoded)) == 0


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("key", [PRODUCT_KEY, DEVICE_KEY, USER_KEY])
def test_the_key_must_be_of_the_level_that_is_named(level: str, key: bytes) -> None:
    p = platform(required=True)
    expected = 0 if key == resource(level)[1] else 10403
    assert check(p, authorization=signed(p, level, key=key)) == expected


@pytest.mark.parametrize(
    ("life_s", "text"),
    [
        (10 * YEAR, None),
        (10 * YEAR + 1, "authentication failed:token expire is too long,max expire limit 10 years"),
        (-1, "authentication failed:request has expired:expire=1767225599,now=1767225600"),
    ],
)
def test_the_life_of_a_signature_is_limited_and_told(life_s: float, text: str | None) -> None:
    p = platform(required=True)
    answer = value(ask(p, "GET", f"{FUSE}/check?type=1&version=V1", authorization=signed(p, life_s=life_s)))
    assert (answer["code"], answer["msg"]) == ((0, "succ") if text is None else (10403, text))


@pytest.mark.parametrize("header_text", ["", "x", "a raw key", "version=2022-05-01", "sign=&res=&et=1"])
def test_a_malformed_or_missing_signature_has_its_own_text(header_text: str) -> None:
    p = platform(required=True)
    answer = value(ask(p, "GET", f"{FUSE}/check?type=1&version=V1", authorization=header_text))
    assert (answer["code"], answer["msg"]) == (10403, "authentication failed:invalid authorization")


def test_studio_takes_a_signature_for_decades_and_refuses_by_errno_1() -> None:
    p = platform(required=True)
    assert check(p, STUDIO, authorization=signed(p, version="2018-10-31", life_s=40 * YEAR)) == 0
    assert check(p, STUDIO, authorization=signed(p, life_s=-1)) == 1
    assert check(p, STUDIO) == 1


def test_a_signature_speaks_for_its_own_device_and_product() -> None:
    p = platform(required=True)
    other = signed(p, res=f"products/{PRODUCT}/devices/line2")
    assert check(p, authorization=other) == 10403
    assert check(p, f"/fuse-ota/{PRODUCT}/line2", authorization=signed(p)) == 10403
    assert check(p, "/fuse-ota/0000000000/line1", authorization=signed(p)) == 10403
    assert check(p, "/fuse-ota/0000000000/line1", authorization=signed(p, "user")) == 10408
    assert check(p, f"/fuse-ota/{PRODUCT}/line2", authorization=signed(p, "user")) == 10410
    assert check(p, f"/fuse-ota/{PRODUCT}/line2", authorization=signed(p, "product")) == 10410


def test_an_account_has_no_access_to_the_generic_api() -> None:
    p = platform(required=True)
    target = f"/ota/south/check?dev_id={DEV_ID}&type=1&version=V1"
    assert code(ask(p, "GET", target, authorization=signed(p, "user"))) == 1
    assert code(ask(p, "GET", target, authorization=signed(p, "product"))) == 0


def test_a_download_may_carry_the_signature_in_its_query() -> None:
    p = platform(required=True)
    query = signed(p, "user", "2022-05-01", "sha1").partition("&")[2]
    assert ask(p, "GET", f"{FUSE}/{TID}/download?{query}").body == DATA
    assert check(p, query=f"?type=1&version=V1&{query}") == 10403
    assert ota_errno(p) == "6"


def test_no_key_and_no_signature_is_in_the_log() -> None:
    from atota.otaserver.reply import HttpRequest
    from atota.otaserver.routes import respond

    p, lines = platform(required=True), list[str]()
    sent = {"authorization": signed(p, life_s=-1)}
    respond(p, HttpRequest("GET", f"{FUSE}/check", {"type": "1", "version": "V1"}, sent), lines.append)
    assert lines == [
        f"check {PRODUCT}/{NAME} V1: 200 authentication failed:invalid authorization: et is 1 s in the past"
    ]


# -- arguments and codes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "fuse", "studio"),
    [
        (b'{"s_version":"V1","f_version":"V1"}', 0, 0),
        (b'{"s_version":"V1"}', 10001, 2),
        (b'{"f_version":"V1"}', 10001, 2),
        (b'{"s_version":"V1","f_version":null}', 10001, 2),
        (b'{"s_version":"V1","f_version":1}', 10001, 2),
        (b'{"s_version":"V1","f_version":""}', 10001, 27),
        (b'{"s_version":"V1","f_version":"V 1"}', 10001, 27),
        (b'{"s_version":"V1","f_version":"123456789012345678901"}', 10001, 27),
        (b"", 10001, 2),
        (b"{", 10001, 2),
        (b"\xff", 10001, 2),
        (b'{"s_version":"V1","f_version":"V1","more":[]}\r\n\r\n', 0, 0),
    ],
)
def test_both_versions_are_reported_together(body: bytes, fuse: int, studio: int) -> None:
    p = platform()
    assert [code(ask(p, "POST", f"{base}/version", body)) for base in BASES] == [fuse, studio]
    assert p.version(DEV_ID) == ("V1" if fuse == 0 else None)


@pytest.mark.parametrize(
    ("query", "fuse", "studio"),
    [
        ("?type=1&version=V1", 0, 0),
        ("?type=2&version=V1", 12012, 10),
        ("?type=3&version=V1", 10001, 2),
        ("?version=V1", 10001, 2),
        ("?type=1", 10001, 2),
        ("?type=1&version=V%201", 10001, 27),
        ("?type=1&version=v3.0", 12013, 10),
        ("?type=1&version=V1&manuf=x&cdn=maybe", 0, 0),
    ],
)
def test_the_arguments_of_a_check_are_judged(query: str, fuse: int, studio: int) -> None:
    p = platform()
    assert [check(p, base, query) for base in BASES] == [fuse, studio]
    assert p.version(DEV_ID) is None, "a check reports no version"


def test_studio_answers_in_its_own_envelope() -> None:
    p = platform()
    assert ask(p, "POST", f"{STUDIO}/version", b'{"s_version":"V1","f_version":"V1"}').body == (
        b'{"errno":0,"error":"succ"}'
    )
    answer = value(ask(p, "GET", f"{STUDIO}/check?type=1&version=V1"))
    assert list(answer) == ["errno", "error", "data"]
    assert list(answer["data"]) == ["target", "tid", "size", "md5", "status", "type"]


@pytest.mark.parametrize("path", ["//ota/{0}//{1}/check/", "/ota/{0}/{1}/check", "/ota/{0}/{1}/check//"])
def test_doubled_and_trailing_slashes_are_taken(path: str) -> None:
    target = path.format(PRODUCT, NAME)
    assert code(ask(platform(), "GET", f"{target}?type=1&version=V1")) == 0
    assert code(ask(platform(), "GET", f"http://studio-ota.heclouds.com{target}?type=1&version=V1")) == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"{FUSE}/check", 405),
        ("GET", f"{FUSE}/{TID}/status", 405),
        ("POST", f"{FUSE}/{TID}/download", 405),
        ("GET", f"{FUSE}/status", 404),
        ("GET", f"{FUSE}/{TID}/version", 404),
        ("GET", f"{FUSE}/x/download", 404),
        ("GET", f"/fuse-ota/{PRODUCT}/check", 404),
        ("GET", f"{FUSE}/{'9' * 20}/download", 404),
    ],
)
def test_other_addresses_and_methods_are_plain_http_errors(method: str, path: str, status: int) -> None:
    assert ask(platform(), method, path).status == status


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{}", b'{"step":"5"}', b'{"step":1.5}', b'{"step":true}', b'{"step":100000000000000000000}'],
)
def test_a_step_that_is_not_a_number_is_a_wrong_parameter(body: bytes) -> None:
    p = platform()
    assert [code(ask(p, "POST", f"{base}/{TID}/status", body)) for base in BASES] == [10001, 2]
    assert p.task(DEV_ID).state is TaskState.PENDING


def test_100_and_101_mean_the_same_and_never_both() -> None:
    p = platform()
    assert step(p, 50) == 21, "a percentage of a task that waits"
    ask(p, "GET", f"{FUSE}/{TID}/download", range="0-99")
    assert [step(p, 50), step(p, 100), step(p, 101), step(p, 107), step(p, 99)] == [0, 0, 21, 21, 21]
    assert [step(p, 208), step(p, 300), step(p, -1)] == [10001] * 3
    assert [step(p, 201), step(p, 201), step(p, 5)] == [0, 20, 20]
    assert p.version(DEV_ID) == "v3.0", "201 sets the version to the target"
    assert p.task(DEV_ID).reported == [50, 100, 201]


def test_a_task_of_another_device_does_not_exist() -> None:
    spec = TaskSpec(dev_id="*", manuf="001", model="00107", package="p", target="v3.0")
    p = platform(tasks=(spec,))
    assert check(p) == 0
    assert [step(p, 101, tid=TID + 1), code(ask(p, "GET", f"{FUSE}/{TID + 1}/check"))] == [12012, 12012]
    assert ota_errno(p, tid=TID + 1) == "2"
    assert ota_errno(p, f"/fuse-ota/{PRODUCT}/line2") == "1"


def test_a_delta_for_another_version_is_not_offered_and_not_failed() -> None:
    p = platform(kind="delta", base="V1")
    assert [check(p, query="?type=1&version=V0"), check(p)] == [12012, 0]
    assert value(ask(p, "GET", f"{FUSE}/check?type=1&version=V1"))["data"]["type"] == 2
    assert p.task(DEV_ID).state is TaskState.PENDING


def test_the_versions_can_be_read() -> None:
    p = platform()
    ask(p, "POST", f"{FUSE}/version", b'{"s_version":"S1","f_version":"F1"}')
    assert value(ask(p, "GET", f"{FUSE}/version"))["data"] == {"s_version": "S1", "f_version": "F1"}


def test_a_task_that_the_generic_api_began_goes_on_in_fuse() -> None:
    p = platform()
    token = p.task(DEV_ID).token
    assert code(ask(p, "GET", f"/ota/south/download/{token}/check?dev_id={DEV_ID}")) == 0
    assert value(ask(p, "GET", f"{FUSE}/check?type=1&version=V1"))["data"]["status"] == 2
    assert step(p, 101, STUDIO) == 0
    assert code(ask(p, "POST", f"/ota/south/report?dev_id={DEV_ID}&token={token}", b'{"result":201}')) == 0
    assert check(p, query="?type=1&version=v3.0") == 12013
    assert {event.api for event in p.task(DEV_ID).history} == {"generic", "studio", "fuse"}


# -- downloads -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("0-99", 0, 99),
        ("bytes=0-99", 0, 99),
        ("150-", 150, 199),
        ("-50", 150, 199),
        ("200-210", 0, 199),
        ("100-999", 100, 199),
        ("50-10", 0, 10),
        ("01-02", 1, 2),
    ],
)
def test_ranges_are_clamped_as_documented(asked: str, first: int, last: int) -> None:
    fuse = ask(platform(), "GET", f"{FUSE}/{TID}/download", range=asked)
    studio = ask(platform(), "GET", f"{STUDIO}/{TID}/download/", range=asked)
    assert fuse.body == studio.body == DATA[first : last + 1]
    assert fuse.status == studio.status == 206
    assert header(fuse, "Content-Range") == f"bytes {first}-{last}/200"
    assert header(studio, "Content-Range") is None
    assert header(studio, "Content-Range-Start") == str(first)
    assert header(studio, "Content-Range-End") == str(last)


@pytest.mark.parametrize("asked", ["-500", "all", "0-1,2-3"])
def test_any_other_range_brings_the_whole_file(asked: str) -> None:
    reply = ask(platform(), "GET", f"{FUSE}/{TID}/download", range=asked)
    assert (reply.status, reply.body) == (200, DATA)


@pytest.mark.parametrize("end", ["cancelled", "failed", "done", "upgrading"])
def test_an_ended_task_brings_no_package(end: str) -> None:
    p = platform()
    if end == "cancelled":
        p.task(DEV_ID).cancel()
    else:
        step(p, {"failed": 107, "done": 201, "upgrading": 101}[end])
    assert p.task(DEV_ID).state == end
    reply = ask(p, "GET", f"{FUSE}/{TID}/download", range="0-99")
    assert (reply.status, header(reply, "Ota-Errno")) == (200, "5")
    assert json.loads(reply.body)["code"] == 20
    assert check(p) == (0 if end == "upgrading" else 12012)


# -- knobs and faults ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "after_status", "after_download"),
    [
        ("download", "pending", "downloading"),
        ("status", "downloading", "pending"),
        ("either", "downloading", "downloading"),
    ],
)
def test_the_call_that_begins_the_download_is_a_knob(by: str, after_status: str, after_download: str) -> None:
    knobs = Knobs(downloading_by=by)  # type: ignore[arg-type]
    p, q = platform(knobs=knobs), platform(knobs=knobs)
    ask(p, "GET", f"{FUSE}/{TID}/check")
    ask(q, "GET", f"{FUSE}/{TID}/download")
    assert (p.task(DEV_ID).state, q.task(DEV_ID).state) == (after_status, after_download)


def test_the_other_open_questions_are_knobs() -> None:
    knobs = Knobs(
        invalid_state=17,
        after_done=12012,
        auth_status=403,
        error_body="empty",
        version_body="none",
        content_range="both",
    )
    p = platform(knobs=knobs, required=True)
    sent = {"authorization": signed(p)}
    assert ask(p, "GET", f"{FUSE}/check").status == 403
    assert "data" not in value(ask(p, "GET", f"{FUSE}/version", b"", **sent))
    part = ask(p, "GET", f"{FUSE}/{TID}/download", b"", range="0-9", **sent)
    assert [header(part, f"Content-Range{end}") for end in ("", "-Start", "-End")] == [
        "bytes 0-9/200",
        "0",
        "9",
    ]
    steps = [b'{"step":100}', b'{"step":101}', b'{"step":201}']
    assert [code(ask(p, "POST", f"{FUSE}/{TID}/status", body, **sent)) for body in steps] == [0, 17, 0]
    assert ask(p, "GET", f"{FUSE}/{TID}/download", b"", **sent).body == b""
    assert check(p, query="?type=1&version=v3.0", **sent) == 12012


@pytest.mark.parametrize("base", BASES)
def test_faults_of_the_envelope_strike_here_too(base: str) -> None:
    def body(faults: str) -> str:
        return ask(platform(faults), "GET", f"{base}/check?type=1&version=V1").body.decode()

    plain = body("")
    assert '"data":null' in body("null-data")
    assert '"data"' not in body("no-data")
    assert ('"code":"0"' if base == FUSE else '"errno":"0"') in body("quoted-code")
    assert '"target":"v3.0xxxxxxxxxxxxxxxxx"' in body("long-target")
    assert '"type":2' in body("delta-type")
    assert '"tid":2147483649' in body("large-tid")
    assert '"size":201' in body("wrong-size")
    assert '"tid":"1317438"' in body("quoted-numbers")
    assert body("upper-md5").lower() == plain.lower() != body("upper-md5")
    assert (
        json.loads(body("errno:10411" if base == FUSE else "errno:7"))["code" if base == FUSE else "errno"]
        > 0
    )
    assert ask(platform("http-407"), "GET", f"{base}/check").status == 407
    assert ask(platform("html@check"), "GET", f"{base}/check").status == 200


def test_a_large_task_id_works_in_every_later_call() -> None:
    p = platform("large-tid:1")
    tid = value(ask(p, "GET", f"{FUSE}/check?type=1&version=V1"))["data"]["tid"]
    assert tid > 2**31
    assert ask(p, "GET", f"{FUSE}/{tid}/download").body == DATA
    assert step(p, 101, tid=tid) == 0
    assert ota_errno(p) == "5", "the first id is dead"


def test_a_dead_task_id_comes_to_life_by_a_check() -> None:
    p = platform("expired-token:1")
    assert ota_errno(p) == "0"
    assert ota_errno(p) == "5"
    assert [step(p, 10), code(ask(p, "GET", f"{FUSE}/{TID}/check"))] == [12012, 12012]
    data = value(ask(p, "GET", f"{FUSE}/check?type=1&version=V1"))["data"]
    assert (data["tid"], data["status"]) == (TID + 1, 2)
    assert ota_errno(p, tid=TID + 1) == "0"


def test_task_ids_do_not_age_but_tokens_do() -> None:
    clock = SimulatedClock()
    p = platform(clock=clock)
    clock.sleep(30 * 86400)
    assert ota_errno(p) == "0"


def test_refusals_of_a_download_are_faults() -> None:
    assert ota_errno(platform("ota-errno:3")) == "3"
    p = platform("no-ota-errno:1")
    assert ota_errno(p) is None
    assert ota_errno(p) == "0"


def test_cancelled_in_the_middle_of_a_download() -> None:
    p = platform("cancelled-after:50%")
    reply = ask(p, "GET", f"{FUSE}/{TID}/download")
    assert reply.cut_at == 100
    assert p.task(DEV_ID).state is TaskState.CANCELLED
    assert value(ask(p, "GET", f"{FUSE}/{TID}/check"))["data"] == {"status": 6}
    assert step(p, 107) == 20


def test_a_paused_task_is_not_offered_and_takes_no_step() -> None:
    p = platform()
    p.task(DEV_ID).pause()
    assert [check(p), step(p, 101)] == [12012, 21]
    assert value(ask(p, "GET", f"{FUSE}/{TID}/check"))["data"] == {"status": 1}
    p.task(DEV_ID).resume()
    assert check(p) == 0


def test_a_careless_device_is_noticed() -> None:
    p = platform()
    ask(p, "GET", f"{FUSE}/{TID}/download", range="190-400")
    ask(p, "GET", f"{FUSE}/{TID}/download", range="0-0")
    step(p, 101)
    step(p, 101)
    ask(p, "POST", f"{FUSE}/version", b"", **{"content-type": "text/plain"})
    assert p.complaints == [
        "device 6523 asks for a range outside the file, 190-400",
        "device 6523 asks for one byte; the smallest range is two",
        "device 6523 reports 101 where it means nothing (the task is upgrading)",
        "the version call has no Content-Type: application/json",
    ]
