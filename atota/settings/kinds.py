"""The types of settings: the form each has in TOML files, and the parser of its text form."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from atota.names import near
from atota.values import ServerUrl, parse_server, version_problem

Text = Annotated[str, msgspec.Meta(min_length=1)]
Baud = Annotated[
    int, msgspec.Meta(gt=0, le=4_000_000)
]  # SIM7000 goes to 4 Mbit/s (AT Command Manual V1.06, IPR)
TransferBaud = Annotated[int, msgspec.Meta(ge=0, le=4_000_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=604_800)]  # a week: more is a slip of the pen


def text(value: object) -> str:
    """Parse a text without white space round it.

    Raises:
        ValueError: it is empty.
    """
    stripped = str(value).strip()
    if not stripped:
        raise ValueError("it is empty")
    return stripped


def word(value: object) -> str:
    """Parse a name, in any case.

    Raises:
        ValueError: it is empty.
    """
    return text(value).lower()


def path(value: object) -> Path:
    """Parse a path; ``~`` is the user's home.

    Raises:
        ValueError: it is empty.
    """
    plain = Path(text(value))
    try:
        return plain.expanduser()
    except RuntimeError:  # "~name" of an unknown user is the name of a file
        return plain


def whole(low: int, high: int) -> Callable[[object], int]:
    """Return a parser of whole numbers from ``low`` to ``high``."""

    def parse(value: object) -> int:
        digits = str(value).strip()
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 12 or not low <= int(digits) <= high:
            raise ValueError(f"{value!r} is not a whole number from {low} to {high}")
        return int(digits)

    return parse


def seconds(value: object) -> float:
    """Parse a time limit.

    Raises:
        ValueError: it is not a number of seconds, or not above 0, or more than a week.
    """
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not 0 < number <= 604_800:
        raise ValueError(f"{value!r} is not a number of seconds above 0 and up to 604800")
    return number


class OneOf:
    """The parser of a setting that takes one of a few words, in any case."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __call__(self, value: object) -> str:
        """Return the word.

        Raises:
            ValueError: it is not one of them.
        """
        word = str(value).strip().lower()
        if word not in self.words:
            meant = near(word, self.words)
            guess = f"; did you mean {' or '.join(meant)}?" if meant else ""
            raise ValueError(f"{value!r} is not one of: {', '.join(self.words)}{guess}")
        return word


def server_url(value: object) -> ServerUrl:
    """Parse a server's address, https where no scheme is given.

    Raises:
        ValueError: it is not an address of a host.
    """
    return parse_server(text(value))


def parse_serve_url(text: str) -> tuple[str, int]:
    """Parse ``http://HOST:PORT``, an address of this machine, into its host and port.

    Raises:
        ValueError: it is not such an address.
    """
    parts = urlsplit(text.strip())
    try:
        port = parts.port
    except ValueError:
        port = None
    is_whole = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme != "http" or not parts.hostname or port is None or not is_whole:
        raise ValueError(f"{text!r} is not an http://HOST:PORT")
    return parts.hostname, port


def serve_address(value: object) -> str:
    """Parse an address of this machine at which a package is served.

    Raises:
        ValueError: it is not an ``http://HOST:PORT``.
    """
    address = text(value)
    parse_serve_url(address)
    return address


def version(value: object) -> str:
    """Parse a version that the platform takes.

    Raises:
        ValueError: the platform takes no such version.
    """
    token = str(value).strip()
    if problem := version_problem(token):
        raise ValueError(f"the platform takes no version {token!r}: {problem}")
    return token


def flag(value: object) -> bool:
    """Return a yes or no that is typed already."""
    return bool(value)
