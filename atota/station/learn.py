"""The lane keys, learned: one unit is plugged after the other, and its place is the lane's key.

The station file stays as a person wrote it, with its comments and its line ends; only the `path` of the
lanes that were learned is replaced, and a lane that is missing is added at its end. It is written whole or
not at all.
"""

import os
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from atota.clock import Clock, StopToken
from atota.errors import ConfigError, Interrupted, UsageError
from atota.files import decode_toml
from atota.link.ports import natural
from atota.station.config import MOST_LANES, StationFile
from atota.station.sockets import Links

LOOK_EVERY_S = 0.25
_TAIL = re.compile(r"(?:^|-)(usb(?:v\d)?-.*)")
_PORT_OF_ADAPTER = re.compile(r":\d+\.\d+(?:-port\d+)?$|#\d+$")
_NUMBER = re.compile(r"\s*number\s*=\s*(\d+)")
_KEY = re.compile(r"""(?P<indent>\s*)(?:path|port)\s*=\s*(?:"[^"]*"|'[^']*')(?P<comment>.*)""", re.DOTALL)
_LANES = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?", re.ASCII)


def lane_numbers(text: str) -> list[int]:
    """Return the lanes that ``N`` (1 to N) or ``A-B`` means.

    Raises:
        UsageError: it is anything else.
    """
    match = _LANES.fullmatch(text)
    first, last = (0, 0) if match is None else (1, int(match[1]))
    if match is not None and match[2] is not None:
        first, last = int(match[1]), int(match[2])
    if not 1 <= first <= last or last - first >= MOST_LANES:
        raise UsageError(
            f"--lanes {text}: these are not lanes", hint="Give a number, as in 8, or a range, as in 9-16."
        )
    return list(range(first, last + 1))


def tail_of(name: str) -> str:
    """Return the part of a link's name that stays when the controller gets another address."""
    match = _TAIL.search(name)
    return match[1] if match is not None else name


def are_one_adapter(keys: list[str]) -> bool:
    """True if keys differ in the port of their adapter alone, as the four of an FT4232 do."""
    return len({_PORT_OF_ADAPTER.sub("", key) for key in keys}) <= 1


def appearing(links: Links, clock: Clock, stop: StopToken) -> Iterator[list[str]]:
    """Return an iterator of the keys that appear at one plug, one plug after the other.

    Raises:
        Interrupted: the stop token was set.
    """
    links.scan()  # at once: a plug that follows the call is seen
    return _appearing(links, clock, stop, links.tokens())


def _appearing(links: Links, clock: Clock, stop: StopToken, known: dict[str, str]) -> Iterator[list[str]]:
    fresh: set[str] = set()
    while True:
        if stop.is_set:
            raise Interrupted("stopped before all lanes were learned")
        clock.sleep(LOOK_EVERY_S)
        links.scan()
        now = links.tokens()
        appeared = {name for name, token in now.items() if known.get(name) != token}
        known = now
        fresh |= appeared
        if fresh and not appeared:  # the ports of one adapter do not appear at one moment
            yield _keys_of(fresh & now.keys(), links.devices())
            fresh = set()


def _keys_of(names: set[str], devices: dict[str, str]) -> list[str]:
    """Return one key for each device, in the order of their numbers."""
    by_device: dict[str, str] = {}
    for name in sorted(names, key=len, reverse=True):
        # Of two names for one port (usb-… and usbv2-…) the shorter one is older, and everywhere.
        by_device[devices.get(name, name)] = tail_of(name)
    return sorted(by_device.values(), key=natural)


def with_paths(text: str, paths: dict[int, str]) -> str:
    """Return a station file with other paths of its lanes."""
    end_of_line = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    remaining = dict(paths)
    heads = [index for index, line in enumerate(lines) if re.match(r"\s*\[", line)]
    for head, end in reversed(list(pairwise([*heads, len(lines)]))):
        if not re.match(r"\s*\[\[\s*lane\s*\]\]", lines[head]):
            continue
        block = lines[head:end]
        number = next((int(match[1]) for line in block if (match := _NUMBER.match(line))), None)
        if number not in remaining:
            continue
        path = f'path = "{remaining.pop(number)}"'
        at = next((index for index, line in enumerate(block) if _KEY.match(line)), None)
        if at is None:
            block.insert(1, path)
        else:
            block[at] = _KEY.sub(rf"\g<indent>{path}\g<comment>", block[at])
        lines[head:end] = block
    for number, tail in sorted(remaining.items()):
        lines += ["", "[[lane]]", f"number = {number}", f'path = "{tail}"']
    return end_of_line.join(lines) + end_of_line


def check_file(file: Path, numbers: list[int]) -> None:
    """Refuse a file that could not be written once its lanes are learned, before the first plug.

    Raises:
        ConfigError: it is wrong, or cannot be written.
    """
    _written(file, {number: f"lane-{number}" for number in numbers})
    if not os.access(file.resolve().parent, os.W_OK):
        raise ConfigError(f"{file.parent}: not writable for you", hint="Check the folder of the file.")


def write_paths(file: Path, paths: dict[int, str]) -> None:
    """Write learned paths into a station file.

    Raises:
        ConfigError: the file would be wrong with them, or cannot be written; it stays as it was.
    """
    text = _written(file, paths)
    file = file.resolve()  # a link stays a link
    fresh = file.with_name(f".{file.name}.new")
    try:
        fresh.write_bytes(text.encode("utf-8"))
        shutil.copymode(file, fresh)
        fresh.replace(file)
    except OSError as error:
        raise _trouble(file, error) from error


def _written(file: Path, paths: dict[int, str]) -> str:
    """Return the text of a station file with these paths, which stand in it as read."""
    try:
        text = with_paths(file.read_bytes().decode("utf-8"), paths)
    except OSError as error:
        raise _trouble(file, error) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: Not UTF-8", hint="Save the file as UTF-8.") from error
    read = decode_toml(text, StationFile, name=str(file))
    if not paths.items() <= {lane.number: lane.path for lane in read.lane}.items():
        raise ConfigError(
            f"{file}: its lanes are written in another form than [[lane]] with `number` and `path`",
            hint="Write each lane as boards/stations/bench-7.toml does.",
        )
    return text


def _trouble(file: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{file}: {error.strerror}", hint="Check the file and its folder.")
