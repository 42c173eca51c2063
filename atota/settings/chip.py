"""The description of a chip that is updated: its bootloader, its flash and its application.

A board file has it as ``[chip]``. The profiles in ``atota/sota/profiles`` have the same fields, one profile
for each protocol. A field that the board leaves out is the profile's (`Chip.over`).
"""

import re
from typing import Annotated, Literal, get_args

import msgspec

from atota.dialects.common import pattern_problem
from atota.settings.kinds import Baud, Seconds, Text
from atota.settings.steps import Sequence

Protocol = Literal["esp32", "gd32", "smp", "nordic-secure", "nordic-legacy", "tool"]
CHIP_PROTOCOLS: frozenset[str] = frozenset(get_args(Protocol))
"""The names of the flashers: the method of a record of a chip is one of them."""
Address = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
Size = Annotated[int, msgspec.Meta(gt=0, lt=2**32)]
Arguments = Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
Pattern = Text

PLACES = frozenset({"port", "package", "readback", "size", "address", "baud"})
"""The names in braces that a program's arguments may hold."""
_PLACE = re.compile(r"\{([^{}]*)\}")


class Version(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The way to the running application's version: a request, or the text of its boot.

    The first group of ``expect`` or ``banner``, regular expressions, is the version. A group that is named
    ``serial`` is the number that no other chip has, such as its MAC address.
    """

    send: Text | None = None
    expect: Pattern | None = None
    banner: Pattern | None = None
    within_s: Seconds = 10.0

    def __post_init__(self) -> None:
        is_query = self.send is not None and self.expect is not None
        if is_query == (self.banner is not None) or (self.send is None) != (self.expect is None):
            raise ValueError("A version is read by `send` and `expect`, or by `banner`")
        _check_pattern("version", self.pattern)
        if re.compile(self.pattern).groups < 1:
            raise ValueError(f"version: {self.pattern!r} has no group that holds the version")
        if re.compile(self.pattern).groupindex.get("serial") == 1:
            raise ValueError("version: the first group is the version, so `serial` has to be a later one")

    @property
    def pattern(self) -> str:
        """The regular expression whose first group is the version."""
        return self.expect or self.banner or ""

    @property
    def tells_serial(self) -> bool:
        """True if the application also tells the number of its chip."""
        return "serial" in re.compile(self.pattern).groupindex


class Chip(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One kind of chip on one kind of board.

    Attributes:
        protocol: the flasher's name.
        enter, leave: the steps that start the bootloader, and the application.
        identify: ``app`` asks the running application alone, ``boot`` may restart it, ``none`` asks nothing.
        baud, app_baud: the rates of the bootloader and of the application's console, bit/s.
        version: the way to the running version.
        variant: esp32: the chip as esptool names it.
        table: esp32: the address of the partition table.
        secure_boot: esp32: ``signed``: the packages are signed, for chips with secure boot.
        ids: gd32: the product ids that GET ID may answer; empty: any.
        address: gd32, tool: where the application begins.
        size: gd32: bytes of the application's region; all behind ``address`` if not given.
        page, flash_size: gd32: bytes in a page, and of all flash.
        buffer: smp: bytes of a request that every bootloader takes, where it cannot be asked.
        recovery: smp: the application is told to restart into serial recovery, which takes the upload.
        flash, verify: tool: the program that writes, and the one that reads back into ``{readback}``.
        ok: tool: the exit codes of success; empty: the exit code is ignored.
        need, fail: tool: what its output must hold, and must not hold.
        percent: tool: the pattern of its progress.
        limit_s, quiet_s: tool: the longest run, and the longest silence.
        urls: tool: it opens ``socket://`` and ``rfc2217://`` by itself.
    """

    protocol: Protocol | None = None
    enter: Sequence | None = None
    leave: Sequence | None = None
    identify: Literal["app", "boot", "none"] | None = None
    baud: Baud | None = None
    app_baud: Baud | None = None
    version: Version | None = None
    variant: Text | None = None
    table: Address | None = None
    secure_boot: Literal["signed"] | None = None
    ids: tuple[Address, ...] | None = None
    address: Address | None = None
    size: Size | None = None
    page: Size | None = None
    flash_size: Size | None = None
    buffer: Size | None = None
    recovery: bool | None = None
    flash: Arguments | None = None
    verify: Arguments | None = None
    ok: tuple[int, ...] | None = None
    need: Pattern | None = None
    fail: tuple[Pattern, ...] | None = None
    percent: Pattern | None = None
    limit_s: Seconds | None = None
    quiet_s: Seconds | None = None
    urls: bool | None = None

    def __post_init__(self) -> None:
        for name in ("need", "percent"):
            _check_pattern(name, getattr(self, name) or "")
        for pattern in self.fail or ():
            _check_pattern("fail", pattern)
        for field, arguments in (("flash", self.flash), ("verify", self.verify)):
            for name in _PLACE.findall(" ".join(arguments or ())):
                if name not in PLACES:
                    known = ", ".join(f"{{{one}}}" for one in sorted(PLACES))
                    raise ValueError(f"{field}: {{{name}}} is not one of {known}")

    def over(self, profile: "Chip") -> "Chip":
        """Return this chip with the values of ``profile`` where it has none."""
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        return msgspec.structs.replace(profile, **given)


def _check_pattern(name: str, pattern: str) -> None:
    if problem := pattern_problem(pattern):
        raise ValueError(f"{name}: {problem}")
