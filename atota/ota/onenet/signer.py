r"""The ``Authorization`` header of the platform (OneNET documentation, "security authentication").

    version=…&res=…&et=…&method=…&sign=…
    sign = base64(HMAC_method(base64decode(access key), et \n method \n res \n version))

The values are signed raw and percent-encoded only when the header is put together.
"""

import base64
import binascii
import hmac
import re
from typing import Protocol
from urllib.parse import quote, unquote

from atota.clock import Clock
from atota.errors import UsageError
from atota.ota.base import Auth
from atota.ota.registry import Access
from atota.ota.secrets import MASK
from atota.values import KeyLevel

METHODS = ("md5", "sha1", "sha256")
VERSION = "2018-10-31"  # the version of products/{pid} and device-level keys in every page of the generic OTA
VERSION_2022 = "2022-05-01"  # the version in every recorded exchange of the current console's API but one
TEN_YEARS_S = 3650 * 86400  # the API of the current console refuses longer ones (code 10403, measured 2026)
DEFAULT_TTL_S = 3600
_GIVEN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_KEY_HINT = "Put the access key, as the console shows it, into ATOTA_ACCESS_KEY or into a file."


def auth_of(access: Access, *, version: str = VERSION, longest_s: int | None = None) -> Auth:
    """Make the signer that an API's factory needs.

    Args:
        access: the key and its owner.
        version: the version of the signing rules.
        longest_s: the longest validity that the API accepts, seconds; None: it has no limit.

    Raises:
        UsageError: the key or its owner is missing or wrong, or the validity is too long.
    """
    if access.authorization is not None:
        given = GivenAuth(access.authorization)
        _require_life(_end(given.header()), access.clock.time(), longest_s)
        return given
    if access.access_key is None:
        raise UsageError(
            "the access key is missing",
            hint="Set ATOTA_ACCESS_KEY, or give --access-key-file FILE; the console shows the key.",
        )
    now = access.clock.time()
    _require_life(int(now) + access.auth_ttl_s, now, longest_s)
    return KeyAuth(
        access.access_key,
        resource(key_level(access.key_level, access.device_name, access.user_id), access),
        clock=access.clock,
        method=access.auth_method,
        ttl_s=access.auth_ttl_s,
        version=version,
    )


def key_level(given: KeyLevel | None, device_name: str | None, user_id: str | None) -> KeyLevel:
    """Return the owner of the key: the one that is given, else the most special one that is named."""
    if given is not None:
        return given
    return "user" if user_id is not None else "device" if device_name is not None else "product"


def resource(level: KeyLevel, owner: "Owner") -> str:
    """Return the resource that a key of a level signs for.

    Raises:
        UsageError: the owner is missing or wrong.
    """
    if level == "user":
        if owner.user_id is None:
            raise UsageError("the user id is missing", hint="Give --user-id: the access key belongs to it.")
        return f"userid/{_plain(owner.user_id, 'user id')}"
    if owner.product_id is None:
        raise UsageError("the product id is missing", hint="Give --product-id: the access key belongs to it.")
    if level == "product":
        return product_res(owner.product_id)
    if owner.device_name is None:
        hint = "Give --device-name: the access key belongs to it; or give --key-level product."
        raise UsageError("the device's name is missing", hint=hint)
    return device_res(owner.product_id, owner.device_name)


class Owner(Protocol):
    """The names that a key's owner can have."""

    @property
    def product_id(self) -> str | None:
        """The product."""
        ...

    @property
    def device_name(self) -> str | None:
        """The device."""
        ...

    @property
    def user_id(self) -> str | None:
        """The account."""
        ...


def _end(header: str) -> int | None:
    """Return the end of a header's validity, seconds since the epoch; None if it names none."""
    et = fields(header).get("et", "")
    return int(et) if re.fullmatch(r"[0-9]{1,18}", et) else None


def _require_life(end: int | None, now: float, longest_s: int | None) -> None:
    """Refuse a validity that the platform would refuse.

    Raises:
        UsageError: it is too long.
    """
    if end is not None and longest_s is not None and end - now > longest_s:
        raise UsageError(
            f"the authorization would be valid for {(end - now) / 31_557_600:.1f} years; "
            f"the platform accepts {longest_s // 31_536_000}",
            hint="Give a smaller --auth-ttl, or a header in ATOTA_AUTHORIZATION that ends sooner.",
        )


def product_res(product_id: str) -> str:
    """The resource of a whole product, signed with the product's key."""
    return f"products/{_plain(product_id, 'product id')}"


def device_res(product_id: str, device_name: str) -> str:
    """The resource of one device, signed with the device's key."""
    return f"{product_res(product_id)}/devices/{_plain(device_name, 'device name')}"


