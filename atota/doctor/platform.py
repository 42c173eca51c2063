"""The platform: its server, the clock, and the credentials that sign requests.

A check of the API is not harmless, so none is sent: only the server's front page is requested and, where the
API can tell them, the versions that it has of the device. No secret is shown.
"""

from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import urlsplit

import msgspec

from atota.clock import Clock
from atota.doctor.findings import AUTHORIZATION, DEVICE, KEY, PRODUCT_ID, Finding, blamed, finding, unseen
from atota.errors import AtotaError, Interrupted, ServerError, UsageError
from atota.ota.base import Versions
from atota.ota.onenet.signer import GivenAuth, decode_key, expired_since, fields, key_level, resource
from atota.ota.probe import Reached
from atota.values import KeyLevel

_finding = partial(finding, "platform")

_SKEW_S = 60.0
"""A clock that is kept by the network is right within a second; a minute is a sign that it is not."""
_SHORTEST, _LONGEST = 16, 128
"""Bytes of an access key, with room: the platform's sample has 32. A key that was cut in two has less."""
_KEY_NEXT = "Set ATOTA_ACCESS_KEY, or give --access-key-file FILE; the console shows the key."
_CLOCK_NEXT = "Set this computer's clock; have the network keep it (Linux: `sudo timedatectl set-ntp true`)."
_WITHOUT = "Give --server URL, or the access key, to have it looked at."


class PlatformSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The user's settings for the platform; ``key`` and ``authorization`` read the secrets.

    ``versions`` asks the platform for the versions of the device; it returns None where that cannot be asked.
    """

    server: str
    product_id: str | None = None
    device_name: str | None = None
    user_id: str | None = None
    key_level: KeyLevel | None = None
    ttl_s: int = 3600
    key: Callable[[], str] | None = None
    authorization: Callable[[], str] | None = None
    versions: Callable[[], Versions | None] | None = None


Look = Callable[[str], Reached]
"""Requests the front page of a server; raises as `atota.ota.http.reach` does."""


def examine_platform(settings: PlatformSettings | None, *, clock: Clock, look: Look) -> Iterator[Finding]:
    """Examine the server, the clock and the credentials.

    Args:
        settings: the settings; None if the user has given none.
        clock: our own time.
        look: requests the front page.
    """
    if settings is None:
        yield _finding("platform", "unknown", "not looked at: neither a server nor a key is given", _WITHOUT)
        return
    is_reached = False
    try:
        reached = look(settings.server)
    except ServerError as error:
        yield blamed("platform", "server", error)
        yield from unseen("platform", ("clock",), "the server's time is needed for it")
    else:
        is_reached = True
        yield judge_answer(reached)
        yield judge_clock(reached.skew_s, settings.ttl_s)
    if settings.authorization is not None:
        signed = [judge_authorization(settings.authorization, clock.time())]
    else:
        signed = [judge_key(settings.key), judge_resource(settings)]
    yield from signed
    is_signed = all(one.state in ("ok", "warning") for one in signed)
    if settings.versions is not None and is_reached and is_signed:
        yield from judge_device(settings.versions)


def judge_answer(reached: Reached) -> Finding:
    """Judge the response of the front page: any response shows that the server can be reached."""
    says = f"{reached.server} answers (HTTP {reached.status}) after {reached.took_s * 1000:.0f} ms"
    if reached.elsewhere is not None:
        next_ = "Open a browser and log in to the network, or check the proxy settings."
        return _finding(
            "server", "warning", f"{says}, and redirects to {reached.elsewhere}: a login page?", next_
        )
    if reached.status >= 500:
        next_ = "Try again later: the server is in trouble, or a proxy in between is."
        return _finding("server", "warning", says, next_)
    if reached.server.startswith("http:") and not _is_local(reached.server):
        next_ = "Use https if the server has it."
        return _finding(
            "server",
            "warning",
            f"{says}, without TLS: the download token can be read on the way",
            next_,
        )
    return _finding("server", "ok", says)


def judge_clock(skew_s: float | None, ttl_s: int) -> Finding:
    """Judge our clock against the server's: a signature names the time at which its validity ends.

    Args:
        skew_s: seconds that the server's clock is ahead; None if it does not send its time.
        ttl_s: seconds that a signature is valid.
    """
    if skew_s is None:
        return _finding("clock", "unknown", "the server does not send its time")
    off_s = abs(skew_s)
    if off_s <= _SKEW_S:
        within = "within 2 s" if off_s <= 2 else f"{off_s:.0f} s off"
        return _finding("clock", "ok", f"right by the server's ({within})")
    says = f"this computer's clock is {off_s:.0f} s {'behind' if skew_s > 0 else 'ahead of'} the server's"
    if off_s > ttl_s:
        says += f": more than the {ttl_s} s for which a signature is valid"
        return _finding("clock", "bad", says, _CLOCK_NEXT)
    return _finding("clock", "warning", says, _CLOCK_NEXT)


def judge_key(read: Callable[[], str] | None) -> Finding:
    """Judge the access key; only its length is shown."""
    if read is None:
        return _finding(KEY, "unknown", "no access key is given", _KEY_NEXT)
    try:
        length = len(decode_key(read()))
    except AtotaError as error:
        return blamed("platform", KEY, error)
    says = f"decodes to {length} bytes"
    if not _SHORTEST <= length <= _LONGEST:
        return _finding(
            KEY, "warning", f"{says}, an odd length for a key", "Copy it from the console anew, whole."
        )
    return _finding(KEY, "ok", says)


def judge_resource(settings: PlatformSettings) -> Finding:
    """Judge the resource that the key belongs to: it is part of every signature."""
    level = key_level(settings.key_level, settings.device_name, settings.user_id)
    if settings.product_id is None and level != "user":
        next_ = "Give --product-id ID: the access key belongs to a product, and is useless without it."
        return _finding(PRODUCT_ID, "unknown", "none is given", next_)
    try:
        signed_for = resource(level, settings)
    except AtotaError as error:
        return blamed("platform", PRODUCT_ID, error)
    return _finding(PRODUCT_ID, "ok", f"requests are signed for {signed_for}, with the key of this {level}")


def judge_device(read: Callable[[], Versions | None]) -> Iterator[Finding]:
    """Judge if the platform accepts the signature and knows the device, by a query that changes nothing."""
    try:
        versions = read()
    except Interrupted:
        raise
    except UsageError as error:
        yield _finding(DEVICE, "unknown", error.message, error.hint)
    except AtotaError as error:
        yield blamed("platform", DEVICE, error)
    else:
        if versions is not None:
            module, application = versions.module or "none yet", versions.application or "none yet"
            yield _finding(DEVICE, "ok", f"known; versions: module {module}, application {application}")


def judge_authorization(read: Callable[[], str], now: float) -> Finding:
    """Judge a header that was made elsewhere: it is valid until a fixed time."""
    try:
        header = GivenAuth(read()).header()
    except AtotaError as error:
        return blamed("platform", AUTHORIZATION, error)
    over_s = expired_since(header, now)
    if over_s is not None:
        says = f"its validity ended {over_s:.0f} s ago"
        return _finding(AUTHORIZATION, "bad", says, "Make a new one, or give the access key instead.")
    end = fields(header).get("et", "")
    if not end.isdecimal():
        return _finding(AUTHORIZATION, "warning", "it names no end of its validity (et)", "Make a new one.")
    return _finding(AUTHORIZATION, "ok", f"valid for {int(end) - now:.0f} s more")


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
