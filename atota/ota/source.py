"""What the downloader needs of a platform: the small protocol between `download` and `client`."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from atota.ota.onenet.wire import Task


@dataclass(frozen=True)
class ContentRange:
    """The place of a part in the whole: first and last byte (inclusive); ``total`` None if not told."""

    first: int
    last: int
    total: int | None


@dataclass(frozen=True)
class Part:
    """An open answer to a download request.

    Attributes:
        partial: whether the server says that this is a part (HTTP 206).
        place: what ``Content-Range`` said; None if it was missing or unreadable.
        length: what ``Content-Length`` said; None if it was missing.
        chunks: the body as it arrives; raises `ServerUnreachable` if it is cut.
    """

    partial: bool
    place: ContentRange | None
    length: int | None
    chunks: Iterator[bytes]


class PackageSource(Protocol):
    """Where packages come from; every generation of the platform can be one."""

    def check_token(self, dev_id: str, token: str) -> None:
        """Ask whether the token is good; the platform then counts the task as downloading.

        Raises:
            PlatformRefused: it is not.
        """
        ...

    def open_package(
        self, task: Task, first: int = 0, *, bare_range: bool = False
    ) -> AbstractContextManager[Part]:
        """Open the package from byte ``first`` to its end; 0 asks for the whole, without a range.

        Args:
            task: whose package.
            first: the first byte wanted.
            bare_range: write ``Range: 5-`` instead of ``Range: bytes=5-``; the platform documents both.
        """
        ...


def parse_content_range(text: str | None) -> ContentRange | None:
    """Read a ``Content-Range``, with or without the word ``bytes``; None if it makes no sense."""
    found = re.fullmatch(
        r"\s*(?:bytes)?[\s=:]*([0-9]{1,18})\s*-\s*([0-9]{1,18})\s*/\s*([0-9]{1,18}|\*)\s*",
        text or "",
        re.IGNORECASE,
    )
    if found is None:
        return None
    first, last = int(found.group(1)), int(found.group(2))
    total = None if found.group(3) == "*" else int(found.group(3))
    if first > last or (total is not None and last >= total):
        return None
    return ContentRange(first, last, total)
