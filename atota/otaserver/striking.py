"""The faults that strike replies in any API: HTTP errors, portals, wrong envelopes and task data."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from atota.otaserver.reply import HttpReply, json_reply, text_reply
from atota.otaserver.service import LocalPlatform

Data = Mapping[str, str | int | None]
_T = TypeVar("_T")

_PORTAL = "<!DOCTYPE html><html><head><title>Login</title></head><body>Please sign in.</body></html>"
_PORTAL_ADDRESS = "http://portal.invalid/login"
_UNKNOWN_CODE = 99
_LONG_TARGET = 21  # one more than a version may have


def wire_fault(
    platform: LocalPlatform, call: str, envelope: Callable[[int], Mapping[str, object]]
) -> HttpReply | None:
    """Return the reply that a fault puts in the place of the platform's own, or None.

    ``envelope`` makes the body of an error number, in the words of the API.
    """
    take = platform.faults.take
    for status in (500, 401, 404, 407):
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
        return json_reply(envelope(fault.number))
    if take("unknown-errno", call):
        return json_reply(envelope(_UNKNOWN_CODE))
    return None


def enveloped(platform: LocalPlatform, call: str, envelope: dict[str, object]) -> HttpReply:
    """Return an envelope as a reply, after the faults that strike envelopes."""
    take = platform.faults.take
    if envelope.get("data") is not None and take("no-data", call):
        del envelope["data"]
    if envelope.get("data") is not None and take("null-data", call):
        envelope["data"] = None
    if take("quoted-code", call):
        code = "code" if "code" in envelope else "errno"
        envelope[code] = str(envelope[code])
    if take("shuffled-keys", call):
        envelope = dict(reversed(envelope.items()))
    return json_reply(envelope)


def struck_task(platform: LocalPlatform, data: Data, call: str = "check") -> Data:
    """Return the data of a task after the faults that strike them."""
    take = platform.faults.take
    struck = dict(data)
    md5 = str(data["md5"])
    if take("upper-md5", call):
        struck["md5"] = md5.upper()
    if take("wrong-md5", call):
        struck["md5"] = md5[1:] + ("0" if md5[0] != "0" else "1")
    if take("wrong-size", call):
        struck["size"] = int(struck["size"] or 0) + 1
    if take("long-target", call):
        struck["target"] = str(data["target"]).ljust(_LONG_TARGET, "x")
    if take("delta-type", call):
        struck["type"] = 2
    if take("quoted-numbers", call):
        struck = {name: str(value) for name, value in struck.items()}
    return dict(reversed(struck.items())) if take("shuffled-keys", call) else struck


def decoded(body: bytes, type_: type[_T]) -> _T | None:
    """Return a JSON body as ``type_``, or None if it is not one. White space may follow it."""
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
