"""The platform's answers as we read them, and the local platform as any client may call it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from msgspec.structs import replace

from atota.at.events import view
from atota.clock import SimulatedClock
from atota.errors import AtotaError, BadAnswer, UsageError
from atota.ota import replies
from atota.ota.base import Task
from atota.ota.onenet import answers, wire
from atota.ota.onenet.errnos import Endpoint
from atota.ota.replies import parse_content_range
from atota.otaserver import auth, routes
from atota.otaserver.faults import KNOWN, Faults
from atota.otaserver.model import Auth, Device, PlatformConfig, TasksFile, TaskSpec, build
from atota.otaserver.ranges import clamp
from atota.otaserver.reply import HttpReply, HttpRequest
from atota.otaserver.service import LocalPlatform
from atota.sim.faults import KNOWN_FAULTS, FaultPlan
from atota.sim.link import parse_sim_url
from atota.sim.personas.catalogue import PERSONAS
from atota.values import parse_server, version_problem
from scripts.fuzz_parts.target import MARK, Target, head, need

_KEY = "c2VjcmV0IGtleSBmb3IgdGVzdHM="
_TOKEN = "ota_abcdefghijklmnopqrst"  # noqa: S105 - of no platform
_DATA = bytes(range(256)) * 4


def raises_only(kinds: type[Exception] | tuple[type[Exception], ...], call: Callable[[], object]) -> object:
    """Return the call's result; None if it raises one of ``kinds``."""
    try:
        return call()
    except kinds:
        return None


# --- what the platform says --------------------------------------------------------------------------


def ranges(data: bytes) -> None:
    for text in (data.decode("latin-1"), data.decode("utf-8", "replace")):
        span = parse_content_range(text)
        if span is not None:
            need(0 <= span.first <= span.last, "a range backwards")
            need(span.total is None or span.last < span.total, "a range past the end")
        address = raises_only(BadAnswer, lambda text=text: wire.parse_ip_port(text))  # type: ignore[misc]
        need(address is None or isinstance(address, tuple), "no address")
        seconds = replies.retry_after(text)
        need(seconds is None or 0 <= seconds <= replies.MAX_RETRY_AFTER_S, "an endless wait")
        length = replies.content_length(text)
        need(length is None or length >= 0, "a negative length")
        replies.is_text(text)
        raises_only(ValueError, lambda text=text: parse_server(text))  # type: ignore[misc]
        raises_only(UsageError, lambda text=text: wire.checked_dev_id(text))  # type: ignore[misc]
        raises_only(UsageError, lambda text=text: wire.checked_token(text))  # type: ignore[misc]
        version_problem(text)


def json(data: bytes) -> None:
    (kind, high), body = head(data, 2)
    endpoint = tuple(Endpoint)[kind % len(Endpoint)]
    status = 200 if kind < 128 else 100 + (high * 7) % 900
    raises_only(AtotaError, lambda: answers.refuse_text(body))
    envelope = raises_only(AtotaError, lambda: answers.read_answer(status, body, endpoint))
    need(len(replies.first_words(body)) <= 300, "more than the first words")
    if isinstance(envelope, wire.Envelope):
        for cdn in (False, True):
            task = raises_only(AtotaError, lambda cdn=cdn: wire.decode_task(envelope.data, cdn=cdn))  # type: ignore[misc]
            if isinstance(task, Task):
                need(f"token={task.token!r}" not in str(task), "the token is shown")
        raises_only(AtotaError, lambda: answers.refuse(envelope, endpoint))


_TASK = (
    b'{"errno":0,"error":"succ","data":{"target":"V2.0","token":"ota_abcdefghijklmnopqrst","size":20480,'
    b'"md5":"9e107d9d372bb6826bd81d3542a419d6","signal":12,"power":"30","retry":2,"interval":60,"type":1,'
    b'"ipPort":"127.0.0.1:8080"}}'
)


def _json_seeds() -> list[bytes]:
    bodies = [
        _TASK,
        b'{"errno":11,"error":"not exist"}',
        b'{"errno":"0","data":{"dev_id":6523}}',
        b"\xef\xbb\xbf<!DOCTYPE html><html><head><title>Login</title></head></html>",
        b'{"errno":17,"error":"\\u79fb invalid state","data":null}',
        b"3",
    ]
    return [bytes([kind, 3]) + body for body in bodies for kind in (1, 6, 130)]


# --- our own platform --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Setup:
    config: PlatformConfig
    faults: str


_FAULTS = (
    "",
    "expired-token:2+cancelled-after:3",
    "paused:2+upper-md5+no-ipport:1",
    "cut-after:30%+shuffled-keys",
    "quoted-numbers+ipport-no-port+slow:9",
    "errno:12:2+http-500:1@check",
    "ignore-range:1+wrong-range+short-body:2",
    "clock-skew:-99999+one-byte-error:6:1",
)


