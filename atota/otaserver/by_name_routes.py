"""STUDIO (`/ota/{product}/{name}/…`) and FUSE (`/fuse-ota/{product}/{name}/…`): from a request to a reply.

Business errors come with HTTP 200, also a failed authentication (`Knobs.auth_status`). A refused download
says why in the header ``Ota-Errno``. JSON has no spaces, and its keys stand in the recorded order:

    {"code":12012,"msg":"not exist","request_id":"…"}       FUSE
    {"errno":10,"error":"not exist"}                        STUDIO
"""

import re
from typing import NamedTuple

import msgspec

from atota.otaserver import by_name
from atota.otaserver.by_name import Answer, Calls, Reason
from atota.otaserver.downloads import PACKAGE_TYPE, RangeStyle, package_reply
from atota.otaserver.model import TaskType
from atota.otaserver.reply import JSON_TYPE, HttpReply, HttpRequest
from atota.otaserver.service import DeviceState, LocalPlatform
from atota.otaserver.striking import decoded, enveloped, struck_task, wire_fault
from atota.otaserver.tasks import Api

_ADDRESS = re.compile(
    r"/(?P<api>fuse-ota|ota)/(?P<product>[^/]+)/(?P<name>[^/]+)/"
    r"(?:(?P<tid>[0-9]{1,19})/)?(?P<word>version|check|download|status)"
)
_CALLS = {
    ("version", False): ("POST", "version"),
    ("check", False): ("GET", "check"),
    ("check", True): ("GET", "token"),
    ("download", True): ("GET", "download"),
    ("status", True): ("POST", "progress"),
}
_TYPES: dict[str, TaskType] = {"1": "fota", "2": "sota"}
# Of recorded FUSE replies, beside Date and Content-Length. No STUDIO reply is recorded, and its official
# client (cm-heclouds/OneNET_AIO_c, http_api.c) has room for ten headers.
_FUSE_HEADERS = (
    ("Connection", "keep-alive"),
    ("Access-Control-Allow-Headers", "*"),
    ("Access-Control-Allow-Origin", "*"),
    ("Server", "nginx"),
    ("Pragma", "no-cache"),
)


class _Versions(msgspec.Struct):
    f_version: str | None = None
    s_version: str | None = None


class _Step(msgspec.Struct):
    step: int


class Address(NamedTuple):
    """A request's address: the API, the device, the call, and the number of the task if it names one."""

    api: Api
    product_id: str
    name: str
    call: str
    tid: int


def find(method: str, path: str) -> Address | str | None:
    """Return the address of a path, or None if it belongs to another API; a text names what is wrong with it.

    Doubled slashes and one at the end are taken: a STUDIO page prints the one, an official client sends the
    other.
    """
    match = _ADDRESS.fullmatch(re.sub("//+", "/", path).rstrip("/"))
    if match is None:
        return None
    api: Api = "fuse" if match["api"] == "fuse-ota" else "studio"
    word, tid = match["word"], match["tid"]
    if word == "version" and method == "GET" and tid is None:
        return Address(api, match["product"], match["name"], "read-version", 0)
    if (word, tid is not None) not in _CALLS:
        return None
    usual, call = _CALLS[word, tid is not None]
    if method != usual:
        return "no such method here"
    return Address(api, match["product"], match["name"], call, int(tid or 0))


def answer(platform: LocalPlatform, address: Address, request: HttpRequest) -> tuple[HttpReply, str]:
    """Answer one request, with a note for the log."""
    calls = Calls(platform, address.api)
    fault = wire_fault(platform, address.call, lambda code: _error_envelope(calls, code))
    if fault is not None:
        return fault, "by fault"
    check = calls.authorise(request, address.product_id, address.name, query=address.call == "download")
    device = platform.find_device(address.product_id, address.name) if check.ok else None
    if address.call == "download":
        reply, note = _download(calls, device, address, request, authorised=check.ok)
    else:
        result = _result(calls, device, address, request) if check.ok else calls.refusal(check)
        reply = _enveloped(calls, address.call, result)
        note = f"{calls.number(result.reason)[1]}{f', task {result.task.state}' if result.task else ''}"
    if address.api == "fuse":
        reply.headers += _FUSE_HEADERS
    return reply, f"{note}: {check.reason}" if check.reason else note


