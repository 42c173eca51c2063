"""A station's side of the protocol: the calls of the line.

The calls go through `atota.ota.http`, each as one attempt with limits; `atota.line.outbox` waits and tries
again.
"""

from pathlib import Path
from typing import TypeVar

import msgspec

from atota.clock import Clock, StopToken
from atota.errors import BadAnswer, ConfigError, LimitReached, PlatformRefused, ServerError, ServerUnreachable
from atota.files import prepared
from atota.line.protocol import (
    HEADER,
    PROTOCOL,
    Batch,
    Bindings,
    Claim,
    Claimed,
    Cursor,
    Grant,
    GrantRequest,
    Here,
    Presence,
    Refusal,
    Settlement,
    Settlements,
    Unit,
    Units,
)
from atota.ota.http import HttpClient, Request, Transport
from atota.ota.replies import Reply, http_error

CONNECT_AND_READ_S = 10.0
"""No thread waits longer for the line."""
_HEADERS = {HEADER: str(PROTOCOL)}
T = TypeVar("T")


class JournalRefused(LimitReached):
    """The line refuses a journal's records: a gap, or another history under its name.

    Attributes:
        is_fork: another history is known under this name.
        next_seq: the number that the line waits for.
        head: the digest of the record before it.
    """

    code = "line.journal-refused"
    default_hint = "The station sends from the right number, or opens a new journal, by itself."

    def __init__(self, message: str, *, is_fork: bool, next_seq: int, head: str) -> None:
        super().__init__(message)
        self.is_fork = is_fork
        self.next_seq = next_seq
        self.head = head


class LineKey:
    """A station's key: signs the requests, and is shown nowhere."""

    def __init__(self, key: str) -> None:
        self._key = key

    @classmethod
    def of_file(cls, path: Path) -> "LineKey":
        """Read a key file.

        Raises:
            ConfigError: it cannot be read, or holds no key.
        """
        try:
            key = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problem = error.strerror if isinstance(error, OSError) else "not text"
            raise ConfigError(
                f"{path}: the key of the line cannot be read: {problem}",
                hint="Put the key that `atota line station add NAME` printed into this file.",
            ) from None
        if ":" not in key or any(mark.isspace() for mark in key) or not key.isascii():
            raise ConfigError(
                f"{path}: this is not a station's key",
                hint="Put the key that `atota line station add NAME` printed into it, and nothing else.",
            )
        return cls(key)

    def header(self) -> str:
        """Return the value of ``Authorization``."""
        return f"Bearer {self._key}"

    def secrets(self) -> tuple[str, ...]:
        """Return the texts that no error may show."""
        return (self._key, self._key.partition(":")[2])


class LineClient:
    """The calls of one line.

    Any call raises `ServerUnreachable` if the line does not answer or has trouble that passes,
    `PlatformRefused` if the key is refused, `LimitReached` if the wish contradicts the line's tables.

    Args:
        url: the line's address, https.
        key: the station's key.
        clock: the clock of the answers' limits.
        stop: ends a call that is in flight.
        transport: replaces the network.
        ca_file: the certificate of a line that no public authority knows.
        timeout_s: the longest silence; None: `CONNECT_AND_READ_S`.
    """

    def __init__(
        self,
        url: str,
        key: LineKey,
        *,
        clock: Clock,
        stop: StopToken | None = None,
        transport: Transport | None = None,
        ca_file: Path | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self._http = HttpClient(
            url,
            key,
            clock=clock,
            stop=stop,
            timeout_s=timeout_s or CONNECT_AND_READ_S,
            attempts=1,
            ca_file=ca_file,
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, journal: str, batch: Batch) -> Cursor:
        """Send records of a journal.

        Raises:
            JournalRefused: they leave a gap, or the journal has another history.
        """
        return self._post(f"/v1/journals/{journal}/records", batch, Cursor)

    def cursor(self, journal: str, at: int | None = None) -> Cursor:
        """Return a journal's cursor, with the digest of record ``at``."""
        return self._get(f"/v1/journals/{journal}", {} if at is None else {"at": str(at)}, Cursor)

    def presence(self, presence: Presence) -> Here:
        """Give a sign of life."""
        return self._post("/v1/presence", presence, Here)

    def grant(self, request: GrantRequest) -> Grant:
        """Ask for tickets and device ids."""
        return self._post("/v1/grants", request, Grant)

    def settle(self, settlements: list[Settlement]) -> Here:
        """Say how many tickets were spent and given back."""
        return self._post("/v1/settlements", Settlements(settlements), Here)

    def bind(self, product: str, device: str, imei: str) -> Here:
        """Bind a device id to a module; without an ``imei``: this station holds it."""
        return self._post("/v1/devices", {"product": product, "device": device, "imei": imei}, Here)

    def unit(self, imei: str) -> Unit:
        """Return what the line knows of a unit."""
        return self._get(f"/v1/units/{imei}", {}, Unit)

    def units(self, after: int) -> Units:
        """Return the units that changed after a number."""
        return self._get("/v1/units", {"after": str(after)}, Units)

    def bindings(self, product: str, after: int) -> Bindings:
        """Return the device ids of a product that were bound after a number."""
        return self._get("/v1/devices", {"product": product, "after": str(after)}, Bindings)

    def claim(self, claim: Claim) -> Claimed:
        """Reserve a unit."""
        return self._post("/v1/claims", claim, Claimed)

    def release(self, imei: str, job: str) -> Here:
        """End a claim."""
        return self._post("/v1/claims/release", Claim(imei=imei, job=job), Here)

    def _post(self, path: str, body: object, kind: type[T]) -> T:
        return self._call(Request(method="POST", path=path, body=body, headers=_HEADERS), kind)

    def _get(self, path: str, params: dict[str, str], kind: type[T]) -> T:
        return self._call(Request(method="GET", path=path, params=params, headers=_HEADERS), kind)

    def _call(self, request: Request, kind: type[T]) -> T:
        return self._http.call(request, lambda reply: _read(reply, kind))


def _read(reply: Reply, kind: type[T]) -> T:
    if reply.status == 200:
        try:
            return msgspec.json.decode(reply.body, type=prepared(kind))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            problem = BadAnswer("the answer is not one of a line", hint="Check the url of [line].")
        raise problem
    raise _refusal(reply)


def _refusal(reply: Reply) -> Exception:
    try:
        body = msgspec.json.decode(reply.body, type=prepared(Refusal))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return http_error(reply.status, reply.body, "line")
    problem, hint = body.error.message, body.error.hint
    if body.next_seq is not None:
        return JournalRefused(
            problem, is_fork=body.error.code == "line.fork", next_seq=body.next_seq, head=body.head or ""
        )
    if reply.status >= 500:
        return ServerUnreachable(f"the line has trouble: {problem}", hint=hint)
    if reply.status == 409:
        return LimitReached(problem, hint=hint)
    if reply.status in (401, 426):
        return PlatformRefused(problem, hint=hint)
    return ServerError(f"the line refuses the call: {problem}", hint=hint)