def _config(*, required: bool, known: bool) -> PlatformConfig:
    devices = (
        Device(dev_id="6523", name="line1", key=_KEY, imei="490154203237518"),
        Device(dev_id="6524"),
    )
    spec = TaskSpec(dev_id="6523", manuf="014", model="01401", package="app.bin", target="V2.0")
    tasks = (spec, replace(spec, type="sota", kind="delta", base="V1.0"), replace(spec, dev_id="*"))
    file = TasksFile(
        auth=Auth(product_id="1000", access_key=_KEY, required=required),
        devices=devices if known else (),
        tasks=tasks,
    )
    return build(file, {"app.bin": _DATA}, environ={})


@cache
def _configs() -> list[PlatformConfig]:
    return [_config(required=r, known=k) for r, k in ((False, True), (True, True), (False, False))]


def server(data: bytes) -> None:
    (kind, fault), rest = head(data, 2)
    faults = _FAULTS[fault % len(_FAULTS)]
    config = _configs()[kind % len(_configs())]
    platform = LocalPlatform(config, clock=SimulatedClock(), faults=faults, token_source=lambda: _TOKEN)
    lines: list[str] = []
    is_shown = False  # to show the token, by who calls it his version
    for text in rest.split(bytes([MARK])):
        request = _request(text)
        reply = routes.respond(platform, request, lines.append)
        need(isinstance(reply, HttpReply) and 200 <= reply.status < 600, "no reply")
        need(len(reply.body) <= max(len(_DATA), 4096), "more than was asked for")
        for name, value in reply.headers:
            need((name + value).isprintable(), "a header that is not one line")
        is_shown = is_shown or any(_TOKEN in request.query.get(name, "") for name in ("dev_id", "version"))
        header = request.headers.get("range")
        for total in (0, 1, len(_DATA)):
            part = clamp(header, total)
            need(part is None or 0 <= part.start <= part.end < total, "a part outside the file")
    need(all(line.isprintable() and len(line) <= 300 for line in lines), "a log line that is not one line")
    need(is_shown or not any(_TOKEN in line for line in lines), "the token is in the log")


def _request(text: bytes) -> HttpRequest:
    """A request written as in HTTP; what does not fit is taken as far as it goes."""
    top, _, body = text.partition(b"\n\n")
    first, *lines = top.decode("latin-1").split("\n")
    method, _, target = first.partition(" ")
    method = re.sub(r"[^A-Z]", "", method)[:20]  # what the server in front lets through
    path, _, query = target.partition("?")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return HttpRequest(method, unquote(path), routes.parse_query(query), headers, body, "127.0.0.1:8080")


def _server_seeds() -> list[bytes]:
    south = "/ota/south"
    check = f"GET {south}/check?dev_id=6523&manuf=014&model=01401&type=1&version=V1.0&cdn=true"
    json_type = "Content-Type: application/json"
    requests = [
        check,
        f"GET {south}/download/{_TOKEN}/check?dev_id=6523",
        f"GET {south}/download/{_TOKEN}\nRange: bytes=100-199",
        f"GET http://127.0.0.1/ota/download/{_TOKEN}\nRange: 0-",
        f'POST {south}/device/download/{_TOKEN}/progress?dev_id=6523\n{json_type}\n\n{{"step":101}}',
        f'POST {south}/report?dev_id=6523&token={_TOKEN}\n{json_type}\n\n{{"result":201}}',
        f'POST /ota/device/version?dev_id=6523\n{json_type}\n\n{{"f_version":"V1.0","s_version":"V2.0"}}',
        f"GET {south}/tasking?dev_id=6523&type=2",
        "GET /fuse-ota/1000/line1/check?type=1&version=V1.0",
        f'POST /fuse-ota/1000/line1/version\n{json_type}\n\n{{"f_version":"V1.0","s_version":"V2.0"}}',
        f'POST /ota/1000/line1/1317438/status\n{json_type}\n\n{{"step":101}}',
        "GET //ota/1000/line1/1317438/download/\nRange: 100-199",
        "GET /",
        f'GET /ota/devInfo\n{json_type}\n\n{{"pid":1000,"authInfo":"line1"}}',
    ]
    mark = chr(MARK)
    whole = mark.join(requests)
    texts = [*requests, mark.join(requests[:3]), mark.join(requests[1:5]), whole]
    return [bytes([number % 3, number % 8]) + text.encode() for number, text in enumerate(texts)]


# --- signatures, faults, addresses -------------------------------------------------------------------


def authorization(data: bytes) -> None:
    ring = auth.KeyRing("1000", b"secret key", {"line1": b"device key"}, "12321", b"user key")
    for text in (data.decode("latin-1"), data.decode("utf-8", "replace")):
        for now in (0.0, 1.7e9):
            check = auth.verify(text, ring, now, users=now > 0, longest_s=auth.TEN_YEARS_S)
            need(isinstance(check.ok, bool), "no result")
            need(check.ok or check.reason.isprintable(), "a reason that is not one line")


