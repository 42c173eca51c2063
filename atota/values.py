"""Frozen values that travel through the whole program: identities, versions, digests, addresses."""

import enum
import hashlib
import re
from typing import Literal, NewType, get_args
from urllib.parse import urlsplit

import msgspec

from atota.errors import UsageError

_VERSION = re.compile(r"[A-Za-z0-9_.\-]{1,20}")  # platform page, errno 27: the characters and the length
_STAMP = re.compile(
    r"\s*(?:[,;]\s*)?"
    r"(?:\[[^\]]*\]|\([^)]*\)|(?:build|built|compiled|date|release)\b.*"
    r"|(?:(?:mon|tue|wed|thu|fri|sat|sun)\w*,?\s+)?(?:\d{1,2}[ -])?"
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*[ .,-]+\d.*"
    r"|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b.*|\d{8}(?:\b|T\d).*|\d{1,2}:\d\d\b.*"
    r"|(?:\S+\s+){1,3}\d{4}[-/.]\d\d[-/.]\d\d\s+\d\d:\d\d\b.*)",
    re.ASCII | re.IGNORECASE,
)
"""A build's stamp behind a version: ``[Feb 03 2018 13:00:41]`` (u-blox SARA-R4), a date, a time; the source's
revision and the builder before both (``r7040 CARMD-EV-FRMWR2 2017/05/19 06:23:09``, Sierra's modules)."""
_LABELLED = re.compile(
    r"(?:(?:(?:sw|fw|hw|modem|software|firmware|application)[ _]?)?(?:revision|version)\s*[:=]?\s*)?"
    r"\"?(?P<token>[A-Za-z0-9_.\-]+)\"?(?P<rest>.*)",
    re.ASCII | re.IGNORECASE,
)
_IMEI = re.compile(r"\d{15}")  # 3GPP 23.003 section 6.2.1: 14 digits and a check digit

_PRODUCT_ID = re.compile(r"[A-Za-z0-9]{1,32}")  # OneNET: ten letters and digits; older ones have digits only
# The length: OneNET-MQTT-Kit of China Mobile (dev_name[64+1]). The characters are inferred: no page lists
# them, every recorded name fits, and the name stands raw in paths, topics and client ids.
_DEVICE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_SERVER = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?/?", re.ASCII | re.IGNORECASE
)

TaskType = Literal["fota", "sota"]
"""Module firmware, or the application's own: the platform page's words."""
AuthMethod = Literal["md5", "sha1", "sha256"]
"""The digest that signs a request: the platform page's words."""
KeyLevel = Literal["product", "device", "user"]
"""The owner of an access key: OneNET's page "security authentication"."""
DeviceNaming = Literal["id", "product-and-name"]
"""The way in which a platform names a device: by an id of its own, or by product id and name."""
Evidence = Literal["documented", "family", "inferred", "none"]
"""How well a claim about a module is documented, the best first."""

Stage = Literal[
    "open",
    "identify",
    "check",
    "plan",
    "download",
    "verify",
    "prepare",
    "write",
    "validate",
    "activate",
    "reboot",
    "confirm",
    "report",
]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""The stages of a job, in their order."""


ServerUrl = NewType("ServerUrl", str)
"""A server's address in its normal form: scheme, host in lower case and port. Made by `parse_server` only."""


def parse_server(text: str) -> ServerUrl:
    """Parse an address: ``OTA.example:8443/`` is ``https://ota.example:8443``, for https goes without saying.

    Raises:
        ValueError: the text is not such an address. The error does not repeat a text that may hold a secret.
    """
    address = text.strip()
    if "://" not in address and re.search(r"[.:]|^localhost/?$", address):
        address = f"https://{address}"
    match = _SERVER.fullmatch(address)
    if match is None or (match[3] is not None and not 1 <= int(match[3]) <= 65535):
        raise ValueError(_server_problem(text))
    port = "" if match[3] is None else f":{int(match[3])}"
    return ServerUrl(f"{match[1].lower()}://{match[2].lower()}{port}")