def decode_key(key: str) -> bytes:
    """The bytes of an access key.

    Raises:
        UsageError: the key is missing or is not base64; the text never shows the key.
    """
    text = key.strip()
    if not text:
        raise UsageError("the access key is empty", hint=_KEY_HINT)
    problem = None
    data = b""
    if not text.isascii():
        problem = "it has characters outside ASCII"
    else:
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            problem = "it was cut, or something else was pasted"
    if problem is not None or not data:
        raise UsageError(f"the access key is not base64: {problem or 'it is empty'}", hint=_KEY_HINT)
    return data


def sign(key: bytes, *, et: int, method: str, res: str, version: str = VERSION) -> str:
    """The signature, base64, not yet percent-encoded.

    Args:
        key: the decoded access key.
        et: the end of validity, seconds since the epoch; the platform's own samples exceed 32 bits.
        method: ``md5``, ``sha1`` or ``sha256``.
        res: the resource, raw.
        version: the version of the signing rules.
    """
    if method not in METHODS:
        raise UsageError(f"{method!r} is not a signing method; the platform takes {', '.join(METHODS)}")
    message = f"{et}\n{method}\n{res}\n{version}"
    return base64.b64encode(hmac.digest(key, message.encode(), method)).decode("ascii")


def authorization(key: bytes, *, et: int, method: str, res: str, version: str = VERSION) -> str:
    """The whole header value."""
    signature = sign(key, et=et, method=method, res=res, version=version)
    values = {"version": version, "res": res, "et": str(et), "method": method, "sign": signature}
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())


def fields(header: str) -> dict[str, str]:
    """The parts of a header, percent-decoded; ``+`` stays ``+``, since unencoded signatures are in use."""
    parts = (item.split("=", 1) for item in header.split("&") if "=" in item)
    return {name: unquote(value) for name, value in parts}


def masked(header: str) -> str:
    """The header with its signature blotted out; all of it, if it has none to be seen."""
    if not re.search(r"(?:^|&)sign=", header):
        return MASK
    return re.sub(r"((?:^|&)sign=)[^&]*", rf"\g<1>{MASK}", header)


class KeyAuth:
    """Make a fresh header for every request from an access key.

    Args:
        key: the access key as the console shows it (base64).
        res: the resource, from `product_res` or `device_res`.
        clock: gives the time the validity counts from.
        method: ``md5``, ``sha1`` or ``sha256``.
        ttl_s: seconds a header stays valid.
        version: the version of the signing rules.

    Raises:
        UsageError: the key is missing or not base64, or an argument is out of range.
    """

    def __init__(
        self,
        key: str,
        res: str,
        *,
        clock: Clock,
        method: str = "sha256",
        ttl_s: int = DEFAULT_TTL_S,
        version: str = VERSION,
    ) -> None:
        if method not in METHODS:
            raise UsageError(f"{method!r} is not a signing method; the platform takes {', '.join(METHODS)}")
        if ttl_s < 1:
            raise UsageError(
                f"a validity of {ttl_s} s is over before it begins", hint="Give --auth-ttl 3600."
            )
        self._text = key.strip()
        self._key = decode_key(key)
        self._res = res
        self._clock = clock
        self._method = method
        self._ttl_s = ttl_s
        self._version = version
        self._last = ""

    def header(self) -> str:
        """The header's value for a request sent now."""
        et = int(self._clock.time()) + self._ttl_s
        made = authorization(self._key, et=et, method=self._method, res=self._res, version=self._version)
        self._last = fields(made)["sign"]
        return made

    def secrets(self) -> tuple[str, ...]:
        """The key and the last signature."""
        return tuple(text for text in (self._text, self._last) if text)

    def __repr__(self) -> str:
        return f"KeyAuth(res={self._res!r}, method={self._method!r}, ttl_s={self._ttl_s})"


class GivenAuth:
    """Use a header that was made elsewhere (``ATOTA_AUTHORIZATION``).

    Raises:
        UsageError: it is empty or cannot be a header's value.
    """

    def __init__(self, header: str) -> None:
        text = re.sub(r"^authorization:\s*", "", header.strip(), flags=re.IGNORECASE)
        if not _GIVEN.fullmatch(text):
            raise UsageError(
                "the authorization given is empty or holds characters that a header cannot",
                hint="ATOTA_AUTHORIZATION is one line: version=…&res=…&et=…&method=…&sign=…",
            )
        self._header = text

    def header(self) -> str:
        """The header's value as it was given."""
        return self._header

    def secrets(self) -> tuple[str, ...]:
        """The header and its signature."""
        return tuple(text for text in (self._header, fields(self._header).get("sign", "")) if text)

    def __repr__(self) -> str:
        return f"GivenAuth({masked(self._header)!r})"


def expired_since(header: str, now: float) -> float | None:
    """Seconds since the header's ``et`` has passed, or None if it has not, or has none."""
    end = _end(header)
    return now - end if end is not None and end <= now else None


def _plain(text: str, what: str) -> str:
    value = text.strip()
    if not value or not value.isprintable() or "/" in value or " " in value:
        raise UsageError(
            f"{text!r} is not a {what}: it is empty, or holds blanks, slashes or control characters",
            hint=f"Take the {what} from the platform's console.",
        )
    return value
