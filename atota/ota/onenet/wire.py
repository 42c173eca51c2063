"""The values of OneNET's generic API on the wire: the check request, the envelope, the task.

Requests are checked before anything is sent, because a wrong one does harm: a check with wrong
vendor or model codes makes the platform fail the task (platform page, errno 8 and 9). Answers
are read tolerantly: unknown keys are ignored, optional ones may be missing, numbers may be quoted.
"""

import ipaddress
import re
from typing import Annotated, Any, TypeVar

import msgspec

from atota.errors import BadAnswer, UsageError
from atota.files import prepared
from atota.ota.base import CheckQuery, Kind, Task
from atota.ota.replies import first_words, looks_like_html
from atota.values import MAX_VERSION, version_problem

TYPE_NUMBERS: dict[str, int] = {"fota": 1, "sota": 2}  # platform page: 1 is FOTA, 2 is SOTA
KINDS: dict[int, Kind] = {1: "full", 2: "delta"}  # platform page, data.type
MAX_SIGNAL = 31  # 3GPP 27.007 +CSQ; the platform's page names no unit
_TOKEN = re.compile(r"[A-Za-z0-9_\-.~]{1,256}")  # documented tokens: ota_ and 20 letters or digits
_T = TypeVar("_T")
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


def checked_dev_id(dev_id: str) -> str:
    """A device id: digits only, given by the platform.

    Raises:
        UsageError: it is anything else.
    """
    text = dev_id.strip()
    if not re.fullmatch(r"[0-9]{1,20}", text):
        raise UsageError(
            f"{dev_id!r} is not a device id: digits only",
            hint="The console shows the device id; it is not the IMEI and not the device's name.",
        )
    return text


def checked_token(token: str) -> str:
    """A download token that may stand in a URL.

    Raises:
        UsageError: it may not; the text does not show it.
    """
    if not _is_token(token):
        raise UsageError("that is not a download token", hint="Run `atota check` to get the task again.")
    return token


def _is_token(token: str) -> bool:
    return _TOKEN.fullmatch(token) is not None and token.strip(".") != ""


def _code(text: str | None, digits: int, what: str) -> None:
    if text is None or not re.fullmatch(rf"[0-9]{{{digits}}}", text):
        raise UsageError(
            f"{text!r} is not a {what} code: {digits} digits, leading zeros kept",
            hint="`atota modules` lists the codes.",
        )


def _within(value: int | None, highest: int, what: str) -> None:
    if value is not None and not 0 <= value <= highest:
        raise UsageError(f"{value} is not a {what}: 0 to {highest}")


def check_params(query: CheckQuery) -> dict[str, str]:
    """Return the query string of a check, in the order of the platform's page.

    Raises:
        UsageError: a value is one that the platform would refuse, or punish the task for.
    """
    _code(query.manuf, 3, "vendor")
    _code(query.model, 5, "model")
    _within(query.signals, MAX_SIGNAL, "signal strength")
    _within(query.powers, 100, "battery percentage")
    values = {
        "dev_id": checked_dev_id(query.dev_id),
        "manuf": query.manuf or "",
        "model": query.model or "",
        "type": str(checked_type(query.type)),
        "version": checked_version(query.version),
    }
    if query.signals is not None:
        values["signals"] = str(query.signals)
    if query.powers is not None:
        values["powers"] = str(query.powers)
    values["cdn"] = "true" if query.cdn else "false"
    return values


def checked_type(task_type: str) -> int:
    """The platform's number of a task type.

    Raises:
        UsageError: the type is unknown.
    """
    if task_type not in TYPE_NUMBERS:
        raise UsageError(f"{task_type!r} is not a task type: fota or sota")
    return TYPE_NUMBERS[task_type]


def checked_version(version: str) -> str:
    """A version the platform takes.

    Raises:
        UsageError: it would answer errno 27.
    """
    problem = version_problem(version)
    if problem:
        raise UsageError(f"the platform does not take the version {version!r}: {problem}")
    return version


class Envelope(msgspec.Struct, frozen=True):
    """The platform's answer, its ``data`` not read yet."""

    errno: int
    error: str | None = None
    data: Any = None


class _WireTask(msgspec.Struct, rename={"ip_port": "ipPort"}):
    target: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    token: str
    size: Count
    md5: str
    signal: int | None = None
    power: int | None = None
    retry: Count | None = None
    interval: Count | None = None
    type: int | None = None
    ip_port: str | None = None


