"""From a request to a reply: routes, arguments, signatures, envelopes and the faults of the wire. No I/O.

`respond` is the whole platform without a network: the ASGI app serves it, and an in-memory transport can
call it directly.
"""

import re
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from atota.otaserver.faults import CALLS
from atota.otaserver.model import TaskType
from atota.otaserver.ranges import Slice, clamp
from atota.otaserver.reply import HttpReply, HttpRequest, json_reply, text_reply
from atota.otaserver.service import Answer, LocalPlatform
from atota.otaserver.tasks import ERROR_TEXT, Errno, Task, shown_id
from atota.values import version_problem

Log = Callable[[str], None]
_T = TypeVar("_T")

_TOKEN = r"(?P<token>[^/]+)"  # noqa: S105 - a pattern
ROUTES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (r"/ota/device/version", "version", ("POST",)),
    (r"/ota/south/check", "check", ("GET",)),
    (r"/ota/south/tasking", "tasking", ("GET",)),
    (rf"/ota/south/download/{_TOKEN}/check", "token", ("GET",)),
    (rf"/ota/south/download/{_TOKEN}", "download", ("GET",)),
    (rf"/ota/download/{_TOKEN}", "download", ("GET",)),
    (rf"/ota/south/device/download/{_TOKEN}/progress", "progress", ("POST",)),
    (r"/ota/south/report", "report", ("POST",)),
    (r"/ota/devInfo", "devinfo", ("GET", "POST")),
)
_PATTERNS = tuple((re.compile(pattern), call, methods) for pattern, call, methods in ROUTES)
_TYPES: dict[str, TaskType] = {"1": "fota", "2": "sota"}
_PORTAL = "<!DOCTYPE html><html><head><title>Login</title></head><body>Please sign in.</body></html>"
_PORTAL_ADDRESS = "http://portal.invalid/login"
_UNKNOWN_ERRNO = 99
_TOKEN_INVALID = 3  # download page: the one-byte errors 1-6


class _Versions(msgspec.Struct):
    f_version: str | None = None
    s_version: str | None = None


class _Step(msgspec.Struct):
    step: int


class _Result(msgspec.Struct):
    result: int


class _DeviceQuery(msgspec.Struct):
    pid: int | str
    authInfo: str  # noqa: N815 - the platform's own key


class _Bad(Exception):
    """A request that is answered with an errno before it reaches the service."""

    def __init__(self, errno: Errno) -> None:
        super().__init__(errno)
        self.errno = errno


def respond(platform: LocalPlatform, request: HttpRequest, log: Log | None = None) -> HttpReply:
    """Answer one request; ``log`` gets one line about it, without token, key or signature."""
    with platform.lock:
        call, token, allowed = _route(request)
        if call is None:
            reply, note = text_reply(404, "Not Found"), "no such address"
        elif not allowed:
            reply, note = text_reply(405, "Method Not Allowed"), "no such method here"
        else:
            reply, note = _answer(platform, call, token, request)
        reply.headers.append(("Date", formatdate(max(0.0, platform.time()), usegmt=True)))
    if log is not None:
        log(_line(request, call, reply, note))
    return reply


def request_path(target: str) -> str:
    """The path of a request target, also where a client sends it in absolute form (``GET http://…``)."""
    if not target.startswith(("http://", "https://")):
        return target
    try:
        return urlsplit(target).path
    except ValueError:  # not a host
        return ""


def parse_query(text: str) -> dict[str, str]:
    """The arguments of a query string; the first of a name counts."""
    query: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        query.setdefault(name, value)
    return query


def _route(request: HttpRequest) -> tuple[str | None, str, bool]:
    path = request_path(request.path)
    for pattern, call, methods in _PATTERNS:
        match = pattern.fullmatch(path)
        if match:
            return call, match.groupdict().get("token", ""), request.method in methods
    return None, "", False


