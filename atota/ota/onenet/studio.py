"""OneNET's STUDIO OTA API (``studio-ota.heclouds.com``), before the current console: documented, unproven.

Its numbers are those of the generic API, but for 10: no task. Sources: the page "Studio OTA" and the official
C SDK; no client newer than 2022 was found.
"""

from atota.ota.http import HttpClient
from atota.ota.onenet.answers import Numbers
from atota.ota.onenet.errnos import Endpoint, Meaning, meaning, no_task
from atota.ota.onenet.paths import PathPlatform, path_capabilities
from atota.ota.onenet.signer import VERSION, auth_of
from atota.ota.onenet.wire import Envelope, decode_envelope
from atota.ota.registry import Access

_NO_TASK = 10


def open_studio(access: Access) -> PathPlatform:
    """Open the API; its row in `atota.ota.registry`.

    Raises:
        UsageError: the server, the key or its owner is missing or wrong.
    """
    return PathPlatform(
        HttpClient.of(access, auth_of(access, version=VERSION)),
        Numbers(decode_envelope, _meaning, "errno"),
        prefix="/ota",
        capabilities=path_capabilities("studio", access),
        warn=access.warn,
    )


def _meaning(envelope: Envelope, endpoint: Endpoint) -> Meaning:
    if envelope.errno == _NO_TASK:
        return no_task(_NO_TASK, endpoint)
    return meaning(envelope.errno, endpoint)