def is_local_server(url: str) -> bool:
    """True if the server runs on this machine."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def _server_problem(text: str) -> str:
    if "@" in text:
        return "an address holds no user name or password"
    if "?" in text or "#" in text:
        return "an address ends with its host or port: '?' and '#' are not part of it"
    if re.search(r"[^:/]/+[^/]", text):
        return f"{text!r} has a path, and the platform's own paths are added to the address"
    return f"{text!r} is not an address like 'https://ota.heclouds.com'"


MAX_VERSION = 20
"""Characters of a version; the platform page's errno 27, and the console's rule for the target of a task."""


def version_problem(version: str) -> str | None:
    """Return the reason for which the platform would refuse ``version``; None if it may be sent.

    The rule is the platform page's errno 27: 1-20 characters of ``[A-Za-z0-9_.-]``.
    """
    if _VERSION.fullmatch(version):
        return None
    if not version:
        return "it is empty"
    if len(version) > MAX_VERSION:
        return f"too long for the platform: {len(version)} characters, it takes {MAX_VERSION}"
    bad = "".join(sorted(set(re.sub(r"[A-Za-z0-9_.\-]", "", version))))
    return f"it holds {bad!r}; allowed are letters, digits, '_', '-' and '.'"


def device_path(product_id: str, device_name: str) -> str:
    """Return a device as ``product/name``, which is how the newer OneNET APIs name it.

    Raises:
        UsageError: the platform takes no such product id or name.
    """
    product, name = product_id.strip(), device_name.strip()
    if not _PRODUCT_ID.fullmatch(product):
        raise UsageError(
            f"{product_id!r} is not a product id: letters and digits only",
            hint="Take the product id from the platform's console, such as 9x8aBcD3eF.",
        )
    if not _DEVICE_NAME.fullmatch(name):
        length = f"; this has {len(name)} characters" if len(name) > 64 else ""
        raise UsageError(
            f"{device_name!r} is not a device name: 1 to 64 letters, digits, '_' and '-'{length}",
            hint="Take the device's name from the platform's console.",
        )
    return f"{product}/{name}"


def version_token(text: str) -> str | None:
    """Return the token of a vendor's version text, without its label and the build's stamp behind it.

    ``L0.0.00.00.05.06 [Feb 03 2018 13:00:41]`` is ``L0.0.00.00.05.06``; ``REVISION 03.006`` is
    ``03.006``. The token may be too long for the platform (`version_problem`). None: the text holds more
    than one token.
    """
    match = _LABELLED.fullmatch(text.strip())
    if match is None or not any(char.isdigit() for char in match["token"]):
        return None
    rest = match["rest"]
    return match["token"] if not rest.strip() or _STAMP.fullmatch(rest) else None


def is_imei(text: str) -> bool:
    """True if ``text`` is fifteen digits."""
    return _IMEI.fullmatch(text) is not None


def is_unique_imei(text: str) -> bool:
    """True if ``text`` may be one module's own IMEI: its check digit fits, and it is not a placeholder.

    3GPP 23.003 annex B: the check digit is Luhn's. Unprogrammed modules report zeros or the like.
    """
    if not is_imei(text) or len(set(text[:-1])) == 1:
        return False
    digits = [int(digit) for digit in text]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[0::2]) + doubled) % 10 == 0


def mask(identifier: str | None) -> str:
    """Mask an identifier for logs and people's text: only the first two and last four characters remain."""
    if not identifier:
        return "-"
    if len(identifier) <= 6:
        return "*" * len(identifier)
    return identifier[:2] + "*" * (len(identifier) - 6) + identifier[-4:]


Nature = Literal["real", "simulated", "replayed"]
"""The nature of the module behind a port, as far as the port's name says it."""


def nature_of(port: str) -> Nature:
    """Return the nature of the module behind a port."""
    scheme = port.partition("://")[0].lower()
    return "simulated" if scheme == "sim" else "replayed" if scheme == "replay" else "real"


class Codes(msgspec.Struct, frozen=True):
    """The platform's numbers of a vendor and a model: strings with leading zeros, never integers."""

    manuf: str
    model: str


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of a module, by its own answers.

    ``signal`` is CSQ 0-31 (None: unknown or 99); ``supply_mv`` millivolts; ``battery_percent`` 0-100.
    ``revision`` is the vendor's own version text, ``version`` the one token that is sent to the platform;
    ``full_version`` is finer than both where the module has such a text, and is never sent;
    ``serial`` is the module's serial number, where it has one besides its IMEI (27.007: CGSN, snt 0).
    """

    manufacturer: str | None = None
    model: str | None = None
    version: str | None = None
    revision: str | None = None
    full_version: str | None = None
    imei: str | None = None
    serial: str | None = None
    signal: int | None = None
    supply_mv: int | None = None
    battery_percent: int | None = None
    baud: int | None = None
    dialect: str | None = None
    method: str | None = None
    evidence: str | None = None
    manuf_code: str | None = None
    model_code: str | None = None

    @property
    def number(self) -> str | None:
        """The number that tells it from all others: its own IMEI, else its serial number."""
        return self.imei if self.imei is not None and is_unique_imei(self.imei) else self.serial

    @property
    def versions(self) -> "Versions":
        """The version texts."""
        return Versions(version=self.version, revision=self.revision, full=self.full_version)


class Change(enum.Enum):
    """The change of a target's version texts by an update, measured against the name of its goal."""

    UPDATED = enum.auto()
    NONE = enum.auto()
    ANOTHER = enum.auto()
    """It prints neither what it printed nor the goal's name."""
    UNTOLD = enum.auto()
    """The goal's name belongs to the build before and to the one after, or is finer than the texts."""


