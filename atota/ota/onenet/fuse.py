"""OneNET's FUSE OTA API (``iot-api.heclouds.com``), which the current console speaks.

Sources: OneNET's pages fuse/1447-1449, 1454, 1464 and 1504; recorded exchanges of 2026; the console's common
list of codes. A business error comes with HTTP 200.
"""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from atota.errors import StepResult
from atota.ota.http import HttpClient
from atota.ota.onenet.answers import Numbers
from atota.ota.onenet.errnos import Endpoint, Meaning, no_task, unknown
from atota.ota.onenet.paths import PathPlatform, path_capabilities
from atota.ota.onenet.signer import TEN_YEARS_S, VERSION_2022, auth_of
from atota.ota.onenet.wire import Envelope, read_json
from atota.ota.registry import Access

_AUTH = 10403
_IDENTITY = "Check --product-id and --device-name against the console."

# code -> (sentence, result, hint)
_CODES: dict[int, tuple[str, StepResult, str]] = {
    0: ("all is well", StepResult.OK, "Go on."),
    20: (
        "the task is finished",
        StepResult.OVER,
        "Nothing to do; `atota check` shows whether another task waits.",
    ),
    500: ("the platform has an error", StepResult.LATER, "Run the command again in a minute."),
    10001: (
        "a parameter of the request is wrong",
        StepResult.REFUSED,
        "Check the options; `atota check --dry-run` shows the request.",
    ),
    10406: ("the device exists already", StepResult.REFUSED, _IDENTITY),
    10407: (
        "the platform does not allow this request",
        StepResult.REFUSED,
        "Check in the console that the key may be used for OTA.",
    ),
    10408: ("the platform does not know the product", StepResult.REFUSED, _IDENTITY),
    10409: ("the platform refuses the request for this product or device", StepResult.REFUSED, _IDENTITY),
    10410: ("the platform does not know the device", StepResult.REFUSED, _IDENTITY),
    10411: ("the device did not answer the platform", StepResult.LATER, "Run the command again in a minute."),
    10417: (
        "the product's model does not have the item",
        StepResult.REFUSED,
        "Check the product's model in the console.",
    ),
    10421: (
        "the platform counts the device as offline",
        StepResult.REFUSED,
        "Bring the device online, or ask the operator for a task that does not need it.",
    ),
    10500: ("the platform has an internal error", StepResult.LATER, "Run the command again in a minute."),
}

_AT_TARGET = 12013
# Answers that mean: not there. 11 and 1178 are known from other clients only.
_NOT_THERE = (11, 1178, 12012)


class _Envelope(msgspec.Struct, frozen=True):
    code: int
    msg: str | None = None
    data: Any = None


def open_fuse(access: Access) -> PathPlatform:
    """Open the API; its row in `atota.ota.registry`.

    Raises:
        UsageError: the server, the key or its owner is missing or wrong, or the validity is too long.
    """
    return PathPlatform(
        HttpClient.of(access, auth_of(access, version=VERSION_2022, longest_s=TEN_YEARS_S)),
        Numbers(_decode, _meaning, "code"),
        prefix="/fuse-ota",
        capabilities=path_capabilities("fuse", access),
        warn=access.warn,
    )


def _decode(body: bytes) -> Envelope:
    raw = read_json(body, _Envelope)
    return Envelope(raw.code, raw.msg, raw.data)


def _meaning(envelope: Envelope, endpoint: Endpoint) -> Meaning:
    code, text = envelope.errno, (envelope.error or "").lower()
    if code == _AUTH:
        return _auth_meaning(text)
    if code in _NOT_THERE:
        return no_task(code, endpoint)
    if code == _AT_TARGET:
        result = StepResult.NO_TASK if endpoint is Endpoint.CHECK else StepResult.OVER
        return Meaning(code, "the device runs its task's version already", result, "Nothing to do.")
    row = _CODES.get(code)
    if row is not None:
        return Meaning(code, *row, is_auth=code == 10410)
    if "invalid state" in text:  # the page names the words, and no number
        return Meaning(
            code,
            "the step is not allowed in the task's present state",
            StepResult.MOVED_ON,
            "Look at the task's state in the console.",
        )
    return unknown(code)


def _auth_meaning(text: str) -> Meaning:
    """Return the meaning of a refused authorization, which only its text tells apart."""
    expired = re.search(r"expire=(\d{1,12}),\s*now=(\d{1,12})", text)
    if expired is not None:
        end, now = int(expired[1]), int(expired[2])
        sentence = f"the authorization ended at {_when(end)}, and the server's clock says {_when(now)}"
        hint = "Set this computer's clock, or give a larger --auth-ttl."
    elif "too long" in text:
        sentence = "the authorization would be valid for longer than the platform accepts, ten years"
        hint = "Give a smaller --auth-ttl, or a header in ATOTA_AUTHORIZATION that ends sooner."
    else:
        sentence = "the authorization is not accepted: the key is wrong, cut, or of another level"
        hint = (
            "Copy the key from the console anew. Give --key-level device for a device's key, product for a "
            "product's, user with --user-id for an account's."
        )
    return Meaning(_AUTH, sentence, StepResult.REFUSED, hint, is_auth=True)


def _when(seconds: int) -> str:
    """Return seconds since the epoch as people read them."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s"