def _answer(platform: LocalPlatform, call: str, token: str, request: HttpRequest) -> tuple[HttpReply, str]:
    fault = _wire_fault(platform, call)
    if fault is not None:
        return fault, "by fault"
    if call == "download":
        return _download(platform, token, request)
    try:
        answer, note = _enveloped(platform, call, token, request)
    except _Bad as bad:
        answer, note = Answer(bad.errno), ""
    envelope: dict[str, object] = {"errno": int(answer.errno), "error": ERROR_TEXT[answer.errno]}
    if answer.data is not None:
        envelope["data"] = _data(platform, call, request, answer.data)
    if platform.faults.take("no-data", call) if answer.data is not None else None:
        del envelope["data"]
    if platform.faults.take("shuffled-keys", call):
        envelope = dict(reversed(envelope.items()))
    state = f", task {answer.task.state}" if answer.task else ""
    return json_reply(envelope), f"{ERROR_TEXT[answer.errno]}{state}{': ' if note else ''}{note}"


def _wire_fault(platform: LocalPlatform, call: str) -> HttpReply | None:
    take = platform.faults.take
    for status in (500, 401, 404):
        if take(f"http-{status}", call):
            return text_reply(status, f"{status}")
    if take("html", call):
        return text_reply(200, _PORTAL, "text/html;charset=UTF-8")
    if take("redirect", call):
        reply = text_reply(302, "")
        reply.headers.append(("Location", _PORTAL_ADDRESS))
        return reply
    if call == "download":
        return None
    fault = take("errno", call)
    if fault:
        text = ERROR_TEXT.get(Errno(fault.number), "") if fault.number in set(Errno) else "unknown error"
        return json_reply({"errno": fault.number, "error": text})
    if take("unknown-errno", call):
        return json_reply({"errno": _UNKNOWN_ERRNO, "error": "unknown error"})
    return None


# -- the calls with an envelope ------------------------------------------------------------------


def _enveloped(platform: LocalPlatform, call: str, token: str, request: HttpRequest) -> tuple[Answer, str]:
    dev_id = request.query.get("dev_id") or None
    verdict = platform.authorise(request.headers.get("authorization"), dev_id)
    if not verdict.ok:
        return Answer(Errno.AUTH), verdict.reason
    if request.method == "POST" and "application/json" not in request.headers.get("content-type", ""):
        platform.complaints.append(f"the {call} call has no Content-Type: application/json")
    if call == "check":
        return _check(platform, dev_id, request), ""
    if call == "tasking":
        _cdn(request)
        return platform.tasking(dev_id, _type(request)), ""
    if call == "token":
        return platform.check_token(token, dev_id), ""
    if call == "version":
        versions = _decode(request.body, _Versions)
        return platform.report_version(dev_id, versions.f_version, versions.s_version), ""
    if call == "progress":
        step = _decode(request.body, _Step).step
        return platform.progress(token, dev_id, step), f"step {step}"
    if call == "report":
        result = _decode(request.body, _Result, Errno.RESULT).result
        return platform.report(request.query.get("token", ""), dev_id, result), f"result {result}"
    query = _decode(request.body, _DeviceQuery)
    return platform.device_info(str(query.pid), query.authInfo), ""


def _check(platform: LocalPlatform, dev_id: str | None, request: HttpRequest) -> Answer:
    query = request.query
    type_, version = _type(request), query.get("version")
    _cdn(request)
    for name in ("signals", "powers"):
        if not re.fullmatch(r"-?[0-9]{1,9}", query.get(name, "0")):
            raise _Bad(Errno.ARGUMENT)
    if version is None or dev_id is None:
        raise _Bad(Errno.ARGUMENT)
    if version_problem(version):
        raise _Bad(Errno.VERSION)
    return platform.check(dev_id, type_, version, query.get("manuf"), query.get("model"))


def _type(request: HttpRequest) -> TaskType:
    type_ = _TYPES.get(request.query.get("type", ""))
    if type_ is None:
        raise _Bad(Errno.ARGUMENT)
    return type_


def _cdn(request: HttpRequest) -> bool:
    value = request.query.get("cdn", "false").lower()
    if value not in ("true", "false"):
        raise _Bad(Errno.ARGUMENT)
    return value == "true"


def _decode(body: bytes, type_: type[_T], wrong_value: Errno = Errno.ARGUMENT) -> _T:
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.ValidationError:
        raise _Bad(wrong_value) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _Bad(Errno.ARGUMENT) from None


