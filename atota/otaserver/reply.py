"""A request and its reply as plain values: HTTP as the service sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

JSON_TYPE = "application/json;charset=UTF-8"  # as recorded from the platform's newer generation


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request. Header names are lower-case; ``local`` is ``ip:port`` where it came in."""

    method: str
    path: str = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    local: str | None = None


@dataclass(slots=True)
class HttpReply:
    """One HTTP reply, and how it is to be delivered.

    Attributes:
        declare_length: send ``Content-Length``.
        cut_at: break the connection after so many bytes of the body.
        bytes_per_s: hold the body to this rate.
        endless: repeat the body until the other side has had enough.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes = field(repr=False)
    declare_length: bool = True
    cut_at: int | None = None
    bytes_per_s: float | None = None
    endless: bool = False


def json_reply(value: object, status: int = 200) -> HttpReply:
    """A JSON reply with the keys in the order given."""
    return HttpReply(status, [("Content-Type", JSON_TYPE)], msgspec.json.encode(value))


def text_reply(status: int, text: str, content_type: str = "text/plain;charset=UTF-8") -> HttpReply:
    """A reply for people."""
    return HttpReply(status, [("Content-Type", content_type)], text.encode())
