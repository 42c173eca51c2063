"""The station file: one bench's lanes, its work and its limits, as TOML that people write.

Paths in it that are not absolute begin at the file's own folder. Unknown keys are errors. It never holds the
access key: the platform's settings come from the board file and the environment, as for one job.
"""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from atota.dialects.common import pattern_problem
from atota.errors import ConfigError, UsageError
from atota.files import load_toml
from atota.settings.board import Board, load_board
from atota.settings.kinds import Seconds, Text
from atota.values import TaskType, checked_md5

MOST_LANES = 64
"""Lanes that one station may have; `station check` counts what the USB of a PC carries."""

Count = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]
LaneNumber = Annotated[int, msgspec.Meta(ge=1, le=99)]


_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})", re.ASCII)


def host_and_port(text: str) -> tuple[str, int]:
    """Return the parts of ``HOST:PORT``; port 0 takes any free one.

    Raises:
        ValueError: it is anything else.
    """
    match = _LISTEN.fullmatch(text)
    if match is None or int(match[2]) > 65535:
        raise ValueError(f"bad address {text!r}: expected HOST:PORT, such as 127.0.0.1:8765")
    return match[1].strip("[]"), int(match[2])


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the station file."""


class PageTable(_Table, frozen=True, kw_only=True):
    """The operator page."""

    listen: Text = "127.0.0.1:8765"

    def __post_init__(self) -> None:
        host_and_port(self.listen)


class WorkTable(_Table, frozen=True, kw_only=True):
    """The work of every lane.

    ``flash`` needs package, md5 and target. ``type`` and ``model`` choose the platform's table and the row in
    it, as the options do; a lane's board may name them instead. ``quota`` counts the units of the batch that
    may pass, ``max_active`` the lanes that may be at work at once (0: no limit). ``hard_limit_s`` limits one
    job.
    """

    command: Literal["update", "flash"] = "update"
    type: TaskType | None = None
    model: Text | None = None
    package: Text | None = None
    md5: Text | None = None
    target: Text | None = None
    batch: Text | None = None
    quota: Count = 0
    max_active: Count = 0
    hard_limit_s: Seconds = 900.0

    def __post_init__(self) -> None:
        given = {"package": self.package, "md5": self.md5, "target": self.target}
        for key, value in given.items():
            if self.command == "flash" and value is None:
                raise ValueError(f'command = "flash" needs `{key}`')
            if self.command == "update" and value is not None:
                raise ValueError(f'`{key}` belongs to command = "flash"; the platform names it for "update"')
        if self.quota and self.batch is None:
            raise ValueError("`quota` counts the units of a batch, so it needs `batch`")
        try:
            if self.md5 is not None:
                checked_md5(self.md5)
        except UsageError as error:
            raise ValueError(error.message) from None


class DevicesTable(_Table, frozen=True, kw_only=True):
    """The platform's names of the devices: a list by IMEI or serial number, or a template.

    On a station of a line that gives neither of them, the line names the devices of ``product_id``.
    """

    file: Text | None = None
    dev_id: Text | None = None
    product_id: Text | None = None
    device_name: Text | None = None

    def __post_init__(self) -> None:
        templates = [text for text in (self.dev_id, self.product_id, self.device_name) if text is not None]
        if self.file is not None and templates:
            raise ValueError("a `file` names the devices one by one: leave the templates out")
        for text in templates:
            try:
                text.format(imei="", serial="")
            except (KeyError, IndexError, ValueError):
                raise ValueError(f"bad template {text!r}: its fields are {{imei}} and {{serial}}") from None

    @property
    def names_units(self) -> bool:
        """True if it tells the names of units, not only their product."""
        return any(name is not None for name in (self.file, self.dev_id, self.device_name))


class ScanTable(_Table, frozen=True, kw_only=True):
    """The codes that a scanner reads; every pattern must fit the whole code.

    ``pattern`` is a unit's label: its group, or all of it, is an IMEI or the serial number.
    """

    serial: Literal["required", "optional", "none"] = "none"
    pattern: Text | None = None
    operator: Text | None = None
    lane: Text | None = None
    reader: Text | None = None

    def __post_init__(self) -> None:
        for pattern in (self.pattern, self.operator, self.lane):
            if problem := pattern_problem(pattern or ""):
                raise ValueError(problem)
        if self.serial != "none" and self.pattern is None:
            raise ValueError(
                f'serial = "{self.serial}" needs `pattern`, which tells a label from other codes'
            )


class StopTable(_Table, frozen=True, kw_only=True):
    """The interlocks; 0 switches one off. ``golden`` lists the numbers of the golden units."""

    failures_lane: Count = 3
    failures_station: Count = 6
    min_free_mb: Count = 500
    golden_every_h: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 0
    golden: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        if self.golden_every_h and not self.golden:
            raise ValueError("`golden_every_h` needs `golden`, the numbers of the golden units")


class LabelTable(_Table, frozen=True, kw_only=True):
    """The label of a unit that passed: a ZPL template, and a printer on TCP or at a device."""

    template: Text
    printer: Text
    on: Literal["pass"] = "pass"

    def __post_init__(self) -> None:
        if "://" in self.printer:
            parts = urlsplit(self.printer)
            if parts.scheme != "tcp" or not parts.hostname:
                raise ValueError(f"bad printer {self.printer!r}: expected tcp://HOST:PORT or a device")


class HooksTable(_Table, frozen=True, kw_only=True):
    """Programs that get each record as JSON on their standard input."""

    record: tuple[Text, ...] = ()


class LineTable(_Table, frozen=True, kw_only=True):
    """The line server that collects the records of many stations."""

    url: Text
    key_file: Text


class LaneTable(_Table, frozen=True, kw_only=True):
    """One lane: a USB path, or a port by its device name or URL."""

    number: LaneNumber
    path: Text | None = None
    port: Text | None = None
    board: Text | None = None

    def __post_init__(self) -> None:
        if (self.path is None) == (self.port is None):
            raise ValueError(f"lane {self.number} needs either `path` or `port`")

    @property
    def key(self) -> str:
        """The lane's place, for people."""
        return self.path or self.port or ""


