"""The wire between a station and a line, in memory: real requests and answers, lost and doubled on demand."""

from collections.abc import Callable
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec

from atota.errors import AtotaError
from atota.line.app import refusal
from atota.line.protocol import HEADER
from atota.line.service import LineService, check_protocol

Fault = Literal["none", "lost-request", "lost-answer", "doubled", "unreachable"]


class Wire(httpx.BaseTransport):
    """A transport that calls a line's service, and does the fault that is set to each request."""

    def __init__(self, service: Callable[[], LineService]) -> None:
        self._service = service
        self.fault: Fault = "none"
        self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        self.requests += 1
        if self.fault == "unreachable":
            raise httpx.ConnectError("no route to the line", request=request)
        if self.fault == "lost-request":
            raise httpx.ReadTimeout("nothing came", request=request)
        response = self._answer(request, body)
        if self.fault == "doubled":
            response = self._answer(request, body)
        if self.fault == "lost-answer":
            raise httpx.ReadTimeout("nothing came", request=request)
        return response

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        try:
            check_protocol(request.headers.get(HEADER))
            answer = self._called(
                request.method, str(request.url), request.headers["Authorization"][7:], body
            )
        except AtotaError as error:
            refused = refusal(error)
            return httpx.Response(refused.status_code, content=bytes(refused.body))
        return httpx.Response(200, content=msgspec.json.encode(answer))

    def _called(self, method: str, url: str, key: str, body: bytes) -> object:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        service = self._service()
        match [method, *parts.path.strip("/").split("/")[1:]]:
            case ["POST", "journals", journal, "records"]:
                return service.post_records(key, journal, body)
            case ["GET", "journals", journal]:
                return service.get_journal(key, journal, int(query["at"]) if "at" in query else None)
            case ["POST", "presence"]:
                return service.post_presence(key, body)
            case ["POST", "grants"]:
                return service.post_grants(key, body)
            case ["POST", "settlements"]:
                return service.post_settlements(key, body)
            case ["POST", "devices"]:
                return service.post_device(key, body)
            case ["GET", "devices"]:
                return service.get_devices(key, query["product"], int(query["after"]))
            case ["GET", "units"]:
                return service.get_units(key, int(query["after"]))
        raise AssertionError(f"{method} {url} is not a call of the outbox")
