"""From a request to a reply: routes, arguments, signatures and envelopes. No I/O.

The generic API is here, STUDIO and FUSE are in `by_name_routes`, and the page for people in `page`.
`respond` is the whole platform without a network: the ASGI app serves it, and an in-memory transport can
call it directly.
"""

import re
from collections.abc import Callable
from email.utils import formatdate
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from atota.otaserver import by_name_routes, page
from atota.otaserver.downloads import PACKAGE_TYPE, package_reply
from atota.otaserver.faults import CALLS
from atota.otaserver.model import TaskType
from atota.otaserver.reply import HttpReply, HttpRequest, text_reply
from atota.otaserver.service import Answer, LocalPlatform
from atota.otaserver.striking import Data, enveloped, struck_task, wire_fault
from atota.otaserver.tasks import ERROR_TEXT, Errno, shown_id
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
        call, shown, reply, note = _reply(platform, request)
        reply.headers.append(("Date", formatdate(max(0.0, platform.time()), usegmt=True)))
    if log is not None:
        log(_line(request, call, shown, reply, note))
    return reply


def _reply(platform: LocalPlatform, request: HttpRequest) -> tuple[str | None, str, HttpReply, str]:
    """Return the call, the device as logs show it, the reply and its note."""
    path = request_path(request.path)
    call, token, allowed = _route(request.method, path)
    shown = shown_id(request.query.get("dev_id", "-"))
    if call is not None and allowed:
        return call, shown, *_answer(platform, call, token, request)
    address = by_name_routes.find(request.method, path) if call is None else None
    if isinstance(address, by_name_routes.Address):
        shown = f"{address.product_id}/{shown_id(address.name)}"
        return address.call, shown, *by_name_routes.answer(platform, address, request)
    if path == "/" and request.method == "GET":
        return "page", shown, page.page(platform), "for people"
    if call is not None or address is not None or path == "/":
        return call, shown, text_reply(405, "Method Not Allowed"), "no such method here"
    return None, shown, text_reply(404, "Not Found"), "no such address"


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


def _route(method: str, path: str) -> tuple[str | None, str, bool]:
    for pattern, call, methods in _PATTERNS:
        match = pattern.fullmatch(path)
        if match:
            return call, match.groupdict().get("token", ""), method in methods
    return None, "", False


def _answer(platform: LocalPlatform, call: str, token: str, request: HttpRequest) -> tuple[HttpReply, str]:
    fault = wire_fault(platform, call, _error_envelope)
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
    state = f", task {answer.task.state}" if answer.task else ""
    reply = enveloped(platform, call, envelope)
    return reply, f"{ERROR_TEXT[answer.errno]}{state}{': ' if note else ''}{note}"


def _error_envelope(errno: int) -> dict[str, object]:
    text = ERROR_TEXT.get(Errno(errno), "") if errno in set(Errno) else "unknown error"
    return {"errno": errno, "error": text}


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


def _data(platform: LocalPlatform, call: str, request: HttpRequest, data: dict[str, str | int]) -> Data:
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
    return struck_task(platform, data, call)


# -- the download --------------------------------------------------------------------------------


def _download(platform: LocalPlatform, token: str, request: HttpRequest) -> tuple[HttpReply, str]:
    fault = platform.faults.take("one-byte-error", "download")
    if fault:
        return _one_byte(platform, fault.number)
    task = platform.open_download(token)
    if task is None:
        return _one_byte(platform, _TOKEN_INVALID)
    return package_reply(platform, task, request)


def _one_byte(platform: LocalPlatform, code: int) -> tuple[HttpReply, str]:
    body = bytes([code]) if platform.binary_errors else str(code).encode()
    headers = [("Content-Type", PACKAGE_TYPE)]
    return HttpReply(200, headers, body, declare_length=False), f"one-byte error {code}"


# -- the log -------------------------------------------------------------------------------------


def _line(request: HttpRequest, call: str | None, shown: str, reply: HttpReply, note: str) -> str:
    name = call if call in (*CALLS, "page") else f"{request.method} (unknown address)"
    version = f" {request.query['version']}" if call == "check" and "version" in request.query else ""
    line = f"{name} {shown}{version}: {reply.status} {note}"
    return "".join(char if char.isprintable() else "?" for char in line)[:300]
