"""HTTP replies as values, and the sentences of their failures. Knows no HTTP library and no API."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from atota.errors import AtotaError, BadAnswer, PlatformRefused, ServerError
from atota.ota.base import ContentRange
from atota.ota.secrets import scrub
from atota.ota.translate import PROXY_HINT

MAX_ANSWER = 64 * 1024  # ours: a task is under 1 KiB; anything larger is not the platform
MAX_RETRY_AFTER_S = 60.0  # ours: longer than this, an engineer at a bench prefers the error
_FIRST_WORDS = 60


@dataclass(frozen=True)
class Reply:
    """A whole reply to one call.

    ``date`` is the server's ``Date``, ``authorization`` the header that the request had.
    """

    status: int
    body: bytes
    date: str | None
    authorization: str


@dataclass(frozen=True)
class Stream:
    """A reply whose body is still on the wire.

    Attributes:
        status: the HTTP status.
        headers: the headers; names in any case.
        read: reads the whole body, if it is small.
        chunks: the body as it arrives.
    """

    status: int
    headers: Mapping[str, str]
    read: Callable[[], bytes]
    chunks: Iterator[bytes]


def may_retry(status: int) -> bool:
    """True if an HTTP status is the server's passing trouble."""
    return status == 429 or status >= 500


def retry_after(text: str | None) -> float | None:
    """The value of ``Retry-After`` in seconds, limited; its date form counts as missing."""
    if text and re.fullmatch(r"[0-9]{1,6}", text.strip()):
        return min(float(text.strip()), MAX_RETRY_AFTER_S)
    return None


def content_length(text: str | None) -> int | None:
    """The value of ``Content-Length``, or None if it is missing or not a number."""
    return int(text.strip()) if text and re.fullmatch(r"[0-9]{1,18}", text.strip()) else None


def parse_content_range(text: str | None) -> ContentRange | None:
    """Read a ``Content-Range``, with or without the word ``bytes``; None if it makes no sense."""
    match = re.fullmatch(
        r"\s*(?:bytes)?[\s=:]*([0-9]{1,18})\s*-\s*([0-9]{1,18})\s*/\s*([0-9]{1,18}|\*)\s*",
        text or "",
        re.IGNORECASE,
    )
    if match is None:
        return None
    first, last = int(match.group(1)), int(match.group(2))
    total = None if match.group(3) == "*" else int(match.group(3))
    if first > last or (total is not None and last >= total):
        return None
    return ContentRange(first, last, total)


def unsatisfied_total(text: str | None) -> int | None:
    """The size in a ``Content-Range: bytes */SIZE``, with which HTTP refuses a range (RFC 9110, 14.4)."""
    match = re.fullmatch(r"\s*bytes\s+\*/([0-9]{1,18})\s*", text or "", re.IGNORECASE)
    return int(match[1]) if match else None


def is_text(content_type: str | None) -> bool:
    """True if a ``Content-Type`` is one of web pages and JSON, which packages seldom have."""
    return (content_type or "").lower().startswith(("text/html", "application/json"))


def looks_like_html(body: bytes) -> bool:
    """True if ``body`` begins like a web page."""
    return re.match(rb"\s*<(?:!doctype|html|head|body|\?xml|!--)", body[:200], re.IGNORECASE) is not None


def first_words(body: bytes) -> str:
    """The beginning of ``body`` as one printable line; of a web page, its title or text."""
    text = body[:4000].decode("utf-8", "replace")
    if looks_like_html(body):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        text = title.group(1) if title else re.sub(r"<[^>]*>", " ", text)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return repr(text if len(text) <= _FIRST_WORDS else text[:_FIRST_WORDS] + "…")


def http_error(status: int, body: bytes, call: str) -> ServerError:
    """Make the error for an HTTP status.

    Args:
        status: the status, not one of success.
        body: its body; the error quotes the first words.
        call: the call that failed, for people.
    """
    words = f" ({first_words(body)})" if body.strip() else ""
    what = f"HTTP {status} {_phrase(status)} to the {call}"
    if status == 401:
        return PlatformRefused(
            f"the server does not accept our authorization: {what}{words}",
            errno=status,
            hint="Check the access key, --product-id, --device-name and this computer's clock.",
        )
    if status == 403:
        return PlatformRefused(
            f"the server forbids this request: {what}{words}",
            errno=status,
            hint="Check that the key belongs to this product, and that no proxy stands in between.",
        )
    if status == 407:
        return ServerError(
            f"a proxy between here and the server wants a user name and a password: {what}{words}",
            hint=PROXY_HINT,
        )
    if status == 404:
        return BadAnswer(
            f"the server does not have this call: {what}{words}",
            hint="Check --server and --api: this server does not speak the API.",
        )
    if status == 429:
        return ServerError(
            f"the server gets too many requests from us: {what}", hint="Wait a minute and try again."
        )
    if status >= 500:
        return ServerError(f"the server is in trouble: {what}{words}")
    if 300 <= status < 400:
        return BadAnswer(
            f"the server redirects the request: {what}; a login page or a proxy may stand in between"
        )
    return BadAnswer(f"the server does not accept the request: {what}{words}")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def cleaned(error: AtotaError, secrets: tuple[str, ...]) -> AtotaError:
    """Return the same error, its texts without secrets."""
    error.message = scrub(error.message, secrets)
    error.hint = scrub(error.hint, secrets)
    error.tried = tuple(scrub(item, secrets) for item in error.tried)
    error.args = (error.message,)
    return error


def redirected(url: str, location: str) -> str:
    """Return the target of a redirect; never from https to http.

    Raises:
        BadAnswer: the target is not an address, or one without TLS.
    """
    try:
        target = urljoin(url, location)
        origin(target)
    except ValueError:
        target = ""
    scheme = urlsplit(target).scheme if target else ""
    if not target or scheme not in ("http", "https"):
        raise BadAnswer("the server redirects the download to an invalid address")
    if scheme == "http" and not url.startswith("http:"):
        raise BadAnswer("the server redirects the download to an address without TLS; refused")
    return target


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of an address."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