def _data(
    platform: LocalPlatform, call: str, request: HttpRequest, data: dict[str, str | int]
) -> dict[str, str | int]:
    if call not in ("check", "tasking"):
        return data
    take = platform.faults.take
    if _cdn(request):
        address = platform.ip_port or request.local
        if address is not None and not take("no-ipport", call):
            kind = data.pop("type")
            data |= {
                "ipPort": address.rpartition(":")[0] if take("ipport-no-port", call) else address,
                "type": kind,
            }
    md5 = str(data["md5"])
    if take("upper-md5", call):
        data["md5"] = md5.upper()
    if take("wrong-md5", call):
        data["md5"] = md5[1:] + ("0" if md5[0] != "0" else "1")
    if take("wrong-size", call):
        data["size"] = int(data["size"]) + 1
    if take("quoted-numbers", call):
        data = {name: str(value) for name, value in data.items()}
    return dict(reversed(data.items())) if take("shuffled-keys", call) else data


# -- the download --------------------------------------------------------------------------------


def _download(platform: LocalPlatform, token: str, request: HttpRequest) -> tuple[HttpReply, str]:
    fault = platform.faults.take("one-byte-error", "download")
    if fault:
        return _one_byte(platform, fault.number)
    task = platform.open_download(token)
    if task is None:
        return _one_byte(platform, _TOKEN_INVALID)
    header = request.headers.get("range")
    if header is not None and platform.faults.take("ignore-range", "download"):
        header = None
    part = clamp(header, len(task.package.data))
    if part is not None and part.asked_past_end:
        platform.complain(task, f"asks for a range outside the file, {header}")
    if part is not None and len(part) < 2:
        platform.complain(task, "asks for one byte; the smallest range is two")
    return _package_reply(platform, task, part)


def _package_reply(platform: LocalPlatform, task: Task, part: Slice | None) -> tuple[HttpReply, str]:
    data = task.package.data if part is None else task.package.data[part.start : part.end + 1]
    reply = HttpReply(200 if part is None else 206, list(_package_headers(platform, task, part)), data)
    first = part.start if part else 0
    platform.note_download(task, first, first + len(data) - 1)
    take = platform.faults.take
    if take("short-body", "download"):
        reply.body = data[: len(data) // 2]
    fault = take("slow", "download")
    reply.bytes_per_s = fault.number if fault else None
    if take("endless-body", "download"):
        reply.endless, reply.declare_length = True, False
    reply.cut_at = platform.faults.cut(task, len(reply.body))
    last, total = first + len(data) - 1, task.package.digests.size
    note = f"device {shown_id(task.dev_id)}, bytes {first}-{last} of {total}"
    return reply, note if reply.cut_at is None else f"{note}, cut by fault after {reply.cut_at}"


def _package_headers(platform: LocalPlatform, task: Task, part: Slice | None) -> Iterator[tuple[str, str]]:
    yield "Content-Type", "application/octet-stream;charset=UTF-8"
    name = re.sub(r"[^A-Za-z0-9._-]", "_", task.package.name.rpartition("/")[2])
    yield "Content-Disposition", f'attachment; filename="{name}"'
    if part is not None and platform.faults.take("wrong-range", "download"):
        yield "Content-Range", f"bytes {part.start + 1}-{part.end + 1}/{part.total}"
    elif part is not None:
        yield "Content-Range", part.content_range


def _one_byte(platform: LocalPlatform, code: int) -> tuple[HttpReply, str]:
    body = bytes([code]) if platform.binary_errors else str(code).encode()
    headers = [("Content-Type", "application/octet-stream;charset=UTF-8")]
    return HttpReply(200, headers, body, declare_length=False), f"one-byte error {code}"


# -- the log -------------------------------------------------------------------------------------


def _line(request: HttpRequest, call: str | None, reply: HttpReply, note: str) -> str:
    shown = shown_id(request.query.get("dev_id", "-"))
    name = call if call in CALLS else f"{request.method} (unknown address)"
    version = f" {request.query['version']}" if call == "check" and "version" in request.query else ""
    line = f"{name} {shown}{version}: {reply.status} {note}"
    return "".join(char if char.isprintable() else "?" for char in line)[:300]
