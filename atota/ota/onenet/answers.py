"""From an HTTP answer to a result or an error with a sentence. Knows no HTTP library."""

import re
from http import HTTPStatus
from typing import NoReturn

from atota.errors import AtotaError, BadAnswer, PlatformRefused, ServerError, UsageError
from atota.ota.onenet.errnos import Action, Endpoint, meaning
from atota.ota.onenet.wire import Envelope, decode_envelope, first_words, looks_like_html
from atota.ota.secrets import scrub

MAX_ANSWER = 64 * 1024  # ours: a task is under 1 KiB; anything larger is not the platform
MAX_RETRY_AFTER_S = 60.0  # ours: longer than this, a bench engineer would rather be told


def base_url(server: str) -> str:
    """The scheme and host of a server as the user named it; https where no scheme was given.

    Raises:
        UsageError: it is no http or https address of a host.
    """
    text = server.strip()
    if "://" not in text:
        text = "https://" + text
    found = re.fullmatch(
        r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)(?::([0-9]{1,5}))?/?", text, re.IGNORECASE
    )
    port = found.group(3) if found else None
    if found is None or (port is not None and not 1 <= int(port) <= 65535):
        raise UsageError(
            "the server is not an address: a host name, with http:// or a port where needed",
            hint="Example: --server ota.heclouds.com, or --server http://127.0.0.1:8080",
        )
    return f"{found.group(1).lower()}://{found.group(2).lower()}" + (f":{port}" if port else "")


def may_retry(status: int) -> bool:
    """Whether an HTTP status is the server's passing trouble."""
    return status == 429 or status >= 500


def retry_after(text: str | None) -> float | None:
    """The seconds a server asks us to wait, within reason; its date form counts as not given."""
    if text and re.fullmatch(r"[0-9]{1,6}", text.strip()):
        return min(float(text.strip()), MAX_RETRY_AFTER_S)
    return None


def content_length(text: str | None) -> int | None:
    """A ``Content-Length``, or None if it is missing or no number."""
    return int(text.strip()) if text and re.fullmatch(r"[0-9]{1,18}", text.strip()) else None


def is_text(content_type: str | None) -> bool:
    """Whether a ``Content-Type`` is one of web pages and JSON, which packages seldom have."""
    return (content_type or "").lower().startswith(("text/html", "application/json"))


def refuse_text(head: bytes) -> None:
    """Raise if a download is plainly no package: a web page, or the platform's own JSON.

    Raises:
        BadAnswer: it is a web page.
        PlatformRefused: it is an envelope with an errno.
    """
    if looks_like_html(head):
        raise BadAnswer(f"a web page came instead of the package: {first_words(head)}")
    if not head.lstrip().startswith(b'{"'):
        return
    try:
        envelope = decode_envelope(head[:MAX_ANSWER])
    except BadAnswer:
        return
    if envelope.errno != 0:
        refuse(envelope, Endpoint.DOWNLOAD)


def read_answer(status: int, body: bytes, endpoint: Endpoint) -> Envelope:
    """The envelope of an answer; an errno counts more than the HTTP status it came with.

    Raises:
        ServerError: the status is an error and there is no errno; `BadAnswer` where it is no platform.
    """
    if 200 <= status < 300:
        return decode_envelope(body)
    try:
        envelope = decode_envelope(body)
    except BadAnswer:
        envelope = None
    if envelope is not None and envelope.errno != 0:
        return envelope
    raise http_error(status, body, endpoint)


def http_error(status: int, body: bytes, endpoint: Endpoint) -> ServerError:
    """The error for an HTTP status, with a sentence of its own."""
    said = f" ({first_words(body)})" if body.strip() else ""
    what = f"HTTP {status} {_phrase(status)} to the {endpoint.value}"
    if status == 401:
        return PlatformRefused(
            f"the server does not accept our authorization: {what}{said}",
            errno=status,
            hint="Check the access key, --product-id, --device-name and this computer's clock.",
        )
    if status == 403:
        return PlatformRefused(
            f"the server forbids this request: {what}{said}",
            errno=status,
            hint="Check that the key belongs to this product, and that no proxy stands in between.",
        )
    if status == 404:
        return BadAnswer(
            f"the server has no such call: {what}{said}", hint="Check --server: this is no OTA platform."
        )
    if status == 429:
        return ServerError(
            f"the server says that we ask too often: {what}", hint="Wait a minute and try again."
        )
    if status >= 500:
        return ServerError(f"the server is in trouble: {what}{said}")
    if 300 <= status < 400:
        return BadAnswer(
            f"the server sends us elsewhere: {what}; a login page or a proxy may stand in between"
        )
    return BadAnswer(f"the server does not take the request: {what}{said}")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def refuse(envelope: Envelope, endpoint: Endpoint, *, extra_hint: str = "") -> NoReturn:
    """Raise what an errno means.

    Raises:
        PlatformRefused: always.
    """
    known = meaning(envelope.errno, endpoint)
    said = " ".join((envelope.error or "").split())
    said = f", {said[:80]!r}" if said and said.isprintable() else ""
    raise PlatformRefused(
        f"the platform refused the {endpoint.value}: {known.sentence} (errno {envelope.errno}{said})",
        errno=envelope.errno,
        hint=f"{known.hint} {extra_hint}".strip(),
    )


def action_of(error: AtotaError, endpoint: Endpoint) -> Action | None:
    """What an error's errno asks for; None if it is no errno."""
    return meaning(error.errno, endpoint).action if isinstance(error, PlatformRefused) else None


def cleaned(error: AtotaError, secrets: tuple[str, ...]) -> AtotaError:
    """The same error, its texts without secrets."""
    error.message = scrub(error.message, secrets)
    error.hint = scrub(error.hint, secrets)
    error.tried = tuple(scrub(item, secrets) for item in error.tried)
    error.args = (error.message,)
    return error