_JOINTS = ("", "_", ",", "-", " ")
"""The ways in which people write a version and the rest of its full name: ``EC20CEFAGR06A05M4GV02``."""
_FINER = r"(?:[_, -].+|V\d+)"
"""The rest of a full name: Quectel's ``_01.204.01.204`` and SubEdition (``V02``), u-blox's ``,A.02.00``."""


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """The version texts that a target prints; None where it prints none.

    Many builds may share a ``version`` and a ``revision``; ``full`` tells them apart. A BG95 prints
    ``BG95M3LAR02A03`` before and after an update from ``BG95M3LAR02A03_01.012.01.012`` to ``_01.204.01.204``.
    """

    version: str | None = None
    revision: str | None = None
    full: str | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts, the one that is sent to the platform first."""
        return tuple(dict.fromkeys(text for text in (self.version, self.revision, self.full) if text))

    @property
    def names(self) -> frozenset[str]:
        """Every text and every spelling of the full name."""
        return frozenset(self.texts) | self._full_names

    def has(self, name: str) -> bool:
        """True if ``name`` is one of its texts; other builds may have it, too."""
        return name in self.texts or name in self._full_names

    def is_exactly(self, name: str) -> bool:
        """True if ``name`` is the finest text that it prints."""
        return name in self._full_names if self.full is not None else name in self.texts

    def may_be(self, name: str) -> bool:
        """True if ``name`` is finer than its texts, and does not contradict them."""
        if self.full is not None:
            return False
        return any(re.fullmatch(re.escape(text) + _FINER, name) for text in self.texts)

    def differ_from(self, others: "Versions") -> bool:
        """True if a text that both have differs."""
        pairs = ((self.version, others.version), (self.revision, others.revision), (self.full, others.full))
        return any(None not in pair and pair[0] != pair[1] for pair in pairs)

    def change_from(self, before: "Versions", goal: str) -> Change:
        """Return the change from the texts ``before`` an update to these."""
        if self.has(goal):
            is_new = not before.has(goal) or self.differ_from(before)
            return Change.UPDATED if is_new else Change.UNTOLD
        if self.may_be(goal):
            return Change.UNTOLD
        return Change.ANOTHER if self.differ_from(before) or not before.texts else Change.NONE

    @property
    def _full_names(self) -> frozenset[str]:
        """The names of the full version: in each spelling, and by its last part.

        The last part alone names a u-blox build: hosts in the field go by the application's ``A.02.04``.
        """
        if self.full is None:
            return frozenset()
        names = {self.full, self.full.rpartition(",")[2]}
        for text in (self.version, self.revision):
            rest = self.full.removeprefix(text) if text else self.full
            if rest and rest != self.full:
                names |= {f"{text}{joint}{rest.lstrip('_, -')}" for joint in _JOINTS}
        return frozenset(names)


class Digests(msgspec.Struct, frozen=True):
    """The size and the digests of a file; digests in lower-case hex."""

    size: int
    md5: str
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> "Digests":
        """Compute them for ``data``."""
        return cls(
            size=len(data),
            md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
            sha256=hashlib.sha256(data).hexdigest(),
        )


def checked_md5(text: str) -> str:
    """Return an MD5 as 32 lower-case hex digits.

    Raises:
        UsageError: ``text`` is anything else.
    """
    return _checked_hex(text, 32, "an MD5")


def checked_sha256(text: str) -> str:
    """Return a SHA-256 as 64 lower-case hex digits.

    Raises:
        UsageError: ``text`` is anything else.
    """
    return _checked_hex(text, 64, "a SHA-256")


def _checked_hex(text: str, digits: int, what: str) -> str:
    value = text.strip().lower()
    if not re.fullmatch(rf"[0-9a-f]{{{digits}}}", value):
        raise UsageError(f"{text!r} is not {what}: {digits} hex digits are needed")
    return value


class Refusal(msgspec.Struct, frozen=True):
    """A refusal before anything is touched: the reason, and what to do next."""

    why: str
    hint: str


class MethodChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The way in which a target is written.

    ``digest`` is the SHA-256 of the dialect's files, ``block`` in bytes (None: the package is not cut), and
    ``window_s`` the seconds for which the target waits for bytes that it asked for. ``room`` is the largest
    package that the slot takes, in bytes (None: no document says it).
    """

    dialect: str
    digest: str
    method: str
    block: int | None
    window_s: float
    room: int | None = None
