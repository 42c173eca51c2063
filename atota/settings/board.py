"""Board files: the bench hardware round a module, as TOML that people write."""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from atota.dialects import catalogue
from atota.dialects.common import pattern_problem
from atota.files import decode_toml, load_toml
from atota.values import version_problem

Text = Annotated[str, msgspec.Meta(min_length=1)]
HexId = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{4}\Z")]
Baud = Annotated[
    int, msgspec.Meta(gt=0, le=4_000_000)
]  # SIM7000 goes to 4 Mbit/s (AT Command Manual V1.06, IPR)
TransferBaud = Annotated[int, msgspec.Meta(ge=0, le=4_000_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=604_800)]  # a week: more is a slip of the pen

_LINE = re.compile(r"(dtr|rts):([01])", re.ASCII)
_WAIT = re.compile(r"wait:(\d{1,4}(?:\.\d{1,6})?)", re.ASCII)
_SERVER = re.compile(r"https?://[^\s/@?#]+(?:/[^\s@?#]*)?", re.ASCII | re.IGNORECASE)
_STEP_FORMS: Final = "expected 'rts:0', 'rts:1', 'dtr:0', 'dtr:1' or 'wait:SECONDS'"


def server_problem(url: str) -> str | None:
    """Say why ``url`` can't be the platform's address, or None if it can.

    The text does not repeat an address with a password in it.
    """
    if _SERVER.fullmatch(url):
        return None
    if "@" in url:
        return "an address holds no user name or password"
    return f"{url!r} is not an address like 'https://ota.heclouds.com'"


class Step:
    """One step of a reset or power sequence: set a control line, or wait.

    Attributes:
        line: ``"dtr"`` or ``"rts"``; None for a wait.
        asserted: the level for ``line``. Asserted is 1; at the pin of a TTL adapter that is the low level.
        wait_s: seconds to wait; 0.0 for a line.
    """

    __slots__ = ("asserted", "line", "wait_s")

    def __init__(self, text: str) -> None:
        self.line: Literal["dtr", "rts"] | None = None
        self.asserted = False
        self.wait_s = 0.0
        if found := _LINE.fullmatch(text):
            self.line = "dtr" if found[1] == "dtr" else "rts"
            self.asserted = found[2] == "1"
        elif found := _WAIT.fullmatch(text):
            self.wait_s = float(found[1])
        else:
            raise ValueError(f"Bad step {text!r}: {_STEP_FORMS}")

    def __str__(self) -> str:
        return f"{self.line}:{self.asserted:d}" if self.line else f"wait:{self.wait_s:g}"

    def __repr__(self) -> str:
        return f"Step({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


Sequence = tuple[Step, ...]


class Adapter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which USB adapter the board hangs on; every field given must fit.

    ``vid`` and ``pid`` are four hex digits as ``lsusb`` prints them; ``location`` is the USB path ("1-4.2").
    """

    vid: HexId | None = None
    pid: HexId | None = None
    serial: Text | None = None
    location: Text | None = None
    by_path: Text | None = None

    @property
    def given(self) -> bool:
        """Whether the board names an adapter at all."""
        return self != Adapter()

    def matches(
        self, *, usb_id: str | None, serial: str | None, location: str | None, by_path: str | None
    ) -> bool:
        """Whether a port with these properties is the board's adapter; never, if the board names none.

        Args:
            usb_id: "vid:pid" in hex.
            serial: the adapter's serial number.
            location: the USB path; the interface (":1.0") counts only if the board gives it too.
            by_path: a name under /dev/serial/by-path, with or without its folder.
        """
        vid, _, pid = (usb_id or "").lower().partition(":")
        place = location if self.location and ":" in self.location else (location or "").partition(":")[0]
        pairs = (
            (self.vid and self.vid.lower(), vid),
            (self.pid and self.pid.lower(), pid),
            (self.serial, serial),
            (self.location, place),
            (self.by_path and _base(self.by_path), _base(by_path or "")),
        )
        return self.given and all(wanted == seen for wanted, seen in pairs if wanted is not None)


class Serial(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The line to the module; None leaves the choice to the dialect or the adapter.

    ``baud`` is the rate to begin with, ``transfer_baud`` the one to raise to for the transfer (0: never).
    """

    baud: Baud | None = None
    transfer_baud: TransferBaud | None = None
    flow: Literal["none", "rts-cts", "xon-xoff"] = "none"
    low_latency: bool | None = None


class Reset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the control lines reset the module."""

    sequence: Annotated[Sequence, msgspec.Meta(min_length=1)]


class Power(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the control lines switch the module's supply."""

    on: Annotated[Sequence, msgspec.Meta(min_length=1)]
    off: Annotated[Sequence, msgspec.Meta(min_length=1)]


class Ota(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the platform knows the device by. The access key never stands here.

    ``vendor_package``: the platform's packages are the module vendor's own, not made by OneNET.
    """

    server: str | None = None
    dev_id: Text | None = None
    product_id: Text | None = None
    type: Literal["fota", "sota"] | None = None
    fw_version: str | None = None
    auth_method: Literal["md5", "sha1", "sha256"] | None = None
    device_name: Text | None = None
    vendor_package: bool = False

    def __post_init__(self) -> None:
        if self.server is not None and (problem := server_problem(self.server)):
            raise ValueError(f"Bad server: {problem}")
        if self.fw_version is not None and (problem := version_problem(self.fw_version)):
            raise ValueError(f"The platform takes no version {self.fw_version!r}: {problem}")


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Time limits: of the wait for the reboot, and of the whole job."""

    reboot_timeout_s: Seconds | None = None
    timeout_s: Seconds | None = None


class Accept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the board lets onto the module.

    ``model`` is a regular expression that the module's own model name must contain, in any case.
    """

    model: Text | None = None
    downgrade: bool = False

    def __post_init__(self) -> None:
        if problem := pattern_problem(self.model or ""):
            raise ValueError(problem)

    def fits(self, model: str | None) -> bool:
        """Whether a module that calls itself ``model`` may be updated on this board."""
        return self.model is None or re.search(self.model, model or "", re.IGNORECASE) is not None


class Board(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One board: the adapter, the control lines, and what is usual for the module on it."""

    name: Text
    model: Text | None = None
    dialect: Text | None = None
    adapter: Adapter = Adapter()
    serial: Serial = Serial()
    reset: Reset | None = None
    power: Power | None = None
    ota: Ota = Ota()
    limits: Limits = Limits()
    accept: Accept = Accept()

    def __post_init__(self) -> None:
        if self.model is None or catalogue.by_name(self.model) or catalogue.by_name(self.model, "sota"):
            return
        near = catalogue.suggestions(self.model)
        advice = f"did you mean {' or '.join(near)}?" if near else "`atota modules` lists them all"
        raise ValueError(f"The catalogue has no model {self.model!r}: {advice}")


def load_board(path: str | Path) -> Board:
    """Read the board file at ``path``.

    Raises:
        ConfigError: it is missing, unreadable, or wrong; the text is ``FILE: what, and where``.
    """
    return load_toml(path, Board, hook=_step)


def decode_board(text: str | bytes, *, name: str) -> Board:
    """Read a board from TOML ``text``; errors call it ``name``.

    Raises:
        ConfigError: it is wrong; the text is ``NAME: what, and where``.
    """
    return decode_toml(text, Board, name=name, hook=_step)


def _step(kind: type, value: Any) -> Any:
    if kind is not Step or not isinstance(value, str):
        raise ValueError(f"Bad step {value!r}: {_STEP_FORMS}")
    return Step(value)


def _base(path: str) -> str:
    return path.rpartition("/")[2]
