"""The job in the head of a transcript, as far as the conversation with the module depends on it.

    # command flash
    # package app.bin 40960 0123456789abcdef0123456789abcdef
    # target BC28JAR01A05
    # options {"block":128,"allowed":["unproven"]}
    # board bench-bc28

It holds no secret, no path and no data of the platform.
"""

from collections.abc import Iterable

import msgspec

from atota.errors import ConfigError


class HeadPackage(msgspec.Struct, frozen=True):
    """The package of a job; ``size`` is in bytes."""

    name: str
    size: int
    md5: str


class HeadOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The options of a job that change the conversation; named as the fields of the job's description.

    Rates in bit/s, times in seconds; ``allowed`` are the names of the risks that the user accepted.
    """

    baud: int | None = None
    first_baud: int | None = None
    dialect: str | None = None
    model: str | None = None
    expect_version: str | None = None
    block: int | None = None
    transfer_baud: int | None = None
    timeout_s: float | None = None
    reboot_timeout_s: float | None = None
    read_back: bool = False
    allowed: tuple[str, ...] = ()


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The command that a transcript records, and its job if it is one."""

    command: str = ""
    package: HeadPackage | None = None
    target: str | None = None
    options: HeadOptions = HeadOptions()
    board: str | None = None

    def lines(self) -> dict[str, str]:
        """Return the keys and texts of the head's lines."""
        package = self.package
        lines = {
            "command": self.command or None,
            "package": f"{package.name} {package.size} {package.md5}" if package is not None else None,
            "target": self.target,
            "options": msgspec.json.encode(self.options).decode() if self.options != HeadOptions() else None,
            "board": self.board,
        }
        return {key: text for key, text in lines.items() if text is not None}


def parse_head(lines: Iterable[tuple[str, str]]) -> Head:
    """Read the job from the keys and texts of a transcript's head; other keys are ignored.

    Raises:
        ConfigError: a line cannot be read.
    """
    texts = dict(lines)
    try:
        options = msgspec.json.decode(texts.get("options", "{}"), type=HeadOptions)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"the transcript's options cannot be read: {error}") from error
    return Head(
        command=texts.get("command", ""),
        package=_package(texts["package"]) if "package" in texts else None,
        target=texts.get("target"),
        options=options,
        board=texts.get("board"),
    )


def _package(text: str) -> HeadPackage:
    words = text.rsplit(" ", 2)
    if len(words) != 3 or not words[1].isdecimal():
        raise ConfigError(f"the transcript's package must read NAME SIZE MD5, not {text!r}")
    return HeadPackage(words[0], int(words[1]), words[2])
