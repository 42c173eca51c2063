"""The platform that a command talks to, made from its settings."""

from collections.abc import Iterator
from contextlib import contextmanager

from atota.cli.call import Call
from atota.clock import SystemClock
from atota.ota.base import Platform
from atota.ota.registry import Access, chosen, open_platform
from atota.values import is_local_server


@contextmanager
def opened_platform(call: Call) -> Iterator[Platform]:
    """Open the platform that the settings name; it signs as they say."""
    settings = call.settings
    api, address = chosen(settings.api, settings.server)
    if call.out.verbosity > 0:
        call.out.say(f"  platform: {api} at {address}")
    key, header = settings.access_key, settings.authorization
    access = Access(
        server=address,
        clock=SystemClock(),
        access_key=None if key is None or header is not None else key.read(),
        authorization=None if header is None else header.read(),
        product_id=settings.product_id,
        device_name=settings.device_name,
        user_id=settings.user_id,
        key_level=settings.key_level,
        auth_method=settings.auth_method,
        auth_ttl_s=settings.auth_ttl_s,
        ca_file=settings.ca_file,
        stop=call.stop,
        on_wait=lambda why, seconds: call.out.say(f"{why}; trying again in {seconds:g} s"),
        warn=call.out.warn,
    )
    with open_platform(api, access) as platform:
        server = platform.server
        if server.startswith("http://") and not is_local_server(server):
            call.out.warn(f"{server} is plain http: the download token can be read on the way")
        yield platform