def decode_envelope(body: bytes) -> Envelope:
    """Read an answer; see `read_json`."""
    return read_json(body, Envelope)


def read_json(body: bytes, kind: type[_T]) -> _T:
    """Read an answer of the kind that an API has.

    Raises:
        BadAnswer: it is not JSON, or not an envelope; the text shows the first words.
    """
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    problem = _wrapped(body)
    if problem is not None:
        raise problem
    try:
        return msgspec.json.decode(body, type=prepared(kind), strict=False)
    except UnicodeDecodeError:
        problem_text = "it is not UTF-8"
    except (msgspec.MsgspecError, RecursionError) as error:
        problem_text = str(error)
    raise BadAnswer(f"the answer does not match the documentation ({problem_text}): {first_words(body)}")


def _wrapped(body: bytes) -> BadAnswer | None:
    """Return the error for an answer that is not a JSON object at all; None if it may be one."""
    if not body:
        return BadAnswer("the answer is empty")
    if looks_like_html(body):
        return BadAnswer(f"a web page came instead of JSON: {first_words(body)}")
    if not body.startswith(b"{"):
        return BadAnswer(f"the answer is not a JSON object: {first_words(body)}")
    return None


def read_data(data: Any, kind: type[_T], what: str) -> _T:
    """Read the ``data`` of an envelope.

    Raises:
        BadAnswer: it is missing, or does not match the documentation.
    """
    if data is None:
        raise BadAnswer(f"the platform reports success, but the {what} is missing")
    try:
        return msgspec.convert(data, prepared(kind), strict=False)
    except (msgspec.MsgspecError, RecursionError) as error:
        problem = str(error)
    raise BadAnswer(f"the {what} does not match the documentation: {problem}")


def decode_task(data: Any, *, cdn: bool = False) -> Task:
    """Read the ``data`` of a check or tasking answer.

    Args:
        data: the ``data`` of the envelope.
        cdn: the query asked for the address; if not, one that came anyway is ignored.

    Raises:
        BadAnswer: it is missing, or does not match the documentation.
    """
    raw = read_data(data, _WireTask, "task")
    md5 = task_md5(raw.md5)
    if not _is_token(raw.token):
        raise BadAnswer("the task's token has characters that cannot stand in its URL, or is empty")
    target = raw.target.strip()
    if not target.isprintable():
        raise BadAnswer("the task's target version holds control characters")
    if len(target) > MAX_VERSION:  # it could never be reported; its characters may be free text
        raise unreportable(target)
    kind = task_kind(raw.type)
    address = (raw.ip_port or "").strip() if cdn else ""
    if address:
        parse_ip_port(address)
    return Task(
        target=target,
        token=raw.token,
        size=raw.size,
        md5=md5,
        signal=raw.signal or 0,
        power=raw.power or 0,
        retry=raw.retry or 0,
        interval=raw.interval or 0,
        kind=kind,
        ip_port=address or None,
    )


def unreportable(target: str) -> BadAnswer:
    """Return the error for a task's target that no device could report."""
    return BadAnswer(
        f"the task's target version {target[:40]!r} is not one that the platform accepts: "
        f"{version_problem(target)}",
        hint="Have the operator create the task again, with a version that can be reported.",
    )


def task_md5(text: str) -> str:
    """Read the MD5 of a task, in any case.

    Raises:
        BadAnswer: it is not one.
    """
    md5 = text.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{32}", md5):
        raise BadAnswer(f"the task's MD5 is {text[:40]!r}, not 32 hex digits")
    return md5


def task_kind(number: int | None) -> Kind:
    """Read the kind of a task's package; a task that does not name it has a full one.

    Raises:
        BadAnswer: the number is not documented.
    """
    kind = KINDS.get(1 if number is None else number)
    if kind is None:
        raise BadAnswer(f"the task's package type is {number}; documented are 1 (full) and 2 (delta)")
    return kind


def parse_ip_port(text: str) -> tuple[str, int | None]:
    """An ``ip`` or ``ip:port`` of the platform; the port may be missing.

    Raises:
        BadAnswer: it is anything else (the platform documents IPv4 only).
    """
    match = re.fullmatch(r"([0-9.]{7,15})(?::([0-9]{1,5}))?", text)
    if match is not None and _is_ipv4(match.group(1)):
        port = int(match.group(2)) if match.group(2) else None
        if port is None or 1 <= port <= 65535:
            return match.group(1), port
    raise BadAnswer(
        f"the platform's download address {text[:40]!r} is not an IP address with an optional port"
    )


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
