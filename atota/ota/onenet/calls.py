"""The part that OneNET's APIs share: an open client, and one signed call from request to envelope."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from atota.errors import StepResult, UsageError
from atota.ota.base import Capabilities, CheckQuery, Status
from atota.ota.http import HttpClient, Request
from atota.ota.onenet.answers import Numbers, read_answer, refuse
from atota.ota.onenet.errnos import Endpoint
from atota.ota.onenet.signer import expired_since, masked
from atota.ota.onenet.wire import Envelope
from atota.ota.replies import Reply
from atota.ota.translate import clock_hint


class OneNetPlatform:
    """The common part of a `atota.ota.base.Platform` of OneNET.

    Args:
        http: sends the requests, signed.
        numbers: the numbers of the API's answers.
        warn: receives remarks about the answers, for people.
    """

    capabilities: Capabilities

    def __init__(self, http: HttpClient, numbers: Numbers, warn: Callable[[str], None] | None = None) -> None:
        self._http = http
        self._numbers = numbers
        self._warn = warn or (lambda _: None)
        self._is_clock_seen = False

    @property
    def server(self) -> str:
        """The platform's address."""
        return self._http.server

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.server!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. May be called twice."""
        self._http.close()

    def dry_run(self, query: CheckQuery) -> dict[str, Any]:
        """Return the check request as it would be sent, its signature masked. Sends nothing."""
        request: dict[str, Any] = self._http.preview(self._check_request(query))
        request["headers"]["Authorization"] = masked(request["headers"]["Authorization"])
        return request

    def _check_request(self, query: CheckQuery) -> Request:
        raise NotImplementedError

    def _call(
        self, endpoint: Endpoint, request: Request, *, idempotent: bool = True, secret: str = ""
    ) -> Envelope:
        """Make a call; the envelope has the number of ``OK`` or of ``NO_TASK``."""
        return self._http.call(request, self._reader(endpoint), idempotent=idempotent, secret=secret)

    def _is_no_task(self, envelope: Envelope, endpoint: Endpoint) -> bool:
        return self._numbers.meaning(envelope, endpoint).result is StepResult.NO_TASK

    def _reader(self, endpoint: Endpoint) -> Callable[[Reply], Envelope]:
        def read(reply: Reply) -> Envelope:
            self._watch_clock(reply)
            envelope = read_answer(reply.status, reply.body, endpoint, self._numbers)
            meaning = self._numbers.meaning(envelope, endpoint)
            if meaning.result not in (StepResult.OK, StepResult.NO_TASK):
                hint = self._clock_hint(reply) if meaning.is_auth else ""
                refuse(envelope, endpoint, self._numbers, extra_hint=hint)
            return envelope

        return read

    def _watch_clock(self, reply: Reply) -> None:
        """Compare the server's clock with ours once, and show the difference; nothing is corrected."""
        if self._is_clock_seen or reply.date is None:
            return
        self._is_clock_seen = True
        difference = clock_hint(reply.date, self._http.clock.time(), None)
        if difference:
            self._warn(difference.rstrip("."))

    def _clock_hint(self, reply: Reply) -> str:
        """For a refused signature: a hint if the time is the reason."""
        now = self._http.clock.time()
        return clock_hint(reply.date, now, expired_since(reply.authorization, now))


def checked_status(code: int) -> int:
    """Return a status code that the platform knows.

    Raises:
        UsageError: it is not one.
    """
    if code not in set(map(int, Status)):
        raise UsageError(f"{code} is neither a percentage nor a status code of the platform")
    return code
