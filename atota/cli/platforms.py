"""The platform that a command talks to, made from its settings."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from atota.cli.call import Call
from atota.cli.view.output import Output
from atota.clock import StopToken, SystemClock
from atota.ota.base import Platform
from atota.ota.registry import Access, chosen, open_platform
from atota.settings.table import Settings
from atota.values import is_local_server


def opened_platform(call: Call) -> AbstractContextManager[Platform]:
    """Open the platform that the settings of a command name."""
    return platform_of(call.settings, call.out, call.stop)


@contextmanager
def platform_of(settings: Settings, out: Output, stop: StopToken) -> Iterator[Platform]:
    """Open the platform that settings name; it signs as they say."""
    api, address = chosen(settings.api, settings.server)
    if out.verbosity > 0:
        out.say(f"  platform: {api} at {address}")
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
        stop=stop,
        on_wait=lambda why, seconds: out.say(f"{why}; trying again in {seconds:g} s"),
        warn=out.warn,
    )
    with open_platform(api, access) as platform:
        server = platform.server
        if server.startswith("http://") and not is_local_server(server):
            out.warn(f"{server} is plain http: the download token can be read on the way")
        yield platform