def _authorization_seeds() -> list[bytes]:
    good = "version=2018-10-31&res=products%2F1000&et=9999999999&method={}&sign=abcd%3D"
    device = "version=2022-05-01&res=products%2F1000%2Fdevices%2Fline1&et=1&method=sha256&sign=a+b%2B"
    return [*(good.format(name).encode() for name in ("md5", "sha1", "sha256")), device.encode()]


def faults(data: bytes) -> None:
    for text in (data.decode("latin-1"), data.decode("utf-8", "replace")):
        platform = raises_only(UsageError, lambda text=text: Faults.parse(text))  # type: ignore[misc]
        if isinstance(platform, Faults):
            need(abs(platform.skew_s) < 1e12, "a clock out of this world")
        plan = raises_only(UsageError, lambda text=text: FaultPlan([text]))  # type: ignore[misc]
        if isinstance(plan, FaultPlan):
            need(
                [one.text for one in FaultPlan([plan.text]).faults] == [one.text for one in plan.faults],
                "not as written",
            )


def _fault_words() -> list[bytes]:
    names = [name.encode() for name in (*KNOWN, *KNOWN_FAULTS)]
    return [*names, b":", b"+", b"@check", b"50%", b"c7", b"prepare", b"12", b"0.5", b"\xd9\xa3", b"\xc2\xb2"]


def sim_url(data: bytes) -> None:
    for text in (data.decode("latin-1"), data.decode("utf-8", "replace"), view(data)):
        raises_only(UsageError, lambda text=text: parse_sim_url(text).clock())  # type: ignore[misc]


def _url_words() -> list[bytes]:
    keys = re.findall(r"``(\w+)(?:=|``)", parse_sim_url.__doc__ or "")
    names = [persona.name.encode() for persona in PERSONAS]
    return [
        *(f"&{key}=".encode() for key in keys),
        *names,
        b"%00",
        b"[",
        b"]",
        b"://",
        b"@",
        b"\xe2\x84\x80",
        b"#",
    ]


TARGETS = (
    Target(
        name="range",
        promise="any header or address of the platform: a value that makes sense, None, or our own error",
        check=ranges,
        seeds=lambda: [
            b"bytes 5-9/10",
            b"5-9/*",
            b"127.0.0.1:8080",
            b"10",
            b"http://[::1]:80/",
            b"ota.heclouds.com",
        ],
        words=lambda: [
            b"bytes",
            b"bytes=",
            b"-",
            b"/",
            b"*",
            b":",
            b".",
            b"://",
            b"\xd9\xa3",
            b"[::1]",
            b"\x00",
        ],
        longest=200,
    ),
    Target(
        name="json",
        promise="any answer of the platform, with any status: a task, or our own error; never the token",
        check=json,
        seeds=_json_seeds,
        words=lambda: [
            *re.findall(rb'"\w+":?', _TASK),
            b"[" * 40,
            b'{"":',
            b"null",
            b"1e999",
            b"<html",
            b"\\ud800",
            b"-0",
        ],
        longest=6000,
    ),
    Target(
        name="range-server",
        promise="any requests to the local platform: a reply, no part outside the file, no token told",
        check=server,
        seeds=_server_seeds,
        words=lambda: [
            *(f"GET /ota/south/{name}".encode() for name in ("check", "tasking", f"download/{_TOKEN}")),
            bytes([MARK]),
            b"\n\n",
            b"\nRange: ",
            b"bytes=",
            b"-",
            b"&type=2",
            b"&cdn=true",
            b"[" * 40,
            b"http://[",
            b"null",
            b"\nAuthorization: version=2018-10-31&res=products%2F1000&et=99999999999&method=md5&sign=x",
            b"%2F",
            b"{",
            b"}",
        ],
        longest=6000,
    ),
    Target(
        name="authorization",
        promise="any Authorization header: a verdict with a reason, no exception",
        check=authorization,
        seeds=_authorization_seeds,
        words=lambda: [b"&", b"=", b"%", b"%ff", b"%0A", b"sign=", b"et=", b"\xd9\xa3", b"+", b"devices%2F"],
    ),
    Target(
        name="faults",
        promise="any text as faults of module or platform: faults, or a UsageError",
        check=faults,
        seeds=lambda: [
            re.sub(r"[\[\]]", "", kind).encode()
            for kind in (*(k.syntax for k in KNOWN.values()), *(k.usage for k in KNOWN_FAULTS.values()))
        ],
        words=_fault_words,
        longest=5000,
    ),
    Target(
        name="sim-url",
        promise="any text as the address of a simulated module: its parts, or a UsageError",
        check=sim_url,
        seeds=lambda: [
            b"sim://BC28?fault=brownout-at-block:20&seed=7&speed=15&latency_ms=3",
            b"sim://SIM7000C?accept=any&becomes=V2&csq=20&echo=1&asleep=1&reset=rts&id=a",
            b"sim://M5311?push=V2&network=0&imei=490154203237518&baud=9600&version=V1&speed=1.5",
        ],
        words=_url_words,
        longest=5000,
    ),
)
