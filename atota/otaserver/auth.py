r"""The check of a request's signature; a wrong one is explained by the mistake that was made.

The scheme is that of the platform's "security authentication" page (open.iot.10086.cn, OTA book):
``sign = base64(HMAC(base64decode(access_key), et "\n" method "\n" res "\n" version))``, every value
percent-encoded in the header. Written independently of atota's own signer, so that each proves the other.
"""

import base64
import hashlib
import hmac
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, unquote

VERSIONS = ("2018-10-31", "2022-05-01")
METHODS = {"md5": hashlib.md5, "sha1": hashlib.sha1, "sha256": hashlib.sha256}
_FIELDS = ("version", "res", "et", "method", "sign")
_PRODUCT = re.compile(r"products/([^/]+)")
_DEVICE = re.compile(r"products/([^/]+)/devices/([^/]+)")
_USER = re.compile(r"userid/([^/]+)")
_ET = re.compile(r"[0-9]{1,19}")  # the documents' own samples need more than 32 bits
TEN_YEARS_S = 10 * 365 * 86400
"""The longest life of a FUSE signature. Measured on 2026-10-08: 2036-01-01 is taken, 2038-01-01 is not."""

Trouble = Literal["", "form", "expired", "too-long"]


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The product and its keys, as bytes; ``device_keys`` by device name; the account and its key."""

    product_id: str
    product_key: bytes = field(repr=False)
    device_keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    user_id: str = ""
    user_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """The result of `verify`.

    ``reason`` is for the server's log and holds no secret. ``device`` is the device's name where the
    signature speaks for one device only. ``trouble`` is the kind of a refusal, and ``et`` the time at which
    the signature expires.
    """

    ok: bool
    reason: str = ""
    device: str | None = None
    trouble: Trouble = ""
    et: int = 0


@dataclass(frozen=True, slots=True)
class _Claim:
    version: str
    res: str
    et: str
    method: str
    sign: str = field(repr=False)


def verify(
    header: str | None,
    ring: KeyRing,
    now: float,
    *,
    users: bool = False,
    longest_s: float = math.inf,
) -> SignatureCheck:
    """Check an ``Authorization`` header at ``now`` (seconds since the epoch).

    Args:
        header: the header's value.
        ring: the keys; the one that the level of ``res`` names must have signed.
        now: the platform's time.
        users: a signature of the account (``res=userid/…``) is taken.
        longest_s: how far ahead ``et`` may be, in seconds.
    """
    if not header:
        return _refused("no Authorization header")
    claim = _parse(header)
    if isinstance(claim, str):
        return _refused(claim)
    problem = _form_problem(claim)
    if problem:
        return _refused(problem)
    if int(claim.et) < now:
        return _refused(f"et is {now - int(claim.et):.0f} s in the past", "expired", claim)
    if int(claim.et) > now + longest_s:
        return _refused(f"et is more than {longest_s / 86400:.0f} days ahead", "too-long", claim)
    return _signed(claim, ring, users=users)


def verify_query(query: Mapping[str, str], ring: KeyRing, now: float, *, longest_s: float) -> SignatureCheck:
    """Check the four values in a download's query, of any version; China Mobile's ML307 demo sends none."""
    names = [name for name in _FIELDS if name != "version"]
    check = _refused("no Authorization header")
    if all(query.get(name) for name in names):
        for version in VERSIONS:
            fields = (f"{name}={quote(query[name], safe='')}" for name in names)
            header = "&".join((f"version={version}", *fields))
            check = verify(header, ring, now, users=True, longest_s=longest_s)
            if check.ok:
                break
    return check


def _refused(reason: str, trouble: Trouble = "form", claim: _Claim | None = None) -> SignatureCheck:
    return SignatureCheck(False, reason, None, trouble, int(claim.et) if claim else 0)


def _signed(claim: _Claim, ring: KeyRing, *, users: bool) -> SignatureCheck:
    """Check the signature with the key of the level that ``res`` names."""
    user = _USER.fullmatch(claim.res) if users else None
    device = _DEVICE.fullmatch(claim.res)
    product = device or _PRODUCT.fullmatch(claim.res)
    if user is None and product is None:
        more = " nor userid/{id}" if users else ""
        return _refused(f"res is neither products/{{id}} nor products/{{id}}/devices/{{name}}{more}")
    if user is not None and user[1] != ring.user_id:
        return _refused("res names another user")
    if product is not None and product[1] != ring.product_id:
        return _refused("res names another product")
    name = device[2] if device else None
    if user is not None:
        key = ring.user_key
    else:
        key = ring.product_key if name is None else ring.device_keys.get(name, b"")
    if not key:
        return _refused("no key is known for the product, device or user in res")
    if hmac.compare_digest(_signature(key, _message(claim), claim.method).encode(), claim.sign.encode()):
        return SignatureCheck(True, "", name)
    return _refused(_explain(claim, key, ring))


def _parse(header: str) -> _Claim | str:
    """Parse a header, percent-decoded and with every ``+`` left alone; a wrong one gives the reason."""
    values: dict[str, str] = {}
    for part in header.strip().split("&"):
        name, equals, value = part.partition("=")
        if not equals or name not in _FIELDS:
            return "the header has a field other than version, res, et, method, sign"
        if name in values:
            return f"the header has {name} twice"
        values[name] = unquote(value)
    missing = [name for name in _FIELDS if not values.get(name)]
    if missing:
        return f"the header has no {', '.join(missing)}"
    return _Claim(**values)


def _form_problem(claim: _Claim) -> str | None:
    if claim.version not in VERSIONS:
        return f"version must be one of {', '.join(VERSIONS)}"
    if claim.method not in METHODS:
        return "method must be one of md5, sha1, sha256 (lower case)"
    if not _ET.fullmatch(claim.et) or int(claim.et) >= 2**63:
        return "et is not a number of seconds"
    return None


def _message(claim: _Claim) -> str:
    return f"{claim.et}\n{claim.method}\n{claim.res}\n{claim.version}"


def _digest(key: bytes, message: str, method: str) -> bytes:
    return hmac.new(key, message.encode(), METHODS[method]).digest()


def _signature(key: bytes, message: str, method: str) -> str:
    return base64.b64encode(_digest(key, message, method)).decode()


def _explain(claim: _Claim, key: bytes, ring: KeyRing) -> str:
    """Name the mistake that leads to this signature, if it is one of the common ones."""
    for mistake, attempt in _mistakes(claim, key, ring):
        if hmac.compare_digest(attempt().encode(), claim.sign.encode()):
            return mistake
    return "the signature does not fit: another key, or other values were signed"


def _mistakes(claim: _Claim, key: bytes, ring: KeyRing) -> Iterator[tuple[str, Callable[[], str]]]:
    text = base64.b64encode(key)
    right = _message(claim)
    et, method, res, version = claim.et, claim.method, claim.res, claim.version

    def signed(message: str, with_key: bytes = key) -> Callable[[], str]:
        return lambda: _signature(with_key, message, method)

    yield "the key was not base64-decoded before signing", signed(right, text)
    encoded = quote(res, safe="")
    yield (
        "res was percent-encoded before signing: sign the plain one",
        signed(f"{et}\n{method}\n{encoded}\n{version}"),
    )
    yield (
        "the fields were joined with a backslash and an n, not with line feeds",
        signed(rf"{et}\n{method}\n{res}\n{version}"),
    )
    yield (
        "the fields were signed in the order of the header: sign et, method, res, version",
        signed(f"{version}\n{res}\n{et}\n{method}"),
    )
    lines = f"et={et}\nmethod={method}\nres={res}\nversion={version}"
    yield "the fields were signed as key=value lines: sign the values only", signed(lines)
    yield "the signed text ended with a line feed: it has none at its end", signed(right + "\n")
    yield "the digest was sent in hex: send it in base64", lambda: _digest(key, right, method).hex()
    yield (
        "the hex digest was base64-encoded: encode the digest's bytes",
        lambda: base64.b64encode(_digest(key, right, method).hex().encode()).decode(),
    )
    yield (
        "the signature is in URL-safe base64: use + and /",
        lambda: base64.urlsafe_b64encode(_digest(key, right, method)).decode(),
    )
    yield (
        "a + of the signature became a space: percent-encode it",
        lambda: _signature(key, right, method).replace("+", " "),
    )
    yield (
        "the signature was percent-encoded twice",
        lambda: quote(_signature(key, right, method), safe=""),
    )
    yield "the signature lost its = padding", lambda: _signature(key, right, method).rstrip("=")
    if key != ring.product_key and ring.product_key:
        level = "user" if _USER.fullmatch(res) else "device"
        yield (
            f"res names a {level}, so its own key must sign, not the product's",
            signed(right, ring.product_key),
        )
    for device_key in ring.device_keys.values():
        if device_key != key:
            yield "the key of a device signed what another key must sign", signed(right, device_key)
    if ring.user_key and key != ring.user_key:
        yield "the key of the account signed what another key must sign", signed(right, ring.user_key)
