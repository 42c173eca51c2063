"""A platform client over scripted answers: no network, no time."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from atota.clock import SimulatedClock, StopToken
from atota.ota.base import Auth
from atota.ota.http import HttpClient
from atota.ota.onenet.generic import GenericPlatform
from atota.ota.onenet.signer import KeyAuth, product_res

KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="  # the sample key of the platform's documentation

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def make_client(clock: SimulatedClock) -> Iterator[Callable[..., GenericPlatform]]:
    """Make clients whose requests go to a handler; they are closed at the end."""
    with ExitStack() as stack:

        def make(
            handler: Handler,
            *,
            server: str = "ota.example",
            auth: Auth | None = None,
            stop: StopToken | None = None,
            **options: Any,
        ) -> GenericPlatform:
            auth = auth or KeyAuth(KEY, product_res("123123"), clock=clock)
            client = GenericPlatform(
                HttpClient(
                    server, auth, clock=clock, stop=stop, transport=httpx.MockTransport(handler), **options
                )
            )
            return stack.enter_context(client)

        yield make