class StationFile(_Table, frozen=True, kw_only=True):
    """The station file as it stands."""

    name: Text
    board: Text | None = None
    language: Literal["en", "zh"] = "en"
    page: PageTable = PageTable()
    work: WorkTable = WorkTable()
    devices: DevicesTable = DevicesTable()
    scan: ScanTable = ScanTable()
    stop: StopTable = StopTable()
    label: LabelTable | None = None
    hooks: HooksTable = HooksTable()
    line: LineTable | None = None
    lane: Annotated[tuple[LaneTable, ...], msgspec.Meta(min_length=1, max_length=MOST_LANES)]

    def __post_init__(self) -> None:
        by_number: dict[int, str] = {}
        by_key: dict[str, int] = {}
        for lane in self.lane:
            if lane.number in by_number:
                raise ValueError(f"two lanes have the number {lane.number}")
            by_number[lane.number] = lane.key
            is_shared = lane.key.startswith("sim://")  # each opening of such a port is a module of its own
            if lane.key in by_key and not is_shared:
                raise ValueError(f"lanes {by_key[lane.key]} and {lane.number} have one place: {lane.key}")
            by_key[lane.key] = lane.number


class StationConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A station file and the board files that it names.

    ``boards`` has the board of each lane by its number, where it has one.
    """

    path: Path
    file: StationFile
    boards: dict[int, Board]

    def beside(self, name: str) -> Path:
        """Return the path of a file that the station file names."""
        return self.path.parent / Path(name).expanduser()

    def board_path(self, lane: LaneTable) -> Path | None:
        """Return the board file of a lane: its own, else the station's."""
        name = lane.board or self.file.board
        return None if name is None else self.beside(name)


def load_station(path: Path) -> StationConfig:
    """Read the station file at ``path`` and its boards.

    Raises:
        ConfigError: a file is missing or wrong; the text names it and the place in it.
    """
    file = load_toml(path, StationFile)
    config = StationConfig(path=path, file=file, boards={})
    loaded: dict[Path, Board] = {}
    for lane in file.lane:
        board = config.board_path(lane)
        if board is not None:
            if board not in loaded:
                loaded[board] = load_board(board)
            config.boards[lane.number] = loaded[board]
    for name in (file.work.package, file.devices.file, file.label.template if file.label else None):
        if name is not None and not config.beside(name).is_file():
            raise ConfigError(
                f"{path}: {name}: No such file",
                hint="Correct the name; a relative path begins at the station file's folder.",
            )
    return config
