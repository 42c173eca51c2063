"""An HTTP transport without a network: requests are answered by a function of the same process."""

from collections.abc import Callable, Iterable, Iterator

import httpx
import msgspec


class MemoryRequest(msgspec.Struct, frozen=True):
    """One request as it would be on the wire. Header names are lower-case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class MemoryResponse(msgspec.Struct, frozen=True):
    """One response; ``body`` may take its time, and raise `ConnectionError` where the connection breaks."""

    status: int
    headers: list[tuple[str, str]]
    body: Iterable[bytes]


def memory_transport(answer: Callable[[MemoryRequest], MemoryResponse]) -> httpx.BaseTransport:
    """Make a transport that answers every request by ``answer``.

    `ConnectionRefusedError`, any other `ConnectionError` and `TimeoutError` stand for a failing network.
    """

    def handle(request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            response = answer(
                MemoryRequest(
                    request.method, request.url.path, request.url.query.decode(), headers, request.content
                )
            )
        except ConnectionRefusedError as error:
            raise httpx.ConnectError(str(error)) from error
        except ConnectionError as error:
            raise httpx.ReadError(str(error)) from error
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from error
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response.body))

    return httpx.MockTransport(handle)


class _Body(httpx.SyncByteStream):
    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except ConnectionError as error:
            raise httpx.ReadError(str(error)) from error
