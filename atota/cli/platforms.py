"""The platform that a command talks to, made from its settings."""

from collections.abc import Iterator
from contextlib import contextmanager

from atota.cli.call import Call
from atota.clock import SystemClock
from atota.errors import UsageError
from atota.ota.client import PlatformClient
from atota.ota.onenet.signer import Auth, GivenAuth, KeyAuth, device_res, product_res
from atota.settings.table import Settings
from atota.values import is_local_server


@contextmanager
def opened_platform(call: Call) -> Iterator[PlatformClient]:
    """Open the platform's client, which signs as the settings say."""
    client = PlatformClient(
        call.settings.server,
        _auth(call.settings),
        clock=SystemClock(),
        stop=call.stop,
        on_wait=lambda why, seconds: call.out.say(f"{why}; trying again in {seconds:g} s"),
    )
    with client:
        if client.plain_http and not is_local_server(client.server):
            call.out.warn(f"{client.server} is plain http: the download token can be read on the way")
        yield client


def _auth(settings: Settings) -> Auth:
    if settings.authorization is not None:
        return GivenAuth(settings.authorization.read())
    if settings.access_key is None:
        raise UsageError(
            "the access key is missing",
            hint="Set ATOTA_ACCESS_KEY, or give --access-key-file FILE; the console shows the key.",
        )
    if settings.product_id is None:
        raise UsageError("the product id is missing", hint="Give --product-id: the access key belongs to it.")
    name = settings.device_name
    res = device_res(settings.product_id, name) if name is not None else product_res(settings.product_id)
    return KeyAuth(
        settings.access_key.read(),
        res,
        clock=SystemClock(),
        method=settings.auth_method,
        ttl_s=settings.auth_ttl_s,
    )
