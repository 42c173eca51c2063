"""The rules of who may ask the page for anything. Pure: headers in, a refusal or None out.

Theory of operation
-------------------
Any page that an operator visits can send requests to this one, so where it listens is not a protection:

- ``Host`` must name the address that is listened on. A foreign name that resolves to this machine (DNS
  rebinding) is refused, with 421.
- Changes are POST with JSON, and ``Origin`` must be this page's own. A browser sends it with every POST.
- Beyond the loopback interface every request needs the station's token: as ``Authorization: Bearer``, or as
  the cookie of a session that the token has opened. The cookie is ``SameSite=Strict`` and ``HttpOnly``.
"""

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

COOKIE: Final = "atota-station"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""The headers of every answer."""


class Refusal(NamedTuple):
    """The status and the sentence of an answer to a request that is not let in."""

    status: int
    sentence: str


class Gate:
    """The rules for one listening address.

    Args:
        host: the address that is listened on.
        port: its port.
        token: the station's token; None lets everybody in who reaches the address.
        names: more names of this machine.
        default_port: the port that is meant where a ``Host`` names none.
    """

    def __init__(
        self,
        host: str,
        port: int,
        token: str | None = None,
        *,
        names: Collection[str] = (),
        default_port: int = 80,
    ) -> None:
        self._port = port
        self._default_port = str(default_port)
        self._names = _names(host) | {name.lower() for name in names}
        self._takes_any_address = not is_loopback(host)
        self._token = token
        self._sessions: set[str] = set()

    def refusal(self, method: str, headers: Mapping[str, str], cookie: str | None) -> Refusal | None:
        """Return why a request is refused; None lets it in. ``headers`` have names in lower case."""
        if not self._is_ours(headers.get("host", "")):
            return Refusal(421, "this address is not this page's")
        if method == "POST":
            if (problem := self._problem_of_change(headers)) is not None:
                return problem
        elif method not in ("GET", "HEAD"):
            return Refusal(405, "changes are made by POST only")
        return None if self._is_known(headers, cookie) else Refusal(401, "the station's token is missing")

    def opens(self, token: str) -> str | None:
        """Return the cookie of a new session if the token is the station's."""
        if self._token is None or not _is_same(token, self._token):
            return None
        session = secrets.token_urlsafe(24)
        self._sessions.add(session)
        return session

    def refusal_of_login(self, headers: Mapping[str, str]) -> Refusal | None:
        """Return why a login is refused before its token is looked at."""
        if not self._is_ours(headers.get("host", "")):
            return Refusal(421, "this address is not this page's")
        return self._problem_of_change(headers)

    def _problem_of_change(self, headers: Mapping[str, str]) -> Refusal | None:
        origin = headers.get("origin")
        if origin is None or origin.lower() not in (
            f"http://{headers['host']}",
            f"https://{headers['host']}",
        ):
            return Refusal(403, "a change must come from the station's own page")
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return Refusal(403, "a change must come from the station's own page")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return Refusal(415, "a change is JSON")
        return None

    def _is_ours(self, host: str) -> bool:
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", self._default_port)
        if not name:
            name, port = host, self._default_port
        if port != str(self._port):
            return False
        name = name.lower().strip("[]")
        return name in self._names or (self._takes_any_address and _is_address(name))

    def _is_known(self, headers: Mapping[str, str], cookie: str | None) -> bool:
        if self._token is None:
            return True
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _is_same(token.strip(), self._token):
            return True
        return cookie is not None and any(_is_same(cookie, session) for session in self._sessions)


def is_loopback(host: str) -> bool:
    """True if only programs of this machine reach ``host``."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names(host: str) -> set[str]:
    if is_loopback(host):
        return {"127.0.0.1", "localhost", "::1"} | {host.lower()}
    machine = socket.gethostname().lower()
    return {host.lower(), machine, f"{machine}.local"}


def _is_address(name: str) -> bool:
    """True for a literal address, which no foreign name server can point elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