def _result(calls: Calls, device: DeviceState | None, address: Address, request: HttpRequest) -> Answer:
    if device is None:
        known = calls.platform.config.ring(address.product_id) is not None
        return Answer(Reason.NO_DEVICE if known else Reason.NO_PRODUCT)
    if request.method == "POST" and "application/json" not in request.headers.get("content-type", ""):
        calls.platform.complaints.append(f"the {address.call} call has no Content-Type: application/json")
    if address.call == "version":
        versions = decoded(request.body, _Versions) or _Versions()
        return calls.report_versions(device, versions.f_version, versions.s_version)
    if address.call == "read-version":
        return calls.read_versions(device)
    if address.call == "check":
        type_, version = _TYPES.get(request.query.get("type", "")), request.query.get("version")
        if type_ is None or version is None:
            return Answer(Reason.PARAMETER)
        return calls.check(device, type_, version)
    if address.call == "token":
        return calls.status(device, address.tid)
    step = decoded(request.body, _Step)
    return Answer(Reason.PARAMETER) if step is None else calls.step(device, address.tid, step.step)


def _enveloped(calls: Calls, call: str, result: Answer) -> HttpReply:
    code, text = calls.number(result.reason)
    data = result.data
    if data is not None and call == "check":
        data = dict(struck_task(calls.platform, data))
    envelope = _envelope(calls, code, result.text or text, data)
    reply = enveloped(calls.platform, call, envelope)
    if result.reason is Reason.AUTH:
        reply.status = calls.platform.config.knobs.auth_status
    return reply


def _envelope(calls: Calls, code: int, text: str, data: object = None) -> dict[str, object]:
    names = ("code", "msg") if calls.api == "fuse" else ("errno", "error")
    envelope: dict[str, object] = dict(zip(names, (code, text), strict=True))
    if data is not None:
        envelope["data"] = data
    if calls.api == "fuse":
        envelope["request_id"] = calls.platform.new_request_id()
    return envelope


def _error_envelope(calls: Calls, code: int) -> dict[str, object]:
    texts = dict(calls.number(reason) for reason in Reason if reason is not Reason.DONE)
    return _envelope(calls, code, texts.get(code, "unknown error"))


def _download(
    calls: Calls, device: DeviceState | None, address: Address, request: HttpRequest, *, authorised: bool
) -> tuple[HttpReply, str]:
    platform = calls.platform
    fault = platform.faults.take("ota-errno", "download")
    task = None
    if fault is not None:
        errno = fault.number
    elif not authorised:
        errno = by_name.AUTH_FAILED
    elif device is None:
        errno = by_name.NO_DEVICE
    else:
        task, errno = calls.open_download(device, address.tid)
    if task is None:
        reply, note = _refused_download(calls, errno), f"Ota-Errno {errno}"
    else:
        reply, note = package_reply(platform, task, request, api=calls.api, style=_style(calls))
    if not platform.faults.take("no-ota-errno", "download"):
        reply.headers.append(("Ota-Errno", str(errno)))
    return reply, note


def _style(calls: Calls) -> RangeStyle:
    style = calls.platform.config.knobs.content_range
    if style == "own":
        return "header" if calls.api == "fuse" else "pair"
    return style


def _refused_download(calls: Calls, errno: int) -> HttpReply:
    """The refusal of a download; no source says what its body holds."""
    if calls.platform.config.knobs.error_body == "empty":
        return HttpReply(200, [("Content-Type", PACKAGE_TYPE)], b"")
    reason = {
        by_name.NO_DEVICE: Reason.NO_DEVICE,
        by_name.EXPIRED: Reason.FINISHED,
        by_name.AUTH_FAILED: Reason.AUTH,
    }.get(errno, Reason.NO_TASK)
    body = msgspec.json.encode(_envelope(calls, *calls.number(reason)))
    return HttpReply(200, [("Content-Type", JSON_TYPE)], body)
